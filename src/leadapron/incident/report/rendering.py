"""Typeset a report: the same content and language give the same bytes."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from leadapron.model import BadInput

LANGUAGES = ("zh-CN", "en")
# What the two Chinese fonts of pylopdf-fonts-zh-cn surely hold. PDF/A has no missing glyphs.
_HELD = (
    (0x20, 0x7E), (0xA0, 0x17F), (0x370, 0x3FF), (0x2010, 0x2027), (0x2030, 0x205E),
    (0x2070, 0x209C), (0x2190, 0x2199), (0x2200, 0x2265), (0x3000, 0x30FF), (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF), (0xFF01, 0xFF5E),
)  # fmt: skip


def words(language: str) -> dict[str, Any]:
    """Return the report's words; BadInput for a language it is not written in."""
    if language not in LANGUAGES:
        raise BadInput(
            f"there is no report in '{language}'", remedy=f"ask for: {', '.join(LANGUAGES)}"
        )
    made: dict[str, Any] = json.loads(_resource(f"words.{language}.json"))
    return made


def printable(text: str) -> str:
    """Return `text` with characters that the fonts may lack written as their code points."""
    shown = []
    for character in text:
        point = ord(character)
        if any(low <= point <= high for low, high in _HELD):
            shown.append(character)
        else:
            shown.append(" " if character.isspace() else f"[U+{point:04X}]")
    return "".join(shown)


def render(content: Mapping[str, Any], pictures: Mapping[str, bytes], language: str) -> bytes:
    """Return the PDF/A-2b file.

    Args:
        content: what report.typ reads as `data`.
        pictures: PNG or JPEG files by the names that `content` uses.
        language: ``zh-CN`` or ``en``.
    """
    import typst

    inputs = {
        "data": json.dumps(content, ensure_ascii=False),
        "words": json.dumps(words(language), ensure_ascii=False),
        **{name: _as_svg(data) for name, data in pictures.items()},
    }
    made = typst.compile(
        _resource("report.typ").encode(),
        sys_inputs=inputs,
        font_paths=_fonts(),
        pdf_standards="a-2b",
        timestamp=0,
    )
    if not isinstance(made, bytes):
        raise TypeError("typst returned no file")
    return made


@cache
def _fonts() -> Any:
    import typst
    from pylopdf_fonts_zh_cn import sans_path

    return typst.Fonts(
        include_system_fonts=False,
        include_embedded_fonts=True,
        font_paths=[str(sans_path().parent)],
    )


@cache
def _resource(name: str) -> str:
    return files("leadapron.incident.report").joinpath(name).read_text(encoding="utf-8")


def _as_svg(data: bytes) -> str:
    """Wrap a picture into SVG: the one way to hand it over without a file on disk."""
    import cv2

    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if decoded is None:
        raise BadInput("a picture of the report cannot be read", remedy="trace the copy again")
    rows, columns = decoded.shape[:2]
    kind = "png" if data[:4] == b"\x89PNG" else "jpeg"
    inner = base64.b64encode(data).decode()
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{columns}" height="{rows}" viewBox="0 0 {columns} {rows}">'
        f'<image width="{columns}" height="{rows}" '
        f'xlink:href="data:image/{kind};base64,{inner}"/></svg>'
    )
