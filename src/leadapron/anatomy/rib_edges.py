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

Byte = npt.NDArray[np.uint8]
Line = npt.NDArray[np.float64]
Pair = tuple[Line, Line]
"""Points (N, 2) of (column, row) from the spine outwards, and widths (N,), in pixels."""

_STEP = 1.5
_SAMPLE = 0.5
_REACH, _WIDER = 3.0, 2.0
_THINNEST = 1.2
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
    return [_moved(points, _edges(points, widths, film)) for points, widths in lines]


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


def _edges(points: Line, widths: Line, film: npt.NDArray[np.float32]) -> Line:
    """Return how far the middle moves and by how much half the width grows, (N, 2)."""
    middles = np.arange(-_REACH, _REACH + _SAMPLE / 2, _SAMPLE)
    usual = float(np.median(widths)) / 2
    halves = np.arange(max(_THINNEST, usual - _WIDER / 2), usual + _WIDER / 2 + 0.1, _SAMPLE / 2)
    gain = _gain(points, film, middles, halves)
    gain -= _OFF * middles[:, None] ** 2 + _WIDTH_OFF * (halves - usual) ** 2
    path = _best(gain)
    chosen = np.column_stack([middles[path[:, 0]], halves[path[:, 1]]])
    kernel = cv2.getGaussianKernel(2 * round(3 * _SMOOTH) + 1, _SMOOTH)
    smooth = cv2.sepFilter2D(
        chosen, cv2.CV_64F, np.ones((1, 1)), kernel, borderType=cv2.BORDER_REPLICATE
    )
    return np.asarray(smooth, dtype=np.float64)


def _gain(points: Line, film: npt.NDArray[np.float32], middles: Line, halves: Line) -> Line:
    """How well each middle and half width fits the film at each point, (N, M, H)."""
    farthest = float(middles[-1] + halves[-1]) + 2
    offsets = np.arange(-farthest, farthest + _SAMPLE / 2, _SAMPLE)
    where = points[:, None] + offsets[:, None] * _normals(points)[:, None]
    where = where.astype(np.float32)
    strip = cv2.remap(
        film, where[..., 0], where[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    strip = cv2.GaussianBlur(strip, (0, 0), sigmaX=_ACROSS, sigmaY=_ALONG)
    rise = np.gradient(strip, axis=1)
    rise = np.clip(rise / (np.abs(rise).mean() + 1e-6), -_STEEPEST, _STEEPEST)
    upper = (middles[:, None] - halves - offsets[0]) / _SAMPLE
    lower = (middles[:, None] + halves - offsets[0]) / _SAMPLE
    return np.asarray(_at(rise, upper) - _at(rise, lower), dtype=np.float64)


def _at(rise: npt.NDArray[np.float32], place: Line) -> npt.NDArray[np.float32]:
    low = np.floor(place).astype(np.int64)
    part = (place - low).astype(np.float32)
    return rise[:, low] * (1 - part) + rise[:, low + 1] * part


def _best(gain: Line) -> npt.NDArray[np.int64]:
    """Return the best path of (middle, half width), int (N, 2); both change by one at most."""
    moves = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
    worth, back = gain[0], np.zeros(gain.shape, np.int8)
    for at in range(1, len(gain)):
        padded = np.pad(worth, 1, constant_values=-np.inf)
        options = np.stack(
            [
                padded[1 + a : 1 + a + worth.shape[0], 1 + b : 1 + b + worth.shape[1]]
                - _TURN * (abs(a) + abs(b))
                for a, b in moves
            ]
        )
        back[at] = options.argmax(axis=0)
        worth = options.max(axis=0) + gain[at]
    path = np.empty((len(gain), 2), np.int64)
    path[-1] = np.unravel_index(int(worth.argmax()), worth.shape)
    for at in range(len(gain) - 1, 0, -1):
        path[at - 1] = path[at] + moves[int(back[at][tuple(path[at])])]
    return path


def _moved(points: Line, edges: Line) -> Pair:
    return points + edges[:, :1] * _normals(points), 2 * edges[:, 1]
