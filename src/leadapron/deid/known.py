"""Known-value sweep: what a known place held is searched for in everything that remains."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files

_CJK = r"\u3400-\u9fff\uf900-\ufaff\u3040-\u30ff\uac00-\ud7af\U00020000-\U0003ffff"
_NO_DIGIT = re.compile(r"\D")
_GAPS = re.compile(r"[\W_]+")
_IS_CJK = re.compile(f"[{_CJK}]")
_SEPARATORS = r"[\s^,;._\-·・=、，/]{0,3}"
_TITLES = "(?:先生|女士|小姐|同志|阿姨|老师|医生|医师|主任|教授|某某|某|氏|[*＊×○●]{1,2})"
MIN_TOKEN, MIN_ID, MIN_PHRASE = 3, 4, 4


@lru_cache(maxsize=1)
def _words() -> tuple[frozenset[str], tuple[str, ...]]:
    text = (files("leadapron.deid.data") / "vocabulary.txt").read_text("utf-8")
    plain, _, surnames = text.partition("# compound surnames\n")
    terms = (line for line in plain.splitlines() if not line.startswith("#"))
    return frozenset(" ".join(terms).split()), tuple(surnames.split())


def is_clinical_term(word: str) -> bool:
    """Return whether a word is everyday imaging vocabulary, so no evidence of a name."""
    return word.casefold() in _words()[0]


@dataclass
class KnownValues:
    """The identifying values met in one object; `pattern` finds them in any text."""

    names: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)
    phrases: set[str] = field(default_factory=set)
    dates: set[str] = field(default_factory=set)
    _pattern: re.Pattern[str] | None = None
    _size: int = -1

    def pattern_cached(self) -> re.Pattern[str] | None:
        """Return `pattern`, compiled again only after values were added."""
        size = len(self.names) + len(self.ids) + len(self.phrases) + len(self.dates)
        if size != self._size:
            self._pattern, self._size = self.pattern(), size
        return self._pattern

    def add_names(self, values: Iterable[str]) -> None:
        """Add PN values, all component groups."""
        for value in values:
            self.names.update(part.strip() for part in value.split("=") if part.strip(" ^"))

    def may_occur(self, text: str) -> bool:
        """Return False only if no known value can be in `text`; much cheaper than `pattern`."""
        squeezed = _squeeze(text)
        return any(core in squeezed for core in self._cores())

    def _cores(self) -> set[str]:
        names = {t for n in self.names for s in (n, _plain(n)) for t in _GAPS.split(s)}
        cores = {_squeeze(t) for t in names if len(t) > 1 or _IS_CJK.search(t)}
        cores |= {c[0] for c in cores if _IS_CJK.match(c)}
        cores |= {_squeeze(v) for v in self.ids | self.phrases}
        for digits in (_NO_DIGIT.sub("", v)[:8] for v in self.dates):
            year, month, day = digits[:4], digits[4:6], digits[6:]
            cores |= {year + month + day, year[2:] + month + day}
            cores |= {month + day + year[2:], day + month + year[2:]}
            cores |= {month + day + year, day + month + year}
        return {c for c in cores if c}

    def pattern(self) -> re.Pattern[str] | None:
        """Return one pattern for everything known, longest alternatives first."""
        parts: set[str] = set()
        for name in self.names:
            parts.update(_cjk_name(name) if _IS_CJK.search(name) else _latin_name(name))
        parts.update(_identifier(v) for v in self.ids if _searchable_id(v))
        parts.update(_phrase(v) for v in self.phrases if _searchable_phrase(v))
        parts.update(f for v in self.dates for f in _date_forms(v))
        if not parts:
            return None
        return re.compile("|".join(sorted(parts, key=len, reverse=True)), re.IGNORECASE)


def _squeeze(text: str) -> str:
    return _GAPS.sub("", text).casefold()


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def _latin_name(name: str) -> Iterable[str]:
    for spelling in {name, _plain(name)}:
        yield from _latin_spelling(spelling)


def _latin_spelling(name: str) -> Iterable[str]:
    components = [c for c in name.split("^")[:3] if c.strip()]
    tokens = [t for t in re.split(r"[\s^,;.]+", "^".join(components)) if t]
    if len(tokens) > 1:
        yield from _token_pairs(tokens)
    for token in tokens:
        if len(token) >= MIN_TOKEN and not is_clinical_term(token) and not token.isdigit():
            yield _word(re.escape(token))


def _token_pairs(tokens: list[str]) -> Iterable[str]:
    """Family and given name in both orders, joined or apart, given name as an initial."""
    family = tokens[0]
    for given in tokens[1:]:
        f, g, i = re.escape(family), re.escape(given), re.escape(given[0])
        if len(family) + len(given) >= MIN_TOKEN:
            yield _word(f"{f}{_SEPARATORS}{g}")
            yield _word(f"{g}{_SEPARATORS}{f}")
        if len(family) >= MIN_TOKEN and not is_clinical_term(family):
            yield _word(f"{f}[\\s^,._]{{1,3}}{i}\\.?")
            yield _word(f"{i}[\\s^._]{{1,3}}{f}")


def _word(body: str) -> str:
    return f"(?<![A-Za-zÀ-ÿ]){body}(?![A-Za-zÀ-ÿ])"


def _cjk_name(name: str) -> Iterable[str]:
    family, _, rest = name.partition("^")
    given = rest.split("^")[0]
    family, given = family.replace(" ", ""), given.replace(" ", "")
    if not given:
        family, given = split_chinese(family)
    if not given:
        yield re.escape(family) + (_TITLES if len(family) == 1 else "")
        return
    f, g = re.escape(family), re.escape(given)
    yield f"{f}{_SEPARATORS}{g}"
    yield f"{g}[\\s^,]{{0,2}}{f}"
    yield f"{f}{_TITLES}"
    if len(given) > 1:
        yield f"{f}[*＊×○●某]{re.escape(given[-1])}"
        yield g


def split_chinese(full: str) -> tuple[str, str]:
    """Return (surname, given name); compound surnames (欧阳 …) have two characters."""
    size = 2 if full.startswith(_words()[1]) and len(full) > 2 else 1
    return full[:size], full[size:]


def _searchable_id(value: str) -> bool:
    digits = sum(c.isdigit() for c in value)
    return len(value) >= MIN_ID and (digits >= 3 or len(value) >= 6) and not _term(value)


def _identifier(value: str) -> str:
    characters = [re.escape(c) for c in value if c.isalnum()]
    joint = r"[\s\-._/]?" if len(characters) >= 6 else ""
    return f"(?<![A-Za-z0-9]){joint.join(characters)}(?![A-Za-z0-9])"


def _searchable_phrase(value: str) -> bool:
    return len(value) >= (2 if _IS_CJK.search(value) else MIN_PHRASE) and not _term(value)


def _term(value: str) -> bool:
    words = re.split(r"[\W_]+", value)
    return all(is_clinical_term(w) for w in words if w)


def _phrase(value: str) -> str:
    words = [re.escape(w) for w in re.split(r"[\s,;^]+", value) if w]
    body = r"[\s,;^_]{1,3}".join(words)
    return body if _IS_CJK.search(value) else f"(?<![A-Za-z0-9]){body}(?![A-Za-z0-9])"


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
