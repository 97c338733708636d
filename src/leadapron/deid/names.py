"""How one person's name is written: orders, initials, titles, masks, newborns without a name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from leadapron.deid import pinyin
from leadapron.deid.vocabulary import is_clinical_term, surnames, words

CJK = r"\u3400-\u9fff\uf900-\ufaff\u3040-\u30ff\uac00-\ud7af\U00020000-\U0003ffff"
IS_CJK = re.compile(f"[{CJK}]")
_HAN_ONLY = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]+")
_SEPARATORS = r"[\s^,;._\-·・=、，/]{0,3}"
_TITLES = "(?:先生|女士|小姐|同志|阿姨|老师|医生|医师|主任|教授|某某|某|氏|[*＊×○●]{1,2})"
_NEWBORN = re.compile(
    r"(?:之)?(?:[大小长次幼]?(?:子|女|婴|男婴|女婴|婴儿)|双胎(?:之)?[大小一二甲乙AB]?|新生儿|宝宝|BB|毛毛)"
    r"[一二三12ABab]?$"
)
DOTTED = re.compile(r"(?<![A-Za-z])[A-Za-z]\.\s?[A-Za-z]\.")
MIN_TOKEN = 3


def plain(text: str) -> str:
    """Return the text without accents."""
    decomposed = unicodedata.normalize("NFD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def latin_name(name: str) -> Iterable[str]:
    """Yield the patterns of a name in Latin letters, with accents and without."""
    for spelling in {name, plain(name)}:
        yield from _latin_spelling(spelling)
    for family, given in _chinese_orders(name):
        yield from pinyin.hanzi(family, given)


def _chinese_orders(name: str) -> list[tuple[str, str]]:
    """Return how a name of two tokens may be family and given name in pinyin."""
    tokens = [t for t in re.split(r"[\s^,;.]+", plain(name)) if t]
    if len(tokens) == 3:
        return [(tokens[0], tokens[1] + tokens[2]), (tokens[2], tokens[0] + tokens[1])]
    return [(tokens[0], tokens[1]), (tokens[1], tokens[0])] if len(tokens) == 2 else []


def _latin_spelling(name: str) -> Iterable[str]:
    components = [c for c in name.split("^")[:3] if c.strip()]
    tokens = [t for t in re.split(r"[\s^,;.]+", "^".join(components)) if t]
    known = [t for t in tokens if not is_clinical_term(t)]
    for chosen in {tuple(tokens), tuple(known)}:
        if len(chosen) > 1:
            yield from _token_pairs(list(chosen))
    if tokens and len(tokens[0]) > 1:  # also a word or two letters that say nothing alone
        yield _word(f"(?:for|name|patient|pt|mrs?|ms|miss|dr)\\.?[\\s:]{{1,2}}{_token(tokens[0])}")
    for token in tokens:
        if len(token) >= MIN_TOKEN and not is_clinical_term(token) and not token.isdigit():
            yield _word(_token(token))


def _token(token: str) -> str:
    """Return a token's pattern: O'Brien is also OBrien and O Brien."""
    return r"[\W_]?".join(re.escape(p) for p in re.split(r"[\W_]+", token) if p)


def _token_pairs(tokens: list[str]) -> Iterable[str]:
    """Family and given name in both orders, joined or apart, given name as an initial."""
    family = tokens[0]
    for given in tokens[1:]:
        f, g, i = _token(family), _token(given), re.escape(given[0])
        if len(family) + len(given) >= MIN_TOKEN:
            yield _word(f"{f}{_SEPARATORS}{g}")
            yield _word(f"{g}{_SEPARATORS}{f}")
        if len(family) >= MIN_TOKEN and not is_clinical_term(family):
            yield _word(f"{f}[\\s^,._]{{1,3}}{i}\\.?")
            yield _word(f"{i}[\\s^._]{{1,3}}{f}")
        elif len(family) > 1:
            capital = f"(?-i:{i.upper()})"
            yield _word(f"{f}[\\s^,._]{{1,3}}{capital}\\.?")
            yield _word(f"{capital}\\.\\s?{f}")
    letters = [re.escape(t[0]) for t in tokens[:3]]
    for order in (letters, [*letters[1:], letters[0]]):
        yield _word(r"\.\s?".join(order) + r"\.")


def _word(body: str) -> str:
    return f"(?<![A-Za-zÀ-ÿ]){body}(?![A-Za-zÀ-ÿ])"


def cjk_name(name: str) -> Iterable[str]:
    """Yield the patterns of a name in Chinese, Japanese or Korean letters, and in pinyin."""
    for family, given in _persons(name):
        if not given:
            yield re.escape(family) + (_TITLES if len(family) == 1 else "")
            continue
        f, g = re.escape(family), re.escape(given)
        yield f"{f}{_SEPARATORS}{_SEPARATORS.join(re.escape(c) for c in given)}"
        yield f"{g}[\\s^,]{{0,2}}{f}"
        yield f"{f}{_TITLES}(?:{re.escape(given[-1])})?"
        if len(given) > 1:
            yield f"{f}{re.escape(given[0])}[*＊×○●某]"
            yield g
        if _HAN_ONLY.fullmatch(family + given):
            yield from pinyin.patterns(family, given, words())


def _persons(name: str) -> list[tuple[str, str]]:
    """Return (family, given) of the person, and of the mother that a newborn is called after."""
    family, _, rest = name.partition("^")
    given = rest.split("^")[0].replace(" ", "")
    family = family.replace(" ", "")
    if not given:
        family, given = split_chinese(family)
    found = [(family, given)]
    mother = _NEWBORN.sub("", family + given)
    if mother != family + given and len(mother) > 1:
        found.append(split_chinese(mother))
    return found


def split_chinese(full: str) -> tuple[str, str]:
    """Return (surname, given name); compound surnames (欧阳 …) have two characters."""
    size = 2 if full.startswith(surnames()) and len(full) > 2 else 1
    return full[:size], full[size:]


def cores(name: str) -> Iterable[str]:
    """Yield strings one of which is in every text that a pattern of this name could match.

    Initials alone (`DOTTED`) are left out: two letters are in nearly every text.
    """
    for spelling in (name, plain(name)):
        for token in re.split(r"[\W_]+", spelling):
            if len(token) > 1 or IS_CJK.search(token):
                yield token
    if IS_CJK.search(name):
        for family, given in _persons(name):
            yield family[0]
            if given and _HAN_ONLY.fullmatch(family + given):
                yield from pinyin.cores(family, given)
