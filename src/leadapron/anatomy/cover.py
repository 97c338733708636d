"""Masks wide enough that a region's true pixels stay covered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from leadapron.anatomy.probability import ProbabilityMaps
from leadapron.model import BadInput, Region, RegionMap

Mask = npt.NDArray[np.bool_]


def cover(region_map: RegionMap, region: str, miss_rate: float = 0.01) -> Mask:
    """Return the region's mask, widened; bool (H, W).

    On 95 of 100 films at most ``miss_rate`` of the region's true pixels stay outside,
    as calibrated on films that the network was not trained on (the model card says
    which). The margin follows the size of the film.

    Raises NotFound if the region was not found, BadInput if no margin is calibrated for
    the region or for so small a rate.
    """
    mask = region_map.mask(region)
    maps = region_map.extras.get("probability")
    if not isinstance(maps, ProbabilityMaps):
        raise BadInput("this map does not come from the anatomy network", remedy="segment() it")
    calibration = cast("Mapping[str, Mapping[str, float]]", region_map.extras["calibration"])
    margin = _margin(calibration.get(Region(region), {}), region, miss_rate)
    return widen(mask, margin * maps.scale)


def widen(mask: Mask, margin: float) -> Mask:
    """Return all pixels within ``margin`` pixels of the mask (negative: shrink it)."""
    if margin < 0:
        return ~widen(~mask, -margin)
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    return np.asarray(away <= margin)


def _margin(margins: Mapping[str, float], region: str, miss_rate: float) -> float:
    fitting = [rate for rate in margins if float(rate) <= miss_rate + 1e-12]
    if not fitting:
        known = ", ".join(sorted(margins)) or "none"
        raise BadInput(
            f"no margin for '{region}' at a miss rate of {miss_rate}",
            remedy=f"calibrated rates for it: {known}",
        )
    return margins[max(fitting, key=float)]
