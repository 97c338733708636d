"""The strength of a mark is exact, and nothing else of the frame changes."""

from __future__ import annotations

import numpy as np
import pytest

from leadapron.model import BadInput
from leadapron.watermark import embed

KEY = bytes(range(32))


def frame(bits: int, shape: tuple[int, int] = (300, 260)) -> np.ndarray:
    rng = np.random.default_rng(bits)
    ramp = np.linspace(0, 2**bits - 1, shape[1])[None, :] + rng.normal(0, 2 ** (bits - 6), shape)
    return np.clip(ramp, 0, 2**bits - 1).astype(np.uint8 if bits <= 8 else np.uint16)


def psnr(a: np.ndarray, b: np.ndarray, bits: int) -> float:
    error = np.mean((a.astype(float) - b) ** 2)
    return float(10 * np.log10((2**bits - 1) ** 2 / error))


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("strength", [50, 56, 60])
def test_strength_is_exact(bits: int, strength: float) -> None:
    film = frame(bits)
    marked = embed(film, KEY, "v", bits, strength)
    assert marked.dtype == film.dtype
    assert strength <= psnr(film, marked, bits) < strength + 1.0
    assert int(marked.max()) <= 2**bits - 1


def test_the_largest_change_is_bounded_at_12_bits() -> None:
    film = frame(12)
    change = embed(film, KEY, "v", 12, 56).astype(int) - film
    assert 6 < np.abs(change).max() <= 25


def test_marks_are_deterministic_and_differ_between_views_and_keys() -> None:
    film = frame(12)
    first = embed(film, KEY, "a", 12)
    assert np.array_equal(first, embed(film, KEY, "a", 12))
    assert not np.array_equal(first, embed(film, KEY, "b", 12))
    assert not np.array_equal(first, embed(film, bytes(32), "a", 12))


def test_ungranted_pixels_are_untouched_and_the_rest_has_the_strength() -> None:
    film = frame(12)
    granted = np.zeros(film.shape, bool)
    granted[50:200, 30:140] = True
    marked = embed(film, KEY, "v", 12, 56, granted)
    assert np.array_equal(marked[~granted], film[~granted])
    assert 56 <= psnr(film[granted], marked[granted], 12) < 57


def test_nothing_granted_is_nothing_marked() -> None:
    film = frame(8)
    assert np.array_equal(embed(film, KEY, "v", 8, granted=np.zeros(film.shape, bool)), film)


def test_a_constant_frame_is_left_valid() -> None:
    flat = np.full((128, 128), 255, np.uint8)
    assert embed(flat, KEY, "v", 8).dtype == np.uint8


@pytest.mark.parametrize(
    "arguments",
    [
        (np.zeros((80, 80), np.float32), KEY, "v", 12),
        (np.zeros((80, 80, 3), np.uint8), KEY, "v", 8),
        (np.zeros((8, 8), np.uint8), KEY, "v", 8),
        (np.full((80, 80), 5000, np.uint16), KEY, "v", 12),
        (np.zeros((80, 80), np.uint8), KEY, "v", 12),
        (np.zeros((80, 80), np.uint8), b"", "v", 8),
        (np.zeros((80, 80), np.uint8), KEY, "", 8),
        (np.zeros((80, 80), np.uint8), KEY, "v", 8, 10),
        (np.zeros((80, 80), np.uint8), KEY, "v", 8, 56, np.ones((9, 9), bool)),
    ],
)
def test_contradictions_are_refused(arguments: tuple) -> None:
    with pytest.raises(BadInput):
        embed(*arguments)
