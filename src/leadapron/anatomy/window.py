"""Which part of a frame to look at: without uniform borders, and near a small chest.

Borders (collimation, padding, a film on a light box) and a chest that fills little of its
frame would change the ranks and the scale that the networks read. The first are cut off
before anything looks; where the lungs turn out small, the network looks again from nearer.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from leadapron.anatomy.labels import INDEX
from leadapron.anatomy.preprocessing import Float, Letterbox, shrink
from leadapron.anatomy.probability import ProbabilityMaps

Byte = npt.NDArray[np.uint8]

_EVEN = 0.012
"""Spread of a border's row or column, as a share of the film's: noise, no anatomy."""

_LEAST = 0.03
"""Borders under this share of the side are left alone."""

_WANTED, _TOO_SMALL = 0.74, 0.60
"""Side of the square that the lungs take after a second look, and below which one is due."""

_FINEST = 2.0
"""Maps of a near look are kept at no more than this many times the network's resolution."""


@dataclass(frozen=True)
class Window:
    """A rectangle of a frame, in native pixels; ``top`` and ``left`` inclusive."""

    top: int
    left: int
    rows: int
    cols: int

    @classmethod
    def whole(cls, frame: npt.NDArray[np.generic]) -> Window:
        """All of a frame (H, W)."""
        return cls(0, 0, frame.shape[0], frame.shape[1])

    def of(self, frame: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """Return the window's part of a frame (H, W), a view."""
        return frame[self.top : self.top + self.rows, self.left : self.left + self.cols]


@dataclass(frozen=True)
class Look:
    """A window of the frame in the network's square.

    Attributes:
        window: what was looked at.
        square: float32 (S, S), stored values.
        box: where the window lies in the square.
    """

    window: Window
    square: Float
    box: Letterbox


Read = tuple[Look, Byte]
"""A look and what was made of it, uint8 (channels + 1, S, S), as the frame is stored:
probabilities and, last, contrast."""


def look(frame: npt.NDArray[np.generic], size: int) -> Look:
    """Shrink a frame (H, W) into a square of side ``size``, without uniform borders."""
    whole = Window.whole(frame)
    square, box = shrink(frame, size)
    exposed = _exposed(square[box.rows, box.cols], whole)
    if exposed == whole:
        return Look(whole, square, box)
    return Look(exposed, *shrink(exposed.of(frame), size))


def nearer(
    frame: npt.NDArray[np.generic], first: Look, lungs: npt.NDArray[np.bool_]
) -> Look | None:
    """Look again at the chest where the lungs (S, S) are small in the first look's square."""
    rows, cols = (np.nonzero(lungs.any(axis=axis))[0] for axis in (1, 0))
    if not rows.size:
        return None
    size = first.box.size
    extent = max(rows[-1] - rows[0], cols[-1] - cols[0]) + 1
    if extent >= _TOO_SMALL * size:
        return None
    scale = max(first.window.rows, first.window.cols) / size
    half = extent / _WANTED / 2 * scale
    middle = [
        first.window.top + ((rows[0] + rows[-1] + 1) / 2 - first.box.rows.start) * scale,
        first.window.left + ((cols[0] + cols[-1] + 1) / 2 - first.box.cols.start) * scale,
    ]
    window = _clipped(middle, half, first.window)
    return Look(window, *shrink(window.of(frame), size))


def composed(shape: tuple[int, int], reads: list[Read]) -> ProbabilityMaps:
    """Lay what was read over one another, later ones on top, in the whole frame's square.

    Its side is the network's, or up to twice that if a look was nearer than the frame.
    """
    last, found = reads[-1]
    if len(reads) == 1 and (last.window.rows, last.window.cols) == shape:
        return ProbabilityMaps(found, last.box)
    share = max(last.window.rows, last.window.cols) / max(shape)
    box = Letterbox.of(shape, round(last.box.size * min(_FINEST, 1 / share)))
    levels = np.zeros((len(found), box.size, box.size), dtype=np.uint8)
    levels[len(INDEX) :] = 128
    for one, part in reads:
        _lay(levels, box, one, part)
    return ProbabilityMaps(levels, box, share)


def _lay(levels: Byte, box: Letterbox, one: Look, part: Byte) -> None:
    scale = box.size / max(box.shape)
    edges = np.array([one.window.top, one.window.left, one.window.rows, one.window.cols]) * scale
    top, left = round(edges[0]), round(edges[1])
    rows = min(max(1, round(edges[0] + edges[2]) - top), box.inner[0] - top)
    cols = min(max(1, round(edges[1] + edges[3]) - left), box.inner[1] - left)
    at = np.s_[
        box.rows.start + top : box.rows.start + top + rows,
        box.cols.start + left : box.cols.start + left + cols,
    ]
    for target, source in zip(levels, part, strict=True):
        inner = np.ascontiguousarray(source[one.box.rows, one.box.cols])
        target[at] = cv2.resize(inner, (cols, rows), interpolation=cv2.INTER_LINEAR)


def _exposed(small: Float, whole: Window) -> Window:
    """Return the frame without borders that are one grey from end to end."""
    low, high = np.percentile(small, (1, 99))
    most = max(_EVEN * float(high - low), 1e-5 * float(np.abs(small).max()))
    first_row, last_row = _span(np.ptp(np.quantile(small, (0.01, 0.99), axis=1), axis=0) > most)
    band = small[first_row:last_row]
    if not band.size:
        return whole
    first, last = _span(np.ptp(np.quantile(band, (0.01, 0.99), axis=0), axis=0) > most)
    top, rows = _native(first_row, last_row, small.shape[0], whole.rows)
    left, cols = _native(first, last, small.shape[1], whole.cols)
    return Window(top, left, rows, cols) if rows and cols else whole


def _native(first: int, last: int, small: int, side: int) -> tuple[int, int]:
    """Return start and length in native pixels of the small picture's lines."""
    start = int(first / small * side)
    return start, (side if last == small else int(last / small * side)) - start


def _span(shows: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """First and one past the last line that shows something, unless hardly any is even."""
    lines = np.nonzero(shows)[0]
    if not lines.size:
        return 0, 0
    least = _LEAST * shows.size
    first, last = int(lines[0]), int(lines[-1]) + 1
    return first if first >= least else 0, last if shows.size - last >= least else shows.size


def _clipped(middle: list[float], half: float, within: Window) -> Window:
    starts, sides = [], []
    for centre, start, side in zip(
        middle, (within.top, within.left), (within.rows, within.cols), strict=True
    ):
        low = max(start, round(centre - half))
        starts.append(low)
        sides.append(max(1, min(start + side, round(centre + half)) - low))
    return Window(starts[0], starts[1], sides[0], sides[1])
