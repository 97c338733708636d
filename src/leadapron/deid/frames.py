"""Frames of a data set as arrays, checked against a bound before anything is decoded."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from leadapron.deid.codecs import decode_frames
from leadapron.model import BadInput

PIXEL_DATA = 0x7FE00010
Samples = npt.NDArray[Any]


def dimensions(ds: Dataset, limit: int) -> tuple[int, int, int, int]:
    """Return (frames, rows, columns, samples); BadInput if absurd or more than `limit` samples."""
    try:
        rows, columns = int(ds.get("Rows") or 0), int(ds.get("Columns") or 0)
        samples = int(ds.get("SamplesPerPixel") or 1)
        frames = max(1, int(ds.get("NumberOfFrames") or 1))
    except (TypeError, ValueError) as error:
        raise BadInput(
            "the picture's dimensions cannot be read",
            remedy="ask the sender for an intact object",
            code="dimensions",
        ) from error
    total = rows * columns * samples * frames
    if rows <= 0 or columns <= 0 or samples not in (1, 3, 4) or total > limit:
        raise BadInput(
            f"the picture claims {frames} frames of {rows} × {columns} × {samples}",
            remedy="raise max_pixels if the object is genuine",
            code="dimensions",
        )
    return frames, rows, columns, samples


def syntax(ds: Dataset) -> UID:
    """Return the transfer syntax; Explicit VR Little Endian if the data set has none."""
    meta = getattr(ds, "file_meta", None)
    used = meta.get("TransferSyntaxUID") if meta else None
    return used if isinstance(used, UID) else UID(used or ExplicitVRLittleEndian)


def decode(ds: Dataset, limit: int) -> tuple[Samples, bool]:
    """Return the samples (frames, rows, columns[, 3]) and whether they are the stored bits.

    Little-endian native data keep every stored bit, also those above Bits Stored. Compressed,
    big-endian and planar data go through pydicom's decoders; colour then comes as RGB.
    """
    frames, rows, columns, samples = dimensions(ds, limit)
    bits = int(ds.get("BitsAllocated") or 0)
    native = not syntax(ds).is_encapsulated and syntax(ds).is_little_endian
    planar = samples > 1 and int(ds.get("PlanarConfiguration") or 0) == 1
    shape = (frames, rows, columns) if samples == 1 else (frames, rows, columns, samples)
    rgb = samples == 1 or str(ds.get("PhotometricInterpretation", "")) == "RGB"
    if native and not planar and rgb and bits in (8, 16, 32):
        return _native(ds, shape, bits), True
    try:
        decoded = np.array(ds.pixel_array).reshape(shape)
        # Written again they are little endian, whatever they came as.
        return decoded.astype(decoded.dtype.newbyteorder("<")), False
    except Exception:
        return _fallback(ds, shape), False


def _fallback(ds: Dataset, shape: tuple[int, ...]) -> Samples:
    try:
        return decode_frames(ds, str(syntax(ds)), shape)
    except BadInput:
        raise
    except Exception as error:
        raise BadInput(
            f"the pixel data cannot be decoded: {type(error).__name__}",
            remedy="ask the sender for an intact object or another transfer syntax",
            code="pixels",
        ) from error


def _native(ds: Dataset, shape: tuple[int, ...], bits: int) -> Samples:
    signed = int(ds.get("PixelRepresentation") or 0) == 1 and len(shape) == 3
    kind = np.dtype(f"<{'i' if signed else 'u'}{bits // 8}")
    needed = int(np.prod(shape)) * kind.itemsize
    data = ds[PIXEL_DATA].value
    if data is None or len(data) < needed:
        raise BadInput(
            f"the pixel data have {len(data or b'')} bytes of {needed}",
            remedy="ask the sender for the whole object",
            code="truncated",
        )
    return np.frombuffer(data, kind, count=needed // kind.itemsize).reshape(shape).copy()


def as_shown(ds: Dataset, samples: Samples) -> tuple[Samples, int, int]:
    """Return the samples as a person sees them and the darkest value, there and in `samples`.

    Palette indices say nothing about brightness (PS3.3 C.7.9): they become 8-bit RGB. Anything
    else is shown as it is stored. Raises BadInput for a palette that cannot be applied.
    """
    photometric = str(ds.get("PhotometricInterpretation", ""))
    if photometric != "PALETTE COLOR":
        if samples.ndim == 4:
            return samples, 0, 0
        dark = int(samples.max() if photometric == "MONOCHROME1" else samples.min())
        return samples, dark, dark
    try:
        indices = np.arange(int(samples.min()), int(samples.max()) + 1, dtype=samples.dtype)
        colours = _palette(ds, indices[None])[0]
    except Exception as error:
        raise BadInput(
            f"the colour palette cannot be applied: {type(error).__name__}",
            remedy="ask the sender for an intact object",
            code="pixels",
        ) from error
    darkest = int(indices[colours.astype(np.int32).sum(axis=1).argmin()])
    shown: Samples = colours[samples.astype(np.int32) - int(indices[0])]
    return shown, int(colours.min()), darkest


def _palette(ds: Dataset, indices: Samples) -> npt.NDArray[np.uint8]:
    from pydicom.pixels import apply_color_lut

    colours = apply_color_lut(indices, ds)[..., :3]
    shift = 8 * (colours.dtype.itemsize - 1)
    return (colours >> shift).astype(np.uint8)
