"""Clavicles and spines drawn on real films: outlines to masks.

The developers drew them on screen; no radiologist checked them. ``drawn_bones.json``
holds coordinates alone, in pixels of the image file; its ``how`` tells how they were made.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NotRequired, TypedDict, cast

import cv2
import numpy as np
import numpy.typing as npt

from leadapron.model import Region

DRAWN = Path(__file__).with_name("drawn_bones.json")
CLAVICLES = (Region.RIGHT_CLAVICLE, Region.LEFT_CLAVICLE)
_MARGIN = 10 / 512
_SUBPIXEL = 4
Mask = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float64]


class Spine(TypedDict):
    """Lateral borders from top to bottom; below the row ``sure_to`` they are interpolated."""

    right: list[list[float]]
    left: list[list[float]]
    sure_to: float


class Drawing(TypedDict):
    """One film: clavicles as [x, y, full width] from the sternal to the acromial end.

    ``not_visible`` names the bones that could not be told from their surroundings: they
    are unlabelled, not absent.
    """

    film: str
    sha256: str
    right_clavicle: NotRequired[list[list[float]]]
    left_clavicle: NotRequired[list[list[float]]]
    spine: NotRequired[Spine]
    not_visible: NotRequired[list[str]]


def drawings(path: Path = DRAWN) -> dict[str, Drawing]:
    """Return the drawings by film name, such as ``wingspan/009``."""
    films = cast("list[Drawing]", json.loads(path.read_text(encoding="utf-8"))["films"])
    return {drawing["film"]: drawing for drawing in films}


def masks(drawing: Drawing, shape: tuple[int, int]) -> dict[Region, Mask]:
    """Return bool (H, W) for each bone drawn; ``shape`` is that of the image file."""
    found: dict[Region, Mask] = {}
    for region in CLAVICLES:
        line = cast("list[list[float]] | None", drawing.get(region.value))
        if line is not None:
            found[region] = _ribbon(np.array(line), shape)
    if "spine" in drawing:
        right, left = (np.array(drawing["spine"][side]) for side in ("right", "left"))
        found[Region.SPINE] = _filled(np.vstack([right, left[::-1]]), np.zeros(shape, np.uint8))
    return found


def uncertain(drawing: Drawing, shape: tuple[int, int]) -> Mask:
    """Return bool (H, W): where the spine may or may not be, so that nothing is learned there.

    The column with a margin, above the first row drawn (neck, jaw) and below ``sure_to``.
    """
    canvas = np.zeros(shape, np.uint8)
    if "spine" not in drawing:
        return canvas > 0
    spine = drawing["spine"]
    right, left = (_to_both_edges(np.array(spine[side]), shape[0]) for side in ("right", "left"))
    column = _filled(np.vstack([right, left[::-1]]), canvas).astype(np.uint8)
    reach = round(_MARGIN * max(shape))
    column = cv2.dilate(column, np.ones((1, 2 * reach + 1), np.uint8)).astype(np.uint8)
    column[round(spine["right"][0][1]) : round(spine["sure_to"]) + 1] = 0
    return np.asarray(column > 0, dtype=np.bool_)


def _to_both_edges(border: Points, rows: int) -> Points:
    return np.vstack([[border[0, 0], 0], border, [border[-1, 0], rows]])


def _ribbon(line: Points, shape: tuple[int, int]) -> Mask:
    """A polyline of changing full width, cut square at both ends."""
    canvas = np.zeros(shape, np.uint8)
    along = np.gradient(line[:, :2], axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    half = np.stack([-along[:, 1], along[:, 0]], axis=1) * line[:, 2:] / 2
    one, other = line[:, :2] + half, line[:, :2] - half
    for first in range(len(line) - 1):
        pair = slice(first, first + 2)
        _filled(np.vstack([one[pair], other[pair][::-1]]), canvas)
    return np.asarray(canvas > 0, dtype=np.bool_)


def _filled(outline: Points, canvas: npt.NDArray[np.uint8]) -> Mask:
    fixed = np.round(outline * (1 << _SUBPIXEL)).astype(np.int32)
    cv2.fillPoly(canvas, [fixed], (1,), shift=_SUBPIXEL)
    return np.asarray(canvas > 0, dtype=np.bool_)
