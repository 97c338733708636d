"""Masks wide enough to cover a region, or strict enough to lie inside it.

How far a true outline may lie from the one found is not the same all round, nor on every
film: the network's own probability falls slowly where nothing marks the edge, such as the
heart's base on the diaphragm. What is thresholded is therefore its log-probability, with
a slow rise by distance from the mask, so that what lies far off stays out however unsure
the network is. The thresholds are split-conformal quantiles (Angelopoulos and Bates,
arXiv 2107.07511) over films that the predicting network had not seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt

from leadapron.anatomy.probability import ProbabilityMaps
from leadapron.model import BadInput, Region, RegionMap

Mask = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float32]

_FLOOR = 0.25 / 255
"""What a probability that was rounded to zero may have been."""

_PER_SIDE = 48.0
"""Rise of the doubt, in nats, over a distance of one side of what the network looked at."""


def cover(region_map: RegionMap, region: str, miss_rate: float = 0.01) -> Mask:
    """Return the region's mask, widened; bool (H, W).

    On 95 of 100 films at most ``miss_rate`` of the region's true pixels stay outside,
    as calibrated on films that the network was not trained on (the model card says
    which). It is wider where the network is less sure.

    Raises NotFound if the region was not found, BadInput if nothing is calibrated for
    the region or for so small a rate.
    """
    mask = region_map.mask(region)
    maps, levels = _levels(region_map, region)
    limit = _limit(region_map, "cover", region, miss_rate)
    return mask | (maps.grown(doubt(levels, maps.shrunk(mask), maps.share)) <= limit)


def core(region_map: RegionMap, region: str, false_rate: float = 0.01) -> Mask:
    """Return the part of the region that is sure; bool (H, W), perhaps empty.

    On 95 of 100 films the pixels of it outside the true region are at most ``false_rate``
    of the mask. The band of doubt about the outline is ``cover`` without ``core``. Raises
    as ``cover``.
    """
    mask = region_map.mask(region)
    maps, levels = _levels(region_map, region)
    limit = _limit(region_map, "core", region, false_rate)
    return mask & (maps.grown(doubt(255 - levels, ~maps.shrunk(mask), maps.share)) > limit)


def doubt(levels: npt.NDArray[np.uint8], mask: Mask, share: float = 1.0) -> Float:
    """Return how little each pixel looks like part of ``mask``; float32 (S, S), in nats.

    levels: uint8 (S, S), probability times 255 of being in it.
    share: of the square's side that the network's look at the chest filled.
    """
    chance = np.maximum(levels / np.float32(255), np.float32(_FLOOR))
    rise = _PER_SIDE / (share * mask.shape[0])
    return (rise * signed_distance(mask) - np.log(chance)).astype(np.float32)


def signed_distance(mask: Mask) -> Float:
    """Return the distance to the mask's edge in pixels: 0 or less inside."""
    outside = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    within = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    return np.where(mask, 1 - within, outside).astype(np.float32)


def _levels(region_map: RegionMap, region: str) -> tuple[ProbabilityMaps, npt.NDArray[np.uint8]]:
    maps = region_map.extras.get("probability")
    if not isinstance(maps, ProbabilityMaps):
        raise BadInput("this map does not come from the anatomy network", remedy="segment() it")
    return maps, maps.small(region)


def _limit(region_map: RegionMap, kind: str, region: str, rate: float) -> float:
    tables = cast("Mapping[str, Mapping[str, Any]]", region_map.extras["calibration"])
    limits = tables[kind].get(Region(region), {})
    fitting = [known for known in limits if float(known) <= rate + 1e-12]
    if not fitting:
        known = ", ".join(sorted(limits)) or "none"
        raise BadInput(
            f"nothing calibrated for '{region}' at a rate of {rate}",
            remedy=f"calibrated rates for it: {known}",
        )
    return float(limits[max(fitting, key=float)])
