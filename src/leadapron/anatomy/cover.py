"""Masks wide enough to cover a region, or strict enough to lie inside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt

from leadapron.anatomy.gate import Pose
from leadapron.anatomy.probability import ProbabilityMaps
from leadapron.model import BadInput, Region, RegionMap

Mask = npt.NDArray[np.bool_]
Margins = npt.NDArray[np.float32]


def cover(region_map: RegionMap, region: str, miss_rate: float = 0.01) -> Mask:
    """Return the region's mask, widened; bool (H, W).

    On 95 of 100 films at most ``miss_rate`` of the region's true pixels stay outside,
    as calibrated on films that the network was not trained on (the model card says
    which). The margin follows the film's size, and is wider where the outline is unsure.

    Raises NotFound if the region was not found, BadInput if no margin is calibrated for
    the region or for so small a rate.
    """
    return widen(region_map.mask(region), _margins(region_map, "cover", region, miss_rate))


def core(region_map: RegionMap, region: str, false_rate: float = 0.01) -> Mask:
    """Return the part of the region that is sure; bool (H, W), perhaps empty.

    On 95 of 100 films the pixels of it outside the true region are at most ``false_rate``
    of the mask. The band of doubt about the outline is ``cover`` without ``core``. Raises
    as ``cover``.
    """
    return ~widen(~region_map.mask(region), _margins(region_map, "core", region, false_rate))


def widen(mask: Mask, margin: float | Margins) -> Mask:
    """Return all pixels within ``margin`` pixels of the mask, one for all or each its own."""
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    return np.asarray(away <= margin)


def slack(mask: Mask, profile: Sequence[float]) -> Margins:
    """Return how far the outline may err at each pixel, relative; float32 of mask's shape.

    An outline errs more where nothing marks it, such as the heart's lower edge. The
    profile gives the error by direction from the mask's centre, evenly spaced clockwise
    from the picture's right, for an upright film.
    """
    points = np.argwhere(mask)
    row, col = points.mean(axis=0) if len(points) else (0.0, 0.0)
    rows, cols = np.indices(mask.shape)
    turn = np.arctan2(rows - row, cols - col) / (2 * np.pi) * len(profile)
    low = np.floor(turn).astype(int)
    weights = np.asarray(profile, dtype=np.float32)
    part = (turn - low).astype(np.float32)
    first, second = weights[low % len(profile)], weights[(low + 1) % len(profile)]
    return np.asarray(first * (1 - part) + second * part, dtype=np.float32)


def _margins(region_map: RegionMap, kind: str, region: str, rate: float) -> Margins:
    """Return the margin in native pixels at each pixel of the film."""
    maps, pose = region_map.extras.get("probability"), region_map.extras.get("pose")
    if not isinstance(maps, ProbabilityMaps) or not isinstance(pose, Pose):
        raise BadInput("this map does not come from the anatomy network", remedy="segment() it")
    tables = cast("Mapping[str, Mapping[str, Any]]", region_map.extras["calibration"])
    factors = tables[kind].get(Region(region), {})
    fitting = [known for known in factors if float(known) <= rate + 1e-12]
    if not fitting:
        known = ", ".join(sorted(factors)) or "none"
        raise BadInput(
            f"no margin for '{region}' at a rate of {rate}",
            remedy=f"calibrated rates for it: {known}",
        )
    factor = factors[max(fitting, key=float)] * maps.scale
    small = np.asarray(pose.undo(maps.shrunk(region_map.mask(region))), dtype=np.bool_)
    upright = slack(small, tables.get("profile", {}).get(Region(region), [1.0])) * np.float32(
        factor
    )
    return maps.grown(np.asarray(pose.apply(upright), dtype=np.float32))
