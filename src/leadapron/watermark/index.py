"""Find the film behind a leaked copy among all films.

Visual words vote for films; the best few are checked by geometry: a homography that at least
50 feature pairs agree on. Impostors among chest films reach about 30, so that a find is sure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leadapron.watermark.fingerprint import Fingerprint, spread, turned_hashes
from leadapron.watermark.overlay import grey
from leadapron.watermark.registration import Features, align_codes, features, variants
from leadapron.watermark.vocabulary import WORDS, Codes, vocabulary

Float = npt.NDArray[np.float32]

GENUINE = 50
"""Fewest agreeing feature pairs of a sure find."""
_DECISIVE = 2 * GENUINE
_HASH_NEAR = 60
_NEAREST_WORDS = 3
_CHECKED = (64, 24, 16)
_CLOSE = 52.0
_SIDES = (400, 600, 1000)
"""Photographs are noisy at their own size, films in a screenshot are small at less.

Few features are left at the smallest side, so that many films are checked there for little.
"""
_QUERY = 3000
_VOTERS = 700
_SEGMENTS = 6


@dataclass(frozen=True, eq=False)
class FilmMatch:
    """A film that a picture shows.

    Attributes:
        film_id: as given to `FilmIndex.add`.
        inliers: feature pairs that agree with the homography.
        homography: 3×3, film pixels to picture pixels.
        score: inliers as a share of what makes the find sure.
        mirrored, inverted: how the picture shows it.
    """

    film_id: str
    inliers: int
    homography: npt.NDArray[np.float64]
    score: float
    mirrored: bool = False
    inverted: bool = False

    @property
    def sure(self) -> bool:
        """Whether the geometry leaves no doubt that the picture shows this film."""
        return self.inliers >= GENUINE


class FilmIndex:
    """Fingerprints of films, searchable by a picture. Not safe for concurrent `add`."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._place: dict[str, int] = {}
        self._prints: list[Fingerprint] = []
        self._words: list[npt.NDArray[np.int32]] = []
        self._segments: list[_Postings] = []

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, film_id: str, fingerprint: Fingerprint) -> None:
        """Add a film, or replace the one of that name."""
        words = vocabulary().words(fingerprint.codes)[:, 0]
        if film_id in self._place:
            place = self._place[film_id]
            self._prints[place], self._words[place] = fingerprint, words
            self._segments = []
        else:
            self._place[film_id] = len(self._ids)
            self._ids.append(film_id)
            self._prints.append(fingerprint)
            self._words.append(words)

    def find(self, picture: npt.NDArray[Any], limit: int = 5) -> list[FilmMatch]:
        """Return the films that `picture` shows, best first.

        Args:
            picture: (h, w) or (h, w, 3), any size.
            limit: how many films at most. Several films in one screenshot are each found.

        Returns:
            Matches with agreeing geometry, sure ones (`FilmMatch.sure`) before guesses.
        """
        if not self._ids:
            return []
        copy = grey(picture)
        scales = [features(copy, side, _QUERY) for side in _SIDES]
        alike = self._hash_candidates(picture)
        best: dict[int, FilmMatch] = {}
        for turn in variants(scales[0].descriptors[:1]):
            turned = [_turned(found, turn) for found in scales]
            for match in self._matches(turned, (copy.shape[0], copy.shape[1]), alike, turn):
                place = self._place[match.film_id]
                if place not in best or match.inliers > best[place].inliers:
                    best[place] = match
            if any(match.inliers >= _DECISIVE for match in best.values()):
                break
        return sorted(best.values(), key=lambda m: (-m.inliers, m.film_id))[:limit]

    def _matches(
        self, scales: list[_Turned], shape: tuple[int, int], alike: list[int], turn: Turn
    ) -> Iterator[FilmMatch]:
        """Yield what geometry says of the films voted for at each scale, one by one.

        A film that matches at one scale is tried at the others too.
        """
        voted = [self._voted(found, shape) for found in scales]
        places = [dict.fromkeys(alike + v[:n]) for v, n in zip(voted, _CHECKED, strict=True)]
        matching: set[int] = set()
        for _ in range(2):
            for found, some in zip(scales, places, strict=True):
                for place in some:
                    match = self._checked(place, found, turn)
                    if match:
                        matching.add(place)
                        yield match
            places = [dict.fromkeys(p for p in sorted(matching) if p not in s) for s in places]

    def _checked(self, place: int, found: _Turned, turn: Turn) -> FilmMatch | None:
        film = self._prints[place]
        placed = align_codes(film.points, film.codes, found.points, found.codes, turn)
        if placed is None:
            return None
        return FilmMatch(
            self._ids[place],
            placed.inliers,
            placed.homography,
            placed.inliers / GENUINE,
            placed.mirrored,
            placed.inverted,
        )

    def _hash_candidates(self, picture: npt.NDArray[Any]) -> list[int]:
        """Return the films whose perceptual hash is near one of the picture's variants."""
        stored = np.frombuffer(b"".join(f.hash for f in self._prints), np.uint64).reshape(-1, 4)
        asked = turned_hashes(picture).view(np.uint64)
        nearest = np.full(len(stored), 256, np.int64)
        for one in asked:
            differing = np.bitwise_count(stored ^ one).sum(axis=1, dtype=np.int64)
            np.minimum(nearest, differing, out=nearest)
        order = np.argsort(nearest, kind="stable")[:4]
        return [int(i) for i in order if nearest[i] <= _HASH_NEAR]

    def _voted(self, found: _Turned, shape: tuple[int, int]) -> list[int]:
        """Return the films with votes from one scale, most first."""
        self._extend()
        total = np.zeros(len(self._ids), np.float32)
        asked = found.codes[spread(found.points, shape, _VOTERS)]
        for segment in self._segments:
            total[segment.first : segment.end] += segment.votes(asked)
        order = np.argsort(-total, kind="stable")[: max(_CHECKED)]
        return [int(i) for i in order if total[i] > 0]

    def _extend(self) -> None:
        """Bring the inverted files up to date: new films cost a small one of their own."""
        done = self._segments[-1].end if self._segments else 0
        if done == len(self._ids):
            return
        if len(self._segments) >= _SEGMENTS:
            self._segments, done = [], 0
        self._segments.append(_Postings(self._words[done:], self._prints[done:], done))


