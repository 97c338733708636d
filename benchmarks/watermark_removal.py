"""Attempts to remove the mark: what is left of z, against the damage done to the film."""

# ruff: noqa: ARG005 - every attempt takes a picture and a generator

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import cv2
import numpy as np

from leadapron.watermark import embed, trace
from watermark_attacks import ATTACKS
from watermark_fidelity import similarity
from watermark_films import KEY, TRUE, VIEWS, Film, Picture, generator, psnr, rendered
from watermark_leaks import LEAKS, clipped

_PATCH, _FEATURES, _RIDGE = 9, 60_000, 5.0
_NOISE, _MARKS, _SECONDS = 10, 3, 60


def learned(copy: Picture, rng: np.random.Generator, sigma: float) -> Picture:
    """A small denoiser learnt on the copy itself: ridge regression on patches, by contrast class.

    It is trained to undo noise of `sigma` that is added to the copy, as self-supervised
    denoisers are, and then applied to the copy.
    """
    clean = copy.astype(np.float32)
    noisy = clean + rng.normal(0, sigma, clean.shape).astype(np.float32)
    reach = _PATCH // 2
    edges = np.quantile(_contrast(noisy), np.linspace(0, 1, 9)[1:-1])
    rows = rng.integers(reach, clean.shape[0] - reach, _FEATURES)
    columns = rng.integers(reach, clean.shape[1] - reach, _FEATURES)
    views = np.lib.stride_tricks.sliding_window_view(noisy, (_PATCH, _PATCH))
    patches = views[rows - reach, columns - reach].reshape(_FEATURES, -1)
    middle = patches.mean(axis=1, keepdims=True)
    target = clean[rows, columns] - middle[:, 0]
    kind = np.digitize(_contrast(noisy)[rows, columns], edges)
    result = np.zeros_like(clean)
    kinds = np.digitize(_contrast(clean), edges)
    for one in range(len(edges) + 1):
        x, y = (patches - middle)[kind == one], target[kind == one]
        kernel = np.linalg.solve(x.T @ x + _RIDGE * np.eye(x.shape[1]), x.T @ y)
        whole = kernel.reshape(_PATCH, _PATCH) + (1 - kernel.sum()) / _PATCH**2
        result[kinds == one] = cv2.filter2D(clean, -1, whole.astype(np.float32))[kinds == one]
    return clipped(result)


def _contrast(picture: Picture) -> Picture:
    mean = cv2.blur(picture, (7, 7))
    return np.sqrt(np.maximum(cv2.blur(picture * picture, (7, 7)) - mean * mean, 0))


def attempts() -> dict:
    named = ("NL-means", "noise 6 + NL-means", "median 5", "total variation", "bilateral", "blur 4")
    found = {name: ATTACKS[name] for name in named}
    found |= {name: LEAKS[name] for name in ("NL-means 8", "wavelet", "median 3")}
    found |= {
        f"noise {s}": (lambda a, r, s=s: clipped(a + r.normal(0, s, a.shape))) for s in (5, 15, 30)
    }
    found |= {f"learned σ {s}": (lambda a, r, s=s: learned(a, r, s)) for s in (4, 12, 25)}
    found |= {f"median {k}": (lambda a, r, k=k: cv2.medianBlur(a, k)) for k in (9, 17)}
    found |= {f"blur {s}": (lambda a, r, s=s: cv2.GaussianBlur(a, (0, 0), s)) for s in (8, 16)}
    return found


def networks(
    film: Film, others: list[Film], copy: Picture, python: str | None
) -> Iterator[tuple[str, Picture]]:
    """Yield what small convolutional networks make of the copy.

    One learnt noise on other films, one learnt our mark: pairs of other films with and without
    marks under another key, of the same strength. The second attacker has this software.
    """
    if not python:
        print("SKIPPED: networks; pass --peer-python with PyTorch")
        return
    rng = generator(film[0], "networks")
    clean = [rendered(frame, bits) for _, _, frame, bits in others]
    noisy = [clipped(c + rng.normal(0, _NOISE, c.shape)) for c in clean]
    yield from _cleaned(f"network, noise σ {_NOISE}", noisy, clean, copy, python)
    db = _strength(film)
    marked = [
        (rendered(embed(frame, b"y" * 32, f"mine-{i}", bits, db), bits), c)
        for (_, _, frame, bits), c in zip(others, clean, strict=True)
        for i in range(_MARKS)
    ]
    pairs = ([m for m, _ in marked], [c for _, c in marked])
    yield from _cleaned("network, our mark", *pairs, copy, python)


def _cleaned(
    name: str, given: list[Picture], wanted: list[Picture], copy: Picture, python: str
) -> Iterator[tuple[str, Picture]]:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        pairs = {f"in-{i}": a for i, a in enumerate(given)}
        pairs |= {f"out-{i}": a for i, a in enumerate(wanted)}
        np.savez(folder / "pairs.npz", **pairs)
        np.save(folder / "copy.npy", copy)
        script = Path(__file__).with_name("watermark_network.py")
        command = [python, str(script), str(folder), str(_SECONDS)]
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=20 * _SECONDS
        )
        if done.returncode:
            print(f"SKIPPED: {name}: {done.stderr.strip().splitlines()[-1:]}")
            return
        print(f"{name}: {done.stdout.strip()}")
        yield name, np.load(folder / "result.npy")


def _strength(film: Film) -> int:
    return 60 if max(film[2].shape) >= 1700 else 56


def removal(film: Film, others: list[Film], python: str | None = None) -> Iterator[dict]:
    """Yield z beside PSNR and SSIM of what is left of the film.

    Args:
        others: films that the networks may learn from.
        python: an interpreter that has PyTorch.
    """
    name, _, frame, bits = film
    clean = rendered(frame, bits)
    copy = rendered(embed(frame, KEY, TRUE, bits, _strength(film)), bits)
    usual = (
        (attempt, attack(copy, generator(name, "removal", attempt)))
        for attempt, attack in attempts().items()
    )
    for attempt, leak in chain(usual, networks(film, others, copy, python)):
        found = trace(frame, leak, KEY, VIEWS)
        yield {
            "film": name,
            "attempt": attempt,
            "z": round(next(c.z for c in found.candidates if c.view_id == TRUE), 1),
            "named": TRUE in {c.view_id for c in found.accused},
            "wrong": sum(c.view_id != TRUE for c in found.accused),
            "psnr": round(psnr(clean, leak, 255), 1),
            "ssim": round(similarity(clean, leak, 255), 3),
        }
