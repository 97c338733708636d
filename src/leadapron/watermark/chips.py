"""The keyed mark: one ±1 chip for every low-frequency cosine of the film.

A mark is a sum of cosines over the film, from about eight to about two hundred cycles along
the longer side, so that its frequencies belong to the film and not to its pixels: a copy at
another resolution still carries them. A view's chips are the bits of a pseudo-random
function of (key, image digest, view id), so a view that was never marked has chips that are
independent of everything in the picture. The verdict rests on that alone (see `scoring`).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]

_LABEL = b"leadapron/watermark/v1"
_GRID = 768
_LOWEST, _HIGHEST = 16.0, 384.0
_SLOPE = 1.9


@dataclass(frozen=True, eq=False)
class Band:
    """The cosines of films of one shape.

    Attributes:
        shape: (rows, columns) of the film, pixels.
        grid: (rows, columns) of the mark grid on which marks are made and measured.
        index: flat positions of the used coefficients in the grid's DCT-II, int64 (n,).
        frequency: half cycles along the film's longer side, float32 (n,).
        amplitude: relative amplitude of each cosine; squares sum to the grid's size, so that
            the field has unit variance.
    """

    shape: tuple[int, int]
    grid: tuple[int, int]
    index: npt.NDArray[np.int64]
    frequency: Float
    amplitude: Float

    @property
    def size(self) -> int:
        """How many chips a view has."""
        return len(self.index)

    def field(self, chips: Float) -> Float:
        """Return the unit-variance field of `chips` (n,) on the mark grid, float32."""
        from scipy.fft import idctn

        spectrum = np.zeros(self.grid[0] * self.grid[1], np.float32)
        spectrum[self.index] = chips * self.amplitude
        return np.asarray(idctn(spectrum.reshape(self.grid), norm="ortho"), np.float32)

    def project(self, score: npt.NDArray[np.float32]) -> Float:
        """Return the cosine coefficients (n,) of a picture on the mark grid."""
        from scipy.fft import dctn

        full = np.asarray(dctn(score, norm="ortho"), np.float32)
        return full.ravel()[self.index]


@lru_cache(maxsize=32)
def band(shape: tuple[int, int]) -> Band:
    """Return the band of films of `shape` (rows, columns)."""
    longer = max(shape)
    side = min(_GRID, longer)
    grid = (max(8, round(shape[0] * side / longer)), max(8, round(shape[1] * side / longer)))
    rows = np.arange(grid[0], dtype=np.float32) * (longer / shape[0])
    columns = np.arange(grid[1], dtype=np.float32) * (longer / shape[1])
    frequency = np.hypot(rows[:, None], columns[None, :]).ravel()
    highest = min(_HIGHEST, 0.8 * side)
    index = np.flatnonzero((frequency >= min(_LOWEST, highest / 8)) & (frequency <= highest))
    used = frequency[index].astype(np.float32)
    amplitude = used ** (-_SLOPE / 2)
    amplitude *= np.sqrt(grid[0] * grid[1] / np.sum(amplitude**2))
    return Band(shape, grid, index, used, amplitude.astype(np.float32))


def chip_key(key: bytes, view_id: str, image_digest: str = "") -> bytes:
    """Return the 32-byte secret from which a view's chips follow.

    Every field is length-prefixed, so no two (digest, view id) pairs share an input.
    """
    digest, view = image_digest.encode(), view_id.encode()
    message = b"".join(len(part).to_bytes(4, "big") + part for part in (_LABEL, digest, view))
    return hmac.new(key, message, hashlib.sha256).digest()


def _bits(secret: bytes, count: int) -> npt.NDArray[np.uint8]:
    """Return `count` pseudo-random bytes: the AES-256-CTR key stream of `secret`."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    stream = Cipher(algorithms.AES(secret), modes.CTR(bytes(16))).encryptor()
    return np.frombuffer(stream.update(bytes(count)), np.uint8)


def chips(key: bytes, view_id: str, size: int, image_digest: str = "") -> Float:
    """Return the view's `size` chips, float32, each −1 or +1."""
    packed = _bits(chip_key(key, view_id, image_digest), (size + 7) // 8)
    return np.unpackbits(packed, count=size).astype(np.float32) * 2 - 1


def nudges(key: bytes, shape: tuple[int, int], share: float) -> npt.NDArray[np.int8]:
    """Return where an 8-bit film's rounding is put on the edge: −1, 0 or +1, int8 (H, W).

    Marks of one grey level are lost when several copies are averaged and rounded again. At a
    `share` of the pixels, the same for all views of a film, half a level is added before the
    mark is rounded, so that the mark alone decides and an average is their majority.
    """
    secret = hmac.new(key, _LABEL + b"/nudges" + repr(shape).encode(), hashlib.sha256).digest()
    noise = _bits(secret, shape[0] * shape[1]).astype(np.int16)
    part = max(0, round(share * 128))
    return ((noise < part).astype(np.int8) - (noise >= 256 - part).astype(np.int8)).reshape(shape)


@lru_cache(maxsize=1)
def _ones() -> Float:
    """Return the eight bits of every byte, first bit first, float32 (256, 8)."""
    every = np.arange(256, dtype=np.uint8)[:, None]
    return np.unpackbits(every, axis=1).astype(np.float32)


def correlate(
    key: bytes, view_ids: Sequence[str], measured: Float, image_digest: str = ""
) -> npt.NDArray[np.float64]:
    """Return Σ chip·measured for every view.

    Args:
        measured: float32 (n, m): m measurements of the same n chips. Where they are whole
            numbers whose magnitudes add up to less than 2**24, the sums are exact, whatever
            order a processor adds them in.

    Returns:
        float64 (views, m).
    """
    size, count = measured.shape
    packed_size = (size + 7) // 8
    columns = np.zeros((count, 8 * packed_size), np.float32)
    columns[:, :size] = measured.T
    sums = np.zeros((len(view_ids), count))
    # Few measurements are memory-bound: one view at a time stays in the cache.
    batch = max(1, count // 4)
    for start in range(0, len(view_ids), batch):
        some = view_ids[start : start + batch]
        packed = np.stack([_bits(chip_key(key, view, image_digest), packed_size) for view in some])
        ones = np.take(_ones(), packed, axis=0).reshape(len(some), -1)
        sums[start : start + len(some)] = (columns @ ones.T).T
    return np.asarray(2 * sums - measured.sum(axis=0, dtype=np.float64))
