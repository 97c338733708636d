"""Training of the rib network: exact projections and checked films; seeded, resumable."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from leadapron.anatomy.rib_view import COUNT, FIRST, INPUTS, SIZE
from leadapron.anatomy.training import export, films, rib_augment, rib_labels, rib_spacing
from leadapron.anatomy.training.network import UNet
from leadapron.anatomy.training.rib_labels import Cage
from leadapron.anatomy.training.run import Run
from leadapron.anatomy.weights_file import Network

VERSION = "1.2.0"
_EVERY = 100
_NUMBER_THRESHOLD = 0.5
"""How sure a number must be; below, a rib goes unnumbered."""


@dataclasses.dataclass(frozen=True)
class RibPlan:
    """Everything that decides a run; the same plan and data give the same weights."""

    widths: tuple[int, ...] = (20, 28, 40, 56, 72)
    steps: int = 3600
    batch: int = 6
    rate: float = 2.5e-3
    decay: float = 1e-4
    seed: int = 1
    threads: int = 1
    real: float = 0.6


def train(
    data: Path, out: Path, network: Network, digest: str, log: Callable[[str], None] = print
) -> None:
    """Train on the films under ``data`` and write ``out/ribs.onnx`` with its card.

    network: the segmentation network whose maps the ribs are read from.
    digest: of the list of data files, for the card.
    """
    plan = RibPlan()
    cages = load(data, network)
    log(f"{len(cages)} rib cages")
    net = fit(plan, [cage for cage in cages if cage.split == "train"], out, log)
    card = {
        "name": "ribs",
        "version": VERSION,
        "size": SIZE,
        "first": FIRST,
        "count": COUNT,
        "data": digest,
        "plan": dataclasses.asdict(plan),
        "maps_from": network.version,
        "number_threshold": _NUMBER_THRESHOLD,
        "spacing": rib_spacing.measure(cage for cage in cages if cage.split == "train"),
    }
    export.export(export.Probabilities(net), (INPUTS, SIZE, SIZE), out / "ribs.onnx", card)


def load(data: Path, network: Network) -> list[Cage]:
    """Read every cage under ``data``: projections and checked films, all parts."""
    known = films.load(data, ("rib_drr", "wingspan"))
    splits = {film.name: film.split for film in known}
    real = {film.name: film for film in known if film.source == "wingspan"}
    drawn = list(rib_labels.films(data, real, network))
    return list(rib_labels.projections(data, splits, network)) + drawn


def fit(plan: RibPlan, cages: list[Cage], out: Path, log: Callable[[str], None] = print) -> UNet:
    """Train and return the averaged network; continues from ``out/ribs.pt`` if present."""
    torch.set_num_threads(plan.threads)
    torch.manual_seed(plan.seed)
    net = UNet(plan.widths, INPUTS, COUNT).to(memory_format=torch.channels_last)
    run = Run(net, plan, plan.rate, plan.decay)
    state = out / "ribs.pt"
    first = run.resume(state)
    pools = [c for c in cages if not c.real], [c for c in cages if c.real]
    losses = []
    for step in range(first, plan.steps):
        warm = min(1.0, (step + 1) / 100)
        swing = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / plan.steps))
        rng = np.random.default_rng([plan.seed, step])
        inputs, target, known = _batch(plan, pools, rng)
        loss = rib_loss(run.predict(inputs), target, known)
        losses.append(run.learn(loss, plan.rate * warm * swing, step))
        if (step + 1) % _EVERY == 0 or step + 1 == plan.steps:
            log(f"ribs: step {step + 1}/{plan.steps} loss {np.mean(losses[-_EVERY:]):.4f}")
            run.save(state, step + 1)
    return run.mean.eval()


def _batch(
    plan: RibPlan, pools: tuple[list[Cage], list[Cage]], rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    samples = []
    for _ in range(plan.batch):
        pool = pools[int(bool(pools[1]) and rng.random() < plan.real)]
        samples.append(rib_augment.random(pool[int(rng.integers(len(pool)))], rng))
    inputs, target, known = (
        _tensor([getattr(sample, name) for sample in samples])
        for name in ("inputs", "target", "known")
    )
    return inputs.contiguous(memory_format=torch.channels_last), target, known


def _tensor(planes: list[npt.NDArray[np.float32]]) -> Tensor:
    return torch.from_numpy(np.stack(planes))


def rib_loss(logits: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Cross entropy plus soft Dice per film and number, where labels are known.

    A rib covers about a hundredth of the square, hence the weight of the cross entropy.
    """
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    cross = (entropy * known).mean()
    chance, truth = torch.sigmoid(logits) * known, target * known
    overlap = 2 * (chance * truth).sum((2, 3)) + 20
    dice = 1 - overlap / (chance.sum((2, 3)) + truth.sum((2, 3)) + 20)
    return 8 * cross + 0.5 * dice.mean()
