"""Put a view's mark into a frame, at an exact strength."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from leadapron.model import BadInput
from leadapron.watermark.chips import Band, Float, band, chips, nudges
from leadapron.watermark.masking import perceptual_mask

Frame = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

CREST = 25 / 4095
"""Largest change of one pixel at 56 dB, as a share of full scale."""
NUDGED_BITS = 8
NUDGED_SHARE = 0.0625
"""Films of so few bits have so many pixels nudged; see `chips.nudges`."""
_SMALLEST = 64
_SAMPLE = 120_000


class _MaskCache:
    """Perceptual masks of the last films, so that a film's second view costs little."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[bytes, Float] = OrderedDict()
        self._lock = Lock()

    def mask(self, frame: Frame, grid: tuple[int, int]) -> Float:
        """Return the mask of `frame`, computed or remembered."""
        digest = hashlib.sha256(np.ascontiguousarray(frame).data).digest()
        name = digest + repr((frame.shape, frame.dtype.str)).encode()
        with self._lock:
            if name in self._kept:
                self._kept.move_to_end(name)
                return self._kept[name]
        made = perceptual_mask(frame, grid)
        with self._lock:
            self._kept[name] = made
            while len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
        return made


_masks = _MaskCache(capacity=32)


def embed(
    frame: Frame,
    key: bytes,
    view_id: str,
    bits_stored: int,
    psnr_db: float = 56,
    granted: Mask | None = None,
    *,
    image_digest: str = "",
) -> Frame:
    """Return a copy of `frame` that carries the mark of one view.

    The strength is exact: over the granted pixels the squared change averages to at most
    ``(2**bits_stored - 1)**2 / 10**(psnr_db / 10)``, so that their PSNR, relative to full
    scale, is at least `psnr_db` (and that of the whole frame is no lower). No pixel changes by
    more than 25/4095 of full scale at 56 dB, and in proportion at other strengths, but a
    whole grey level is always allowed. The same arguments always give the same bytes.

    Args:
        frame: (H, W) uint8 or uint16; values in 0 … ``2**bits_stored - 1``.
        key: the watermark secret; 32 random bytes from the key store.
        view_id: the view's name; fixed per recipient × film × grant.
        bits_stored: (0028,0101), 2 to 16.
        psnr_db: 30 to 90.
        granted: bool (H, W), the pixels that the view shows; others stay untouched.
        image_digest: optional name of the film's content to bind the mark to; `trace` then
            needs the same.

    Raises:
        BadInput: the arguments contradict each other.
    """
    _check(frame, key, view_id, bits_stored, psnr_db, granted)
    if granted is not None and not granted.any():
        return frame.copy()
    mark = _mark(frame, key, view_id, image_digest)
    if granted is not None:
        mark *= granted
    full = 2**bits_stored - 1
    target = full / 10 ** (psnr_db / 20)
    crest = max(1.0, float(int(full * CREST * 10 ** ((56 - psnr_db) / 20))))
    count = mark.size if granted is None else int(np.count_nonzero(granted))
    edge = None
    if bits_stored <= NUDGED_BITS:
        share = min(NUDGED_SHARE, target**2)
        edge = nudges(key, (frame.shape[0], frame.shape[1]), share).astype(np.float32)
        edge *= 0.499
    change = _scaled(mark, edge, target**2 * count, crest)
    marked = np.clip(frame.astype(np.float32) + change, 0, full)
    return marked.astype(frame.dtype)


def _mark(frame: Frame, key: bytes, view_id: str, image_digest: str) -> Float:
    """Return the masked field of a view at the frame's resolution, float32 (H, W)."""
    import cv2

    plan: Band = band((frame.shape[0], frame.shape[1]))
    field = plan.field(chips(key, view_id, plan.size, image_digest))
    field *= _masks.mask(frame, plan.grid)
    if field.shape == frame.shape:
        return field
    size = (frame.shape[1], frame.shape[0])
    return np.asarray(cv2.resize(field, size, interpolation=cv2.INTER_CUBIC), np.float32)


def _scaled(mark: Float, edge: Float | None, energy: float, crest: float) -> Float:
    """Return `mark` scaled and rounded to whole grey levels with at most `energy`.

    Rounding is part of the strength: a weak mark on an 8-bit film is a few pixels of ±1, so
    the gain is searched on the rounded values.
    """
    gain = _gain(mark, edge, energy, crest)
    change = _rounded(mark, edge, gain, crest)
    while float(np.vdot(change, change)) > energy and gain > 1e-9:
        gain *= 0.9985
        change = _rounded(mark, edge, gain, crest)
    return change


def _rounded(mark: Float, edge: Float | None, gain: float, crest: float) -> Float:
    scaled = mark * np.float32(gain)
    if edge is not None:
        scaled += edge * (mark != 0)
    np.rint(scaled, out=scaled)
    return np.clip(scaled, -crest, crest, out=scaled)


def _gain(mark: Float, edge: Float | None, energy: float, crest: float) -> float:
    """Return by bisection, on a sample of pixels, the gain that spends `energy`."""
    step = max(1, int(np.sqrt(mark.size / _SAMPLE)))
    sample = np.ascontiguousarray(mark[::step, ::step])
    part = None if edge is None else np.ascontiguousarray(edge[::step, ::step])
    share = energy * sample.size / mark.size
    low, high = 0.0, 4 * np.sqrt(energy / max(float(np.vdot(mark, mark)), 1e-12)) + 1.0
    for _ in range(26):
        middle = (low + high) / 2
        trial = _rounded(sample, part, middle, crest)
        if float(np.vdot(trial, trial)) <= share:
            low = middle
        else:
            high = middle
    return low


def _check(
    frame: Frame,
    key: bytes,
    view_id: str,
    bits_stored: int,
    psnr_db: float,
    granted: Mask | None,
) -> None:
    """Raise BadInput for arguments that embed cannot honour."""
    if frame.ndim != 2 or frame.dtype not in (np.uint8, np.uint16):
        raise BadInput(
            f"A frame to mark must be (H, W) uint8 or uint16, not {frame.shape} {frame.dtype}.",
            remedy="Pass one monochrome frame of stored values.",
        )
    if min(frame.shape) < _SMALLEST:
        raise BadInput(
            f"A frame of {frame.shape[0]}×{frame.shape[1]} pixels is too small to mark.",
            remedy=f"Deliver frames of at least {_SMALLEST}×{_SMALLEST} pixels.",
        )
    if not 2 <= bits_stored <= 8 * frame.dtype.itemsize:
        raise BadInput(
            f"bits_stored {bits_stored} does not fit {frame.dtype}.",
            remedy="Pass Bits Stored (0028,0101) of the frame.",
        )
    if int(frame.max()) > 2**bits_stored - 1:
        raise BadInput(
            f"The frame has values above 2**{bits_stored} - 1.",
            remedy="Mask the unused high bits before marking.",
        )
    if not 30 <= psnr_db <= 90:
        raise BadInput(f"psnr_db {psnr_db} is outside 30 to 90.", remedy="Use 60, 56 or 50 dB.")
    if granted is not None and granted.shape != frame.shape:
        raise BadInput(
            f"granted is {granted.shape}, the frame {frame.shape}.",
            remedy="Pass a mask of the frame's own rows and columns.",
        )
    if not key or not view_id:
        raise BadInput(
            "The watermark key or the view's name is empty.",
            remedy="Create the key in the key store.",
        )
