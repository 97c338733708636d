"""The fixed visual words of chest films: compact descriptors and their coarse cells.

``vocabulary.npz`` was learnt once from public chest films (scripts/learn_vocabulary.py) and
holds a projection of RootSIFT to 32 numbers and the centres of the words. It carries no film.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int8]

DIMENSIONS = 32
WORDS = 4096
_PATH = Path(__file__).with_name("vocabulary.npz")


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Mean (128,), projection (128, 32) and word centres (words, 32), all float32."""

    mean: Float
    projection: Float
    centres: Float

    def encode(self, descriptors: Float) -> Codes:
        """Return RootSIFT descriptors (n, 128) as int8 codes (n, 32)."""
        projected = (descriptors - self.mean) @ self.projection
        return np.clip(np.rint(projected), -127, 127).astype(np.int8)

    def words(self, codes: Codes, nearest: int = 1) -> npt.NDArray[np.int32]:
        """Return the nearest words of each code, int32 (n, nearest), nearest first."""
        values = codes.astype(np.float32)
        distance = 0.5 * np.sum(self.centres**2, axis=1) - values @ self.centres.T
        if nearest == 1:
            return distance.argmin(axis=1)[:, None].astype(np.int32)
        some = np.argpartition(distance, nearest, axis=1)[:, :nearest]
        order = np.argsort(np.take_along_axis(distance, some, axis=1), axis=1, kind="stable")
        return np.take_along_axis(some, order, axis=1).astype(np.int32)


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    """Return the shipped vocabulary."""
    with np.load(_PATH) as stored:
        return Vocabulary(
            stored["mean"].astype(np.float32),
            stored["projection"].astype(np.float32),
            stored["centres"].astype(np.float32),
        )


def learn(descriptors: Float, rounds: int = 12, seed: int = 1) -> Vocabulary:
    """Learn a vocabulary from RootSIFT descriptors (n, 128) by PCA and k-means."""
    rng = np.random.default_rng(seed)
    mean = descriptors.mean(axis=0)
    centred = descriptors - mean
    values, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    projection = vectors[:, ::-1][:, :DIMENSIONS] * (36 / np.sqrt(values[::-1][0]))
    draft = Vocabulary(mean, projection.astype(np.float32), np.zeros((1, DIMENSIONS), np.float32))
    codes = draft.encode(descriptors).astype(np.float32)
    centres = codes[rng.choice(len(codes), WORDS, replace=False)]
    for _ in range(rounds):
        nearest = np.concatenate(
            [
                (part @ centres.T - 0.5 * np.sum(centres**2, axis=1)).argmax(axis=1)
                for part in np.array_split(codes, max(1, len(codes) // 8192))
            ]
        )
        count = np.bincount(nearest, minlength=WORDS)
        for axis in range(DIMENSIONS):
            total = np.bincount(nearest, codes[:, axis], WORDS)
            centres[:, axis] = np.where(count > 0, total / np.maximum(count, 1), centres[:, axis])
        empty = count == 0
        centres[empty] = codes[rng.choice(len(codes), int(empty.sum()))]
    return Vocabulary(mean, draft.projection, centres)


def save(learnt: Vocabulary, path: Path = _PATH) -> None:
    """Write a vocabulary in half precision."""
    np.savez_compressed(
        path,
        mean=learnt.mean.astype(np.float16),
        projection=learnt.projection.astype(np.float16),
        centres=np.clip(np.rint(learnt.centres), -127, 127).astype(np.int8),
    )
