"""What stands beside the samples in Pixel Data: comments of the codecs, bytes after the end.

JPEG comments and application segments (ITU-T T.81 B.2.4), JPEG 2000 comments (T.800 A.9.2) and a
surplus after the last sample are read by no viewer and no rule; a name fits into each of them.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from pydicom import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames
from pydicom.uid import UID

from leadapron.model import BadInput

PIXEL_DATA = 0x7FE00010
_SAMPLES, _FRAMES, _ROWS = 0x00280002, 0x00280008, 0x00280010
_COLUMNS, _BITS = 0x00280011, 0x00280100
_JPEG, _J2K, _END = b"\xff\xd8", b"\xff\x4f\xff\x51", b"\xff\xd9"
_SOF = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
_COMMENT, _SCAN = 0xFE, 0xDA
_KEPT_APP = {0xE0: b"JFIF\0", 0xEE: b"Adobe", 0xE8: b"SPIFF"}
_SIZ, _J2K_COMMENT, _TILE = 0x51, 0x64, 0x90


class Size(NamedTuple):
    """What a codestream claims to decode to."""

    rows: int
    columns: int
    samples: int


def trim_pixels(ds: Dataset, syntax: UID) -> list[str]:
    """Remove comments and surplus bytes from the Pixel Data of `ds`; return notes.

    Nothing is decoded. BadInput (``pixels``) if a codestream's segments cannot be followed.
    """
    if PIXEL_DATA not in ds:
        return []
    if not syntax.is_encapsulated:
        return _trim_native(ds)
    value = ds[PIXEL_DATA].value
    if not value:
        return []
    frames = list(_frames(value, max(1, int(ds.get("NumberOfFrames") or 1))))
    shape = (int(ds.get("Rows") or 0), int(ds.get("Columns") or 0))
    for size in filter(None, map(claimed, frames)):
        if (size.rows, size.columns) != shape:  # else it could decode to any size: a bomb
            raise _damaged(f"it is {size.rows} × {size.columns}, the header says {shape}")
    clean = [stripped(frame) for frame in frames]
    if clean == frames:
        return []
    if "ExtendedOffsetTable" in ds:
        value, offsets, lengths = encapsulate_extended(clean)
        ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = offsets, lengths
    else:
        value = encapsulate(clean)
    ds[PIXEL_DATA].value = value
    return ["comments removed from the compressed frames"]


def _frames(value: bytes, number: int) -> list[bytes]:
    try:
        return list(generate_frames(value, number_of_frames=number))
    except Exception as error:
        raise _damaged("its fragments cannot be followed") from error


def _trim_native(ds: Dataset) -> list[str]:
    """Cut native Pixel Data to what the dimensions need (PS3.5 8.1.1: one byte of padding)."""
    value = ds[PIXEL_DATA].value
    rows, columns, bits = (_number(ds, tag) for tag in (_ROWS, _COLUMNS, _BITS))
    if not value or not rows * columns * bits:
        return []
    samples = _number(ds, _SAMPLES) or 1
    frames = int(ds[_FRAMES].value or 1) if _FRAMES in ds else 1
    needed = -(-rows * columns * samples * max(1, frames) * bits // 8)
    if samples > 1 and str(ds.get("PhotometricInterpretation", "")) == "YBR_FULL_422":
        needed = needed * 2 // 3
    needed += needed % 2
    if needed >= len(value):
        return []
    ds[PIXEL_DATA].value = value[:needed]
    return [f"{len(value) - needed} bytes after the last sample removed"]


def _number(ds: Dataset, tag: int) -> int:
    """Return a US value without converting the element; 0 if there is none."""
    element = ds.get_item(tag) if tag in ds else None
    value = element.value if element is not None else None
    if isinstance(value, bytes):
        little = ds.original_encoding[1] is not False
        return int.from_bytes(value[:2], "little" if little else "big")
    return value if isinstance(value, int) else 0


def stripped(frame: bytes) -> bytes:
    """Return a frame's codestream without comments and without bytes after its end."""
    if frame.startswith(_J2K):
        return _ended(_without(frame, _j2k_segments(frame)))
    if frame.startswith(_JPEG):
        return _ended(_without(frame, _jpeg_segments(frame)))
    return frame


def claimed(frame: bytes) -> Size | None:
    """Return the dimensions in a JPEG or JPEG 2000 codestream's header; None for others."""
    if frame.startswith(_J2K):
        if len(frame) < 42:
            raise _damaged("its header is cut off")
        x1, y1, x0, y0 = struct.unpack(">4L", frame[8:24])
        return Size(max(0, y1 - y0), max(0, x1 - x0), struct.unpack(">H", frame[40:42])[0])
    if frame.startswith(_JPEG):
        for marker, start, end in _jpeg_segments(frame):
            if marker in _SOF and end - start >= 10:
                rows, columns, samples = struct.unpack(">HHB", frame[start + 5 : start + 10])
                return Size(rows, columns, samples)
    return None


Segment = tuple[int, int, int]


def _segments(frame: bytes, last: int) -> list[Segment]:
    """Return (marker, start, end) of the segments before the first scan or tile, ``last``."""
    found: list[Segment] = []
    place = 2
    while place + 4 <= len(frame):
        if frame[place] != 0xFF:
            raise _damaged("its segments cannot be followed")
        marker = frame[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        end = place + 2 + struct.unpack(">H", frame[place + 2 : place + 4])[0]
        if marker == last:
            return found
        found.append((marker, place, end))
        place = end
    raise _damaged("its header is cut off")


def _jpeg_segments(frame: bytes) -> list[Segment]:
    return _segments(frame, _SCAN)


def _j2k_segments(frame: bytes) -> list[Segment]:
    parts = _segments(frame, _TILE)
    return [(_COMMENT if marker == _J2K_COMMENT else 0, a, b) for marker, a, b in parts]


def _without(frame: bytes, segments: list[Segment]) -> bytes:
    for marker, start, end in reversed(segments):
        application = 0xE0 <= marker <= 0xEF
        kept = application and frame[start + 4 : end].startswith(_KEPT_APP.get(marker, b"\0\0\0"))
        if marker == _COMMENT or (application and not kept):
            frame = frame[:start] + frame[end:]
    return frame


def _ended(frame: bytes) -> bytes:
    """Cut what follows the end-of-image marker, but for one byte of padding."""
    end = frame.rfind(_END)
    if end < 0 or not frame[end + 2 :].strip(b"\0"):
        return frame
    cut = frame[: end + 2]
    return cut + b"\0" * (len(cut) % 2)


def _damaged(why: str) -> BadInput:
    return BadInput(
        f"a compressed frame is damaged: {why}",
        remedy="ask the sender for an intact object",
        code="pixels",
    )
