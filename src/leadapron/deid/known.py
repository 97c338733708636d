"""Known-value sweep: what a known place held is searched for in everything that remains."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from leadapron.deid import names
from leadapron.deid.folding import simplified
from leadapron.deid.names import IS_CJK
from leadapron.deid.vocabulary import is_clinical_term

_NO_DIGIT = re.compile(r"\D")
_GAPS = re.compile(r"[\W_]+")
_AREA = re.compile(r"(?<=[省市区县州镇乡])(?=.{4})|[,，;；\n]")
_HOUSE = re.compile(r"[\u4e00-\u9fff]{2,12}\d{1,5}[号弄巷]")
_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {f"{number:02}": name for number, name in enumerate(_NAMES, 1)}
MIN_ID, MIN_PHRASE, LONG_ID = 4, 4, 6


@dataclass
class KnownValues:
    """The identifying values met in one object; `pattern_cached` finds them in any text."""

    names: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    phrases: set[str] = field(default_factory=set)
    dates: set[str] = field(default_factory=set)
    _pattern: re.Pattern[str] | None = None
    _cores: frozenset[str] = frozenset()
    _pattern_of: int = -1
    _cores_of: int = -1

    def pattern_cached(self) -> re.Pattern[str] | None:
        """Return one pattern for everything known, compiled again only after values were added."""
        if self._pattern_of != len(self):
            self._pattern, self._pattern_of = _compiled(*self._frozen()), len(self)
        return self._pattern

    def _frozen(self) -> tuple[frozenset[str], ...]:
        persons, phrases = map(simplified, self.names), map(simplified, self.phrases)
        return tuple(map(frozenset, (persons, self.ids, phrases, self.dates)))

    def __len__(self) -> int:
        return len(self.names) + len(self.ids) + len(self.phrases) + len(self.dates)

    def add_names(self, values: Iterable[str]) -> None:
        """Add PN values, all component groups."""
        for value in values:
            self.names.update(part.strip() for part in value.split("=") if part.strip(" ^"))

    def may_occur(self, text: str) -> bool:
        """Return False only if no known value can be in `text`; much cheaper than the pattern."""
        return bool(self.occurring([text]))

    def occurring(self, texts: Sequence[str]) -> list[int]:
        """Return the numbers of the texts that a known value could be in."""
        if self._cores_of != len(self):
            self._cores, self._cores_of = _cores(*self._frozen()), len(self)
        squeezed = [_squeeze(simplified(text)) for text in texts]
        everything = "\n".join(squeezed)
        found = [core for core in self._cores if core in everything]
        dotted = self.names and names.DOTTED.search("\n".join(texts))
        if not found and not dotted:
            return []
        return [
            number
            for number, text in enumerate(squeezed)
            if any(core in text for core in found)
            or (dotted and names.DOTTED.search(texts[number]))
        ]


@lru_cache(maxsize=256)
def _cores(
    persons: frozenset[str], ids: frozenset[str], phrases: frozenset[str], dates: frozenset[str]
) -> frozenset[str]:
    """Return strings one of which is in every squeezed text that the pattern could match."""
    cores = {c for n in persons for c in _name_cores(n)}
    cores |= {_squeeze(v).lstrip("0") for v in ids}
    cores |= {_squeeze(p) for v in phrases for p in _pieces(v)}
    for digits in (_NO_DIGIT.sub("", v)[:8] for v in dates):
        year, month, day = digits[:4], digits[4:6], digits[6:]
        cores |= {year + month + day, year[2:] + month + day}
        cores |= {month + day + year[2:], day + month + year[2:]}
        cores |= {month + day + year, day + month + year}
        cores.add(_MONTHS.get(month, ""))
    return frozenset(c for c in cores if c)


@lru_cache(maxsize=256)
def _compiled(
    persons: frozenset[str], ids: frozenset[str], phrases: frozenset[str], dates: frozenset[str]
) -> re.Pattern[str] | None:
    """Return one pattern for everything known, longest alternatives first.

    The slices of a series know the same values, so that most objects find theirs here.
    """
    parts: set[str] = set()
    for name in persons:
        parts.update(_name_patterns(name))
    parts.update(_identifier(v) for v in ids if _searchable_id(v))
    pieces = {p for v in phrases for p in _pieces(v)}
    parts.update(_phrase(v) for v in pieces if _searchable_phrase(v))
    parts.update(f for v in dates for f in _date_patterns(v))
    if not parts:
        return None
    return re.compile("|".join(sorted(parts, key=len, reverse=True)), re.IGNORECASE)


@lru_cache(maxsize=1024)
def _name_patterns(name: str) -> tuple[str, ...]:
    return tuple(names.cjk_name(name) if IS_CJK.search(name) else names.latin_name(name))


@lru_cache(maxsize=1024)
def _name_cores(name: str) -> tuple[str, ...]:
    return tuple(_squeeze(core) for core in names.cores(name))


@lru_cache(maxsize=1024)
def _date_patterns(value: str) -> tuple[str, ...]:
    return tuple(_date_forms(value))


def _squeeze(text: str) -> str:
    return _GAPS.sub("", text).casefold()


def _searchable_id(value: str) -> bool:
    digits = sum(c.isdigit() for c in value)
    return len(value) >= MIN_ID and (digits >= 3 or len(value) >= 6) and not _term(value)


def _identifier(value: str) -> str:
    """Find an identifier with separators, without leading zeros, and glued to other letters."""
    characters = [c for c in value if c.isalnum()]
    bare = "".join(characters).lstrip("0")
    zeros = "0*" if bare and len(bare) >= LONG_ID and bare[0].isdigit() else ""
    shown = list(bare) if zeros else characters
    joint = r"[\s\-._/]?" if len(shown) >= LONG_ID else ""
    body = zeros + joint.join(re.escape(c) for c in shown)
    glued = len(shown) >= LONG_ID
    before = r"(?<!\d)" if glued and shown[0].isdigit() else "(?<![A-Za-z0-9])"
    after = r"(?!\d)" if glued and shown[-1].isdigit() else "(?![A-Za-z0-9])"
    return f"{before}{body}{after}"


def _pieces(value: str) -> list[str]:
    """Return a phrase and, of an address, the parts that lead to one door; without accents too."""
    parts = [p.strip() for p in _AREA.split(value)]
    doors = [p for p in parts[1:] if any(c.isdigit() for c in p)]
    houses = [m.group() for p in parts if (m := _HOUSE.match(p))]
    found = [value, *(p for p in (*doors, *houses) if len(p) > MIN_PHRASE)]
    return list(dict.fromkeys([*found, *map(names.plain, found)]))


def _searchable_phrase(value: str) -> bool:
    return len(value) >= (2 if IS_CJK.search(value) else MIN_PHRASE) and not _term(value)


def _term(value: str) -> bool:
    words = re.split(r"[\W_]+", value)
    return all(is_clinical_term(w) for w in words if w)


def _phrase(value: str) -> str:
    words = [re.escape(w) for w in re.split(r"[\s,;^]+", value) if w]
    body = r"[\s,;^_]{1,3}".join(words)
    return body if IS_CJK.search(value) else f"(?<![A-Za-z0-9]){body}(?![A-Za-z0-9])"


def _date_forms(value: str) -> Iterable[str]:
    """Forms that the general date patterns leave alone: bare and two-digit-year dates."""
    digits = _NO_DIGIT.sub("", value)[:8]
    if len(digits) != 8 or digits[:4] == "0000":
        return
    year, month, day = digits[:4], digits[4:6], digits[6:]
    yield f"(?<!\\d){digits}(?:\\d{{6}})?(?!\\d)"
    for a, b in ((month, day), (day, month)):
        yield f"(?<![\\d.]){a}{b}{year}(?!\\d)"
        yield f"(?<![\\d.]){int(a):02d}[-/.]{int(b):02d}[-/.]{year[2:]}(?![\\d.])"
    yield f"(?<![\\d.]){year[2:]}[-/.]{month}[-/.]{day}(?![\\d.])"
    if name := _MONTHS.get(month):
        named, number = f"{name}[a-z]*\\.?", f"0?{int(day)}(?:st|nd|rd|th)?"
        yield f"(?<![A-Za-z]){named}[\\s._-]{{0,2}}{number}(?![A-Za-z\\d])"
        yield f"(?<!\\d){number}[\\s._-]{{0,2}}{named}(?![A-Za-z])"
