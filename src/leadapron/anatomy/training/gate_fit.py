"""Training of the gate: chest film or not, which way up, inverted or not."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from leadapron.anatomy import gate
from leadapron.anatomy.preprocessing import CHANNELS
from leadapron.anatomy.training import augment, strangers
from leadapron.anatomy.training.films import Film
from leadapron.anatomy.training.run import Run

Float = npt.NDArray[np.float32]
_EVERY = 100


@dataclass(frozen=True)
class GatePlan:
    """Everything that decides a run of the gate's training."""

    width: int = 24
    steps: int = 2500
    batch: int = 32
    rate: float = 2e-3
    seed: int = 3
    far: float = 1.0


FIRST, SECOND = GatePlan(), GatePlan(rate=1.2e-3, seed=4, far=0.5)
"""Two runs, the second from where the first ended. The first lets in more than it should and
the second refuses more: together they are better than either."""


class GateNet(nn.Module):
    """Map (N, CHANNELS, 96, 96) to ``gate.OUTPUTS`` logits."""

    def __init__(self, width: int) -> None:
        super().__init__()
        widths = [width, width * 2, width * 3, width * 4, width * 5]
        layers: list[nn.Module] = []
        before = CHANNELS
        for out in widths:
            layers += [
                nn.Conv2d(before, out, 3, stride=2 if before == CHANNELS else 1, padding=1),
                nn.BatchNorm2d(out),
                nn.ReLU(inplace=True),
                nn.Conv2d(out, out, 3, padding=1, bias=False),
                nn.BatchNorm2d(out),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(2),
            ]
            before = out
        self.features = nn.Sequential(*layers[:-1])
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(widths[-1] * 9, gate.OUTPUTS)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        y: Tensor = self.head(self.drop(self.features(x).flatten(1)))
        return y


class GatePair(nn.Module):
    """The mean of two gates' logits."""

    def __init__(self, first: GateNet, second: GateNet) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        y: Tensor = (self.first(x) + self.second(x)) / 2
        return y


def fit_pair(
    films: list[Film], negatives: Path | None, out: Path, log: Callable[[str], None] = print
) -> GatePair:
    """Train both gates one after the other; goes on from what lies in ``out``."""
    first = fit_gate(FIRST, films, negatives, out / "gate-first.pt", log)
    second = fit_gate(SECOND, films, negatives, out / "gate-second.pt", log, start=first)
    return GatePair(first, second)


def fit_gate(
    plan: GatePlan,
    films: list[Film],
    negatives: Path | None,
    state: Path,
    log: Callable[[str], None] = print,
    start: GateNet | None = None,
) -> GateNet:
    """Train a gate, from ``start`` if given, on films (chest) and strangers (all else)."""
    torch.manual_seed(plan.seed)
    chest = [f for f in films if f.source in ("wingspan", "gbc100")]
    other = strangers.Strangers(films, negatives)
    net = GateNet(plan.width)
    if start is not None:
        net.load_state_dict(start.state_dict())
    run = Run(net, plan, plan.rate, 1e-3)
    losses = []
    for step in range(run.resume(state), plan.steps):
        rate = plan.rate * 0.5 * (1 + math.cos(math.pi * step / plan.steps)) + 1e-5
        inputs, truth = _batch(plan, chest, other, np.random.default_rng([plan.seed, step]))
        losses.append(run.learn(_loss(run.predict(inputs), truth), rate, step))
        if (step + 1) % _EVERY == 0 or step + 1 == plan.steps:
            log(f"gate step {step + 1}/{plan.steps} loss {np.mean(losses[-_EVERY:]):.4f}")
            run.save(state, step + 1)
    return run.mean.eval()


def _batch(
    plan: GatePlan, chest: list[Film], other: strangers.Strangers, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    inputs, truth = [], []
    for _ in range(plan.batch):
        pose = gate.Pose(int(rng.integers(4)), bool(rng.random() < 0.5), bool(rng.random() < 0.5))
        if rng.random() < 0.5:
            pose = gate.Pose(0, False, pose.inverted)
        known = rng.random() < 0.6
        within = augment.reach(rng, plan.far)
        if known:
            film = chest[int(rng.integers(len(chest)))]
            picture = augment.random(film, gate.SIZE * 2, rng, mirror=0, within=within).inputs
        else:
            picture = other.draw(gate.SIZE * 2, rng, within)
        inputs.append(_posed(picture, pose))
        truth.append([known, pose.inverted, pose.turns + 4 * pose.mirrored])
    return torch.from_numpy(np.stack(inputs)), torch.tensor(truth, dtype=torch.long)


def _posed(picture: Float, pose: gate.Pose) -> Float:
    small = np.stack([_halve(plane) for plane in picture])
    edge = picture[0, ::2, ::2] <= -1
    signed = -small if pose.inverted else small
    signed[0][edge] = -1
    return np.asarray(pose.apply(signed), dtype=np.float32)


def _halve(plane: Float) -> Float:
    side = plane.shape[0] // 2
    return np.asarray(cv2.resize(plane, (side, side), interpolation=cv2.INTER_AREA))


def _loss(logits: Tensor, truth: Tensor) -> Tensor:
    known = truth[:, 0].float()
    domain = functional.binary_cross_entropy_with_logits(logits[:, gate.DOMAIN], known)
    polarity = functional.binary_cross_entropy_with_logits(
        logits[:, gate.INVERTED], truth[:, 1].float(), weight=known
    )
    pose = functional.cross_entropy(logits[:, gate.FIRST_POSE :], truth[:, 2], reduction="none")
    return domain + polarity + (pose * known).mean()
