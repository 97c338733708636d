"""Masks wide enough to cover a region, or strict enough to lie inside it.

How far a true outline may lie from the one found is not the same all round, nor on every
film: the network's own probability falls slowly where nothing marks the edge, such as the
heart's base on the diaphragm. What is thresholded is therefore its log-probability, with
a slow rise by distance from the mask, so that what lies far off stays out however unsure
the network is. The limits are tolerance limits (Wilks 1941) over films that the predicting
network had not seen.

Towards the diaphragm readers differ more than towards the lungs. ``cover`` therefore measures
doubt by what is usual in that direction from the region's middle (``calibration.profile``).
"""

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
    pose = cast("Pose", region_map.extras.get("pose", Pose()))
    upright = pose.undo(maps.shrunk(mask)).astype(np.bool_)
    usual = _tables(region_map).get("profile", {}).get(Region(region), [1.0])
    doubts = doubt(pose.undo(levels).astype(np.uint8), upright, maps.share)
    relative = pose.apply(doubts / spread(usual, upright)).astype(np.float32)
    return mask | (maps.grown(relative) <= limit)


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


def spread(usual: Sequence[float], mask: Mask) -> Float:
    """Return the doubt that is usual in each pixel's direction; float32 (S, S).

    usual: by direction from the mask's middle, clockwise from the picture's right.
    """
    return np.asarray(usual, dtype=np.float32)[directions(mask, len(usual))]


def directions(mask: Mask, count: int) -> npt.NDArray[np.intp]:
    """Return each pixel's direction from the mask's middle, 0 to ``count`` - 1; (S, S)."""
    rows, cols = np.nonzero(mask)
    if not rows.size or count == 1:
        return np.zeros(mask.shape, dtype=np.intp)
    row, col = np.indices(mask.shape, dtype=np.float32)
    turn = np.arctan2(row - rows.mean(), col - cols.mean()) / (2 * np.pi)
    return (np.mod(turn, 1.0) * count).astype(np.intp) % count


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
    limits = _tables(region_map)[kind].get(Region(region), {})
    fitting = [known for known in limits if float(known) <= rate + 1e-12]
    if not fitting:
        known = ", ".join(sorted(limits)) or "none"
        raise BadInput(
            f"nothing calibrated for '{region}' at a rate of {rate}",
            remedy=f"calibrated rates for it: {known}",
        )
    return float(limits[max(fitting, key=float)])


def _tables(region_map: RegionMap) -> Mapping[str, Mapping[str, Any]]:
    return cast("Mapping[str, Mapping[str, Any]]", region_map.extras["calibration"])
