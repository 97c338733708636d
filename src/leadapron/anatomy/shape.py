"""Clean the network's maps by what is known of the shape of a region."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from leadapron.anatomy.labels import CHANNELS
from leadapron.model import Region

Byte = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

_PIECES = {Region.RIBS: 60, Region.THORAX: 1}
"""How many connected pieces a region may have; one where it is not named."""

_SPECK = {Region.RIBS: 0.0004}
"""Pieces under this share of the square are no part of the region."""

_HOLES_KEPT = frozenset({Region.RIBS})

_SMOOTH = 1 / 200
"""Width of the smoothing, as a share of the square's side; ribs are too fine for it."""

_SMOOTH_OUTLINE = 1 / 450


def levels(chance: npt.NDArray[np.float32]) -> Byte:
    """Return the network's probabilities (channels, S, S) as uint8, times 255.

    Solid regions are smoothed: their outlines are, and the network's last step is not.
    """
    sigma = _SMOOTH * chance.shape[-1]
    soft = [
        plane if region in _HOLES_KEPT else cv2.GaussianBlur(plane, (0, 0), sigma)
        for region, plane in zip(CHANNELS, chance, strict=True)
    ]
    return np.rint(np.stack(soft) * 255).astype(np.uint8)


def outlined(region: Region, levels: Byte) -> Byte:
    """Return the levels (S, S) that a mask is cut from: ribs without their ragged edges.

    The levels themselves are left as they are, for what is fine in them ranks pixels better.
    """
    if region not in _HOLES_KEPT:
        return levels
    sigma = _SMOOTH_OUTLINE * levels.shape[-1]
    return np.asarray(cv2.GaussianBlur(levels, (0, 0), sigma), dtype=np.uint8)


def clean(region: Region, levels: Byte, threshold: int) -> Byte:
    """Return ``levels`` with stray pieces and holes removed; uint8 probability times 255.

    The region's outline stays where the probability crosses the threshold.
    """
    core = (levels >= threshold).astype(np.uint8)
    kept = _largest(core, _PIECES.get(region, 1), _SPECK.get(region, 0) * core.size)
    near = cv2.dilate(kept, np.ones((3, 3), np.uint8))
    tidy = np.where(near > 0, levels, np.minimum(levels, threshold - 1)).astype(np.uint8)
    if region not in _HOLES_KEPT:
        tidy[_holes(kept)] = np.maximum(tidy[_holes(kept)], min(255, threshold + 32))
    return tidy


def _largest(core: Byte, pieces: int, smallest: float) -> Byte:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(core, connectivity=8)
    area = stats[1:, cv2.CC_STAT_AREA]
    order = np.argsort(area)[::-1][:pieces]
    kept = order[area[order] >= smallest] + 1
    return core if len(kept) == count - 1 else np.isin(labels, kept).astype(np.uint8)


def _holes(core: Byte) -> Mask:
    outlines, _ = cv2.findContours(core, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(core.copy(), outlines, -1, 1, cv2.FILLED)
    return np.asarray((filled > 0) & (core == 0))
