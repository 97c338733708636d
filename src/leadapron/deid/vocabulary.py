"""Everyday imaging words, which are no evidence of a name, and Chinese surnames."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files


@lru_cache(maxsize=1)
def _read() -> tuple[frozenset[str], tuple[str, ...], frozenset[str]]:
    text = (files("leadapron.deid.data") / "vocabulary.txt").read_text("utf-8")
    plain, _, rest = text.partition("# compound surnames\n")
    compound, _, single = rest.partition("# surnames of one character\n")
    terms = (line for line in plain.splitlines() if not line.startswith("#"))
    known = frozenset(" ".join(terms).split())
    return known, tuple(compound.split()), frozenset("".join(single.split()))


def words() -> frozenset[str]:
    """Return the words, in lower case."""
    return _read()[0]


def surnames() -> tuple[str, ...]:
    """Return the Chinese surnames of two characters."""
    return _read()[1]


def single_surnames() -> frozenset[str]:
    """Return the Chinese surnames of one character."""
    return _read()[2]


def is_clinical_term(word: str) -> bool:
    """Return whether a word is everyday imaging vocabulary, so no evidence of a name."""
    return word.casefold() in words()
