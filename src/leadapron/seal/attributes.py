"""What else in an object shows or measures its pixels: taken away at rest, put back later."""

from __future__ import annotations

import copy
from io import BytesIO

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.valuerep import DSfloat

from leadapron.seal.block import CREATOR, GROUP
from leadapron.seal.pixels import PixelFormat

_PIXEL_DATA_GROUP = 0x7FE0
_OVERLAYS = range(0x6000, 0x6100)
_CURVES = range(0x5000, 0x5100)
_STATISTICS = frozenset(range(0x00280104, 0x00280112))
_COPIES = _STATISTICS | {
    0x00420011,  # Encapsulated Document
    0x00603000,  # Histogram Sequence
    0x00880200,  # Icon Image Sequence
    0x04000561,  # Original Attributes Sequence may keep any of the above
    0x4FFE0001,  # MAC Parameters Sequence
    0x56000020,  # Spectroscopy Data
    0xFFFAFFFA,  # Digital Signatures Sequence
    0xFFFCFFFC,  # Data Set Trailing Padding
}
_WINDOW = frozenset({0x00281050, 0x00281051, 0x00281055, 0x00281056, 0x00283010})
_PADDING = frozenset({0x00280120, 0x00280121})
_DISPLAY = _WINDOW | _PADDING
_PIXEL = (
    0x00280002, 0x00280004, 0x00280006, 0x00280008, 0x00280010, 0x00280011,
    0x00280100, 0x00280101, 0x00280102, 0x00280103,
)  # fmt: skip
_CONTEXT = (0x00080005, 0x00280100, 0x00280103)
_BINARY = frozenset({"OB", "OW", "OF", "OD", "OL", "OV", "UN"})
_LONG_TEXT = 1024


class Originals:
    """Attributes that sealing took out of the header, in three sets.

    `pixel` describe the pixel coding, `display` how pixels are shown; `content` shows or
    measures pixels and comes back only when everything is unsealed.
    """

    def __init__(self) -> None:
        self.pixel = Dataset()
        self.display = Dataset()
        self.content = Dataset()


def strip(ds: Dataset) -> Originals:
    """Take from `ds`, in place, every attribute that shows or measures its pixels.

    Pixel Data itself stays for the caller to replace. A sequence with such a thing deep
    inside keeps its place, cleaned.
    """
    taken = Originals()
    for tag in _PIXEL:
        _keep(ds, tag, taken.pixel)
    for tag in list(ds.keys()):
        if int(tag) in _DISPLAY:
            _keep(ds, tag, taken.display)
        elif tag.group == _PIXEL_DATA_GROUP:
            continue
        elif _shows_pixels(ds[tag]):
            _keep(ds, tag, taken.content)
            cleaned = _cleaned(ds[tag])
            del ds[tag]
            if cleaned is not None:
                ds[tag] = cleaned
    fmt = PixelFormat.of(ds)
    had_window = any(tag in taken.display for tag in _WINDOW)
    for tag in _DISPLAY:
        if tag in ds:
            del ds[tag]
    if had_window:
        _set_neutral_window(ds, fmt)
    for part in (taken.pixel, taken.display, taken.content):
        for tag in _CONTEXT:
            _keep(ds, tag, part)
    return taken


def restore(ds: Dataset, taken: Originals, everything: bool) -> None:
    """Put back into `ds`, in place, what `strip` took; `content` only if `everything`."""
    for tag in (*_PIXEL, *_DISPLAY):
        if tag in ds:
            del ds[tag]
    parts = [taken.pixel, taken.display] + ([taken.content] if everything else [])
    for part in parts:
        for tag in list(part.keys()):
            if part is taken.pixel or int(tag) not in _CONTEXT:
                ds[tag] = copy.deepcopy(part[tag])


def leaks(ds: Dataset) -> list[str]:
    """Return the names of attributes that could show or measure pixels, besides Pixel Data."""
    found = []
    for tag in list(ds.keys()):
        if tag.group == _PIXEL_DATA_GROUP:
            if tag.element != 0x0010:
                found.append(_name(ds[tag]))
        elif int(tag) in _PADDING or int(tag) == 0x00283010 or _shows_pixels(ds[tag]):
            found.append(_name(ds[tag]))
    return found


def encode(ds: Dataset) -> bytes:
    """Return `ds` as an Explicit VR Little Endian data set without preamble."""
    buffer = DicomBytesIO()
    buffer.is_little_endian = True
    buffer.is_implicit_VR = False
    write_dataset(buffer, ds)
    return buffer.getvalue()


def decode(data: bytes) -> Dataset:
    """Return the data set of `encode`."""
    ds = read_dataset(BytesIO(data), is_implicit_VR=False, is_little_endian=True)
    for element in ds:  # parse every value now, while its errors can still be caught
        str(element.VR)
    return ds


def _keep(ds: Dataset, tag: int, part: Dataset) -> None:
    if tag in ds:
        part[tag] = copy.deepcopy(ds[tag])


def _shows_pixels(element: DataElement) -> bool:
    tag = element.tag
    if int(tag) in _COPIES or tag.group in _OVERLAYS or tag.group in _CURVES:
        return True
    if tag.is_private and _private_shows(element):
        return True
    if element.VR != "SQ" or _is_seal(element):
        return False
    return any(_nested_shows(inner) for item in element.value for inner in item)


def _nested_shows(element: DataElement) -> bool:
    return element.tag.group == _PIXEL_DATA_GROUP or _shows_pixels(element)


def _private_shows(element: DataElement) -> bool:
    if _is_seal(element) or element.tag.is_private_creator:
        return False
    if element.VR in _BINARY:
        return bool(element.value)
    if element.VR == "SQ":
        return False
    return isinstance(element.value, str) and len(element.value) > _LONG_TEXT


def _is_seal(element: DataElement) -> bool:
    return element.tag.group == GROUP and element.private_creator == CREATOR


def _cleaned(element: DataElement) -> DataElement | None:
    if element.VR != "SQ" or int(element.tag) in _COPIES or element.tag.group in _CURVES:
        return None
    made = copy.deepcopy(element)
    for item in made.value:
        for inner in list(item):
            if _nested_shows(inner):
                cleaned = _cleaned(inner)
                del item[inner.tag]
                if cleaned is not None:
                    item[inner.tag] = cleaned
    return made


def _set_neutral_window(ds: Dataset, fmt: PixelFormat) -> None:
    """Set the window to the whole range: it says nothing about the film."""
    low = -(1 << (fmt.bits_stored - 1)) if fmt.signed else 0
    high = low + (1 << fmt.bits_stored) - 1
    slope = float(ds.get("RescaleSlope") or 1)
    intercept = float(ds.get("RescaleIntercept") or 0)
    ends = sorted((low * slope + intercept, high * slope + intercept))
    ds.WindowCenter = DSfloat((ends[0] + ends[1] + 1) / 2, auto_format=True)
    ds.WindowWidth = DSfloat(max(ends[1] - ends[0] + 1, 1), auto_format=True)


def _name(element: DataElement) -> str:
    tag = element.tag
    return f"private {tag}" if tag.is_private else f"{element.name} {tag}"
