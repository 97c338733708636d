"""How ribs follow each other at the lung apex, measured on projections with exact ribs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from leadapron.anatomy.rib_numbering import Side
from leadapron.anatomy.rib_view import COUNT, FIRST
from leadapron.anatomy.training import rib_augment
from leadapron.anatomy.training.rib_labels import Cage

_LAST = 10
_TOPS = 4
_FROM, _TO = 4, 7
"""The unit is the mean gap between these ribs."""
_SMALLEST = 300

Line = npt.NDArray[np.float64]


def measure(cages: Iterable[Cage]) -> dict[str, list[float] | list[list[float]]]:
    """Return the statistics of ``rib_numbering.Spacing`` for the card."""
    rows = np.array([line for cage in cages if not cage.real for line in _rows(cage)])
    unit = (rows[:, _TO] - rows[:, _FROM])[:, None] / (_TO - _FROM)
    gaps, tops = np.diff(rows[:, 1 : _LAST + 1], axis=1) / unit, rows[:, 1 : _TOPS + 1] / unit
    mean = np.nanmean(gaps, axis=0)
    off = np.where(np.isnan(gaps), 0.0, gaps - mean)
    return {
        "mean": np.round(mean, 4).tolist(),
        "covariance": np.round(off.T @ off / len(off), 5).tolist(),
        "top_mean": np.round(np.nanmean(tops, axis=0), 4).tolist(),
        "top_sd": np.round(np.nanstd(tops, axis=0), 4).tolist(),
    }


def _rows(cage: Cage) -> Iterator[Line]:
    """Yield each side's rows below the lung's top at the apex, by rib; NaN where it is not."""
    sample = rib_augment.plain(cage)
    for lung in sample.inputs[1:3] > 0.5:
        if lung.sum() < _SMALLEST:
            continue
        side, line = Side.of([], lung), np.full(FIRST + COUNT, np.nan)
        at = int(side.column)
        for k in range(COUNT):
            found = np.nonzero((sample.target[k][:, at - 1 : at + 2] > 0.5).any(axis=1))[0]
            if found.size:
                line[FIRST + k] = found.mean() - side.top
        if np.isfinite(line[2:9]).all():
            yield line
