"""Which rib is which: the courses of both sides are numbered together.

First each side by itself (``chain``): the best numbers from above, judged by what the
network says along each course and by the gaps between them; a course that fits nowhere is
left out, a rib may be missing. Then both sides at once (``agreed``): should a side, or what
lies below its first rib, be one number higher or lower? That is judged by how ribs are spaced
in CT projections, by the lung's apex, and by equal ribs lying at equal heights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from leadapron.anatomy.rib_courses import Course

Line = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_VOTE, _VOTE_FLOOR = 1.0, 0.03
_MISSING, _LEFT_OUT, _SAME = 1.0, 3.0, 0.5
_GAP_NOISE, _GAP_WORST, _TOP_WORST = 0.22, 6.0, 3.0
_USUAL_GAP = 13.0
_FULL = 40
_SHARED = 4

_EVIDENCE, _PRIOR = 8.0, 0.5
_NOISE = 2.5
_TOP_NOISE, _TOP_WIDER = 0.25, 1.5
_LEVEL, _LEVEL_WORST = 0.3, 8.0
_SPACING_WORST = 12.0
_WARMTH = 4.0
"""The worths are not independent: divided by this, they tell how often a number is wrong."""


@dataclass(frozen=True)
class Spacing:
    """How ribs follow each other at the lung apex, in units of the mean gap of ribs 4 to 7.

    Attributes:
        mean: float (N,), gap below rib ``1 + n``.
        covariance: float (N, N), of the gaps.
        top_mean: float (T,), rows of rib ``1 + t`` below the lung's top.
        top_sd: float (T,).
    """

    mean: Line
    covariance: Line
    top_mean: Line
    top_sd: Line

    @classmethod
    def of(cls, card: Mapping[str, Any]) -> Spacing:
        """Read it from the rib network's card."""
        names = ("mean", "covariance", "top_mean", "top_sd")
        return cls(*(np.asarray(card["spacing"][name], dtype=np.float64) for name in names))

    @property
    def ribs(self) -> int:
        """The ribs that it knows: 1 to this."""
        return len(self.mean) + 1


@dataclass(frozen=True)
class Side:
    """One side's courses, and where the lung's apex is: its column and its top row."""

    courses: list[Course]
    column: float
    top: float

    @classmethod
    def of(cls, courses: list[Course], lung: Mask) -> Side:
        """Measure the apex of ``lung``, bool (S, S)."""
        rows, columns = np.nonzero(lung)
        top = float(np.percentile(rows, 1))
        return cls(courses, float(np.median(columns[rows < top + 0.15 * np.ptp(rows)])), top)


Named = list[tuple[Course, int]]
"""Courses with their numbers, from above."""


def agreed(
    right: tuple[Side, list[int]], left: tuple[Side, list[int]], spacing: Spacing
) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
    """Judge both sides' numbers together.

    right, left: each side, its courses from above, and a number for each of them.

    Returns, for each course, its number and how sure that is, 0..1 against being one off.
    """
    guesses = [_Guesses(side, numbers, spacing) for side, numbers in (right, left)]
    together = _together(*guesses)
    best = np.unravel_index(int(together.argmax()), together.shape)
    weight = np.exp((together - together.max()) / _WARMTH)
    weight /= weight.sum()
    sides = []
    for axis, guess in enumerate(guesses):
        own, chosen = weight.sum(axis=1 - axis), guess.numbers[int(best[axis])]
        sure = [float(own[guess.numbers[:, i] == n].sum()) for i, n in enumerate(chosen)]
        sides.append([(int(n), s) for n, s in zip(chosen, sure, strict=True)])
    return sides[0], sides[1]


class _Guesses:
    """What a side's numbers may be, and the worth of each."""

    def __init__(self, side: Side, numbers: list[int], spacing: Spacing) -> None:
        self.courses = side.courses
        self.rows = np.array([course.row_at(side.column) for course in self.courses])
        self.numbers = _shifted(numbers)
        fits = [_fit(n, self.rows, side.top, spacing) for n in self.numbers]
        worth, self.unit = np.array(fits).T
        said = np.array([self._said(numbers) for numbers in self.numbers])
        changed = np.arange(len(self.numbers)) > 0
        self.worth = np.clip(worth - worth[0], -_SPACING_WORST, _SPACING_WORST)
        self.worth += _EVIDENCE * (said - said[0]) - _PRIOR * changed

    def _said(self, numbers: npt.NDArray[np.int64]) -> float:
        """The mean log share that the network gives these numbers."""
        if not self.courses:
            return 0.0
        logs = [_share(course) for course in self.courses]
        worst = float(np.log(_VOTE_FLOOR))
        return float(
            np.mean(
                [
                    log[n - 1] if n <= len(log) else worst
                    for log, n in zip(logs, numbers, strict=True)
                ]
            )
        )


