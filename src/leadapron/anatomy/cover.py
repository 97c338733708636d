"""Masks wide enough to cover a region, or strict enough to lie inside it."""

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
    return widen(region_map.mask(region), _margin(region_map, "cover", region, miss_rate))


def core(region_map: RegionMap, region: str, false_rate: float = 0.01) -> Mask:
    """Return the part of the region that is sure; bool (H, W), perhaps empty.

    On 95 of 100 films at most ``false_rate`` of these pixels lie outside the true region.
    The band of doubt about the outline is ``cover`` without ``core``. Raises as ``cover``.
    """
    return widen(region_map.mask(region), -_margin(region_map, "core", region, false_rate))


def widen(mask: Mask, margin: float) -> Mask:
    """Return all pixels within ``margin`` pixels of the mask; a negative one shrinks it."""
    if margin < 0:
        return ~widen(~mask, -margin)
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    return np.asarray(away <= margin)


def _margin(region_map: RegionMap, kind: str, region: str, rate: float) -> float:
    maps = region_map.extras.get("probability")
    if not isinstance(maps, ProbabilityMaps):
        raise BadInput("this map does not come from the anatomy network", remedy="segment() it")
    tables = cast(
        "Mapping[str, Mapping[str, Mapping[str, float]]]", region_map.extras["calibration"]
    )
    margins = tables[kind].get(Region(region), {})
    fitting = [known for known in margins if float(known) <= rate + 1e-12]
    if not fitting:
        known = ", ".join(sorted(margins)) or "none"
        raise BadInput(
            f"no margin for '{region}' at a rate of {rate}",
            remedy=f"calibrated rates for it: {known}",
        )
    return margins[max(fitting, key=float)] * maps.scale
