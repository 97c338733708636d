"""From the rib network's maps to one centreline for each rib.

The network gives a probability per pixel and rib number; a rib is one smooth line through
them. Bone along a course that has been numbered counts for that number alone. Every number's
best line is found by dynamic programming over the columns, from the spine outwards; then
lines that follow the same bone are settled by score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leadapron.anatomy.centreline import smooth
from leadapron.anatomy.rib_courses import Course

Float = npt.NDArray[np.float32]
Line = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_STEEPEST = 4
_BEND = 0.25
_FLOOR = 0.12
_PRESENT = 0.3
_GAP, _SHORTEST = 9, 14
_SAME = 2.0
_OWNED = 2
_OWNERS = 3
"""The first number that takes over its course's bone; ribs 1 and 2 run outside the lung."""
_ALONE = 0.5
_WINDOW = 6
_THINNEST, _THICKEST = 2.5, 9.0


@dataclass(frozen=True)
class Arc:
    """One posterior rib arc in the network's square.

    Attributes:
        number: the likeliest rib number.
        points: float (N, 2) of (column, row), from the spine outwards.
        widths: float (N,), across the line.
        bone: mean probability along the line that it is a rib at all.
        share: what part of that the number holds, against the other numbers.
    """

    number: int
    points: Line
    widths: Line
    bone: float
    share: float

    def course(self, chance: Float) -> Course:
        """The arc as a course, with the votes of ``chance``, float (K, S, S), along it."""
        columns = self.points[:, 0].astype(np.int64)
        rows = np.clip(np.rint(self.points[:, 1]).astype(np.int64), 0, chance.shape[1] - 1)
        votes = chance[:, rows, columns].sum(axis=1).astype(np.float64)
        return Course(columns, self.points[:, 1], votes)


def trace(
    chance: Float,
    side: Mask,
    outwards: int,
    first: int = 1,
    numbered: Sequence[tuple[Course, int]] = (),
) -> list[Arc]:
    """Return one side's arcs, from above.

    chance: float (K, S, S), probability of the posterior arc of rib ``first + k``.
    side: bool (S, S), where this side's ribs may lie.
    outwards: 1 if columns grow away from the spine, -1 if they shrink.
    numbered: courses and their numbers; other numbers are kept where most of the
        evidence along the line is theirs.
    """
    maps = _owned(chance * side, first, numbered)
    columns = np.nonzero(side.any(axis=0))[0]
    if columns.size < _SHORTEST:
        return []
    columns = columns[::outwards]
    bone = np.minimum(maps.sum(axis=0), 1.0)
    rows = _best_rows(maps[:, :, columns])
    found = []
    for k, line in enumerate(rows):
        own = _along(maps[k], columns, line)
        part = _extent(own)
        if part is None:
            continue
        found.append(_arc(first + k, columns[part], line[part], own[part], bone))
    named = {number for _, number in numbered}
    arcs = _settle(found)
    return [a for a in arcs if not named or a.number in named or a.share >= _ALONE]


def _owned(maps: Float, first: int, numbered: Sequence[tuple[Course, int]]) -> Float:
    """Give the bone along each course to its number, and take it from the others."""
    owners = [(c, n - first) for c, n in numbered if n >= _OWNERS and n - first < len(maps)]
    bone, out = np.minimum(maps.sum(axis=0), 1.0), maps.copy()
    across = np.arange(-_OWNED, _OWNED + 1)[:, None]
    places = [
        np.clip(course.rows.astype(np.int64) + across, 0, bone.shape[0] - 1) for course, _ in owners
    ]
    for (course, _), rows in zip(owners, places, strict=True):
        out[:, rows, course.columns] = 0
    for (course, k), rows in zip(owners, places, strict=True):
        out[k, rows, course.columns] = bone[rows, course.columns]
    return out


