"""Read whatever a leaked copy comes as, within bounds."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from leadapron.model import BadInput, LeadApronError

MOST_BYTES = 200 * 2**20
MOST_PIXELS = 120_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF")
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")

Picture = npt.NDArray[Any]


def load_picture(data: bytes) -> Picture:
    """Return the first picture of a file: (H, W) uint8 or uint16, or (H, W, 3) uint8.

    Reads JPEG, PNG, WebP, HEIC, AVIF, BMP, GIF, TIFF and DICOM. The camera's orientation tag is
    obeyed. Sizes are checked before anything is decoded. A file from outside is better read
    through `read_shots`, in a process of its own.

    Raises:
        BadInput: no such format, damaged, or larger than 200 MiB or 120 megapixels.
    """
    check_size(data)
    if data[128:132] == b"DICM":
        return _dicom(data)
    if is_heif(data):
        return _heif(data)
    return _raster(data)


def check_size(data: bytes) -> None:
    """Raise BadInput for an empty file, or one of more than 200 MiB."""
    if not data:
        raise BadInput(
            "The file is empty.", remedy="Send the picture itself.", code="unknown-format"
        )
    if len(data) > MOST_BYTES:
        raise BadInput(
            f"The file has {len(data) >> 20} MiB; at most {MOST_BYTES >> 20} are read.",
            remedy="Send a smaller copy.",
            code="too-large",
        )


def is_heif(data: bytes) -> bool:
    """Tell by its brands whether a file is HEIC (ISO/IEC 23008-12), and not AVIF."""
    named = data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS
    return named and b"avif" not in data[12:64]


def bounded(rows: int, columns: int) -> None:
    """Raise BadInput for a picture of no pixel, or of more than 120 megapixels."""
    if rows < 1 or columns < 1 or rows * columns > MOST_PIXELS:
        raise BadInput(
            f"A picture of {columns}×{rows} pixels is outside what is read.",
            remedy=f"Send a copy of at most {MOST_PIXELS // 10**6} megapixels.",
            code="too-large",
        )


def _raster(data: bytes) -> Picture:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data), formats=FORMATS)
            bounded(image.height, image.width)
            image.load()
            return as_array(ImageOps.exif_transpose(image))
    except LeadApronError:
        raise
    except UnidentifiedImageError as error:
        raise _unknown() from error
    except Image.DecompressionBombError as error:
        raise BadInput(
            f"The picture has more pixels than the {MOST_PIXELS // 10**6} million that are read.",
            remedy="Send a smaller copy.",
            code="too-large",
        ) from error
    except Exception as error:
        raise BadInput(
            "The picture is damaged: it cannot be decoded to the end.",
            remedy="Save it again from the source as PNG or JPEG.",
            code="truncated",
        ) from error


def _unknown() -> BadInput:
    return BadInput(
        "The file is no picture of a known kind.",
        remedy="Send JPEG, PNG, WebP, HEIC, AVIF, BMP, GIF, TIFF, DICOM, or a film in MP4, MOV, "
        "WebM, Matroska or AVI.",
        code="unknown-format",
    )


def as_array(image: Any) -> Picture:
    """Return a Pillow image as grey or RGB; deep grey stays deep."""
    if image.mode in ("I;16", "I;16B", "I;16L", "I"):
        return np.clip(np.asarray(image).astype(np.int64), 0, 65535).astype(np.uint16)
    if image.mode == "F":
        values = np.nan_to_num(np.asarray(image, np.float32))
        low, high = float(values.min()), float(values.max())
        return ((values - low) * (65535 / max(high - low, 1e-9))).astype(np.uint16)
    if image.mode in ("L", "1", "LA"):
        return np.asarray(image.convert("L"))
    return np.asarray(image.convert("RGB"))


def _dicom(data: bytes) -> Picture:
    import pydicom
    from pydicom.pixels import pixel_array

    try:
        header = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
        bounded(int(header.Rows), int(header.Columns))
        frame = pixel_array(io.BytesIO(data), index=0)
    except LeadApronError:
        raise
    except Exception as error:
        raise BadInput(
            "The DICOM file has no frame that can be decoded.",
            remedy="Export it again, or as PNG.",
            code="truncated",
        ) from error
    if frame.dtype in (np.uint8, np.uint16):
        return np.asarray(frame)
    lowest = int(frame.min())
    return np.clip(frame.astype(np.int64) - min(lowest, 0), 0, 65535).astype(np.uint16)


def _heif(data: bytes) -> Picture:
    """Decode the primary picture of a HEIC file."""
    try:
        import pi_heif

        file = pi_heif.open_heif(data, convert_hdr_to_8bit=True)
        bounded(file.size[1], file.size[0])
        return as_array(file.to_pillow())
    except ImportError as error:
        raise BadInput(
            "HEIC pictures need a decoder that is not installed here.",
            remedy="Install pi-heif, or save the picture as JPEG or PNG on the phone.",
            code="unknown-format",
        ) from error
    except LeadApronError:
        raise
    except Exception as error:
        raise BadInput(
            "The HEIC picture is damaged.", remedy="Save it again as JPEG.", code="truncated"
        ) from error
