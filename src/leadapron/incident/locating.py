"""Which films a copy shows, and where: the whole picture, and each part that may show a film."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from leadapron.archive import Archive, Film
from leadapron.delivery import Delivery, Originals
from leadapron.watermark.media import Shot
from leadapron.watermark.viewports import Box, viewports

MOST_GUESSES = 3
MOST_SIGHTS = 12
"""Films in pictures that one copy is traced against at most."""
_FILLS = 0.5
_SAME_PLACE = 0.7
_SAME_COPY = 0.65
_MARGIN = 0.06


@dataclass(frozen=True)
class Sight:
    """A film that a picture may show: which frame of it, where, and how surely.

    `shot` counts the copy's pictures from 0; `box` is where in it to trace.
    """

    shot: int
    box: Box
    film: Film
    frame: int
    inliers: int
    sure: bool


@dataclass(frozen=True)
class _Match:
    """A film found in one part of a picture.

    `quad` is where all of the film would lie: the same for parts of one copy, for instance its
    two lungs. `place` is what `part` shows of it.
    """

    sop_instance: str
    frame: int
    inliers: int
    sure: bool
    quad: Box
    place: Box
    whole: bool


class Locator:
    """Finds the films of a copy in the archive."""

    def __init__(self, archive: Archive, delivery: Delivery, originals: Originals) -> None:
        self._archive = archive
        self._delivery = delivery
        self._originals = originals

    def sights(self, shots: Sequence[Shot]) -> list[Sight]:
        """Return what to trace, surest first; at most 12.

        A film that is found for sure leaves no room for guesses in that picture.
        """
        self._originals.remember(self._delivery.grants())
        found: list[Sight] = []
        for number, shot in enumerate(shots):
            found += self._in_shot(number, shot)
        found.sort(key=lambda s: (not s.sure, -s.inliers, s.shot, s.film.sop_instance, s.frame))
        return found[:MOST_SIGHTS]

    def _in_shot(self, number: int, shot: Shot) -> list[Sight]:
        shape = (shot.pixels.shape[0], shot.pixels.shape[1])
        whole = Box(0, 0, *shape)
        matches = self._matches(shot.pixels, whole, whole=True)
        if not _fills(matches, whole):
            for box in _parts(shot, matches):
                matches += self._matches(box.of(shot.pixels), box)
        sure = _copies([m for m in matches if m.sure])
        if not sure:
            guesses = _best_of_each_film(matches)[:MOST_GUESSES]
            return [self._sight(number, m, whole) for m in guesses]
        one_place = all(_overlap(m.place, sure[0].place) > _SAME_PLACE for m in sure)
        return [
            self._sight(number, m, whole if one_place else _widened(m.place, shape)) for m in sure
        ]

    def _sight(self, shot: int, match: _Match, box: Box) -> Sight:
        film = self._archive.get(match.sop_instance)
        return Sight(shot, box, film, match.frame, match.inliers, match.sure)

    def _matches(
        self, part: npt.NDArray[np.unsignedinteger], box: Box, *, whole: bool = False
    ) -> list[_Match]:
        found = []
        for match in self._originals.find(part):
            film = self._archive.get(match.sop_instance)
            quad = _quad(match.homography, film, box)
            place = _within(quad, box)
            found.append(
                _Match(
                    film.sop_instance, match.frame, match.inliers, match.sure, quad, place, whole
                )
            )
        return found


def _quad(homography: npt.NDArray[np.float64], film: Film, box: Box) -> Box:
    """Return the rectangle around the film as laid over `box`, in pixels of the picture."""
    rows, columns = film.rows, film.columns
    corners = np.array([[0, 0, 1], [columns, 0, 1], [columns, rows, 1], [0, rows, 1]], np.float64)
    laid = corners @ homography.T
    depth = laid[:, 2]
    if not (np.all(depth > 1e-9) or np.all(depth < -1e-9)):
        return box
    x, y = laid[:, 0] / depth + box.left, laid[:, 1] / depth + box.top
    edges = np.clip([y.min(), x.min(), y.max(), x.max()], -1e6, 1e6)
    return Box(*(round(float(edge)) for edge in edges))


def _within(quad: Box, box: Box) -> Box:
    """Return the part of `quad` that lies in `box`; all of `box` if none does."""
    top, bottom = max(quad.top, box.top), min(quad.bottom, box.bottom)
    left, right = max(quad.left, box.left), min(quad.right, box.right)
    return Box(top, left, bottom, right) if top < bottom and left < right else box


def _fills(matches: Sequence[_Match], whole: Box) -> bool:
    """Tell whether one film that was surely found covers most of the picture."""
    return any(m.sure and m.place.area >= _FILLS * whole.area for m in matches)


def _parts(shot: Shot, matches: Sequence[_Match]) -> list[Box]:
    """Return the parts to look at singly; quarters where nothing parts a picture with a film."""
    found = viewports(shot.pixels)
    if found or not any(m.sure for m in matches):
        return found
    rows, columns = shot.pixels.shape[:2]
    height, width = round(rows * 0.55), round(columns * 0.55)
    return [
        Box(top, left, top + height, left + width)
        for top in (0, rows - height)
        for left in (0, columns - width)
    ]


def _copies(matches: Iterable[_Match]) -> list[_Match]:
    """Return one match for each copy of a film in the picture, surest first."""
    kept: list[_Match] = []
    for match in _ordered(matches):
        for place, known in enumerate(kept):
            same_film = known.sop_instance == match.sop_instance
            if same_film and _agreement(known.quad, match.quad) > _SAME_COPY:
                kept[place] = _joined(known, match)
                break
        else:
            kept.append(match)
    return kept


def _best_of_each_film(matches: Iterable[_Match]) -> list[_Match]:
    best: dict[str, _Match] = {}
    for match in _ordered(matches):
        best.setdefault(match.sop_instance, match)
    return list(best.values())


def _ordered(matches: Iterable[_Match]) -> list[_Match]:
    return sorted(matches, key=lambda m: (-m.inliers, m.sop_instance, m.frame, m.place))


def _joined(one: _Match, other: _Match) -> _Match:
    """Return `one` with the place of both: of the parts, where parts found it."""
    if one.whole != other.whole:
        return replace(one, place=(other if one.whole else one).place, whole=False)
    first, second = one.place, other.place
    place = Box(
        min(first.top, second.top),
        min(first.left, second.left),
        max(first.bottom, second.bottom),
        max(first.right, second.right),
    )
    return replace(one, place=place)


def _agreement(one: Box, other: Box) -> float:
    """Return intersection over union, 0 to 1."""
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    width = min(one.right, other.right) - max(one.left, other.left)
    both = max(height, 0) * max(width, 0)
    return both / max(one.area + other.area - both, 1)


def _overlap(one: Box, other: Box) -> float:
    """Return how much of the smaller rectangle lies in the other, 0 to 1."""
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    width = min(one.right, other.right) - max(one.left, other.left)
    return max(height, 0) * max(width, 0) / max(min(one.area, other.area), 1)


def _widened(place: Box, shape: tuple[int, int]) -> Box:
    down = round(_MARGIN * (place.bottom - place.top))
    across = round(_MARGIN * (place.right - place.left))
    return Box(
        max(0, place.top - down),
        max(0, place.left - across),
        min(shape[0], place.bottom + down),
        min(shape[1], place.right + across),
    )
