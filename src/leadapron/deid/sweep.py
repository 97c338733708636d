"""The second pass: everything that stayed is read again for what must not be there."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.tag import BaseTag

from leadapron.deid import patterns
from leadapron.deid.folding import fold, simplified
from leadapron.deid.known import KnownValues
from leadapron.model import Quarantined

FREE_TEXT = frozenset({"LO", "LT", "SH", "ST", "UC", "UT", "PN"})
TEXT = FREE_TEXT | {"AE", "CS", "UR"}
BINARY = frozenset(
    {"AT", "FD", "FL", "OB", "OD", "OF", "OL", "OV", "OW", "SL", "SS", "SV", "UL", "UN", "US", "UV"}
)
NUMBERS = {
    "AS": re.compile(rb"\s*(?:\d{3}[DWMY])?[\s\0]*"),
    "DA": re.compile(rb"[\d.\-\\ \0]*"),
    "DS": re.compile(rb"[\d+\-.eE\\ \0]*"),
    "DT": re.compile(rb"[\d.+\-\\ \0]*"),
    "IS": re.compile(rb"[\d+\-\\ \0]*"),
    "UI": re.compile(rb"[\d.\\ \0]*"),
    "TM": re.compile(rb"[\d:.\-\\ \0]*"),
}
"""What the values of VRs that no person writes text in may be made of (PS3.5 6.2)."""
NEEDED = frozenset({0x0040A160, 0x00700006, 0x00080100, 0x00080104})
"""Texts and codes whose macro requires a value wherever it stands (Type 1 or 1C)."""
ENUMERATED = {
    0x0040A040: frozenset({
        "TEXT", "NUM", "CODE", "DATETIME", "DATE", "TIME", "UIDREF", "PNAME", "COMPOSITE",
        "IMAGE", "WAVEFORM", "SCOORD", "SCOORD3D", "TCOORD", "CONTAINER", "TABLE",
    }),
    0x0040A010: frozenset({
        "CONTAINS", "HAS PROPERTIES", "HAS CONCEPT MOD", "HAS OBS CONTEXT", "HAS ACQ CONTEXT",
        "INFERRED FROM", "SELECTED FROM",
    }),
    0x0040A050: frozenset({"SEPARATE", "CONTINUOUS"}),
    0x00700023: frozenset({
        "POINT", "POLYLINE", "MULTIPOINT", "CIRCLE", "ELLIPSE", "INTERPOLATED", "POLYGON",
        "ELLIPSOID",
    }),
}  # fmt: skip
"""Values that make a report's or presentation's structure (PS3.3 C.17.3.2.1, C.10.5): a person
called Text must not empty them."""
SEPARATOR = "\n\x00\n"
_SPELLS = re.compile(
    rb"[A-Za-z0-9][A-Za-z0-9 ._-]{2}|[\x80-\xff]{2}"
    rb"|(?:[A-Za-z0-9]\0){3}|[\x4e-\x9f][^\0]|[^\0][\x4e-\x9f]"
)
"""What a value must hold to spell a name or number in any of ENCODINGS."""
ROUNDS = 3
ENCODINGS = ("utf-8", "gb18030", "big5", "euc_kr", "shift_jis", "utf-16-le", "utf-16-be")
BETWEEN = b"\n\0\0\n"


class Held(NamedTuple):
    """A text that stays unless the sweep finds something in it."""

    holder: dict[BaseTag, DataElement | RawDataElement]
    tag: BaseTag
    vr: str
    text: str
    path: str
    parent: int
    free: bool
    element: DataElement | RawDataElement


class Blob(NamedTuple):
    """A binary value that stays, or a document: looked through once everything is known."""

    holder: dict[BaseTag, DataElement | RawDataElement]
    tag: BaseTag
    path: str
    parent: int
    code: str = ""


@dataclass
class Sweep:
    """Known values of one object plus the general patterns, applied to every held text."""

    known: KnownValues
    map_uid: Callable[[str], str]
    required: Callable[[int, int], bool]
    held: list[Held] = field(default_factory=list)
    blobs: list[Blob] = field(default_factory=list)

    def run(self) -> list[tuple[str, str]]:
        """Clean every held text in place; return (path, kind of finding).

        A binary value that spells a known value is removed; Quarantined if the object needs it.
        """
        findings: list[tuple[str, str]] = []
        for held in self._suspects():
            if held.holder.get(held.tag) is held.element:
                findings.extend((held.path, kind) for kind in self._clean(held))
        if self.in_bytes(BETWEEN.join(self._bytes(b) for b in self.blobs)):
            findings.extend((b.path, "binary") for b in self.blobs if self._clean_blob(b))
        return findings

    def _bytes(self, blob: Blob) -> bytes:
        element = blob.holder.get(blob.tag)
        value = element.value if element is not None else None
        return value if isinstance(value, bytes) else b""

    def _clean_blob(self, blob: Blob) -> bool:
        if not self.in_bytes(self._bytes(blob)):
            return False
        if self.required(blob.tag, blob.parent):
            raise Quarantined(
                f"the binary value at {blob.path} spells a known value of the patient",
                remedy="inspect the object",
                code="binary-text",
            )
        del blob.holder[blob.tag]
        return True

    def _suspects(self) -> list[Held]:
        """Return the texts worth cleaning: one pass over all of them joined finds the hits."""
        everything = SEPARATOR.join(h.text for h in self.held)
        if not everything.isascii() or "\0" in everything.replace(SEPARATOR, ""):
            return self.held  # width and accents fold differently in each text
        wanted = (patterns.UIDS, patterns.LONG_NUMBERS)
        ends = list(accumulate(len(h.text) + len(SEPARATOR) for h in self.held))
        places = {m.start() for pattern in wanted for m in pattern.finditer(everything)}
        found = {bisect_right(ends, p) for p in places}
        found.update(self.known.occurring([held.text for held in self.held]))
        found.update(i for i, h in enumerate(self.held) if h.free and patterns.generic(h.text))
        return [self.held[i] for i in sorted(found)]

    def _clean(self, held: Held) -> list[str]:
        if held.text in ENUMERATED.get(int(held.tag), ()):
            return []
        text, kinds = self.text(held.text, free=held.free)
        raw = held.element.value
        if not kinds and isinstance(raw, bytes) and _odd(raw) and self.in_bytes(raw):
            text, kinds = "", ["known-value"]  # in another encoding than the object's
        if kinds:
            if not text and (int(held.tag) in NEEDED or self.required(held.tag, held.parent)):
                text = "REMOVED"
            held.holder[held.tag] = DataElement(held.tag, held.vr, text)
        return kinds

    def text(self, text: str, *, free: bool) -> tuple[str, list[str]]:
        """Return the text without anything identifying, and the kinds found."""
        kinds: list[str] = []
        for _ in range(ROUNDS):
            spans = self.spans(text, free=free)
            if not spans:
                break
            for start, end, kind in reversed(spans):
                instead = self.map_uid(text[start:end]) if kind == "uid" else ""
                text = text[:start] + instead + text[end:]
                kinds.append(kind)
        return (_tidy(text) if kinds else text), list(dict.fromkeys(kinds))

    def spans(self, text: str, *, free: bool = True) -> list[tuple[int, int, str]]:
        """Return where identifying text stands: (start, end, kind), in order.

        `free`: the text was written by people, so that the general patterns apply. Overlapping
        hits are one; width and accents are folded first, positions are those of `text`.
        """
        folded, origin = fold(text)
        hits = [(*span, "id-card") for span in patterns.id_cards(folded, strict=not free)]
        if free:
            hits += [(*m.span(), "pattern") for m in patterns.GENERIC.finditer(folded)]
        known = self.known.pattern_cached()
        if known is not None:
            hits += [(*m.span(), "known-value") for m in known.finditer(folded)]
        uids = patterns.UIDS.finditer(folded)
        hits += [(*m.span(), "uid") for m in uids if self.map_uid(m.group()) != m.group()]
        merged: list[tuple[int, int, str]] = []
        for start, end, kind in sorted(hits):
            if merged and start < merged[-1][1]:
                first, last, earlier = merged[-1]
                merged[-1] = (first, max(last, end), earlier)
            elif end > start:
                merged.append((start, end, kind))
        return [(origin[a], max(origin[b - 1] + 1, origin[a]), kind) for a, b, kind in merged]

    def in_bytes(self, value: bytes) -> bool:
        """Return whether a binary value spells a known value in any usual encoding."""
        if not self.known or not _SPELLS.search(value):
            return False
        known = self.known.pattern_cached()
        if known is None:
            return False
        for encoding in ENCODINGS:
            text = simplified(value.decode(encoding, "replace"))
            if self.known.may_occur(text) and known.search(text):
                return True
        return False


def _odd(raw: bytes) -> bool:
    """Return whether a text's bytes could say something else in another encoding."""
    return not raw.isascii() or b"\0" in raw.rstrip(b"\0")


def _tidy(text: str) -> str:
    lines = (" ".join(line.split(" ")) for line in text.split("\n"))
    joined = "\n".join(lines)
    while "  " in joined:
        joined = joined.replace("  ", " ")
    return joined.strip(" ,;:：，、-_^()[]/")
