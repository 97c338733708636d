"""What the rib network learns from: posterior arcs by number, and the maps they belong to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from leadapron.anatomy.preprocessing import Letterbox, contrast_bytes, normalise, shrink
from leadapron.anatomy.probability import ProbabilityMaps
from leadapron.anatomy.rib_view import COUNT, FIRST, planes, whole
from leadapron.anatomy.training import drawing
from leadapron.anatomy.training.films import Film, bit
from leadapron.anatomy.weights_file import Network
from leadapron.model import Region

Byte = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
CHECKED = Path(__file__).parent / "checked_ribs.json"
_SMALLEST = 60
_STEEPEST = 6.0
_ROOM = 9
_NEAR = 10.0
"""Pixels around a sure arc that its label speaks for; farther off lie ribs not traced."""
HIDDEN = (0.0, 0.0, 0.02, 0.06, 0.07, 0.07, 0.15, 0.17, 0.15, 0.15, 0.15)
"""By rib, what part of a lung's width an arc passes before both edges can be told: means of
six training films on which we marked it."""


@dataclass(frozen=True)
class Cage:
    """A rib cage in the first network's square.

    Attributes:
        name: source and file.
        split: train, val or test.
        maps: uint8 (INPUTS, S, S): ribs, right lung, left lung, clavicles, contrast, as in
            ``rib_view``.
        arcs: bit ``k`` set where the posterior arc of rib ``FIRST + k`` is, uint16 (S, S).
        known: where the labels speak, bool (S, S).
        anterior: where only anterior arcs are, bool (S, S).
        bone: another picture of the ribs, uint8 (S, S); zeros where there is none.
    """

    name: str
    split: str
    maps: Byte
    arcs: npt.NDArray[np.uint16]
    known: Mask
    anterior: Mask
    bone: Byte

    @property
    def real(self) -> bool:
        """Whether a detector took the film."""
        return not self.name.startswith("rib_drr")


def projections(root: Path, splits: dict[str, str], network: Network) -> Iterator[Cage]:
    """Exact cages of CT projections; ``splits`` maps film names to parts."""
    for path in sorted((root / "rib_drr" / "images").glob("*.png")):
        name = f"rib_drr/{path.stem}"
        maps, box = _maps(_read(path), network)
        pairs = _read(root / "rib_drr" / "labels" / path.name).astype(np.int64)
        ribs = [((pairs >> (FIRST - 1 + k)) & 1).astype(np.uint8) for k in range(COUNT)]
        behind = [posterior_pair(plane) for plane in ribs]
        arcs = _stacked([_fitted(plane, box) for plane in behind])
        everything = np.any([_fitted(plane, box) for plane in ribs], axis=0)
        known, none = ~beside_spine(arcs, maps), np.zeros(arcs.shape, np.uint8)
        yield Cage(name, splits[name], maps, arcs, known, everything & (arcs == 0), none)


def films(root: Path, data: dict[str, Film], network: Network) -> Iterator[Cage]:
    """Cages of real films whose traced ribs were looked at; known around those kept."""
    for drawn in drawing.read(CHECKED):
        name = f"wingspan/{Path(drawn.film).stem}"
        maps, box = _maps(drawn.picture(root), network)
        masks = np.zeros((COUNT, *box.shape), np.bool_)
        traced = np.zeros(box.shape, np.bool_)
        for stroke in drawn.ribs():
            masks[stroke.number - FIRST] |= stroke.clear.mask(box.shape)
            traced |= stroke.mask(box.shape)
        arcs = _stacked([_fitted(mask.astype(np.uint8), box) for mask in masks])
        lungs = (whole(maps[1]) | whole(maps[2])).astype(np.uint8)
        known = cv2.dilate(lungs, np.ones((_ROOM, _ROOM), np.uint8)) > 0
        elsewhere = (~_fitted(traced.astype(np.uint8), box)).astype(np.uint8)
        known &= cv2.distanceTransform(elsewhere, cv2.DIST_L2, 3) < _NEAR
        for stroke in drawn.strokes:
            if not stroke.sure:
                known &= ~_fitted(stroke.mask(box.shape).astype(np.uint8), box)
        none = np.zeros(arcs.shape, np.bool_)
        bone = _weak_bone(data[name], arcs.shape[0])
        yield Cage(name, data[name].split, maps, arcs, known, none, bone)


def beside_spine(arcs: npt.NDArray[np.uint16], maps: Byte) -> Mask:
    """Return where arcs of a projection lie that a film would hide, bool (S, S).

    On films an arc begins where both of its edges can be told, ``HIDDEN`` of the lung's
    width from its border by the spine. Projections show more; there they teach nothing.
    """
    hidden = np.zeros(arcs.shape, np.bool_)
    for lung, step in ((whole(maps[1]) > 0, -1), (whole(maps[2]) > 0, 1)):
        columns = np.nonzero(lung.any(axis=0))[0]
        if columns.size == 0:
            continue
        seen = lung[:, ::step]
        rows, border = seen.any(axis=1), seen.argmax(axis=1)
        border = np.where(rows, border, np.median(border[rows]))
        away = np.arange(lung.shape[1]) - border[:, None]
        theirs = np.arange(lung.shape[1]) >= np.arange(lung.shape[1])[::step][columns].min() - 40
        for k, share in enumerate(HIDDEN):
            zone = (away < share * columns.size) & theirs
            hidden |= zone[:, ::step] & ((arcs >> k & 1) > 0)
    return hidden


def posterior_pair(pair: Byte) -> Byte:
    """Return the posterior arcs of a rib pair's mask, 0 or 1, uint8 (H, W).

    In a frontal projection a rib leaves the spine with its posterior arc, turns at the
    flank and comes back lower down: in every column the upper run is the posterior arc.
    """
    _, labels, stats, centres = cv2.connectedComponentsWithStats(pair)
    pieces = [i for i in range(1, len(stats)) if stats[i, cv2.CC_STAT_AREA] > _SMALLEST]
    out = np.zeros_like(pair)
    if len(pieces) < 2:
        return out
    middle = centres[pieces, 0].mean()
    for left in (False, True):
        own = [i for i in pieces if (centres[i, 0] >= middle) == left]
        side = np.isin(labels, own).astype(np.uint8)
        out |= _posterior(side) if left else _posterior(side[:, ::-1])[:, ::-1]
    return out


def _posterior(side: Byte) -> Byte:
    columns = np.nonzero(side.any(axis=0))[0]
    out = np.zeros_like(side)
    if columns.size == 0:
        return out
    tops = side[:, columns].argmax(axis=0)
    below = np.arange(side.shape[0])[:, None] >= tops
    ends = ((side[:, columns] == 0) & below).argmax(axis=0)
    heights = np.where(ends > tops, ends - tops, side.shape[0] - tops)
    usual = float(np.median(heights[: max(6, columns.size // 2)]))
    for place, column in enumerate(columns):
        before, after = max(0, place - 4), min(columns.size - 1, place + 4)
        slope = min(abs(int(tops[after]) - int(tops[before])) / 8, _STEEPEST)
        most = round(usual * np.sqrt(1 + slope**2) + 1)
        out[tops[place] : tops[place] + min(int(heights[place]), most), column] = 1
    return out


def _read(path: Path) -> npt.NDArray[np.integer]:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise FileNotFoundError(path)
    grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return np.asarray(grey)


def _maps(image: npt.NDArray[np.generic], network: Network) -> tuple[Byte, Letterbox]:
    square, box = shrink(image, int(network.card["size"]))
    inputs = normalise(square, box.inside)
    chance = network.run(inputs[None])[0]
    chance[:, ~box.inside] = 0
    levels = np.rint(chance * 255).astype(np.uint8)
    both = np.concatenate([levels, contrast_bytes(inputs)[None]])
    return planes(ProbabilityMaps(both, box)), box


def _fitted(plane: npt.NDArray[np.integer], box: Letterbox) -> Mask:
    rows, columns = box.inner
    small = cv2.resize(plane.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    square = np.zeros((box.size, box.size), np.bool_)
    square[box.rows, box.cols] = small > 0.5
    return square


def _stacked(masks: list[Mask]) -> npt.NDArray[np.uint16]:
    bits = [mask.astype(np.uint16) << k for k, mask in enumerate(masks)]
    return np.bitwise_or.reduce(np.stack(bits), axis=0)


def _weak_bone(film: Film, size: int) -> Byte:
    """The film's weak bone labels, softened: ribs as another first network might see them."""
    plane = ((film.target & bit(Region.RIBS)) > 0).astype(np.float32) * 255
    return np.asarray(cv2.resize(plane, (size, size), interpolation=cv2.INTER_AREA), dtype=np.uint8)
