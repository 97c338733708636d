"""A rib's two edges on the film: what its line and width are moved to.

The rib network works on a coarse square and says where a rib runs, not where it ends above
and below. On the film its cortex shows as a rise and a fall of brightness. A rib is smooth: where
its line leaps to a neighbour, a cubic curve through most of it does not follow. From
that curve the best pair of edges is found by dynamic programming: the middle may move a
little, the width may change slowly.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from leadapron.anatomy.centreline import smooth

Byte = npt.NDArray[np.uint8]
Float = npt.NDArray[np.float32]
Line = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Pair = tuple[Line, Line]
"""Points (N, 2) of (column, row) from the spine outwards, and widths (N,), in pixels."""

_STEP = 1.5
_SAMPLE = 0.5
_MIDDLES = np.arange(-3.0, 3.01, _SAMPLE)
_WIDER, _HALVES, _THINNEST = 2.0, 9, 1.2
_ALONG, _ACROSS = 1.6, 1.4
_STEEPEST = 4.0
_OFF, _WIDTH_OFF, _TURN = 0.06, 0.25, 0.6
_SMOOTH = 3.0
_ROUNDS, _LOOSE = 8, 1.5


def snapped(arcs: Sequence[Pair], contrast: Byte) -> list[Pair]:
    """Move each arc's points and widths to the nearest edges.

    contrast: uint8 (S, S), the film's contrast with its neighbourhood, bone bright.
    Arcs are resampled; they keep about their ends.
    """
    if not arcs:
        return []
    film = contrast.astype(np.float32)
    lines = [_resampled(points, widths) for points, widths in arcs]
    halves = [_halves(widths) for _, widths in lines]
    gains = [_gain(points, film, half) for (points, _), half in zip(lines, halves, strict=True)]
    paths = zip(lines, halves, _best(gains), strict=True)
    return [
        _moved(points, _MIDDLES[path[:, 0]], half[path[:, 1]]) for (points, _), half, path in paths
    ]


def _resampled(points: Line, widths: Line) -> Pair:
    run = np.r_[0.0, np.cumsum(np.hypot(*np.diff(points, axis=0).T))]
    at = np.linspace(0, run[-1], max(4, round(run[-1] / _STEP) + 1))
    even = np.column_stack([np.interp(at, run, axis) for axis in points.T])
    return _curve(even), np.asarray(np.interp(at, run, widths), dtype=np.float64)


def _curve(points: Line) -> Line:
    """The cubic curve through most of the points, by reweighted least squares."""
    powers = np.polynomial.chebyshev.chebvander(np.linspace(-1, 1, len(points)), 3)
    weight, curve = np.ones(len(points)), points
    for _ in range(_ROUNDS):
        terms = np.linalg.lstsq(powers * weight[:, None], points * weight[:, None], rcond=None)[0]
        curve = powers @ terms
        off = np.linalg.norm(points - curve, axis=1) / _LOOSE
        weight = (1 + off**2) ** -0.75
    return np.asarray(curve, dtype=np.float64)


def _normals(points: Line) -> Line:
    """Unit vectors across the line that point down, (N, 2)."""
    along = np.gradient(points, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    across = np.column_stack([-along[:, 1], along[:, 0]])
    return np.where(across[:, 1:] < 0, -across, across)


def _halves(widths: Line) -> Line:
    """Half widths to try, from thin to wide; the usual one is in the middle."""
    usual = float(np.median(widths)) / 2
    return np.maximum(usual + np.linspace(-_WIDER / 2, _WIDER / 2, _HALVES), _THINNEST)


def _gain(points: Line, film: Float, halves: Line) -> Float:
    """How well each middle and half width fits the film at each point, (N, M, H)."""
    farthest = float(_MIDDLES[-1] + halves[-1]) + 2
    offsets = np.arange(-farthest, farthest + _SAMPLE / 2, _SAMPLE)
    where = (points[:, None] + offsets[:, None] * _normals(points)[:, None]).astype(np.float32)
    strip = cv2.remap(
        film, where[..., 0], where[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    strip = cv2.GaussianBlur(strip, (0, 0), sigmaX=_ACROSS, sigmaY=_ALONG)
    rise = np.gradient(strip, axis=1)
    rise = np.clip(rise / (np.abs(rise).mean() + 1e-6), -_STEEPEST, _STEEPEST)
    upper = (_MIDDLES[:, None] - halves - offsets[0]) / _SAMPLE
    lower = (_MIDDLES[:, None] + halves - offsets[0]) / _SAMPLE
    unusual = _OFF * _MIDDLES[:, None] ** 2 + _WIDTH_OFF * (halves - halves[_HALVES // 2]) ** 2
    return np.asarray(_at(rise, upper) - _at(rise, lower) - unusual, dtype=np.float32)


def _at(rise: Float, place: Line) -> Float:
    low = np.floor(place).astype(np.int64)
    part = (place - low).astype(np.float32)
    return rise[:, low] * (1 - part) + rise[:, low + 1] * part


def _best(gains: list[Float]) -> list[Whole]:
    """Return each line's best path of (middle, half width), int (N, 2).

    Both change by one at most from point to point. The lines are followed together, from
    their ends on; before a short one begins all is worth the same.
    """
    longest = max(len(gain) for gain in gains)
    table = np.zeros((longest, len(gains), *gains[0].shape[1:]), np.float32)
    for line, gain in enumerate(gains):
        table[longest - len(gain) :, line] = gain
    worth, turns = table[0], np.zeros((2, *table.shape), np.int8)
    for at in range(1, longest):
        worth, turns[1, at] = _turned(worth, 2)
        worth, turns[0, at] = _turned(worth, 1)
        worth = worth + table[at]
    return [
        _path(turns[:, :, line], worth[line])[longest - len(gain) :]
        for line, gain in enumerate(gains)
    ]


def _turned(worth: Float, axis: int) -> tuple[Float, npt.NDArray[np.int8]]:
    """What each state is worth if it may be reached from its neighbours, and from which."""
    edge = [(1, 1) if axis == own else (0, 0) for own in range(worth.ndim)]
    padded = np.pad(worth, edge, constant_values=-np.inf)
    size = worth.shape[axis]
    options = np.stack(
        [padded.take(range(1 + a, 1 + a + size), axis) - _TURN * abs(a) for a in (-1, 0, 1)]
    )
    return options.max(axis=0), (options.argmax(axis=0) - 1).astype(np.int8)


def _path(turns: npt.NDArray[np.int8], worth: Float) -> Whole:
    path = np.empty((turns.shape[1], 2), np.int64)
    middle, half = np.unravel_index(int(worth.argmax()), worth.shape)
    for at in range(len(path) - 1, -1, -1):
        path[at] = middle, half
        middle = middle + turns[0, at, middle, half]
        half = half + turns[1, at, middle, half]
    return path


def _moved(points: Line, middles: Line, halves: Line) -> Pair:
    """Return the line moved across itself, and its widths; both smoothed along it."""
    across = smooth(middles, _SMOOTH)[:, None] * _normals(points)
    return points + across, 2 * smooth(halves, _SMOOTH)
