"""Text in one width, with the way back: where a hit in the folded text lies in the real one."""

from __future__ import annotations

import unicodedata


def fold(text: str) -> tuple[str, list[int]]:
    """Return the text in normal width and without accents, and each character's origin.

    NFKC, character by character; Latin letters lose their marks. The list has one entry more than
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
    return "".join(letters), [*origins, len(text)]
