"""HTJ2K for whole objects: pydicom 3 reads it and can't write it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)

from leadapron.model import BadInput
from leadapron.seal import decoders
from leadapron.seal.pixels import PixelFormat, Words, duplicate, read_words, transfer_syntax

decoders.register()

_HTJ2K = (HTJ2KLossless, HTJ2KLosslessRPCL)
_NATIVE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian)
_BY_PYDICOM = (JPEGLSLossless, RLELossless)
_SWAPPED = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}
_EXTENDED_OFFSETS = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")


def decode_frame(ds: Dataset, index: int = 0) -> npt.NDArray[Any]:
    """Return the pixel values of frame `index` (from 0), whatever the transfer syntax.

    (rows, columns) or (rows, columns, samples), of the smallest type that Bits Allocated
    needs, signed where Pixel Representation says so; no Modality or VOI LUT, no colour
    conversion beyond the codec's own. Raises BadInput if it can't be decoded.
    """
    fmt = PixelFormat.of(ds)
    return fmt.values(read_words(ds, fmt, index))


def encode_htj2k(pixels: npt.NDArray[Any]) -> bytes:
    """Return the HTJ2K lossless codestream (ISO/IEC 15444-15, with TLM) of one frame.

    `pixels` is (H, W) of 8 or 16 bits, signed or not, or (H, W, 3) uint8/uint16; colour goes
    through the reversible component transform, so the object must say YBR_RCT.
    """
    import imagecodecs

    contiguous = np.ascontiguousarray(pixels)
    return cast(bytes, imagecodecs.htj2k_encode(contiguous, reversible=True, tlm=True))


def can_store_htj2k(fmt: PixelFormat) -> bool:
    """Return whether PS3.5 8.2.14 and the codec both take pixels of this format."""
    return fmt.aligned and fmt.samples in {1, 3} and not fmt.subsampled


def set_pixels(
    ds: Dataset, fmt: PixelFormat, frames: list[Words], syntax: str = ExplicitVRLittleEndian
) -> None:
    """Replace the Pixel Data of `ds` in place, and the attributes that describe its coding.

    `frames` are words of `fmt`. Where HTJ2K is asked for and the format does not allow it,
    the result is Explicit VR Little Endian. BadInput for a syntax that can't be written.
    """
    wanted = lossless_syntax(syntax)
    for keyword in _EXTENDED_OFFSETS:
        if keyword in ds:
            delattr(ds, keyword)
    if wanted in _HTJ2K and can_store_htj2k(fmt):
        _set_encapsulated(ds, [encode_htj2k(fmt.values(f)) for f in frames], wanted)
        if fmt.samples == 3:
            ds.PhotometricInterpretation = "YBR_RCT"
            ds.PlanarConfiguration = 0
        return
    ds.PixelData = fmt.native(frames)
    ds["PixelData"].VR = "OW" if fmt.bits_allocated > 8 else "OB"
    ds["PixelData"].is_undefined_length = False
    native = wanted in _NATIVE
    set_transfer_syntax(ds, wanted if native else ExplicitVRLittleEndian)
    if not native and wanted not in _HTJ2K:
        _compress(ds, wanted)


def lossless_syntax(syntax: str) -> UID:
    """Return `syntax` as a UID; BadInput if no lossless object can be written in it."""
    uid = UID(syntax)
    if uid not in (*_HTJ2K, *_NATIVE, *_BY_PYDICOM):
        known = ", ".join(f"{u} ({u.name})" for u in (*_HTJ2K, *_NATIVE, *_BY_PYDICOM))
        raise BadInput(
            f"can't write the transfer syntax {syntax} without loss",
            remedy=f"choose one of: {known}",
            code="transfer-syntax",
        )
    return uid


def set_codestreams(ds: Dataset, frames: list[bytes], syntax: str) -> None:
    """Put codestreams, one a frame, into `ds` in place under transfer syntax `syntax`."""
    _set_encapsulated(ds, frames, UID(syntax))


def set_transfer_syntax(ds: Dataset, syntax: UID) -> None:
    """Give `ds` file meta information for `syntax`, in place; drop private meta elements."""
    meta = FileMetaDataset()
    for element in getattr(ds, "file_meta", None) or ():
        if element.tag.element < 0x0100:
            meta.add(element)
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = ds.get("SOPClassUID", "")
    meta.MediaStorageSOPInstanceUID = ds.get("SOPInstanceUID", "")
    ds.file_meta = meta


def compress_dataset(ds: Dataset) -> Dataset:
    """Return a copy of `ds` as HTJ2K lossless; one that is encapsulated comes back as it is."""
    if transfer_syntax(ds).is_encapsulated:
        return duplicate(ds)
    return transcode(ds, HTJ2KLossless)


def transcode(ds: Dataset, syntax: str) -> Dataset:
    """Return a copy of `ds` in another lossless transfer syntax; pixel values stay bit-exact.

    Explicit VR LE where `syntax` is HTJ2K and can't hold the format. Sealed objects may be
    transcoded: their seal covers the stored picture's words. Raises BadInput for a syntax
    that can't be written, or pixels that can't be read.
    """
    wanted = lossless_syntax(syntax)
    made = duplicate(ds)
    if transfer_syntax(ds) == wanted:
        return made
    fmt = PixelFormat.of(ds)
    frames = [read_words(ds, fmt, i) for i in range(fmt.frames)]
    if transfer_syntax(ds).is_encapsulated and fmt.samples > 1:
        fmt = replace(fmt, planar=0, photometric=_decoded_colour(fmt))
        made.PhotometricInterpretation = fmt.photometric
        made.PlanarConfiguration = 0
    to_little_endian(made)
    exact = fmt.samples == 1 or fmt.photometric == "RGB"
    if wanted in _HTJ2K and not (exact and all(fmt.canonical(f) for f in frames)):
        wanted = ExplicitVRLittleEndian
    set_pixels(made, fmt, frames, wanted)
    return made


def to_little_endian(ds: Dataset) -> None:
    """Make a big-endian `ds` writable as little-endian, in place, Pixel Data excepted.

    pydicom converts numbers, and leaves the bytes of word values (OW, OF …) as they were.
    """
    if transfer_syntax(ds) != ExplicitVRBigEndian:
        return
    _swap(ds)
    ds.set_original_encoding(False, True, ds.original_character_set)


def _swap(ds: Dataset) -> None:
    for element in ds:
        if element.VR == "SQ":
            for item in element.value:
                _swap(item)
        elif element.VR in _SWAPPED and int(element.tag) != 0x7FE00010 and element.value:
            words = np.frombuffer(element.value, f"u{_SWAPPED[element.VR]}")
            element.value = words.byteswap().tobytes()


def _decoded_colour(fmt: PixelFormat) -> str:
    # The J2K family undoes its component transform while decoding; the others don't.
    return "RGB" if fmt.photometric in {"YBR_RCT", "YBR_ICT"} else fmt.photometric


def _compress(ds: Dataset, syntax: UID) -> None:
    try:
        ds.compress(syntax, generate_instance_uid=False)
    except Exception as exc:  # each encoder raises something else
        raise BadInput(
            f"this picture can't be written as {syntax.name}",
            remedy="choose HTJ2K Lossless or Explicit VR Little Endian",
            code="transfer-syntax",
        ) from exc


def _set_encapsulated(ds: Dataset, frames: list[bytes], syntax: UID) -> None:
    ds.PixelData = encapsulate(frames)
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    set_transfer_syntax(ds, syntax)