Turn = tuple[bool, bool]


@dataclass(frozen=True, eq=False)
class _Turned:
    """A picture's features as a mirrored or inverted picture would have them."""

    points: Float
    codes: Codes


def _turned(found: Features, turn: Turn) -> _Turned:
    return _Turned(found.points, vocabulary().encode(variants(found.descriptors)[turn]))


class _Postings:
    """An inverted file: for every visual word, who has it and with which descriptor."""

    def __init__(
        self, words: list[npt.NDArray[np.int32]], prints: list[Fingerprint], first: int
    ) -> None:
        """`first` is the place of the first of these films in the index."""
        self.first, self.end = first, first + len(prints)
        self._films = len(prints)
        word = np.concatenate(words)
        film = np.repeat(np.arange(len(prints), dtype=np.int32), [len(w) for w in words])
        codes = np.concatenate([f.codes for f in prints])
        order = np.argsort(word, kind="stable")
        self._film = film[order]
        self._codes = codes[order]
        wide = self._codes.astype(np.float32)
        self._norm = np.einsum("ij,ij->i", wide, wide)
        self._start = np.searchsorted(word[order], np.arange(WORDS + 1))

    def votes(self, codes: Codes) -> Float:
        """Return each film's votes for a picture's codes, float32 (films,).

        A pair votes by its closeness, and less if the picture's feature resembles many films.
        """
        total = np.zeros(self._films, np.float32)
        for film, closeness in self._pairs(codes):
            np.add.at(total, film, closeness)
        return total

    def _pairs(self, codes: Codes) -> Iterator[tuple[npt.NDArray[np.int32], Float]]:
        words = vocabulary().words(codes, _NEAREST_WORDS)
        values = codes.astype(np.float32)
        for place in range(len(codes)):
            spans = [(self._start[w], self._start[w + 1]) for w in words[place]]
            rows = np.concatenate([np.arange(a, b) for a, b in spans])
            if not len(rows):
                continue
            value = values[place]
            apart = self._norm[rows] - 2 * (self._codes[rows].astype(np.float32) @ value)
            apart += value @ value
            near = apart < _CLOSE**2
            if near.any():
                strength = 1 - np.sqrt(np.maximum(apart[near], 0)) / _CLOSE
                yield self._film[rows[near]], strength / np.sqrt(near.sum())
