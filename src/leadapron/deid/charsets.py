"""Which character set a data set really uses, whatever (0008,0005) claims."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass

from pydicom import Dataset
from pydicom.charset import convert_encodings, decode_bytes, python_encoding
from pydicom.dataelem import RawDataElement

from leadapron.deid.rules import public_vr

SPECIFIC_CHARACTER_SET = 0x00080005
_DELIMITERS = {0x0D, 0x0A, 0x09, 0x0C, 0x5C, 0x5E, 0x3D}
_CONVERTIBLE = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT", "UN"})
_GB2312_PAIR = re.compile(rb"[\xb0-\xf7][\xa1-\xfe]")
_HIGH = re.compile(rb"[\x80-\xff]+")
_ESCAPES = re.compile(r"\x1b\$?[()*+,\-./]?[@-Z]")
_CODECS = {"ISO_IR 192": "utf-8", "GB18030": "gb18030"}
UNLABELLED = frozenset({"", "ISO_IR 6", "ISO_IR 100", "ISO_IR 101", "ISO 2022 IR 6"})


@dataclass(frozen=True)
class CharacterSet:
    """The set in force: its (0008,0005) values, Python encodings, and whether it was corrected."""

    label: tuple[str, ...]
    encodings: tuple[str, ...]
    corrected: bool = False

    def decode(self, value: bytes) -> str:
        """Return the text; bytes that do not fit become U+FFFD, never an exception.

        One value in another encoding than the rest (a comment typed on another system) is
        recognised by its own bytes.
        """
        if value.isascii() and 0x1B not in value:
            return value.decode("ascii")
        if (
            not self.corrected
            and set(self.label) <= UNLABELLED
            and (found := _detect(value, self.label))
        ):
            return value.decode(_CODECS[found[0]])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            text: str = decode_bytes(value, list(self.encodings), _DELIMITERS)
        text = _ESCAPES.sub("", text)
        return _otherwise(value) or text if "\ufffd" in text and 0x1B not in value else text


def readings(value: bytes) -> list[str]:
    """Return what the bytes could say in the usual encodings, whatever the object's is."""
    found = []
    for codec in ("utf-8", "gb18030", "euc_kr"):
        try:
            found.append(value.decode(codec, "strict"))
        except UnicodeDecodeError:
            continue
    return found


def _otherwise(value: bytes) -> str:
    """Return the text in the first usual encoding that the bytes fit; empty if none does."""
    for codec in ("utf-8", "gb18030", "euc_kr", "shift_jis"):
        try:
            return value.decode(codec, "strict")
        except UnicodeDecodeError:
            continue
    return ""


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
        if not (sample := _non_ascii(ds, depth=0)):
            return parent
        labels, inherited = parent.label, parent
    else:
        sample, inherited = _non_ascii(ds, depth=0), None
    declared = CharacterSet(labels, _encodings(labels))
    if not sample:
        return declared
    if _looks_utf8(sample):
        found: tuple[str, ...] | None = ("ISO_IR 192",)
    elif set(labels) - UNLABELLED and _known(labels) and _decodes(sample, declared):
        found = None
    else:
        found = _detect(sample, labels) or _unescaped(labels, sample)
    if found is None or found == labels:
        return inherited or declared
    return CharacterSet(found, _encodings(found), corrected=True)


def _non_ascii(ds: Dataset, depth: int) -> bytes:
    parts: list[bytes] = []
    for element in ds.values():
        if not isinstance(element, RawDataElement):
            if element.VR == "SQ" and depth < 4:
                parts.extend(_non_ascii(item, depth + 1) for item in element.value)
            continue
        value = element.value
        vr = element.VR or public_vr(int(element.tag))
        if vr in _CONVERTIBLE and value and len(value) < 65536 and not value.isascii():
            parts.append(bytes(value))
    return b" ".join(p for p in parts if p)[:65536]


def _known(labels: tuple[str, ...]) -> bool:
    return all(label in python_encoding for label in labels)


def _looks_utf8(sample: bytes) -> bool:
    """Return whether the bytes are UTF-8 with letters of three bytes: GBK practically never is."""
    try:
        text = sample.decode("utf-8", "strict")
    except UnicodeDecodeError:
        return False
    return any("\u3040" <= c <= "\u9fff" or "\uac00" <= c <= "\ud7af" for c in text)


def _unescaped(labels: tuple[str, ...], sample: bytes) -> tuple[str, ...] | None:
    """Return the set of bytes that lack the escape sequences which ISO 2022 asks for."""
    for name, codec in (("ISO 2022 IR 58", "gb18030"), ("ISO 2022 IR 149", "euc_kr")):
        if name in labels:
            try:
                sample.decode(codec, "strict")
            except UnicodeDecodeError:
                continue
            return ("GB18030",) if codec == "gb18030" else (name,)
    return None


def _decodes(sample: bytes, declared: CharacterSet) -> bool:
    if b"\x1b" in sample:
        return True
    if len(declared.label) > 1 and not declared.label[0]:
        return False  # beyond the first set, letters need an escape sequence, and there is none
    try:
        sample.decode(declared.encodings[0], "strict")
    except (UnicodeDecodeError, LookupError):
        return False
    return True


def _detect(sample: bytes, labels: tuple[str, ...]) -> tuple[str, ...] | None:
    least = 2 if any(labels) else 1
    for label, codec in _CODECS.items():
        try:
            sample.decode(codec, "strict")
        except UnicodeDecodeError:
            continue
        if codec == "utf-8" or _mostly_hanzi(sample, least):
            return (label,)
    return None


def _mostly_hanzi(sample: bytes, least: int) -> bool:
    """Latin-1 letters with accents stand alone between ASCII letters; hanzi come in pairs.

    Against a label, `least` different pairs are asked for: ÜÜ is one pair, however often it stands.
    """
    runs = _HIGH.findall(sample)
    pairs = [pair for run in runs for pair in _GB2312_PAIR.findall(run)]
    high = sum(len(run) for run in runs)
    return high >= 2 and 2 * len(pairs) >= 0.6 * high and len(set(pairs)) >= least
