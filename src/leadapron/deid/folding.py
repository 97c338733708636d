"""Text in one width, with the way back: where a hit in the folded text lies in the real one."""

from __future__ import annotations

import unicodedata


def fold(text: str) -> tuple[str, list[int]]:
    """Return the text in normal width (NFKC, character by character) and each one's origin.

    The list has one entry more than the folded text: the end of the real one.
    """
    if text.isascii():
        return text, list(range(len(text) + 1))
    letters: list[str] = []
    origins: list[int] = []
    for index, letter in enumerate(text):
        for part in unicodedata.normalize("NFKC", letter):
            letters.append(part)
            origins.append(index)
    return "".join(letters), [*origins, len(text)]
