"""The segmentation network: a small U-Net that works at half the input's resolution."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class Block(nn.Module):
    """Two 3x3 convolutions with batch normalisation."""

    def __init__(self, fan_in: int, fan_out: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(fan_in, fan_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(fan_out),
            nn.ReLU(inplace=True),
            nn.Conv2d(fan_out, fan_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(fan_out),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, fan_in, H, W) to (N, fan_out, H, W)."""
        y: Tensor = self.layers(x)
        return y


class UNet(nn.Module):
    """Map (N, inputs, S, S) to logits (N, outputs, S, S); S divides by 2**len(widths)."""

    def __init__(self, widths: Sequence[int], inputs: int, outputs: int) -> None:
        super().__init__()
        steps = [inputs * 4, *widths]
        self.down = nn.ModuleList(Block(steps[i], steps[i + 1]) for i in range(len(widths)))
        self.up = nn.ModuleList(
            Block(widths[i] + widths[i + 1], widths[i]) for i in range(len(widths) - 1)
        )
        self.head = nn.Conv2d(widths[0], outputs * 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits; space-to-depth at both ends keeps the finest edges cheaply."""
        x = functional.pixel_unshuffle(x, 2)
        skips: list[Tensor] = []
        for depth, block in enumerate(self.down):
            x = block(functional.max_pool2d(x, 2) if depth else x)
            skips.append(x)
        for depth in reversed(range(len(self.up))):
            x = functional.interpolate(x, scale_factor=2.0, mode="nearest")
            x = self.up[depth](torch.cat([skips[depth], x], 1))
        return functional.pixel_shuffle(self.head(x), 2)
