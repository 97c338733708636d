"""Text in one width and one script, with the way back to where a hit lies in the real text."""

from __future__ import annotations

import unicodedata
from functools import lru_cache


@lru_cache(maxsize=1)
def _to_simplified() -> dict[int, str]:
    """Return the simplified form of each traditional character (OpenCC's table)."""
    from opencc import OpenCC

    characters = [chr(code) for code in (*range(0x3400, 0xA000), *range(0xF900, 0xFB00))]
    forms = OpenCC("t2s").convert("\n".join(characters)).split("\n")
    return {ord(a): b for a, b in zip(characters, forms, strict=True) if a != b and len(b) == 1}


def simplified(text: str) -> str:
    """Return the text with traditional characters as simplified ones, one for one.

    Only for comparing: 鍾 and 鐘 become the same 钟.
    """
    return text if text.isascii() else text.translate(_to_simplified())


def fold(text: str) -> tuple[str, list[int]]:
    """Return the text in normal width, without accents and simplified, with each origin.

    NFKC, character by character; Latin letters lose their marks, Chinese characters become
    simplified ones. The list has one entry more than
    the folded text: the end of the real one.
    """
    if text.isascii():
        return text, list(range(len(text) + 1))
    letters: list[str] = []
    origins: list[int] = []
    for index, letter in enumerate(text):
        for part in unicodedata.normalize("NFKC", letter):
            base = unicodedata.normalize("NFD", part)[0]
            if unicodedata.combining(part) and letters and letters[-1].isascii():
                continue
            letters.append(base if base.isascii() else part)
            origins.append(index)
    return simplified("".join(letters)), [*origins, len(text)]
