"""The training loop: seeded, resumable, one core."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from leadapron.anatomy.labels import CHANNELS, INDEX
from leadapron.anatomy.preprocessing import CHANNELS as INPUTS
from leadapron.anatomy.training import augment
from leadapron.anatomy.training.films import Film
from leadapron.anatomy.training.network import UNet
from leadapron.anatomy.training.run import Run
from leadapron.model import Region

_SAVE_EVERY = 500
_LOG_EVERY = 100


@dataclass(frozen=True)
class Plan:
    """Everything that decides a run; the same plan and data give the same weights."""

    size: int = 320
    widths: tuple[int, ...] = (32, 48, 64, 96, 128)
    steps: int = 4600
    batch: int = 8
    rate: float = 2e-3
    decay: float = 1e-4
    seed: int = 1
    threads: int = 1
    far: float = 0.0
    """Chance that a film is framed and processed as far as ``augment.FAR`` goes."""
    shares: tuple[tuple[str, float], ...] = (
        ("wingspan", 0.48),
        ("gbc100", 0.2),
        ("rib_drr", 0.24),
        ("ct", 0.08),
    )


def fit(
    plan: Plan,
    films: list[Film],
    out: Path,
    log: Callable[[str], None] = print,
    start: UNet | None = None,
) -> UNet:
    """Train and return the averaged network; continues from ``out/state.pt`` if present.

    start: a trained network of the same plan's shape to begin with.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(plan.threads)
    torch.manual_seed(plan.seed)
    net = _network(plan)
    if start is not None:
        net.load_state_dict(start.state_dict())
    run = Run(net, plan, plan.rate, plan.decay)
    first = run.resume(out / "state.pt")
    pools = {name: [f for f in films if f.source == name] for name, _ in plan.shares}
    started, losses = time.monotonic(), []
    for step in range(first, plan.steps):
        rng = np.random.default_rng([plan.seed, step])
        inputs, target, known = _batch(plan, pools, rng)
        loss = segmentation_loss(run.predict(inputs), target.float(), known.float())
        losses.append(run.learn(loss, _rate(plan, step), step))
        if (step + 1) % _LOG_EVERY == 0 or step + 1 == plan.steps:
            pace = (time.monotonic() - started) / (step + 1 - first)
            recent = float(np.mean(losses[-_LOG_EVERY:]))
            log(f"step {step + 1}/{plan.steps} loss {recent:.4f} {pace:.3f} s")
        if (step + 1) % _SAVE_EVERY == 0 or step + 1 == plan.steps:
            run.save(out / "state.pt", step + 1)
    return run.mean.eval()


def restore(state: Path) -> tuple[UNet, Plan]:
    """Return the averaged network and the plan of a saved run."""
    saved = torch.load(state, weights_only=True)
    plan = Plan(**_tuples(saved["plan"]))
    net = _network(plan)
    net.load_state_dict(saved["mean"])
    return net.eval(), plan


def _network(plan: Plan) -> UNet:
    net = UNet(plan.widths, INPUTS, len(CHANNELS))
    return net.to(memory_format=torch.channels_last)


def _rate(plan: Plan, step: int) -> float:
    warm = min(1.0, (step + 1) / 200)
    return plan.rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / plan.steps)))


def _batch(
    plan: Plan, pools: dict[str, list[Film]], rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    names = [name for name, _ in plan.shares]
    weights = np.array([share for _, share in plan.shares])
    chosen = rng.choice(len(names), plan.batch, p=weights / weights.sum())
    samples = []
    for source in chosen:
        pool = pools[names[int(source)]]
        film, within = pool[int(rng.integers(len(pool)))], augment.reach(rng, plan.far)
        samples.append(augment.random(film, plan.size, rng, within=within))
    inputs = torch.from_numpy(np.stack([s.inputs for s in samples]))
    target = torch.from_numpy(np.stack([s.target for s in samples]))
    known = torch.from_numpy(np.stack([s.known for s in samples]))
    return inputs.contiguous(memory_format=torch.channels_last), target, known


def segmentation_loss(logits: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Cross entropy plus soft Dice per film and channel, over labelled pixels only."""
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    area = known.sum((2, 3))
    present = (area > 0).float()
    cross = (entropy * known).sum((2, 3)) / area.clamp(min=1)
    chance = torch.sigmoid(logits) * known
    overlap = 2 * (chance * target).sum((2, 3)) + 50
    dice = 1 - overlap / (chance.sum((2, 3)) + (target * known).sum((2, 3)) + 50)
    dice = dice * _dice_trust(logits.device)
    return ((cross + 0.5 * dice) * present).sum() / present.sum().clamp(min=1)


def _dice_trust(device: torch.device) -> Tensor:
    """Weak and partial labels give no honest overlap; they count by cross entropy alone."""
    trust = torch.ones(len(CHANNELS), device=device)
    trust[INDEX[Region.RIBS]] = 0.3
    return trust


def _tuples(plan: dict[str, Any]) -> dict[str, Any]:
    shares = tuple(tuple(pair) for pair in plan["shares"])
    return {**plan, "widths": tuple(plan["widths"]), "shares": shares}
