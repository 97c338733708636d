"""Grey or colour: the frames that delivery can mark, as values that a mark is laid on.

A mark is laid on luminance. A colour frame gets the same change in red, green and blue, so its
luma (ITU-R BT.601) changes by exactly the mark wherever no channel is clipped, and its hue stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, convert_color_space

from leadapron.delivery.rendering import hide
from leadapron.delivery.view import Frame
from leadapron.model import Denied
from leadapron.seal.pixels import PixelFormat
from leadapron.seal.unsealing import OpenedFrame

MOST_FRAMES = 128
MOST_BYTES = 256 << 20
SMALLEST_SIDE = 64
GREY = frozenset({"MONOCHROME1", "MONOCHROME2"})
PALETTE = "PALETTE COLOR"
_AS_RGB = frozenset({"RGB", "YBR_RCT", "YBR_ICT"})
_CONVERTED = frozenset({"YBR_FULL"})
_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class Values:
    """A frame's values, unsigned: grey (rows, columns) or RGB (rows, columns, 3).

    `bits` is how many of them count: 2**bits - 1 is white.
    """

    pixels: Frame
    bits: int

    @property
    def luma(self) -> Frame:
        """The grey frame that the mark is laid on, (rows, columns)."""
        if self.pixels.ndim == 2:
            return self.pixels
        return np.rint(self.pixels.astype(np.float32) @ _WEIGHTS).astype(self.pixels.dtype)

    def showing(self, granted: npt.NDArray[np.bool_], background: str) -> Values:
        """Return what a view shows: `granted` pixels; the rest flat black or a mosaic."""
        return Values(hide(self.pixels, granted, background), self.bits)

    def with_luma(self, marked: Frame) -> Frame:
        """Return the frame with `marked` in place of its luma; every channel moves alike."""
        if self.pixels.ndim == 2:
            return marked
        change = marked.astype(np.int32) - self.luma.astype(np.int32)
        moved = self.pixels.astype(np.int32) + change[..., None]
        return np.clip(moved, 0, (1 << self.bits) - 1).astype(self.pixels.dtype)


def require_markable(pixels: PixelFormat) -> None:
    """Raise Denied for an object that no mark can be laid on: nothing unmarked is delivered."""
    why = _obstacle(pixels)
    if why:
        raise Denied(
            f"this object cannot be marked, so it is not delivered: {why}",
            remedy="ask the PACS administrator to release the original",
            code="not-a-film",
        )


def _obstacle(pixels: PixelFormat) -> str:
    size = pixels.frames * pixels.rows * pixels.columns * pixels.samples
    if pixels.frames > MOST_FRAMES:
        return f"it has {pixels.frames} frames, and at most {MOST_FRAMES} are marked"
    if size * (1 if pixels.bits_stored <= 8 else 2) > MOST_BYTES:
        return f"its frames are larger than {MOST_BYTES >> 20} MiB together"
    if min(pixels.rows, pixels.columns) < SMALLEST_SIDE:
        return f"a frame of {pixels.columns}×{pixels.rows} pixels is too small for a mark"
    if pixels.bits_allocated not in {8, 16} or not 2 <= pixels.bits_stored <= 16:
        return f"its pixels have {pixels.bits_stored} of {pixels.bits_allocated} bits"
    grey = pixels.samples == 1 and pixels.photometric in GREY | {PALETTE}
    eight = pixels.bits_stored == 8
    colour = pixels.samples == 3 and (
        pixels.photometric in _AS_RGB or (pixels.photometric in _CONVERTED and eight)
    )
    return "" if grey or colour else f"its colours are {pixels.photometric}"


def values_of(opened: OpenedFrame, dataset: Dataset) -> Values:
    """Return an opened frame's values: MONOCHROME2, or RGB.

    Signed values are moved up by half the range; MONOCHROME1 is inverted (PS3.3 C.7.6.3.1.2);
    palettes are looked up (C.7.6.3.1.5) and kept at 8 bits; YBR_FULL becomes RGB (C.7.6.3.1.2).
    """
    if opened.photometric == PALETTE:
        return _looked_up(opened.pixels, dataset)
    if opened.pixels.ndim == 3:
        return _rgb(opened)
    return Values(_grey(opened.pixels, opened), opened.bits_stored)


def _grey(frame: npt.NDArray[Any], opened: OpenedFrame) -> Frame:
    bits = opened.bits_stored
    top = (1 << bits) - 1
    values = frame.astype(np.int64)
    if opened.signed:
        values += 1 << (bits - 1)
    values = np.clip(values, 0, top)
    if opened.photometric == "MONOCHROME1":
        values = top - values
    return values.astype(np.uint8 if bits <= 8 else np.uint16)


def _rgb(opened: OpenedFrame) -> Values:
    pixels = opened.pixels
    if opened.photometric in _CONVERTED:
        pixels = convert_color_space(pixels, opened.photometric, "RGB")
    kind = np.uint8 if opened.bits_stored <= 8 else np.uint16
    top = (1 << opened.bits_stored) - 1
    return Values(np.clip(pixels, 0, top).astype(kind), opened.bits_stored)


def _looked_up(indices: npt.NDArray[Any], dataset: Dataset) -> Values:
    try:
        colours = apply_color_lut(indices, dataset)[..., :3]
    except Exception as error:  # a palette may be wrong in more ways than pydicom names
        raise Denied(
            "this object cannot be marked, so it is not delivered: its palette cannot be read",
            remedy="ask the PACS administrator to release the original",
            code="not-a-film",
        ) from error
    if colours.dtype == np.uint16:
        colours = colours >> 8
    return Values(np.ascontiguousarray(colours.astype(np.uint8)), 8)
