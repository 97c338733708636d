"""Elements as they really are: whole, and with the VR that the dictionary gives them."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Any

from pydicom import Dataset, config
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.filereader import read_sequence
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from leadapron.deid import identity
from leadapron.deid.charsets import CharacterSet
from leadapron.deid.values import Element, texts
from leadapron.model import BadInput

Encoding = tuple[bool | None, bool | None]
"""Implicit VR and little endian, as a data set was read; None if it was made in memory."""
_UNDEFINED = 0xFFFFFFFF
_PLAIN = frozenset(
    {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UT"}
)
_PIXEL_GROUP, _ENCAPSULATED = 0x7FE0, frozenset({"OB", "OW"})
_ELDEST = 89


def whole(src: Dataset, element: RawDataElement) -> Element:
    """Fetch a value deferred while reading; refuse one without a length or cut off by the file."""
    if element.value is None and element.length:
        return src.get_item(element.tag) or element
    if element.length == _UNDEFINED:
        if element.tag >> 16 == _PIXEL_GROUP and element.VR in _ENCAPSULATED:
            return element
        raise BadInput(
            f"the value at {element.tag} has no length, which its VR does not allow (PS3.5 7.1)",
            remedy="ask the sender to encode the attribute as the standard says",
            code="wrong-vr",
        )
    if element.length != len(element.value or b""):
        raise BadInput(
            f"the value at {element.tag} is cut off: {len(element.value or b'')} of"
            f" {element.length} bytes",
            remedy="ask the sender for the whole object",
            code="truncated",
        )
    return element


def as_vr(element: Element, vr: str, chars: CharacterSet) -> Element:
    """Return an element that claims another VR as one of `vr`, its value unchanged.

    A sequence in UN is encoded in Implicit VR Little Endian (PS3.5 6.2.2). BadInput with the
    code ``wrong-vr`` if the value cannot be of that VR.
    """
    if vr == "SQ":
        return DataElement(element.tag, "SQ", _items(element, chars))
    if element.VR == "SQ" or isinstance(element.value, Sequence):
        raise _wrong(element, vr)
    vr = "OW" if vr.endswith("OW") else vr.split(" ", maxsplit=1)[0]
    if isinstance(element, RawDataElement):
        return element._replace(VR=vr)
    value = texts(element, chars)
    single: Any = value[0] if len(value) == 1 else value
    return DataElement(element.tag, vr, single, validation_mode=config.IGNORE)


def as_raw(tag: BaseTag, vr: str, value: Any, encoding: Encoding) -> RawDataElement | None:
    """Return an ASCII text of our own making as the bytes of a file; None if it is none.

    Half as costly to make and to write as an element that pydicom checks and converts.
    """
    if vr not in _PLAIN or encoding[0] is None:
        return None
    text = "\\".join(value) if isinstance(value, list) else value
    if not isinstance(text, str) or not text.isascii():
        return None
    data = text.encode("ascii")
    data += (b"\0" if vr == "UI" else b" ") * (len(data) % 2)
    return RawDataElement(tag, vr, len(data), data, 0, bool(encoding[0]), bool(encoding[1]))


def check_items(element: RawDataElement) -> None:
    """Refuse a sequence whose items claim more bytes than it has (PS3.5 7.5)."""
    value, place = element.value or b"", 0
    order = "<" if element.is_little_endian else ">"
    while place + 8 <= len(value):
        group, number, length = struct.unpack_from(f"{order}HHL", value, place)
        if length == _UNDEFINED or (group, number) != (0xFFFE, 0xE000):
            return  # its end is found by reading
        place += 8 + length
    if place > len(value):
        raise BadInput(
            f"an item of the sequence at {element.tag} is cut off",
            remedy="ask the sender for the whole object",
            code="truncated",
        )


def _items(element: Element, chars: CharacterSet) -> Sequence:
    raw = element.value
    if raw is None or isinstance(raw, Sequence):
        return raw or Sequence()
    orders = [True] if element.VR == "UN" else [False, True]
    little = element.is_little_endian if isinstance(element, RawDataElement) else True
    for implicit in orders:
        try:
            return read_sequence(
                BytesIO(bytes(raw)), implicit, little, len(raw), list(chars.encodings)
            )
        except Exception:  # noqa: S112 - the other encoding may fit
            continue
    raise _wrong(element, "SQ")


def _wrong(element: Element, vr: str) -> BadInput:
    return BadInput(
        f"the attribute at {element.tag} claims the VR {element.VR}, the standard says {vr}",
        remedy="ask the sender to encode the attribute as the standard says",
        code="wrong-vr",
    )


def readable(value: bytes) -> bool:
    """Return whether a value without a VR could be text that a person reads."""
    return len(value.strip(b" \0")) > 3 and min(value.strip(b" \0")) >= 0x20


def cap_age(element: Element, chars: CharacterSet) -> Element:
    """Ages above 89 years identify (45 CFR 164.514): they become 90."""
    text = "".join(texts(element, chars))
    if text[:3].isdigit() and text.endswith("Y") and int(text[:3]) > _ELDEST:
        return DataElement(identity.AGE, "AS", "090Y")
    return element