def _share(course: Course) -> Line:
    return np.log(course.votes / max(1e-6, float(course.votes.sum())) + _VOTE_FLOOR)


def _shifted(numbers: list[int]) -> npt.NDArray[np.int64]:
    """Return the numbers as they are, then with all below the first few one off; (G, N)."""
    guesses = [np.array(numbers, dtype=np.int64)]
    if len(numbers) >= 4:
        for start, step in product((0, 1), (1, -1)):
            guess = guesses[0].copy()
            guess[start:] += step
            rising = start == 0 or guess[start] > guess[start - 1]
            if guess[start] >= 1 and rising and guess[-1] <= 12:
                guesses.append(guess)
    return np.stack(guesses)


def _together(right: _Guesses, left: _Guesses) -> Line:
    """The worth of every pair of guesses; equal ribs lie about equally high."""
    worth = right.worth[:, None] + left.worth[None]
    for i, j in np.ndindex(*worth.shape):
        _, a, b = np.intersect1d(right.numbers[i], left.numbers[j], return_indices=True)
        middle = right.numbers[i][a] >= 3
        apart = (left.rows[b] - right.rows[a])[middle]
        apart = apart[np.isfinite(apart)]
        unit = np.nanmean([right.unit[i], left.unit[j], _USUAL_GAP])
        off = np.median(apart) / unit / _LEVEL if apart.size else 1.0
        worth[i, j] -= min(off * off / 2, _LEVEL_WORST)
    return worth


def _fit(
    numbers: npt.NDArray[np.int64], rows: Line, top: float, spacing: Spacing
) -> tuple[float, float]:
    """Return the log likelihood of the rows if these are the numbers, and the gap's unit.

    Gaps are Gaussian with the projections' covariance, scaled to the film, plus an error
    of each row.
    """
    known = np.isfinite(rows) & (numbers <= spacing.ribs)
    named, at = numbers[known], rows[known]
    if len(named) < 3:
        return 0.0, np.nan
    below = np.arange(1, spacing.ribs)
    picks = ((named[:-1, None] <= below) & (below < named[1:, None])).astype(np.float64)
    gaps, mean = np.diff(at), picks @ spacing.mean
    rough = gaps.sum() / mean.sum()
    errors = 2 * np.eye(len(gaps)) - np.eye(len(gaps), k=1) - np.eye(len(gaps), k=-1)
    spread = picks @ spacing.covariance @ picks.T * rough**2 + _NOISE**2 * errors
    weight = np.linalg.inv(spread)
    unit = max(1.0, float(mean @ weight @ gaps / (mean @ weight @ mean)))
    off = gaps - unit * mean
    likely = -0.5 * float(off @ weight @ off) - 0.5 * float(np.linalg.slogdet(spread)[1])
    first = int(named[0]) - 1
    if first < len(spacing.top_mean) and known[0]:
        wide = np.hypot(spacing.top_sd[first], _TOP_NOISE) * _TOP_WIDER
        high = ((at[0] - top) / unit - spacing.top_mean[first]) / wide
        likely += float(-0.5 * high * high - np.log(wide))
    return likely, unit


