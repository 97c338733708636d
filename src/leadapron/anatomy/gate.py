"""The gate: is this a frontal chest film, which way up is it, is it inverted?"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from leadapron.anatomy.preprocessing import Float, normalise, shrink
from leadapron.anatomy.weights_file import Network

SIZE = 96
TURNS = ("upright", "turned-90", "upside-down", "turned-270")
"""Quarter turns counter-clockwise that the film was given; index = numpy.rot90's k."""

DOMAIN, INVERTED, FIRST_POSE = 0, 1, 2
_PRIOR = np.array([0, 2, 2, 2, 2, 3, 3, 3], dtype=np.float32)
"""What a pose must have over the upright one, in nats: turned or mirrored films are rare."""

OUTPUTS = FIRST_POSE + 2 * len(TURNS)
"""Logits: chest film, inverted, then the eight poses (turn, then mirrored turn)."""


@dataclass(frozen=True)
class Pose:
    """How a film lies; undoing it makes it upright with bone bright.

    Attributes:
        turns: quarter turns counter-clockwise that were applied (numpy.rot90).
        mirrored: flipped left to right before the turns.
        inverted: bone dark.
    """

    turns: int = 0
    mirrored: bool = False
    inverted: bool = False

    def apply(self, square: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """Bring an upright square array (..., S, S) into this pose (geometry only)."""
        flipped = square[..., ::-1] if self.mirrored else square
        return np.ascontiguousarray(np.rot90(flipped, self.turns, axes=(-2, -1)))

    def undo(self, square: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """Bring a square array (..., S, S) in this pose upright (geometry only)."""
        upright = np.rot90(square, -self.turns, axes=(-2, -1))
        return np.ascontiguousarray(upright[..., ::-1] if self.mirrored else upright)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Slugs for the report: what about the film was not as usual."""
        slugs = [TURNS[self.turns]] if self.turns else []
        return (*slugs, *(["mirrored"] if self.mirrored else []))


@dataclass(frozen=True)
class Verdict:
    """What the gate says of one film; ``domain`` is the probability of a chest film."""

    domain: float
    pose: Pose


class Gate:
    """The small classifier in front of the segmentation network."""

    def __init__(self, network: Network) -> None:
        """Use a network whose output has ``OUTPUTS`` logits."""
        self._network = network

    def judge(self, square: Float, inside: npt.NDArray[np.bool_]) -> Verdict:
        """Judge a film letterboxed into a square of any side."""
        small, mask = reduce(square, inside)
        logits = self._network.run(normalise(small, mask)[None])[0]
        poses = logits[FIRST_POSE:] - _PRIOR
        best = int(poses.argmax())
        turns, mirrored = best % len(TURNS), best >= len(TURNS)
        domain = float(1 / (1 + np.exp(-logits[DOMAIN])))
        return Verdict(domain, Pose(turns, mirrored, bool(logits[INVERTED] > 0)))


def reduce(
    square: Float, inside: npt.NDArray[np.bool_], size: int = SIZE
) -> tuple[Float, npt.NDArray[np.bool_]]:
    """Shrink a letterboxed square and its mask to the gate's size."""
    small, _ = shrink(square, size)
    mask = cv2.resize(inside.astype(np.uint8), (size, size), interpolation=cv2.INTER_NEAREST)
    return small, mask > 0