def _best_rows(maps: Float) -> npt.NDArray[np.int64]:
    """Return each map's best row per column, int (K, columns); maps are (K, S, columns)."""
    score = maps.transpose(2, 0, 1) - _FLOOR
    moves = np.arange(-_STEEPEST, _STEEPEST + 1)
    best = score[0].copy()
    back = np.zeros(score.shape, dtype=np.int8)
    for column in range(1, len(score)):
        options = np.stack([_shifted(best, int(move)) - _BEND * abs(int(move)) for move in moves])
        back[column] = options.argmax(axis=0)
        best = options.max(axis=0) + score[column]
    rows = np.empty(score.shape[:2], dtype=np.int64)
    rows[-1] = best.argmax(axis=1)
    each = np.arange(score.shape[1])
    for column in range(len(score) - 1, 0, -1):
        step = moves[back[column, each, rows[column]]]
        rows[column - 1] = np.clip(rows[column] - step, 0, score.shape[2] - 1)
    return rows.T


def _shifted(best: Float, move: int) -> Float:
    """Return what a line had before it moved down by ``move`` rows to reach each row."""
    out = np.full_like(best, -np.inf)
    if move >= 0:
        out[:, move:] = best[:, : best.shape[1] - move]
    else:
        out[:, :move] = best[:, -move:]
    return out


def _along(plane: Float, columns: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> Float:
    return np.asarray(plane[rows, columns], dtype=np.float32)


def _extent(own: Float) -> slice | None:
    """Return where the line is present: its best run, short gaps bridged."""
    present = np.nonzero(own > _PRESENT)[0]
    if present.size == 0:
        return None
    breaks = np.nonzero(np.diff(present) > _GAP)[0]
    starts, ends = np.r_[0, breaks + 1], np.r_[breaks, present.size - 1]
    weight = [own[present[a] : present[b] + 1].sum() for a, b in zip(starts, ends, strict=True)]
    best = int(np.argmax(weight))
    begin, end = int(present[starts[best]]), int(present[ends[best]]) + 1
    return slice(begin, end) if end - begin >= _SHORTEST else None


def _arc(
    number: int,
    columns: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    own: Float,
    bone: Float,
) -> Arc:
    offsets = np.arange(-_WINDOW, _WINDOW + 1)
    around = np.clip(rows[:, None] + offsets, 0, bone.shape[0] - 1)
    profile = bone[around, columns[:, None]] * _nearest_hill(bone[around, columns[:, None]])
    mass = np.maximum(profile.sum(axis=1), 1e-6)
    middle = smooth(rows + (profile * offsets).sum(axis=1) / mass, 2.5)
    points = np.column_stack([columns.astype(np.float64), middle])
    slope = np.gradient(middle)
    widths = smooth(mass / np.sqrt(1 + slope**2), 5.0)
    here = bone[rows, columns]
    return Arc(
        number,
        points,
        np.clip(widths, _THINNEST, _THICKEST),
        float(here.mean()),
        float(own.sum() / max(1e-6, here.sum())),
    )


def _nearest_hill(profile: Float) -> Float:
    """Return 1 on the hill around the window's middle, 0 beyond the first valley; (N, W)."""
    middle = profile.shape[1] // 2
    right = np.minimum.accumulate(profile[:, middle:], axis=1)
    left = np.minimum.accumulate(profile[:, middle::-1], axis=1)[:, ::-1]
    lowest = np.concatenate([left[:, :-1], right], axis=1)
    return (profile <= lowest + 0.1).astype(np.float32)


def _settle(arcs: list[Arc]) -> list[Arc]:
    """Keep, of arcs that follow the same bone, the one whose number holds most of it."""
    kept: list[Arc] = []
    for arc in sorted(arcs, key=lambda a: -a.share * a.bone * len(a.points)):
        if not any(_same_bone(arc, other) for other in kept):
            kept.append(arc)
    return sorted(kept, key=lambda a: a.number)


def _same_bone(first: Arc, second: Arc) -> bool:
    shared, i, j = np.intersect1d(
        first.points[:, 0], second.points[:, 0], assume_unique=True, return_indices=True
    )
    if shared.size < 0.3 * min(len(first.points), len(second.points)):
        return False
    apart = np.abs(first.points[i, 1] - second.points[j, 1])
    return bool((apart < _SAME).mean() > 0.4)