def chain(side: Side, spacing: Spacing) -> Named:
    """Number one side's courses, from above; what fits nowhere is left out."""
    if not side.courses:
        return []
    order, gaps, shared = _order(side)
    courses = [side.courses[i] for i in order]
    whole = np.array([min(1.0, len(c.columns) / _FULL) for c in courses])
    unit = _unit(gaps, whole)
    votes = np.stack([_VOTE * w * _share(c) for c, w in zip(courses, whole, strict=True)])
    count = votes.shape[1]
    skipped = np.r_[0.0, np.cumsum(_LEFT_OUT * whole)]
    best, back = np.empty_like(votes), np.full((*votes.shape, 2), -1)
    for j in range(len(courses)):
        begin = -_first(side, courses[j], unit, spacing, count) - skipped[j]
        options, came = [begin], [(-1, np.full(count, -1))]
        for i in range(j):
            step = best[i][:, None] + _step(gaps[i, j] / unit, shared[i, j], spacing, count)
            options.append(step.max(axis=0) - (skipped[j] - skipped[i + 1]))
            came.append((i, step.argmax(axis=0)))
        chosen = np.argmax(options, axis=0)
        best[j] = np.max(options, axis=0) + votes[j]
        back[j] = [(came[c][0], came[c][1][k]) for k, c in enumerate(chosen)]
    left_out = skipped[-1] - skipped[1:]
    at, k = np.unravel_index(int((best - left_out[:, None]).argmax()), best.shape)
    named = []
    while at >= 0:
        named.append((courses[at], int(k) + 1))
        at, k = back[at, k]
    return named[::-1]


def _order(side: Side) -> tuple[list[int], Line, Line]:
    """Return the courses' order from above, the gaps and shared columns of each pair in it."""
    count = len(side.courses)
    gaps, shared = np.full((count, count), np.nan), np.zeros((count, count))
    for i, j in np.ndindex(count, count):
        if i != j:
            gaps[i, j], shared[i, j] = _gap(side.courses[i], side.courses[j], side.column)
    order = sorted(range(count), key=lambda i: _level(side.courses[i], side.column))
    for _, at in product(range(count), range(count - 1)):
        if gaps[order[at], order[at + 1]] < 0:
            order[at], order[at + 1] = order[at + 1], order[at]
    return order, gaps[np.ix_(order, order)], shared[np.ix_(order, order)]


def _level(course: Course, column: float) -> float:
    order = np.argsort(course.columns)
    return float(np.interp(column, course.columns[order], course.rows[order]))


def _gap(upper: Course, lower: Course, column: float) -> tuple[float, int]:
    """How far one course lies below another, by the apex if both are there."""
    same, i, j = np.intersect1d(upper.columns, lower.columns, return_indices=True)
    if same.size < _SHARED:
        return np.nan, int(same.size)
    apart, near = lower.rows[j] - upper.rows[i], np.abs(same - column) <= 10
    return float(np.median(apart[near] if near.sum() >= _SHARED else apart)), int(same.size)


def _unit(gaps: Line, whole: Line) -> float:
    """The usual gap between neighbours, in rows."""
    long = (whole[:-1] > 0.4) & (whole[1:] > 0.4)
    usual = np.diagonal(gaps, 1)[long]
    usual = usual[usual > 4]
    return float(np.median(usual)) if usual.size >= 2 else _USUAL_GAP


def _first(side: Side, course: Course, unit: float, spacing: Spacing, count: int) -> Line:
    """The cost of a course being the uppermost found, by number."""
    beyond = count - len(spacing.top_mean)
    mean = np.r_[spacing.top_mean, np.full(beyond, 3.0)]
    spread = np.hypot(np.r_[spacing.top_sd, np.full(beyond, 0.5)], _TOP_NOISE)
    off = ((_level(course, side.column) - side.top) / unit - mean) / spread
    late = _MISSING * np.maximum(0, np.arange(count) - 3)
    return np.asarray(np.minimum(off * off / 2, _TOP_WORST) + late)


def _step(gap: float, shared: float, spacing: Spacing, count: int) -> Line:
    """The worth of number ``b`` after number ``a``, (a, b), for courses ``gap`` units apart."""
    more = count - 1 - len(spacing.mean)
    between = np.r_[spacing.mean, np.full(more, spacing.mean[-1])]
    covariance = np.pad(spacing.covariance, (0, more), mode="edge")
    reach = np.r_[0.0, np.cumsum(between)]
    block = np.pad(covariance.cumsum(axis=0).cumsum(axis=1), (1, 0))
    own = np.diagonal(block)
    variance = np.maximum(own[None] + own[:, None] - block - block.T, 0) + _GAP_NOISE**2
    off = (gap - (reach[None] - reach[:, None])) ** 2 / variance / 2
    away = np.arange(count)[None] - np.arange(count)[:, None]
    cost = 0.5 if np.isnan(gap) else np.minimum(off, _GAP_WORST)
    worth = np.where(away > 0, -_MISSING * (away - 1) - cost, -np.inf)
    return np.where(away == 0, -_SAME if shared < _SHARED else -np.inf, worth)
