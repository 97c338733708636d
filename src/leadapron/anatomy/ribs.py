"""Single ribs: told apart and numbered, from what the segmenter found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import cast

import numpy as np
import numpy.typing as npt

from leadapron.anatomy.centreline import band
from leadapron.anatomy.gate import Pose
from leadapron.anatomy.probability import ProbabilityMaps
from leadapron.anatomy.rib_courses import courses
from leadapron.anatomy.rib_edges import Pair, snapped
from leadapron.anatomy.rib_numbering import Side, Spacing, agreed, chain
from leadapron.anatomy.rib_tracing import Arc, trace
from leadapron.anatomy.rib_view import CONTRAST, FIRST, RibView, planes
from leadapron.anatomy.weights_file import Network
from leadapron.model import BadInput, Region, RegionMap
from leadapron.model.region import Code

Line = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

RIGHT, LEFT = "right", "left"
_INSIDE, _LEAST_INSIDE = 3, 0.3
"""The first rib that runs in the lung, and what part of its line must: below it, the
diaphragm's edge passes for a rib."""
OUTWARDS = -1, 1
"""How columns change from the spine outwards, right and left."""
CODES = (
    Code("48535007", "First rib", "第1肋骨"),
    Code("78247007", "Second rib", "第2肋骨"),
    Code("25888004", "Third rib", "第3肋骨"),
    Code("25523003", "Fourth rib", "第4肋骨"),
    Code("15339008", "Fifth rib", "第5肋骨"),
    Code("59558009", "Sixth rib", "第6肋骨"),
    Code("24915002", "Seventh rib", "第7肋骨"),
    Code("5953002", "Eighth rib", "第8肋骨"),
    Code("22565002", "Ninth rib", "第9肋骨"),
    Code("77644006", "Tenth rib", "第10肋骨"),
    Code("58830002", "Eleventh rib", "第11肋骨"),
    Code("43993008", "Twelfth rib", "第12肋骨"),
)
"""SNOMED CT concepts by number; the side goes into a modifier."""


@dataclass(frozen=True)
class Rib:
    """The posterior arc of one rib.

    Attributes:
        side: ``right`` or ``left``, the patient's.
        number: 1 to 12 from above; None where the ribs above could not be counted.
        score: 0..1, mean probability of bone along the rib times the chance that its number is
            not one off.
        centreline: float (N, 2) of (column, row) in pixels of the film, from the spine
            outwards.
        widths: float (N,), across the line, in pixels of the film.
        shape: (rows, columns) of the film.
    """

    side: str
    number: int | None
    score: float
    centreline: Line = field(repr=False)
    widths: Line = field(repr=False)
    shape: tuple[int, int]

    @cached_property
    def mask(self) -> Mask:
        """The rib at the film's resolution, bool (H, W); drawn on first use."""
        return band(self.centreline, self.widths, self.shape)

    @property
    def coded(self) -> Code:
        """The SNOMED CT concept of the rib; of a rib in general if it has no number."""
        return CODES[self.number - 1] if self.number else Region.RIBS.coded


def single_ribs(found: RegionMap, network: Network | None = None) -> list[Rib]:
    """Tell the posterior arcs apart and number them; right side first, from above.

    found: what ``Segmenter.segment`` returned; a film out of domain has no ribs.
    network: by default the weights in the package, on one thread.

    Works only where lungs show: ribs below the diaphragm are not followed. Raises
    BadInput for a map that no segmenter made.
    """
    if not found.in_domain:
        return []
    maps, pose = found.extras.get("probability"), found.extras.get("pose")
    if not isinstance(maps, ProbabilityMaps) or not isinstance(pose, Pose):
        raise BadInput(
            "this region map carries no probability maps",
            remedy="give the map that Segmenter.segment returned",
        )
    upright = np.asarray(pose.undo(planes(maps)), dtype=np.uint8)
    view = RibView.of(upright)
    if view is None:
        return []
    net = network or shipped()
    arcs = list(_arcs(net.run(view.inputs[None])[0], view, Spacing.of(net.card)))
    coarse = [(view.back(arc.points), arc.widths / view.zoom) for _, arc, _ in arcs]
    least = float(net.card["number_threshold"])
    return [
        _rib(arc.number if sure >= least else None, arc.bone * sure, side, course, pose, maps)
        for (side, arc, sure), course in zip(arcs, snapped(coarse, upright[CONTRAST]), strict=True)
    ]


def _arcs(
    chance: npt.NDArray[np.float32], view: RibView, spacing: Spacing
) -> Iterator[tuple[str, Arc, float]]:
    """Yield side, arc and how sure its number is."""
    found: list[tuple[Side, list[Arc]]] = []
    for plane, near, where, outwards in zip(
        view.inputs[1:3], view.near(), view.sides(), OUTWARDS, strict=True
    ):
        side = Side.of(courses(chance, near & where, outwards), plane > 0.5)
        arcs = trace(chance, where, outwards, FIRST, chain(side, spacing))
        arcs = [arc for arc in arcs if arc.number < _INSIDE or _lies_in(arc, plane)]
        found.append((replace(side, courses=[arc.course(chance) for arc in arcs]), arcs))
    sides = [(side, [arc.number for arc in arcs]) for side, arcs in found]
    for name, (_, arcs), numbers in zip(
        (RIGHT, LEFT), found, agreed(sides[0], sides[1], spacing), strict=True
    ):
        for arc, (number, sure) in zip(arcs, numbers, strict=True):
            yield name, replace(arc, number=number), sure


def _lies_in(arc: Arc, lung: npt.NDArray[np.float32]) -> bool:
    columns, rows = np.clip(np.rint(arc.points.T).astype(np.int64), 0, len(lung) - 1)
    return bool((lung[rows, columns] > 0.5).mean() >= _LEAST_INSIDE)


@cache
def shipped() -> Network:
    """The rib network in the package; Unavailable or IntegrityFailure as Network.open."""
    return Network.open("ribs", threads=1)


def _rib(
    number: int | None, score: float, side: str, course: Pair, pose: Pose, maps: ProbabilityMaps
) -> Rib:
    points, widths = course
    line = maps.to_frame(posed(points, pose, maps.side))
    shape = cast(tuple[int, int], maps.shape)
    return Rib(side, number, float(score), line, widths * maps.scale, shape)


def posed(points: Line, pose: Pose, size: int) -> Line:
    """Bring points (N, 2) of an upright square of side ``size`` into the film's pose."""
    where = np.asarray(np.indices((size, size)))
    rows, columns = np.asarray(pose.undo(where))
    origin = np.array([columns[0, 0], rows[0, 0]], dtype=np.float64)
    along = np.array([columns[0, 1], rows[0, 1]]) - origin
    down = np.array([columns[1, 0], rows[1, 0]]) - origin
    return np.asarray(origin + points[:, :1] * along + points[:, 1:] * down)
