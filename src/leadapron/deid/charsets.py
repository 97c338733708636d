"""Which character set a data set really uses, whatever (0008,0005) claims."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.dataelem import RawDataElement

SPECIFIC_CHARACTER_SET = 0x00080005
_DELIMITERS = {0x0D, 0x0A, 0x09, 0x0C, 0x5C, 0x5E, 0x3D}
_CONVERTIBLE = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT", "UN", None})
_GB2312_PAIR = re.compile(rb"[\xb0-\xf7][\xa1-\xfe]")
_HIGH = re.compile(rb"[\x80-\xff]+")
UNLABELLED = frozenset({"", "ISO_IR 6", "ISO_IR 100", "ISO_IR 101", "ISO 2022 IR 6"})


@dataclass(frozen=True)
class CharacterSet:
    """The set in force: its (0008,0005) values, Python encodings, and whether it was corrected."""

    label: tuple[str, ...]
    encodings: tuple[str, ...]
    corrected: bool = False

    def decode(self, value: bytes) -> str:
        """Return the text; bytes that do not fit become U+FFFD, never an exception."""
        if value.isascii() and 0x1B not in value:
            return value.decode("ascii")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return decode_bytes(value, list(self.encodings), _DELIMITERS)


def _labels(ds: Dataset) -> tuple[str, ...]:
    if SPECIFIC_CHARACTER_SET not in ds:
        return ()
    element = ds.get_item(SPECIFIC_CHARACTER_SET)
    value = element.value if element is not None else None
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace").split("\\")
    if value is None or isinstance(value, str):
        value = [value or ""]
    return tuple(str(v).strip() for v in value)


def _encodings(labels: tuple[str, ...]) -> tuple[str, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return tuple(convert_encodings(list(labels) or None))
        except (LookupError, ValueError):
            return ("iso8859",)


def character_set(ds: Dataset, parent: CharacterSet | None = None) -> CharacterSet:
    """Return the set of `ds`, corrected where its bytes prove the label wrong.

    GBK labelled ISO_IR 100, or UTF-8 without a label, are told by their byte pattern; the bytes
    stay and the label changes, so nothing is transcoded and nothing becomes mojibake.
    """
    labels = _labels(ds)
    if not labels and parent is not None:
        return parent
    declared = CharacterSet(labels, _encodings(labels))
    sample = _non_ascii(ds, depth=0)
    if not sample:
        return declared
    trusted = set(labels) - UNLABELLED and _decodes(sample, declared)
    found = None if trusted else _detect(sample)
    if found is None or found == labels:
        return declared
    return CharacterSet(found, _encodings(found), corrected=True)


def _non_ascii(ds: Dataset, depth: int) -> bytes:
    parts: list[bytes] = []
    for element in ds.values():
        if not isinstance(element, RawDataElement):
            if element.VR == "SQ" and depth < 4:
                parts.extend(_non_ascii(item, depth + 1) for item in element.value)
            continue
        value = element.value
        if element.VR in _CONVERTIBLE and value and len(value) < 65536 and not value.isascii():
            parts.append(bytes(value))
    return b" ".join(p for p in parts if p)[:65536]


def _decodes(sample: bytes, declared: CharacterSet) -> bool:
    if b"\x1b" in sample:
        return True
    try:
        sample.decode(declared.encodings[0], "strict")
    except (UnicodeDecodeError, LookupError):
        return False
    return True


def _detect(sample: bytes) -> tuple[str, ...] | None:
    for label, codec in (("ISO_IR 192", "utf-8"), ("GB18030", "gb18030")):
        try:
            sample.decode(codec, "strict")
        except UnicodeDecodeError:
            continue
        if codec == "utf-8" or _mostly_hanzi(sample):
            return (label,)
    return None


def _mostly_hanzi(sample: bytes) -> bool:
    """Latin-1 letters with accents stand alone between ASCII letters; hanzi come in pairs."""
    high = sum(len(run) for run in _HIGH.findall(sample))
    pairs = 2 * sum(len(_GB2312_PAIR.findall(run)) for run in _HIGH.findall(sample))
    return high >= 2 and pairs >= 0.6 * high
