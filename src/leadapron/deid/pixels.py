"""Burned-in text: find it on every frame, fill it, read again (Clean Pixel Data Option)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from pydicom import Dataset
from pydicom.dataelem import DataElement
from pydicom.uid import ExplicitVRLittleEndian

from leadapron.deid import frames
from leadapron.deid.cine import FEW, find_on_frames
from leadapron.deid.contrast import Picture
from leadapron.deid.detector import TextBox, find_text, read_text
from leadapron.deid.frames import PIXEL_DATA, Samples
from leadapron.deid.report import Box, Reason
from leadapron.deid.search import EASY_HEIGHT, find_regions, moved
from leadapron.deid.textblocks import fold, rectangles, suspects

NO_PICTURE = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.66.4",  # Segmentation
        "1.2.840.10008.5.1.4.1.1.66.7",  # Label Map Segmentation
        "1.2.840.10008.5.1.4.1.1.481.2",  # RT Dose
        "1.2.840.10008.5.1.4.1.1.30",  # Parametric Map
    }
)
"""SOP Classes whose samples are labels or doses, never a rendered picture."""
ROUNDS = 3
MARGIN = 48
CERTAIN = 0.6
LONGEST_AGAIN, FAINT_GAIN = 640, 2.0


class Patch(NamedTuple):
    """The samples under one filled box, kept only to be encrypted."""

    box: Box
    samples: Samples


@dataclass
class PixelCleaning:
    """What was found and filled; iterating gives (boxes, patches)."""

    boxes: list[Box] = field(default_factory=list)
    patches: list[Patch] = field(default_factory=list)
    left: list[Reason] = field(default_factory=list)
    examined: bool = False


class Stack(NamedTuple):
    """All frames: `samples` are written, `shown` is searched; both are filled."""

    samples: Samples
    shown: Samples
    dark_shown: int
    dark: int
    done: PixelCleaning

    def fill(self, number: int, region: TextBox) -> tuple[slice, slice]:
        """Fill a rectangle of a frame with its darkest value; keep the samples as a patch."""
        box = Box(number, region.x0, region.y0, region.x1, region.y1)
        window = (slice(box.y0, box.y1), slice(box.x0, box.x1))
        frame = self.samples[number]
        self.done.boxes.append(box)
        self.done.patches.append(Patch(box, frame[window].copy()))
        frame[window] = self.dark
        self.shown[number][window] = self.dark_shown
        return window


def clean_pixels(
    ds: Dataset, *, allowed: frozenset[str] = frozenset(), max_pixels: int = 1 << 29
) -> PixelCleaning:
    """Fill the burned-in text of `ds` in place and return what was filled.

    Pixel Data is rewritten (uncompressed, Explicit VR Little Endian unless it was native) only
    if something was found. Text still readable after the last round is a reason to quarantine.
    """
    done = PixelCleaning()
    if PIXEL_DATA not in ds or str(ds.get("SOPClassUID", "")) in NO_PICTURE:
        return done
    samples, stored = frames.decode(ds, max_pixels)
    done.examined = True
    stack = Stack(samples, *frames.as_shown(ds, samples), done)
    if len(samples) > FEW:
        _clean_stack(stack, allowed)
    else:
        for number in range(len(samples)):
            _clean_frame(stack, number, allowed)
    if done.boxes:
        _write(ds, samples, stored)
    return done


def _clean_frame(stack: Stack, number: int, allowed: frozenset[str]) -> None:
    frame = stack.shown[number]
    picture = Picture.of(frame)
    todo = find_regions(picture, allowed)
    fill = 255 if stack.dark_shown == frame.max() != frame.min() else 0
    for turn in range(ROUNDS):
        for region in todo:
            window = stack.fill(number, region)
            picture.gray[window] = fill
            picture.ink[window] = 0
        if not todo:
            return
        todo = _read_again(picture, todo, allowed, sure=turn > 0)
    if todo:
        stack.done.left.append(_still(number))


def _clean_stack(stack: Stack, allowed: frozenset[str]) -> None:
    """Fill the text of many frames; after the first round only readable text counts."""
    finds = find_on_frames(stack.shown, allowed)
    for _ in range(ROUNDS):
        if not finds:
            return
        for find in finds:
            for number in find.frames:
                stack.fill(number, find.box)
        finds = find_on_frames(stack.shown, allowed, readable=True)
    if finds:
        stack.done.left.append(_still(finds[0].frames[0]))


def _still(number: int) -> Reason:
    return Reason("burned-in-text", f"frame {number + 1} still shows text after {ROUNDS} rounds")


def _read_again(
    picture: Picture, filled: list[TextBox], allowed: frozenset[str], *, sure: bool
) -> list[TextBox]:
    """Look once more around what was filled; after the first round only readable text counts."""
    found: list[TextBox] = []
    for region in filled:
        aside = max(MARGIN, (region.x1 - region.x0) * 3 // 4)
        x0, y0 = max(0, region.x0 - aside), max(0, region.y0 - MARGIN)
        window = picture.window(x0, y0, region.x1 + aside, region.y1 + MARGIN)
        scale = min(2.0, EASY_HEIGHT / max(region.line, 1))
        size = min(LONGEST_AGAIN, int(max(window.shape) * scale))
        blocks = suspects(window, find_text(window, size, FAINT_GAIN), allowed)
        for line in rectangles(window, blocks):
            text, confidence = read_text(window, line)
            readable = len(fold(text)) > 1 and confidence >= CERTAIN
            inside = _already(line, region, x0, y0)
            if not inside and (readable or not sure):
                found.append(moved(line, x0, y0))
    return found


def _already(line: TextBox, region: TextBox, x0: int, y0: int) -> bool:
    """Return whether the line's middle lies in the filled region."""
    x, y = x0 + (line.x0 + line.x1) // 2, y0 + (line.y0 + line.y1) // 2
    return region.x0 <= x < region.x1 and region.y0 <= y < region.y1


def _write(ds: Dataset, samples: Samples, stored: bool) -> None:
    """Replace the element, never its value: the caller's data set may hold the same element."""
    data = np.ascontiguousarray(samples).tobytes()
    vr = "OW" if samples.dtype.itemsize > 1 or (stored and ds[PIXEL_DATA].VR == "OW") else "OB"
    ds[PIXEL_DATA] = DataElement(PIXEL_DATA, vr, data + b"\0" * (len(data) % 2))
    if stored:
        return
    meta = getattr(ds, "file_meta", None)
    if meta is not None:
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
    if samples.ndim == 4:
        ds.PhotometricInterpretation = "RGB"
        ds.PlanarConfiguration = 0
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if keyword in ds:
            delattr(ds, keyword)
