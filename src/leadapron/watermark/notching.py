"""Take narrow stripes out of a score: moiré of photographed screens, print rasters, hum.

A stripe is a peak in the spectrum of a small window. Cosines of the mark have no peaks there,
so what sticks out far above its ring of frequencies is turned down to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]

_SIDE = 64
_HOP = _SIDE // 2
_RINGS = 32
_LOUD = 2.0


@dataclass(frozen=True, eq=False)
class Notches:
    """How much of every window's frequencies is let through, float32 (rows, columns, 64, 33)."""

    passed: Float

    @classmethod
    def of(cls, score: Float) -> Notches:
        """Return the notches that flatten `score` (h, w)."""
        size = np.abs(_spectra(score))
        rings = _ring_average()
        flat = np.sqrt(size).reshape(-1, rings.shape[0])
        # The mean of square roots is hardly moved by a few peaks.
        usual = ((flat @ rings) ** 2)[:, _ring().ravel()].reshape(size.shape)
        ratio = _LOUD * usual / np.maximum(size, 1e-20)
        return cls(np.minimum(ratio * ratio, 1).astype(np.float32))

    def apply(self, picture: Float) -> Float:
        """Return `picture`, of the same shape as the score, through the notches."""
        from scipy.fft import irfft2

        parts = irfft2(_spectra(picture) * self.passed, s=(_SIDE, _SIDE)) * _window()
        rows, columns = parts.shape[:2]
        total = np.zeros(((rows + 1) * _HOP, (columns + 1) * _HOP), np.float32)
        for row in range(rows):
            for column in range(columns):
                top, left = row * _HOP, column * _HOP
                total[top : top + _SIDE, left : left + _SIDE] += parts[row, column]
        return total[_HOP : _HOP + picture.shape[0], _HOP : _HOP + picture.shape[1]]


def _spectra(picture: Float) -> npt.NDArray[np.complex64]:
    """Return the spectra of half-overlapping windows, complex64 (rows, columns, 64, 33)."""
    from scipy.fft import rfft2

    after = [_HOP + (-size) % _HOP for size in picture.shape]
    padded = np.pad(picture, [(_HOP, after[0]), (_HOP, after[1])])
    views = np.lib.stride_tricks.sliding_window_view(padded, (_SIDE, _SIDE))[::_HOP, ::_HOP]
    return np.asarray(rfft2(views * _window()), np.complex64)


@lru_cache(maxsize=1)
def _window() -> Float:
    """Return a window whose squares add up to one at half overlap."""
    line = np.sin(np.pi * (np.arange(_SIDE) + 0.5) / _SIDE)
    return np.outer(line, line).astype(np.float32)


@lru_cache(maxsize=1)
def _ring() -> npt.NDArray[np.int64]:
    """Return the ring of every frequency, int64 (64, 33)."""
    down = np.fft.fftfreq(_SIDE) * _SIDE
    radius = np.hypot(down[:, None], np.arange(_HOP + 1)[None, :])
    return np.minimum(radius.astype(np.int64), _RINGS - 1)


@lru_cache(maxsize=1)
def _ring_average() -> Float:
    """Return the matrix that averages frequencies over rings, float32 (64·33, rings)."""
    member = (_ring().ravel()[:, None] == np.arange(_RINGS)).astype(np.float32)
    return member / member.sum(axis=0)
