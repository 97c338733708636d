"""Courses of ribs whatever their number: smooth lines along bone, from the spine outwards.

Where the network wavers between two numbers, each number's map holds only a part of a rib,
but their sum still holds all of it. Dynamic programming over column, row and slope gives
every pixel the best line outwards and the best line inwards; a line is followed from where
it is clearest, and no line crosses a gap between ribs.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]
Line = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Whole = npt.NDArray[np.int64]

_SLOPES = np.arange(-2, 5)
"""Rows down per column outwards; ribs fall."""
_BEND = 0.2
_FLOOR, _GAP, _FORBIDDEN = 0.3, 0.33, -20.0
_SEED = 0.4
_AT = (0.15, 0.3, 0.45, 0.6, 0.75)
"""Where along the lung's width lines are begun."""
_MIDDLE = 1.5
"""Rows over which bone is averaged, so that a line keeps to a rib's middle."""
_APART = 3
_PIECE, _SHORTEST = 8, 14
_LEAST, _LEAST_PIECE = 5.0, 2.5
_BRIDGE = 10
_STEEPEST = 1.6
_STOP = -9


@dataclass(frozen=True)
class Course:
    """A line along one bone.

    Attributes:
        columns: int (N,), from the spine outwards, one after another.
        rows: int or float (N,).
        votes: float (K,), probability by number, summed along the line.
    """

    columns: Whole
    rows: Whole | Line
    votes: Line

    def row_at(self, column: float, reach: float = 25.0) -> float:
        """The row at a column; beyond an end, along its slope; NaN farther off than ``reach``."""
        order = np.argsort(self.columns)
        columns, rows = self.columns[order], self.rows[order].astype(np.float64)
        if columns[0] <= column <= columns[-1]:
            return float(np.interp(column, columns, rows))
        part, end = (slice(0, 8), 0) if column < columns[0] else (slice(-8, None), -1)
        away = column - columns[end]
        slope = np.polyfit(columns[part], rows[part], 1)[0]
        return float(rows[end] + np.clip(slope, -0.6, 0.6) * away) if abs(away) < reach else np.nan


def courses(chance: Float, near: Mask, outwards: int) -> list[Course]:
    """Return one side's courses, clearest first.

    chance: float (K, S, S), probability of the posterior arc of each rib.
    near: bool (S, S), this side's lung and a little more: no line leaves it.
    outwards: 1 if columns grow away from the spine, -1 if they shrink.
    """
    maps = chance * near
    columns = np.nonzero(near.any(axis=0))[0][::outwards]
    if columns.size < _SHORTEST:
        return []
    bone = np.ascontiguousarray(np.minimum(maps.sum(axis=0), 1.0)[:, columns].T)
    found = []
    for at, rows in _joined(_lines(bone)):
        heavy = float((bone[at, rows] - _FLOOR).sum()) >= _LEAST
        flat = np.median(np.abs(np.gradient(rows))) < _STEEPEST
        if len(at) >= _SHORTEST and heavy and flat:
            votes = maps[:, rows, columns[at]].sum(axis=1).astype(np.float64)
            found.append(Course(columns[at], rows, votes))
    return found


def _lines(bone: Float) -> list[tuple[Whole, Whole]]:
    """Return (columns, rows) of lines that share no bone; ``bone`` is (columns, rows)."""
    out, inn = _best(bone, 1), _best(bone[::-1], -1)
    lines = sorted(_candidates(bone, out, inn), key=lambda line: -line[0])
    used, kept = np.zeros(bone.shape, np.bool_), []
    for _, *line in lines:
        at, rows = _free(used, *line)
        if len(at) < _PIECE or (bone[at, rows] - _FLOOR).sum() < _LEAST_PIECE:
            continue
        kept.append((at, rows))
        for away in range(-_APART, _APART + 1):
            used[at, np.clip(rows + away, 0, bone.shape[1] - 1)] = True
    return kept


