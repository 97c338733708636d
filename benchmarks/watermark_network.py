"""Train a small convolutional denoiser on pairs of pictures, and apply it: needs PyTorch only.

    python watermark_network.py FOLDER CPU-SECONDS

FOLDER/pairs.npz holds arrays in-0, out-0, in-1, out-1 …, uint8 (h, w); FOLDER/copy.npy the
picture to clean. The result goes to FOLDER/result.npy, the steps made and the loss are printed.
Seven layers of 32 channels that predict what to take away (after DnCNN, Zhang et al. 2017).
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

CHANNELS, LAYERS, PATCH, BATCH = 32, 7, 48, 16


def network() -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(2, CHANNELS, 3, padding=1), nn.ReLU()]
    for _ in range(LAYERS - 2):
        layers += [nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1), nn.ReLU()]
    last = nn.Conv2d(CHANNELS, 1, 3, padding=1)
    nn.init.zeros_(last.weight)
    return nn.Sequential(*layers, last)


def seen(given: torch.Tensor, scale: float) -> torch.Tensor:
    """Return what the network is shown: the grey values, and their fine detail enlarged."""
    soft = nn.functional.avg_pool2d(given, 5, 1, 2, count_include_pad=False)
    return torch.cat([2 * given - 1, (given - soft) / (3 * scale)], dim=1)


def batches(pairs: list[tuple[np.ndarray, np.ndarray]], rng: np.random.Generator):
    while True:
        cuts = []
        for _ in range(BATCH):
            given, wanted = pairs[int(rng.integers(len(pairs)))]
            y, x = (int(rng.integers(side - PATCH)) for side in given.shape)
            cut = np.stack([p[y : y + PATCH, x : x + PATCH] for p in (given, wanted)])
            cuts.append(np.rot90(cut, int(rng.integers(4)), (1, 2)))
        both = torch.from_numpy(np.ascontiguousarray(cuts).astype(np.float32))
        yield both[:, :1] / 255, both[:, 1:] / 255


def trained(
    pairs: list[tuple[np.ndarray, np.ndarray]], seconds: float
) -> tuple[nn.Sequential, float]:
    """Return the network, which tells what to take away in units of the scale, and the scale."""
    torch.manual_seed(1)
    model = network()
    # Marks are small: without this scale the steps would drown in rounding.
    scale = max(float(np.mean([np.std(a.astype(float) - b) for a, b in pairs])) / 255, 1e-6)
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    start, steps, kept = time.process_time(), 0, 0.0
    for given, wanted in batches(pairs, np.random.default_rng(1)):
        done = (time.process_time() - start) / seconds
        if done >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = 1e-3 * (1 - done) + 1e-5
        loss = torch.mean(((given - wanted) / scale - model(seen(given, scale))) ** 2)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        steps, kept = steps + 1, 0.99 * kept + 0.01 * float(loss)
    print(f"steps {steps} loss {kept:.3f} of 1")
    return model, scale


def applied(model: nn.Sequential, scale: float, copy: np.ndarray) -> np.ndarray:
    """Return the cleaned picture; done in strips to bound memory."""
    edge, out = LAYERS + 2, np.empty(copy.shape, np.uint8)
    whole = np.pad(copy, edge, mode="reflect").astype(np.float32) / 255
    with torch.no_grad():
        for top in range(0, copy.shape[0], 128):
            strip = whole[top : top + 128 + 2 * edge]
            given = torch.from_numpy(strip)[None, None]
            taken = scale * model(seen(given, scale))[0, 0].numpy()
            clean = (strip - taken)[edge:-edge, edge:-edge] * 255
            out[top : top + len(clean)] = np.clip(np.rint(clean), 0, 255)
    return out


def main() -> int:
    folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
    torch.set_num_threads(1)
    with np.load(folder / "pairs.npz") as kept:
        pairs = [(kept[f"in-{i}"], kept[f"out-{i}"]) for i in range(len(kept) // 2)]
    np.save(folder / "result.npy", applied(*trained(pairs, seconds), np.load(folder / "copy.npy")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
