"""Which films a copy shows, and where: the whole picture, and each part that may show a film."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

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
    sop_instance: str
    frame: int
    inliers: int
    sure: bool
    place: Box


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
        matches = self._matches(shot.pixels, whole)
        if not _fills(matches, whole):
            for box in _parts(shot, matches):
                matches += self._matches(box.of(shot.pixels), box)
        sure = _apart([m for m in matches if m.sure])
        if not sure:
            guesses = _apart(matches)[:MOST_GUESSES]
            return [self._sight(number, m, whole) for m in guesses]
        one_place = all(_overlap(m.place, sure[0].place) > _SAME_PLACE for m in sure)
        return [
            self._sight(number, m, whole if one_place else _widened(m.place, shape)) for m in sure
        ]

    def _sight(self, shot: int, match: _Match, box: Box) -> Sight:
        film = self._archive.get(match.sop_instance)
        return Sight(shot, box, film, match.frame, match.inliers, match.sure)

    def _matches(self, part: npt.NDArray[np.unsignedinteger], box: Box) -> list[_Match]:
        found = []
        for match in self._originals.find(part):
            film = self._archive.get(match.sop_instance)
            place = _place(match.homography, film, box)
            found.append(_Match(film.sop_instance, match.frame, match.inliers, match.sure, place))
        return found


def _place(homography: npt.NDArray[np.float64], film: Film, box: Box) -> Box:
    """Return the rectangle of `box` that the film covers; all of it if that can't be told."""
    rows, columns = film.rows, film.columns
    corners = np.array([[0, 0, 1], [columns, 0, 1], [columns, rows, 1], [0, rows, 1]], np.float64)
    laid = corners @ homography.T
    depth = laid[:, 2]
    if not (np.all(depth > 1e-9) or np.all(depth < -1e-9)):
        return box
    x, y = laid[:, 0] / depth + box.left, laid[:, 1] / depth + box.top
    top, bottom = (int(np.clip(v, box.top, box.bottom)) for v in (y.min(), y.max()))
    left, right = (int(np.clip(v, box.left, box.right)) for v in (x.min(), x.max()))
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


def _apart(matches: Iterable[_Match]) -> list[_Match]:
    """Return the best match of each film at each place, surest first."""
    kept: list[_Match] = []
    for match in sorted(matches, key=lambda m: (-m.inliers, m.sop_instance, m.frame, m.place)):
        same = (
            k.sop_instance == match.sop_instance
            and (not match.sure or _overlap(k.place, match.place) > _SAME_PLACE)
            for k in kept
        )
        if not any(same):
            kept.append(match)
    return kept


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
