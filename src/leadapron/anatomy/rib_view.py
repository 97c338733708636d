"""What the rib network looks at: the chest cut out by its lungs, from the first network's maps.

The rib network sees above all what the segmentation network made of a film. That picture
looks alike whether the film came from a detector or a CT projection, so that exact rib labels
of projections teach it to number ribs on films. The film's local contrast is added for what
the first network runs together: ribs 2 and 3 at the apex.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from leadapron.anatomy.probability import ProbabilityMaps
from leadapron.model import Region

Byte = npt.NDArray[np.uint8]
Float = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

SIZE = 192
INPUTS, CONTRAST = 5, 4
FIRST, COUNT = 1, 11
"""The ribs that the network knows: FIRST to FIRST + COUNT - 1."""

_MARGIN = 1.18
_CLOSE = 11
_REACH, _NEAR = 14.0, 4.0


@dataclass(frozen=True)
class RibView:
    """The chest in the rib network's square.

    Attributes:
        inputs: float32 (INPUTS, SIZE, SIZE), 0..1: ribs, right lung, left lung, clavicles,
            the film's local contrast (0.5 is none).
        matrix: (2, 3), from the first network's square to this one, (column, row).
    """

    inputs: Float
    matrix: Matrix

    @classmethod
    def of(cls, maps: Byte) -> RibView | None:
        """Cut the chest out of upright maps in bytes, uint8 (INPUTS, S, S), in input order.

        None where one of the lungs is missing.
        """
        ribs, right, left, *rest = maps
        lungs = whole(right), whole(left)
        if not (lungs[0].any() and lungs[1].any()):
            return None
        matrix = placed(lungs[0] | lungs[1])
        planes = (ribs, lungs[0] * np.uint8(255), lungs[1] * np.uint8(255), *rest)
        return cls(np.stack([warped(plane, matrix) for plane in planes]), matrix)

    def sides(self) -> tuple[Mask, Mask]:
        """Return where the right and the left ribs may lie, bool (SIZE, SIZE) each."""
        right, left = (
            cv2.distanceTransform((lung < 0.5).astype(np.uint8), cv2.DIST_L2, 3)
            for lung in self.inputs[1:3]
        )
        return (right < left) & (right < _REACH), (left < right) & (left < _REACH)

    def near(self) -> tuple[Mask, Mask]:
        """Return the right and the left lung with a little more, bool (SIZE, SIZE) each."""
        right, left = (
            cv2.distanceTransform((lung < 0.5).astype(np.uint8), cv2.DIST_L2, 3) < _NEAR
            for lung in self.inputs[1:3]
        )
        return right, left

    def back(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Bring points (N, 2) of this square into the first network's."""
        inverse = np.linalg.inv(self.matrix[:, :2])
        return np.asarray((points - self.matrix[:, 2]) @ inverse.T)

    @property
    def zoom(self) -> float:
        """Pixels of this square per pixel of the first network's."""
        return float(self.matrix[0, 0])


def planes(maps: ProbabilityMaps) -> Byte:
    """Return what a view is cut from, uint8 (INPUTS, S, S), in the maps' own pose."""
    ribs, right, left = (maps.small(r) for r in (Region.RIBS, Region.RIGHT_LUNG, Region.LEFT_LUNG))
    clavicles = np.maximum(maps.small(Region.RIGHT_CLAVICLE), maps.small(Region.LEFT_CLAVICLE))
    return np.stack([ribs, right, left, clavicles, maps.contrast])


def whole(levels: Byte) -> Byte:
    """Return a lung as one piece without holes or notches, 0 or 1, uint8 (S, S)."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((levels >= 128).astype(np.uint8))
    if count < 2:
        return np.zeros_like(levels)
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    piece = np.pad((labels == largest).astype(np.uint8), 2 * _CLOSE)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_CLOSE, _CLOSE))
    closed = cv2.morphologyEx(piece, cv2.MORPH_CLOSE, disc)
    lines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(closed, lines, -1, 1, cv2.FILLED)
    edge = slice(2 * _CLOSE, -2 * _CLOSE)
    return np.ascontiguousarray(filled[edge, edge], dtype=np.uint8)


def placed(lungs: Byte) -> Matrix:
    """Return the matrix (2, 3) that centres both lungs in the square, with a margin."""
    rows, columns = np.nonzero(lungs)
    left, right = np.percentile(columns, (0.2, 99.8))
    top, bottom = np.percentile(rows, (0.2, 99.8))
    zoom = SIZE / (_MARGIN * max(right - left, bottom - top, 1.0))
    centre = np.array([left + right, top + bottom]) / 2
    return np.column_stack([np.eye(2) * zoom, (SIZE - 1) / 2 - zoom * centre])


def warped(plane: npt.NDArray[np.generic], matrix: Matrix) -> Float:
    """Return a plane of bytes or floats in the rib network's square; bytes become 0..1."""
    scale = 255.0 if plane.dtype == np.uint8 else 1.0
    bent = cv2.warpAffine(plane.astype(np.float32), matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR)
    return np.asarray(bent / np.float32(scale), dtype=np.float32)
