"""Where a screenshot may show films: its picture cut along the lines that nothing crosses.

A recursive XY-cut: a row or column that is one grey from end to end parts what lies beside it.
Viewers part their viewports by such lines, desktops their windows, collages their pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from leadapron.watermark.overlay import grey

MOST_VIEWPORTS = 6
_SIDE = 1600
_FLAT = 8.0
_ACROSS = (4, 96)
_DEEPEST = 6
_SMALLEST_SHARE, _LARGEST_SHARE = 0.02, 0.9
_SMALLEST_SIDE = 100
_CONTRAST = 8.0

Grey = npt.NDArray[np.float32]


class Box(NamedTuple):
    """A rectangle of a picture, in its pixels; `bottom` and `right` lie outside."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def area(self) -> int:
        """Pixels inside."""
        return (self.bottom - self.top) * (self.right - self.left)

    def of(self, picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return this part of a picture."""
        return np.ascontiguousarray(picture[self.top : self.bottom, self.left : self.right])


def viewports(picture: npt.NDArray[Any]) -> list[Box]:
    """Return at most 6 rectangles of `picture` that may each show a film, largest first.

    `picture` is (h, w) or (h, w, 3). A picture that nothing parts gives none: it is one.
    """
    import cv2

    plain = grey(picture)
    top = 255.0 if picture.dtype == np.uint8 else max(float(plain.max()), 1.0)
    scale = min(1.0, _SIDE / max(plain.shape))
    size = (max(1, round(plain.shape[1] * scale)), max(1, round(plain.shape[0] * scale)))
    scaled = plain * np.float32(255 / top)
    small: Grey = np.asarray(cv2.resize(scaled, size, interpolation=cv2.INTER_AREA), np.float32)
    whole = Box(0, 0, small.shape[0], small.shape[1])
    found = [_scaled(box, scale, plain.shape) for box in _leaves(small, whole, 0)]
    found = [box for box in found if _film_like(box, plain, top)]
    return sorted(found, key=lambda box: (-box.area, box))[:MOST_VIEWPORTS]


def _leaves(small: Grey, box: Box, depth: int) -> Iterator[Box]:
    box = _trimmed(small, box)
    if box.area == 0:
        return
    part = box.of(small)
    for axis in (0, 1):
        runs = _between(_flat(part, axis))
        if len(runs) > 1 and depth < _DEEPEST:
            for start, stop in runs:
                yield from _leaves(small, _cut(box, axis, start, stop), depth + 1)
            return
    yield box


def _flat(part: Grey, axis: int) -> npt.NDArray[np.bool_]:
    """Return which columns (axis 0) or rows (axis 1) are one grey from end to end."""
    low, high = np.percentile(part, _ACROSS, axis=axis)
    return np.asarray(high - low <= _FLAT)


def _between(flat: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the runs that are not flat, as (start, stop)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], flat, [True]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _trimmed(small: Grey, box: Box) -> Box:
    """Return the box without the flat lines along its border."""
    for axis in (0, 1):
        if box.area == 0:
            return box
        runs = _between(_flat(box.of(small), axis))
        if not runs:
            return Box(box.top, box.left, box.top, box.left)
        box = _cut(box, axis, runs[0][0], runs[-1][1])
    return box


def _cut(box: Box, axis: int, start: int, stop: int) -> Box:
    if axis == 0:
        return Box(box.top, box.left + start, box.bottom, box.left + stop)
    return Box(box.top + start, box.left, box.top + stop, box.right)


def _scaled(box: Box, scale: float, shape: tuple[int, ...]) -> Box:
    return Box(
        max(0, int(box.top / scale)),
        max(0, int(box.left / scale)),
        min(shape[0], round(box.bottom / scale)),
        min(shape[1], round(box.right / scale)),
    )


def _film_like(box: Box, plain: Grey, top: float) -> bool:
    """Tell whether a part is large enough to be traced, and not of one grey."""
    share = box.area / plain.size
    side = min(box.bottom - box.top, box.right - box.left)
    if not (_SMALLEST_SHARE <= share <= _LARGEST_SHARE and side >= _SMALLEST_SIDE):
        return False
    return float(box.of(plain).std()) * 255 / top > _CONTRAST
