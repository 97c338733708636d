"""Writing a data set: untouched elements go out as the bytes they came in as."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from io import BytesIO

from pydicom import Dataset, dcmwrite
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian

from leadapron.deid.frames import syntax


class _Encoded(dict[str, bytes]):
    def __missing__(self, vr: str) -> bytes:
        self[vr] = encoded = vr.encode("ascii")
        return encoded


_LONG = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
_UNDEFINED = 0xFFFFFFFF
_DELIMITER = b"\xfe\xff\xdd\xe0\0\0\0\0"
_ITEM = b"\xfe\xff\x00\xe0"
_BYTES = frozenset({"OB", "OW"})
_SHORT = struct.Struct("<HH2sH").pack
_VR_BYTES = _Encoded()
_SIMPLE = frozenset(
    {"AE", "AS", "CS", "DA", "DT", "LO", "LT", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}
)


def to_bytes(ds: Dataset) -> bytes:
    """Return the DICOM file of `ds` (PS3.10) with an empty preamble."""
    uid = syntax(ds)
    original = ds.original_encoding
    same = original == (uid.is_implicit_VR, uid.is_little_endian)
    if not same or not uid.is_little_endian or uid == DeflatedExplicitVRLittleEndian:
        return _slow(ds)
    parts = [bytes(128), b"DICM", _file_meta(ds.file_meta)]
    body = ((t, e) for t, e in ds.items() if t >> 16)  # a message's own attributes stay there
    encodings = ds.get("SpecificCharacterSet", "iso8859")
    _elements(body, parts, uid.is_implicit_VR, encodings)
    return b"".join(parts)


def _file_meta(meta: Dataset) -> bytes:
    """Return group 0002 with its length (PS3.10 7.1)."""
    parts: list[bytes] = []
    _elements(((t, e) for t, e in meta.items() if t != 0x00020000), parts, False, "iso8859")
    content = b"".join(parts)
    return struct.pack("<HH2sHL", 2, 0, b"UL", 4, len(content)) + content


def _dataset(ds: Dataset, parts: list[bytes], implicit: bool, outer: str | list[str]) -> None:
    _elements(ds.items(), parts, implicit, ds.get("SpecificCharacterSet", outer))


def _elements(
    items: Iterable[tuple[BaseTag, DataElement | RawDataElement]],
    parts: list[bytes],
    implicit: bool,
    encodings: str | list[str],
) -> None:
    for _, element in sorted(items, key=_by_tag):
        if isinstance(element, RawDataElement):
            _plain(parts, element, element.value or b"", implicit)
        elif element.VR == "SQ":
            _sequence(element, parts, implicit, encodings)
        elif element.VR in _BYTES:
            _plain(parts, element, element.value or b"", implicit)
        else:
            simple = _ascii(element)
            if simple is None:
                parts.append(_by_pydicom(element, implicit, encodings))
            else:
                _plain(parts, element, simple, implicit)


def _by_tag(item: tuple[BaseTag, DataElement | RawDataElement]) -> int:
    return int(item[0])


def sequence_bytes(
    items: Iterable[Dataset], implicit: bool, encodings: str | list[str] = "iso8859"
) -> bytes:
    """Return the items of a sequence, each with its length, in little endian."""
    inner: list[bytes] = []
    for item in items:
        body: list[bytes] = []
        _dataset(item, body, implicit, encodings)
        content = b"".join(body)
        inner.append(_ITEM + struct.pack("<L", len(content)))
        inner.append(content)
    return b"".join(inner)


def _sequence(
    element: DataElement, parts: list[bytes], implicit: bool, encodings: str | list[str]
) -> None:
    content = sequence_bytes(element.value, implicit, encodings)
    parts.append(_header(element.tag, "SQ", len(content), implicit, endless=False))
    parts.append(content)


def _ascii(element: DataElement) -> bytes | None:
    """Return the padded bytes of a plain ASCII text value; None if pydicom must encode it."""
    value = element.value
    if element.VR not in _SIMPLE or (value and not isinstance(value, str)):
        return None
    data = (value or "").encode("ascii") if (value or "").isascii() else None
    if data is not None and len(data) % 2:
        data += b"\0" if element.VR == "UI" else b" "
    return data


def _by_pydicom(element: DataElement, implicit: bool, encodings: str | list[str]) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = implicit, True
    write_data_element(buffer, element, encodings)
    return buffer.getvalue()


def _plain(
    parts: list[bytes], element: DataElement | RawDataElement, value: bytes, implicit: bool
) -> None:
    raw = type(element) is RawDataElement
    endless = element.length == _UNDEFINED if raw else element.is_undefined_length  # type: ignore[union-attr]
    vr, tag = element.VR or "UN", element.tag
    if len(value) % 2:
        value += b"\0"
    if endless or implicit or vr in _LONG or len(value) > 0xFFFF:
        parts.append(_header(tag, vr, len(value), implicit, endless=endless))
    else:
        parts.append(_SHORT(tag >> 16, tag & 0xFFFF, _VR_BYTES[vr], len(value)))
    parts.append(value)
    if endless:
        parts.append(_DELIMITER)


def _slow(ds: Dataset) -> bytes:
    buffer = BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def _header(tag: int, vr: str, length: int, implicit: bool, *, endless: bool) -> bytes:
    size = _UNDEFINED if endless else length
    place = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    if implicit:
        return place + struct.pack("<L", size)
    if vr in _LONG or size > 0xFFFF:
        kind = vr if vr in _LONG else "UN"
        return place + kind.encode("ascii") + struct.pack("<HL", 0, size)
    return place + vr.encode("ascii") + struct.pack("<H", size)
