"""From trained weights to the ONNX graphs and cards in the package."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn


class Probabilities(nn.Module):
    """A segmentation network with its sigmoid."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, film: Tensor) -> Tensor:
        """Return probabilities of the network's shape."""
        return torch.sigmoid(self.net(film))


def export(net: nn.Module, inputs: tuple[int, int, int], path: Path, card: dict[str, Any]) -> None:
    """Write ``path`` (ONNX, one file) and its card as JSON beside it, with the digest."""
    example = torch.zeros(1, *inputs)
    torch.onnx.export(
        net.eval().to(memory_format=torch.contiguous_format),
        (example,),
        str(path),
        input_names=["film"],
        output_names=["output"],
        opset_version=17,
        dynamo=False,
    )
    onnx.checker.check_model(str(path))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    text = json.dumps({**card, "sha256": digest}, indent=1, sort_keys=True)
    path.with_suffix(".json").write_text(text + "\n")
