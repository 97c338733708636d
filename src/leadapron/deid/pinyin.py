"""Chinese names in Latin letters: pinyin with every reading, Wade-Giles, orders, initials."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import product

from leadapron.deid.vocabulary import single_surnames

MOST_READINGS, MOST_OLDER = 24, 6
_GAP = r"[\s^,;._\-·']{0,3}"
_EDGE, _END = "(?<![A-Za-z])", "(?![A-Za-z])"
_UMLAUT = {"v": ("v", "u", "yu"), "ü": ("v", "u", "yu")}
_FINAL = (
    "(?:iang|iong|uang|ang|eng|ong|iao|ian|ing|uai|uan|ai|ei|ao|ou|an|en|er|ia|ie|iu|in|ua|uo|ui|un"
    "|ue|ve|a|o|e|i|u|v)"
)
_ONE = f"(?:zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw])?{_FINAL}"
_SYLLABLE, _SYLLABLES = re.compile(_ONE), re.compile(f"(?:{_ONE}){{1,2}}")
LONG_SURNAME, LONG_GIVEN, MIN_INITIALS = 4, 5, 3


@lru_cache(maxsize=4096)
def readings(character: str) -> tuple[str, ...]:
    """Return the pinyin syllables of one character without tones; lü also as lv, lu and lyu."""
    from pypinyin import Style, pinyin

    found = pinyin(character, style=Style.NORMAL, heteronym=True, errors="ignore")
    spelt = {s for s in (found[0] if found else ()) if s.isalpha()}
    return tuple(sorted({v for s in spelt for v in _spellings(s)}))


@lru_cache(maxsize=4096)
def wade_giles(character: str) -> tuple[str, ...]:
    """Return the Wade-Giles syllables of one character (Taiwan, older passports): ts'ai, hsu."""
    from pypinyin import Style, pinyin

    found = pinyin(character, style=Style.WADEGILES, heteronym=True, errors="ignore")
    spelt = {s.replace("v", "u") for s in (found[0] if found else ())}
    return tuple(sorted(s for s in spelt if s.replace("'", "").isalpha() and s.isascii()))


def _spellings(syllable: str) -> Iterable[str]:
    for letter, others in _UMLAUT.items():
        if letter in syllable:
            return [syllable.replace(letter, other) for other in others]
    return [syllable]


def romanised(family: str, given: str) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Return (family, given) as syllables in every combination of readings, within bounds."""
    combined: list[tuple[str, ...]] = []
    for system, most in ((readings, MOST_READINGS), (wade_giles, MOST_OLDER)):
        each = [system(c) for c in family + given]
        combined += list(product(*each))[:most]
    combined = list(dict.fromkeys(combined))
    return [(c[: len(family)], c[len(family) :]) for c in combined]


def patterns(family: str, given: str, is_word: frozenset[str]) -> Iterable[str]:
    """Yield what finds a Chinese name in pinyin; `is_word` holds words that say nothing alone."""
    for surname, syllables in romanised(family, given):
        f = _joined(surname)
        g, initials = _joined(syllables), [s[0] for s in syllables]
        short = r"[\s.\-]{0,2}".join(initials)
        yield f"{_EDGE}{f}{_GAP}{g}{_END}"
        yield f"{_EDGE}{g}{_GAP}{f}{_END}"
        yield f"{_EDGE}{f}[\\s^,._]{{1,3}}{short}{_END}"
        yield f"{_EDGE}{short}[\\s^.,_]{{1,3}}{f}{_END}"
        whole, alone = _bare(syllables), _bare(surname)
        if len(syllables) > 1 and len(whole) >= LONG_GIVEN and whole not in is_word:
            yield f"{_EDGE}{g}{_END}"
        if len(alone) >= LONG_SURNAME and alone not in is_word:
            yield f"{_EDGE}{f}{_END}"
        letters = "".join(s[0] for s in (*surname, *syllables))
        if len(letters) >= MIN_INITIALS and letters not in is_word:
            yield f"{_EDGE}(?-i:{letters.upper()}){_END}"


def cores(family: str, given: str) -> Iterable[str]:
    """Yield strings one of which is in every squeezed text that a pattern could match."""
    for surname, syllables in romanised(family, given):
        yield _bare(surname)
        yield _bare(syllables)
        yield "".join(s[0] for s in (*surname, *syllables))


@lru_cache(maxsize=1)
def _characters() -> dict[str, str]:
    """Return the characters of GB 2312 by syllable."""
    by_syllable: dict[str, list[str]] = {}
    for code in range(0x4E00, 0xA000):
        character = chr(code)
        try:
            character.encode("gb2312")
        except UnicodeEncodeError:
            continue
        for syllable in readings(character):
            by_syllable.setdefault(syllable, []).append(character)
    return {syllable: "".join(found) for syllable, found in by_syllable.items()}


def hanzi(family: str, given: str) -> Iterable[str]:
    """Yield what finds a name that is known in pinyin only, written in characters.

    The surname must be a common one: two syllables alone fit too many words.
    """
    word = re.sub(r"[\W_]", "", given.casefold())
    if not (_SYLLABLE.fullmatch(family.casefold()) and _SYLLABLES.fullmatch(word)):
        return
    table = _characters()
    surname = "".join(c for c in table.get(family.casefold(), "") if c in single_surnames())
    if not surname:
        return
    for cut in range(1, len(word) + 1):
        first, second = table.get(word[:cut], ""), table.get(word[cut:], "")
        if first and (second or cut == len(word)):
            last = f"[{second}]" if second else ""
            yield f"[{surname}][\\s^,·]{{0,2}}[{first}]{last}"


def _joined(syllables: tuple[str, ...]) -> str:
    return r"[\s\-'·]{0,2}".join(s.replace("'", "['’`]?") for s in syllables)


def _bare(syllables: tuple[str, ...]) -> str:
    return "".join(syllables).replace("'", "")
