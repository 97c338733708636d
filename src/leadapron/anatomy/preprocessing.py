"""From pixels of any size and depth to the network's input, and back.

Training and inference share this module, so that the network never sees at run time a
picture prepared differently from those it learned on.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]

CHANNELS = 2
_BINS = 4096
_TAIL = 0.5
_LOCAL = 8
"""The local channel compares a pixel with its neighbourhood of side ``size // _LOCAL``."""


@dataclass(frozen=True)
class Letterbox:
    """Where a frame lies inside the network's square; keeps the aspect ratio.

    Attributes:
        shape: (rows, columns) of the frame.
        size: side of the square in pixels.
        rows: rows of the square that the frame fills.
        cols: columns of the square that the frame fills.
    """

    shape: tuple[int, int]
    size: int
    rows: slice
    cols: slice

    @classmethod
    def of(cls, shape: tuple[int, int], size: int) -> Letterbox:
        """Centre a frame of ``shape`` in a square of side ``size``."""
        scale = size / max(shape)
        height, width = (max(1, round(side * scale)) for side in shape)
        top, left = (size - height) // 2, (size - width) // 2
        return cls(shape, size, slice(top, top + height), slice(left, left + width))

    @property
    def inner(self) -> tuple[int, int]:
        """(rows, columns) that the frame occupies in the square."""
        return self.rows.stop - self.rows.start, self.cols.stop - self.cols.start

    @property
    def inside(self) -> npt.NDArray[np.bool_]:
        """Bool (size, size): True where the square shows the frame."""
        mask = np.zeros((self.size, self.size), dtype=np.bool_)
        mask[self.rows, self.cols] = True
        return mask


def shrink(frame: npt.NDArray[np.generic], size: int) -> tuple[Float, Letterbox]:
    """Resample a 2-D frame of any real dtype into a float32 square, unscaled in value.

    Values outside the frame are 0 and marked by ``Letterbox.inside``.
    """
    box = Letterbox.of((frame.shape[0], frame.shape[1]), size)
    height, width = box.inner
    source = np.ascontiguousarray(frame, dtype=np.float32)
    if np.issubdtype(frame.dtype, np.floating):
        source = np.nan_to_num(source, nan=0.0, posinf=0.0, neginf=0.0)
    method = cv2.INTER_AREA if max(frame.shape) > size else cv2.INTER_LINEAR
    square = np.zeros((size, size), dtype=np.float32)
    small = np.asarray(cv2.resize(source, (width, height), interpolation=method), dtype=np.float32)
    square[box.rows, box.cols] = small
    return square, box


def normalise(square: Float, inside: npt.NDArray[np.bool_]) -> Float:
    """Make the network's input (CHANNELS, size, size), blind to window, gamma and depth.

    Channel 0 is the pixel's rank among all pixels of the film, which no monotone
    intensity curve changes; channel 1 its contrast with the neighbourhood. Negating the
    film negates both, so that polarity is one sign. Outside the film both are -1 and 0.
    """
    values = square[inside]
    low, high = np.percentile(values, (_TAIL, 100 - _TAIL)) if values.size else (0.0, 0.0)
    unit = np.clip((square - low) / max(float(high - low), 1e-6), 0.0, 1.0).astype(np.float32)
    rank = _rank(unit, inside)
    local = _local_contrast(unit, inside)
    rank[~inside], local[~inside] = -1.0, 0.0
    return np.stack([rank, local])


def _rank(unit: Float, inside: npt.NDArray[np.bool_]) -> Float:
    bins = np.minimum(unit * _BINS, _BINS - 1).astype(np.int32)
    counts = np.bincount(bins[inside], minlength=_BINS).astype(np.float64)
    middle = np.cumsum(counts) - counts / 2
    table = (2 * middle / max(counts.sum(), 1.0) - 1).astype(np.float32)
    return table[bins]


def _local_contrast(unit: Float, inside: npt.NDArray[np.bool_]) -> Float:
    side = (unit.shape[0] // _LOCAL) | 1
    weight = inside.astype(np.float32)
    share = np.maximum(_box(weight, side), 1e-3)
    mean = _box(unit * weight, side) / share
    variance = _box(unit * unit * weight, side) / share - mean * mean
    contrast = (unit - mean) / (np.sqrt(np.maximum(variance, 0)) + 0.02)
    return np.clip(contrast / 2, -2, 2).astype(np.float32)


def _box(image: Float, side: int) -> Float:
    blurred = cv2.blur(image, (side, side), borderType=cv2.BORDER_CONSTANT)
    return np.asarray(blurred, dtype=np.float32)


def contrast_bytes(inputs: Float) -> npt.NDArray[np.uint8]:
    """Return the local channel of ``normalise``'s output in bytes, 128 where it is 0; (S, S)."""
    return np.asarray(np.rint(inputs[1] * 63.5 + 128), dtype=np.uint8)
