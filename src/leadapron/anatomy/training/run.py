"""What every training run needs: its averaged network, and a state to go on from."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_EMA = 0.995
Net = TypeVar("Net", bound=nn.Module)


class Run(Generic[Net]):
    """A network in training, the average of its weights, and the optimiser (AdamW).

    Attributes:
        net: learns.
        mean: exponential average of ``net``; what a run ends with.
    """

    def __init__(self, net: Net, plan: DataclassInstance, rate: float, decay: float) -> None:
        self.net = net
        self.mean: Net = copy.deepcopy(net).requires_grad_(False)
        self._plan = plan
        self._optimiser = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=decay)

    def predict(self, inputs: Tensor) -> Tensor:
        """Return the network's logits in float32, computed in bfloat16."""
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = self.net(inputs)
        return torch.as_tensor(logits).float()

    def learn(self, loss: Tensor, rate: float, step: int) -> float:
        """Take one step down ``loss`` at ``rate`` and average; return the loss."""
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self._optimiser.step()
        self._average(min(_EMA, (step + 1) / (step + 10)))
        return float(loss.detach())

    def _average(self, keep: float) -> None:
        pairs = zip(self.mean.state_dict().values(), self.net.state_dict().values(), strict=True)
        with torch.no_grad():
            for old, new in pairs:
                if old.dtype.is_floating_point:
                    old.mul_(keep).add_(new, alpha=1 - keep)
                else:
                    old.copy_(new)

    def save(self, path: Path, step: int) -> None:
        """Write the state after ``step`` steps; whole or not at all."""
        state: dict[str, Any] = {
            "plan": asdict(self._plan),
            "step": step,
            "net": self.net.state_dict(),
            "mean": self.mean.state_dict(),
            "optimiser": self._optimiser.state_dict(),
        }
        part = path.with_suffix(".part")
        torch.save(state, part)
        part.replace(path)

    def resume(self, path: Path) -> int:
        """Go on from a saved state and return its steps, 0 if there is none.

        SystemExit if the state belongs to another plan.
        """
        if not path.exists():
            return 0
        saved = torch.load(path, weights_only=True)
        if json.dumps(saved["plan"]) != json.dumps(asdict(self._plan)):
            raise SystemExit(f"{path} belongs to another plan; remove it or choose another folder")
        self.net.load_state_dict(saved["net"])
        self.mean.load_state_dict(saved["mean"])
        self._optimiser.load_state_dict(saved["optimiser"])
        return int(saved["step"])
