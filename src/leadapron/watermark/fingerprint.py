"""What is kept of a film to find it again from a leaked copy.

Two fingerprints in one: a 256-bit perceptual hash after PDQ's published scheme (64×64
averages, the 16×16 lowest cosines without the constant, bits above their median) for whole
copies, and local features for crops, screenshots and photographs. Neither shows the film:
no picture can be made of them that a person would recognise as a patient's.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from leadapron.model import BadInput
from leadapron.watermark.overlay import grey
from leadapron.watermark.registration import features
from leadapron.watermark.vocabulary import DIMENSIONS, Codes, vocabulary

Float = npt.NDArray[np.float32]
Bits = npt.NDArray[np.uint8]

_MAGIC = b"LAF1"
_HEAD = struct.Struct("<4sHHH")
_SHARE = 65535.0
KEPT = 1000
_CELLS = 10


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """A film's fingerprint, about 37 kB.

    Attributes:
        shape: (rows, columns) of the film.
        hash: perceptual hash, 32 bytes.
        points: feature positions (x, y) in film pixels, float32 (n, 2).
        codes: their compact descriptors, int8 (n, 32).
    """

    shape: tuple[int, int]
    hash: bytes
    points: Float
    codes: Codes

    def to_bytes(self) -> bytes:
        """Return the fingerprint as bytes (layout ``LAF1``)."""
        head = _HEAD.pack(_MAGIC, self.shape[0], self.shape[1], len(self.points))
        size = np.array([self.shape[1], self.shape[0]], np.float32)
        places = np.clip(np.rint((self.points + 0.5) / size * _SHARE), 0, _SHARE)
        return head + self.hash + places.astype("<u2").tobytes() + self.codes.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Fingerprint:
        """Return the fingerprint that `to_bytes` wrote.

        Raises:
            BadInput: other bytes, or not all of them.
        """
        if len(data) < _HEAD.size + 32 or data[:4] != _MAGIC:
            raise BadInput("These bytes are no film fingerprint.", remedy="Make it again.")
        _, rows, columns, count = _HEAD.unpack_from(data)
        start = _HEAD.size + 32
        if len(data) != start + count * (4 + DIMENSIONS):
            raise BadInput("The film fingerprint is truncated.", remedy="Make it again.")
        places = np.frombuffer(data, "<u2", 2 * count, start).reshape(count, 2)
        points = places.astype(np.float32) / _SHARE * np.array([columns, rows], np.float32) - 0.5
        codes = np.frombuffer(data, np.int8, count * DIMENSIONS, start + 4 * count)
        hashed = data[_HEAD.size : start]
        return cls((rows, columns), hashed, points, codes.reshape(count, DIMENSIONS))


def fingerprint(frame: npt.NDArray[Any]) -> Fingerprint:
    """Return the fingerprint of a film (H, W), any integer depth."""
    found = features(frame, count=4 * KEPT)
    kept = spread(found.points, (frame.shape[0], frame.shape[1]), KEPT)
    return Fingerprint(
        (frame.shape[0], frame.shape[1]),
        perceptual_hash(frame),
        found.points[kept],
        vocabulary().encode(found.descriptors[kept]),
    )


def spread(points: Float, shape: tuple[int, int], count: int) -> npt.NDArray[np.int64]:
    """Return which features to keep: the strongest of every part of the film in turn.

    Features come strongest first; a crop of any part then still finds some.
    """
    size = np.array([shape[1], shape[0]], np.float32)
    cell = np.clip((points / size * _CELLS).astype(np.int64), 0, _CELLS - 1)
    part = cell[:, 1] * _CELLS + cell[:, 0]
    order = np.lexsort((np.arange(len(part)), part))
    sorted_part = part[order]
    first = np.searchsorted(sorted_part, sorted_part, side="left")
    place = np.empty(len(part), np.int64)
    place[order] = np.arange(len(part)) - first
    return np.sort(np.argsort(place, kind="stable")[:count])


@lru_cache(maxsize=1)
def _cosines() -> Float:
    """Return the 16 lowest cosines of 64 samples without the constant, float32 (16, 64)."""
    order = np.arange(1, 17)[:, None]
    place = np.arange(64)[None, :]
    return (np.sqrt(2 / 64) * np.cos(np.pi / 128 * order * (2 * place + 1))).astype(np.float32)


def hash_coefficients(picture: npt.NDArray[Any]) -> Float:
    """Return the 16×16 cosine coefficients that the hash is made of."""
    import cv2

    luma = grey(picture)
    for _ in range(2):
        box = (max(1, (luma.shape[1] + 127) // 128), max(1, (luma.shape[0] + 127) // 128))
        luma = np.asarray(cv2.blur(luma, box, borderType=cv2.BORDER_REPLICATE), np.float32)
    rows = ((np.arange(64) + 0.5) * luma.shape[0] / 64).astype(np.intp)
    columns = ((np.arange(64) + 0.5) * luma.shape[1] / 64).astype(np.intp)
    small = luma[np.ix_(rows, columns)]
    return np.asarray(_cosines() @ small @ _cosines().T, np.float32)


def pack(coefficients: Float) -> bytes:
    """Return the 256 bits: which coefficients are above their median."""
    return np.packbits(coefficients.ravel() > np.median(coefficients)).tobytes()


def perceptual_hash(picture: npt.NDArray[Any]) -> bytes:
    """Return the 32-byte perceptual hash of a picture, after PDQ's scheme."""
    return pack(hash_coefficients(picture))


def turned_hashes(picture: npt.NDArray[Any]) -> Bits:
    """Return the hashes of the 8 flips and turns of a picture, and of their negatives.

    Returns:
        uint8 (16, 32), the picture's own hash first.
    """
    upright = hash_coefficients(picture)
    sign = np.where(np.arange(1, 17) % 2 == 1, -1, 1).astype(np.float32)
    hashes = []
    for base in (upright, upright.T):
        for down in (np.ones(16, np.float32), sign):
            for across in (np.ones(16, np.float32), sign):
                turned = base * down[:, None] * across[None, :]
                hashes += [pack(turned), pack(-turned)]
    return np.frombuffer(b"".join(hashes), np.uint8).reshape(16, 32)
