"""Strokes drawn by hand on real films, and the masks that they stand for.

A drawing holds coordinates only; the film itself stays where it is and is known by its
SHA-256. Coordinates are (column, row) of the film's own pixels, at pixel centres.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from leadapron.anatomy.centreline import band
from leadapron.model import IntegrityFailure, NotFound

Mask = npt.NDArray[np.bool_]
Line = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Stroke:
    """One structure drawn as a centreline with its width, or as one border.

    Attributes:
        structure: ``rib``, ``clavicle`` or ``spine`` (a border of the vertebral column).
        side: ``R`` or ``L``, the patient's.
        number: of the rib, 1 to 12 from above; 0 for other structures.
        arc: ``posterior`` or ``anterior``; empty for other structures.
        points: float (N, 2), from the spine outwards.
        widths: float (N,), in pixels.
        sure: False where the course was guessed at; such a stroke is in no figure.
        number_sure: False where the ribs above could not be counted.
        hidden: length from the first point, in pixels, over which not both of its edges can
            be told; such a length passes over the hilum or beside the spine.
        read_again: the number by later readings that did not know ``number``.
    """

    structure: str
    side: str
    number: int
    arc: str
    points: Line
    widths: Line
    sure: bool
    number_sure: bool
    hidden: float = 0.0
    read_again: tuple[int | None, ...] = ()

    @property
    def clear(self) -> Stroke:
        """The stroke from where both of its edges can be told; itself if that is everywhere."""
        run = np.r_[0.0, np.cumsum(np.hypot(*np.diff(self.points, axis=0).T))]
        start = min(self.hidden, 0.9 * float(run[-1]))
        if start <= 0:
            return self
        at = np.r_[start, run[run > start]]
        points = np.column_stack([np.interp(at, run, axis) for axis in self.points.T])
        widths = np.asarray(np.interp(at, run, self.widths))
        return replace(self, points=points, widths=widths, hidden=0.0)

    def mask(self, shape: tuple[int, int]) -> Mask:
        """Return the band that the stroke covers, bool (H, W)."""
        return band(self.points, self.widths, shape)


@dataclass(frozen=True)
class Drawing:
    """Everything drawn on one film."""

    film: str
    sha256: str
    strokes: tuple[Stroke, ...]

    def ribs(self) -> list[Stroke]:
        """Return the rib arcs that count."""
        return [s for s in self.strokes if s.structure == "rib" and s.sure]

    def spine(self, shape: tuple[int, int]) -> Mask | None:
        """Return the field between the column's borders, bool (H, W), if they were drawn."""
        borders = {s.side: s.points for s in self.strokes if s.structure == "spine"}
        if borders.keys() != {"R", "L"}:
            return None
        canvas = np.zeros(shape, np.uint8)
        outline = np.vstack([borders["R"], borders["L"][::-1]])
        return np.asarray(cv2.fillPoly(canvas, [np.rint(outline).astype(np.int32)], 1) > 0)

    def picture(self, root: Path) -> npt.NDArray[np.uint8]:
        """Read the film; NotFound without it, IntegrityFailure if it is another file."""
        path = root / self.film
        if not path.exists():
            raise NotFound(f"no film {self.film} under {root}", remedy="give the data's folder")
        if hashlib.sha256(path.read_bytes()).hexdigest() != self.sha256:
            raise IntegrityFailure(
                f"{self.film} is not the film that was drawn on", remedy="fetch the data anew"
            )
        picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if picture is None:
            raise NotFound(f"{path} is no picture", remedy="fetch the data anew")
        return np.asarray(picture, dtype=np.uint8)


def read(path: Path) -> list[Drawing]:
    """Read the drawings of one JSON file."""
    return [
        Drawing(film["film"], film["sha256"], tuple(_stroke(s) for s in film["strokes"]))
        for film in json.loads(path.read_text())["films"]
    ]


def _stroke(entry: dict[str, Any]) -> Stroke:
    points = np.asarray(entry["points"], dtype=np.float64)
    widths = np.broadcast_to(np.asarray(entry["width"], dtype=np.float64), (len(points),))
    return Stroke(
        entry["structure"],
        entry["side"],
        int(entry.get("number", 0)),
        entry.get("arc", ""),
        points,
        widths,
        bool(entry.get("sure", True)),
        bool(entry.get("number_sure", True)),
        float(entry.get("hidden", 0.0)),
        tuple(entry.get("read_again", ())),
    )