def _candidates(
    bone: Float, out: tuple[Float, npt.NDArray[np.int8]], inn: tuple[Float, npt.NDArray[np.int8]]
) -> list[tuple[float, Whole, Whole]]:
    last, lines = len(bone) - 1, []
    for part in _AT:
        at = int(part * last)
        profile = cv2.GaussianBlur(bone[at][:, None], (1, 7), _MIDDLE)[:, 0]
        middle = profile[1:-1]
        peaks = (middle >= profile[:-2]) & (middle > profile[2:]) & (middle > _SEED)
        for row in np.nonzero(peaks)[0] + 1:
            slope = int((out[0][at, :, row] + inn[0][last - at, :, row]).argmax())
            back = _followed(inn[1], last - at, slope, int(row), -1)
            line = [(last - column, r) for column, r in back[::-1]]
            line += [(at, int(row)), *_followed(out[1], at, slope, int(row), 1)]
            columns, rows = np.array(line).T
            lines.append((float((bone[columns, rows] - _FLOOR).sum()), columns, rows))
    return lines


def _best(bone: Float, sign: int) -> tuple[Float, npt.NDArray[np.int8]]:
    """Return the worth of the best line on from (column, slope, row), and its next turn."""
    columns, rows = bone.shape
    middle = cv2.GaussianBlur(np.ascontiguousarray(bone), (7, 1), _MIDDLE)
    gain = np.where(bone < _GAP, np.float32(_FORBIDDEN), middle - np.float32(_FLOOR))
    worth = np.zeros((columns, len(_SLOPES), rows), np.float32)
    turn = np.full(worth.shape, _STOP, np.int8)
    target = np.arange(rows)[None] + sign * _SLOPES[:, None]
    inside = (target >= 0) & (target < rows)
    target = np.clip(target, 0, rows - 1)
    worth[-1] = gain[-1]
    for at in range(columns - 2, -1, -1):
        step = np.where(inside, np.take_along_axis(worth[at + 1], target, 1), np.float32(-1))
        best, choice = step.copy(), np.zeros(step.shape, np.int8)
        for way, here, there in (
            (1, slice(None, -1), slice(1, None)),
            (-1, slice(1, None), slice(None, -1)),
        ):
            other = step[there] - np.float32(_BEND)
            better = other > best[here]
            best[here][better] = other[better]
            choice[here][better] = way
        ends = best <= 0
        worth[at] = gain[at] + np.where(ends, 0, best)
        turn[at] = np.where(ends, _STOP, choice)
    return worth, turn


def _followed(
    turn: npt.NDArray[np.int8], at: int, slope: int, row: int, sign: int
) -> list[tuple[int, int]]:
    line = []
    while at < len(turn) - 1 and turn[at, slope, row] != _STOP:
        slope += int(turn[at, slope, row])
        row += sign * int(_SLOPES[slope])
        at += 1
        if not 0 <= row < turn.shape[2]:
            break
        line.append((at, row))
    return line


def _free(used: Mask, at: Whole, rows: Whole) -> tuple[Whole, Whole]:
    """Return the longest part of a line that no other line has."""
    edges = np.diff(np.r_[0, (~used[at, rows]).astype(np.int8), 0])
    starts, ends = np.nonzero(edges == 1)[0], np.nonzero(edges == -1)[0]
    if starts.size == 0:
        return at[:0], rows[:0]
    longest = int((ends - starts).argmax())
    part = slice(int(starts[longest]), int(ends[longest]))
    return at[part], rows[part]


def _joined(lines: list[tuple[Whole, Whole]]) -> list[tuple[Whole, Whole]]:
    """Join lines that go on where another ends."""
    lines = list(lines)
    for _ in range(len(lines)):
        pair = next(
            (
                (i, j)
                for i in range(len(lines))
                for j in range(len(lines))
                if _goes_on(lines[i], lines[j])
            ),
            None,
        )
        if pair is None:
            break
        first, second = lines[pair[0]], lines[pair[1]]
        lines = [line for k, line in enumerate(lines) if k not in pair]
        between = np.arange(first[0][-1] + 1, second[0][0])
        level = np.interp(between, [first[0][-1], second[0][0]], [first[1][-1], second[1][0]])
        bridge = np.rint(level).astype(np.int64)
        lines.append((np.r_[first[0], between, second[0]], np.r_[first[1], bridge, second[1]]))
    return lines


def _goes_on(first: tuple[Whole, Whole], second: tuple[Whole, Whole]) -> bool:
    gap = int(second[0][0] - first[0][-1])
    if not 0 < gap <= _BRIDGE:
        return False
    slopes = first[1][-1] - first[1][-6:][0], second[1][:6][-1] - second[1][0]
    expected = gap * (slopes[0] + slopes[1]) / 10
    return bool(abs(second[1][0] - first[1][-1] - expected) <= 2 + 0.25 * gap)
