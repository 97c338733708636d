"""The second pass: everything that stayed is read again for what must not be there."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

from pydicom.dataelem import DataElement, RawDataElement
from pydicom.tag import BaseTag

from leadapron.deid import patterns
from leadapron.deid.known import KnownValues

FREE_TEXT = frozenset({"LO", "LT", "SH", "ST", "UC", "UT", "PN"})
TEXT = FREE_TEXT | {"AE", "CS", "UR"}
SEPARATOR = "\x00"


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


@dataclass
class Sweep:
    """Known values of one object plus the general patterns, applied to every held text."""

    known: KnownValues
    map_uid: Callable[[str], str]
    required: Callable[[int, int], bool]
    held: list[Held] = field(default_factory=list)

    def run(self) -> list[tuple[str, str]]:
        """Clean every held text in place; return (path, kind of finding)."""
        findings: list[tuple[str, str]] = []
        for held in self._suspects():
            if held.holder.get(held.tag) is held.element:
                findings.extend((held.path, kind) for kind in self._clean(held))
        return findings

    def _suspects(self) -> list[Held]:
        """Return the texts worth cleaning: one pass over all of them joined finds the hits."""
        everything = SEPARATOR.join(h.text for h in self.held)
        if not everything.isascii():
            return self.held  # width and accents fold differently in each text
        wanted = [patterns.GENERIC, patterns.UIDS, patterns.LONG_NUMBERS]
        if self.known.may_occur(everything):
            pattern = self.known.pattern_cached()
            wanted += [pattern] if pattern is not None else []
        ends = list(accumulate(len(h.text) + 1 for h in self.held))
        places = {m.start() for pattern in wanted for m in pattern.finditer(everything)}
        return [self.held[i] for i in sorted({bisect_right(ends, p) for p in places})]

    def _clean(self, held: Held) -> list[str]:
        text, kinds = self.text(held.text, free=held.free)
        if kinds:
            if not text and self.required(held.tag, held.parent):
                text = "REMOVED"
            held.holder[held.tag] = DataElement(held.tag, held.vr, text)
        return kinds

    def text(self, text: str, *, free: bool) -> tuple[str, list[str]]:
        """Return the text without anything identifying, and the kinds found."""
        kinds: list[str] = []
        text = self._strip(text, free, kinds)
        wide = text if text.isascii() else unicodedata.normalize("NFKC", text)
        if wide != text:
            cleaned = self._strip(wide, free, kinds)
            text = cleaned if cleaned != wide else text
        return (_tidy(text) if kinds else text), list(dict.fromkeys(kinds))

    def _strip(self, text: str, free: bool, kinds: list[str]) -> str:
        for start, end in reversed(list(patterns.id_cards(text, strict=not free))):
            text = text[:start] + text[end:]
            kinds.append("id-card")
        if free:
            text, count = patterns.GENERIC.subn("", text)
            if count:
                kinds.append("pattern")
        known = self.known.pattern_cached()
        if known is not None:
            text, count = known.subn("", text)
            if count:
                kinds.append("known-value")
        if patterns.UIDS.search(text):
            mapped = patterns.UIDS.sub(lambda m: self.map_uid(m.group()), text)
            if mapped != text:
                kinds.append("uid")
            text = mapped
        return text


def _tidy(text: str) -> str:
    lines = (" ".join(line.split(" ")) for line in text.split("\n"))
    joined = "\n".join(lines)
    while "  " in joined:
        joined = joined.replace("  ", " ")
    return joined.strip(" ,;:：，、-_^()[]/")
