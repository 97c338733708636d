"""HTJ2K for whole objects: pydicom 3 reads it and can't write it."""

from __future__ import annotations

import copy
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, HTJ2KLossless

from leadapron.seal import decoders
from leadapron.seal.pixels import PixelFormat, Words, read_words, transfer_syntax

decoders.register()

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


def set_pixels(ds: Dataset, fmt: PixelFormat, frames: list[Words], htj2k: bool = True) -> None:
    """Replace the Pixel Data of `ds` in place, and the attributes that describe its coding.

    `frames` are words of `fmt`; HTJ2K lossless (.201) where the format allows it and `htj2k`
    asks for it, Explicit VR Little Endian otherwise.
    """
    for keyword in _EXTENDED_OFFSETS:
        if keyword in ds:
            delattr(ds, keyword)
    if htj2k and can_store_htj2k(fmt):
        _set_encapsulated(ds, [encode_htj2k(fmt.values(f)) for f in frames], HTJ2KLossless)
        if fmt.samples == 3:
            ds.PhotometricInterpretation = "YBR_RCT"
            ds.PlanarConfiguration = 0
        return
    ds.PixelData = fmt.native(frames)
    ds["PixelData"].VR = "OW" if fmt.bits_allocated > 8 else "OB"
    ds["PixelData"].is_undefined_length = False
    set_transfer_syntax(ds, ExplicitVRLittleEndian)


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
    """Return a copy of `ds` as HTJ2K lossless, or as Explicit VR LE where HTJ2K can't hold it.

    Pixel values stay bit-exact; an object that is encapsulated already comes back as it is.
    """
    made = copy.deepcopy(ds)
    if transfer_syntax(ds).is_encapsulated:
        return made
    fmt = PixelFormat.of(ds)
    frames = [read_words(ds, fmt, i) for i in range(fmt.frames)]
    rgb_only = fmt.samples == 1 or fmt.photometric == "RGB"
    set_pixels(made, fmt, frames, htj2k=rgb_only and all(canonical(fmt, f) for f in frames))
    return made


def canonical(fmt: PixelFormat, words: Words) -> bool:
    """Return whether the bits above Bits Stored are zero, or the sign of a signed value."""
    if fmt.bits_stored == fmt.bits_allocated:
        return True
    if not fmt.aligned:
        return False
    if not fmt.signed:
        return int(words.max()) < 1 << fmt.bits_stored
    values = words.view(f"i{words.itemsize}")
    half = 1 << (fmt.bits_stored - 1)
    return -half <= int(values.min()) and int(values.max()) < half


def _set_encapsulated(ds: Dataset, frames: list[bytes], syntax: UID) -> None:
    ds.PixelData = encapsulate(frames)
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    set_transfer_syntax(ds, syntax)
