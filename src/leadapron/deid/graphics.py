"""Overlays (group 60xx): removed whole, or kept where no text is drawn on them."""

from __future__ import annotations

import numpy as np
from pydicom import Dataset

from leadapron.deid import frames
from leadapron.deid.frames import PIXEL_DATA
from leadapron.model import BadInput

DATA, ROWS, COLUMNS, BIT_POSITION = 0x3000, 0x0010, 0x0011, 0x0102
_OVERLAYS = 0x60
_GROUPS = range(0x6000, 0x6020, 2)


def clean_overlays(ds: Dataset) -> list[str]:
    """Remove every overlay of `ds` that shows text or cannot be read; return notes.

    Called under the Clean Graphics Option; without it no overlay reaches the copy at all.
    """
    from leadapron.deid.contrast import Picture
    from leadapron.deid.detector import find_text

    notes = []
    for group in _GROUPS:
        if not any(t.group == group for t in ds.keys()):  # noqa: SIM118 - no decoding
            continue
        plane = _plane(ds, group)
        if plane is None or find_text(Picture.of(plane)):
            drop_group(ds, group)
            notes.append(f"overlay {group:04X} removed: it shows text or cannot be read")
    return notes


def _plane(ds: Dataset, group: int) -> np.ndarray | None:
    """Return the overlay's first plane as uint8 0 or 255; None if it is no plain bitmap."""
    rows, columns = ds.get((group, ROWS)), ds.get((group, COLUMNS))
    data = ds.get((group, DATA))
    if rows is None or columns is None or data is None or not data.value:
        return None
    size = int(rows.value) * int(columns.value)
    bits = np.unpackbits(np.frombuffer(data.value, np.uint8), bitorder="little")
    if size <= 0 or size > bits.size:
        return None
    return (bits[:size] * 255).reshape(int(rows.value), int(columns.value))


def drop_group(ds: Dataset, group: int) -> None:
    """Remove all elements of a group."""
    for tag in [t for t in ds.keys() if t.group == group]:  # noqa: SIM118 - no decoding
        del ds[tag]


def has_embedded(ds: Dataset) -> bool:
    """Return whether an overlay hides in the unused bits of Pixel Data (retired use)."""
    if not any(tag >> 24 == _OVERLAYS for tag in ds.keys()):  # noqa: SIM118 - no decoding
        return False
    positions = (ds.get((group, BIT_POSITION)) for group in _GROUPS)
    return any(p is not None and p.value for p in positions)


def clear_unused_bits(ds: Dataset, max_pixels: int) -> None:
    """Clear the bits of native Pixel Data outside Bits Stored, where overlays were embedded."""
    samples, stored = frames.decode(ds, max_pixels)
    allocated, used = int(ds.BitsAllocated), int(ds.BitsStored)
    if not stored or int(ds.HighBit) != used - 1:
        raise BadInput(
            "an overlay is embedded in the pixel data in a form that cannot be cleared",
            remedy="inspect the object",
            code="embedded-overlay",
        )
    raw = samples.view(f"<u{allocated // 8}")
    raw &= (1 << used) - 1
    if int(ds.get("PixelRepresentation") or 0) == 1:
        sign = 1 << (used - 1)
        np.subtract(raw ^ sign, sign, out=raw, casting="unsafe")
    ds[PIXEL_DATA].value = samples.tobytes() + b"\0" * (samples.nbytes % 2)
