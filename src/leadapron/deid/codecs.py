"""Compressed frames that pydicom's own plugins do not decode, through imagecodecs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.encaps import generate_frames

from leadapron.model import BadInput

_JPEG, _SOF3 = "jpeg8_decode", "ljpeg_decode"
_DECODERS = {
    "1.2.840.10008.1.2.4.50": (_JPEG,),
    "1.2.840.10008.1.2.4.51": (_JPEG,),
    "1.2.840.10008.1.2.4.57": (_SOF3, "jpegsof3_decode", _JPEG),
    "1.2.840.10008.1.2.4.70": (_SOF3, "jpegsof3_decode", _JPEG),
    "1.2.840.10008.1.2.4.80": ("jpegls_decode",),
    "1.2.840.10008.1.2.4.81": ("jpegls_decode",),
    "1.2.840.10008.1.2.4.90": ("jpeg2k_decode",),
    "1.2.840.10008.1.2.4.91": ("jpeg2k_decode",),
    "1.2.840.10008.1.2.4.201": ("htj2k_decode", "jpeg2k_decode"),
    "1.2.840.10008.1.2.4.202": ("htj2k_decode", "jpeg2k_decode"),
    "1.2.840.10008.1.2.4.203": ("htj2k_decode", "jpeg2k_decode"),
}


def decode_frames(ds: Dataset, syntax: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Return all frames as one array of `shape`; BadInput if one does not decode to it."""
    decoders = _found(syntax)
    frames = generate_frames(ds.PixelData, number_of_frames=shape[0])
    decoded = [_one(frame, decoders) for frame, _ in zip(frames, range(shape[0]), strict=False)]
    if len(decoded) != shape[0] or any(d.shape != shape[1:] for d in decoded):
        raise BadInput(
            "the compressed frames are not what the header says",
            remedy="ask the sender for an intact object",
            code="pixels",
        )
    return _signed(ds, np.stack(decoded))


def _found(syntax: str) -> list[Callable[[bytes], Any]]:
    import imagecodecs

    names = _DECODERS.get(syntax, ())
    return [getattr(imagecodecs, name) for name in names if hasattr(imagecodecs, name)]


def _one(frame: bytes, decoders: list[Callable[[bytes], Any]]) -> np.ndarray[Any, Any]:
    for decoder in decoders:
        try:
            return np.asarray(decoder(frame))
        except Exception:  # noqa: S112 - the next decoder may know this variant
            continue
    raise BadInput(
        "a compressed frame cannot be decoded",
        remedy="ask the sender for an intact object or another transfer syntax",
        code="pixels",
    )


def _signed(ds: Dataset, samples: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Give samples of signed pictures their sign, from Bits Stored up."""
    if int(ds.get("PixelRepresentation") or 0) != 1 or samples.dtype.kind != "u":
        return samples
    shift = samples.dtype.itemsize * 8 - int(ds.get("BitsStored") or samples.dtype.itemsize * 8)
    signed = samples.view(samples.dtype.str.replace("u", "i"))
    return (signed << shift) >> shift
