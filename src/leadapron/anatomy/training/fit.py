"""The training loop: seeded, resumable, one core."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
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
from leadapron.model import Region

_EMA = 0.998
_SAVE_EVERY = 500
_LOG_EVERY = 100


@dataclass(frozen=True)
class Plan:
    """Everything that decides a run; the same plan and data give the same weights."""

    size: int = 320
    widths: tuple[int, ...] = (32, 48, 64, 96, 128)
    steps: int = 4100
    batch: int = 8
    rate: float = 2e-3
    decay: float = 1e-4
    seed: int = 1
    threads: int = 1
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
    mean = copy.deepcopy(net).requires_grad_(False)
    optimiser = torch.optim.AdamW(net.parameters(), lr=plan.rate, weight_decay=plan.decay)
    first = _resume(out / "state.pt", plan, net, mean, optimiser)
    pools = {name: [f for f in films if f.source == name] for name, _ in plan.shares}
    started, losses = time.monotonic(), []
    for step in range(first, plan.steps):
        for group in optimiser.param_groups:
            group["lr"] = _rate(plan, step)
        rng = np.random.default_rng([plan.seed, step])
        loss = _step(net, optimiser, _batch(plan, pools, rng))
        losses.append(loss)
        _average(mean, net, min(_EMA, (step + 1) / (step + 10)))
        if (step + 1) % _LOG_EVERY == 0 or step + 1 == plan.steps:
            pace = (time.monotonic() - started) / (step + 1 - first)
            recent = float(np.mean(losses[-_LOG_EVERY:]))
            log(f"step {step + 1}/{plan.steps} loss {recent:.4f} {pace:.3f} s")
        if (step + 1) % _SAVE_EVERY == 0 or step + 1 == plan.steps:
            _save(out / "state.pt", plan, step + 1, net, mean, optimiser)
    return mean.eval()


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
        samples.append(augment.random(pool[int(rng.integers(len(pool)))], plan.size, rng))
    inputs = torch.from_numpy(np.stack([s.inputs for s in samples]))
    target = torch.from_numpy(np.stack([s.target for s in samples]))
    known = torch.from_numpy(np.stack([s.known for s in samples]))
    return inputs.contiguous(memory_format=torch.channels_last), target, known


def _step(
    net: UNet, optimiser: torch.optim.Optimizer, batch: tuple[Tensor, Tensor, Tensor]
) -> float:
    inputs, target, known = batch
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = net(inputs)
    loss = segmentation_loss(logits.float(), target.float(), known.float())
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimiser.step()
    return float(loss.detach())


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


def _average(mean: UNet, net: UNet, keep: float) -> None:
    for old, new in zip(mean.state_dict().values(), net.state_dict().values(), strict=True):
        if old.dtype.is_floating_point:
            old.mul_(keep).add_(new, alpha=1 - keep)
        else:
            old.copy_(new)


def _save(
    path: Path, plan: Plan, step: int, net: UNet, mean: UNet, optimiser: torch.optim.Optimizer
) -> None:
    state = {
        "plan": asdict(plan),
        "step": step,
        "net": net.state_dict(),
        "mean": mean.state_dict(),
        "optimiser": optimiser.state_dict(),
    }
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)


def _resume(path: Path, plan: Plan, net: UNet, mean: UNet, optimiser: torch.optim.Optimizer) -> int:
    if not path.exists():
        return 0
    saved = torch.load(path, weights_only=True)
    if Plan(**_tuples(saved["plan"])) != plan:
        raise SystemExit(f"{path} belongs to another plan; remove it or choose another folder")
    net.load_state_dict(saved["net"])
    mean.load_state_dict(saved["mean"])
    optimiser.load_state_dict(saved["optimiser"])
    return int(saved["step"])


def _tuples(plan: dict[str, Any]) -> dict[str, Any]:
    shares = tuple(tuple(pair) for pair in plan["shares"])
    return {**plan, "widths": tuple(plan["widths"]), "shares": shares}
