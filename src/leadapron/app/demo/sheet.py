"""The contact sheet: what was stored, what each reader saw, what leaked, how it was traced."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

PANEL_W, PANEL_H, MARGIN, CAPTION = 440, 470, 24, 92
INK, DIM, PAPER, CARD = "#e8edf2", "#93a4b5", "#10161d", "#18212b"


def contact_sheet(
    panels: list[tuple[str, str, npt.NDArray[np.uint8]]], title: str, path: Path
) -> None:
    """Write a PNG of captioned panels: (zh caption, en caption, uint8 grey or RGB)."""
    from pylopdf_fonts_zh_cn import sans_path

    width = MARGIN + len(panels) * (PANEL_W + MARGIN)
    sheet = Image.new("RGB", (width, PANEL_H + CAPTION + 3 * MARGIN + 40), PAPER)
    draw = ImageDraw.Draw(sheet)
    large, middle, small = (ImageFont.truetype(str(sans_path()), s) for s in (26, 21, 15))
    draw.text((MARGIN, MARGIN - 6), title, fill=INK, font=large)
    for number, (chinese, english, picture) in enumerate(panels):
        left, top = MARGIN + number * (PANEL_W + MARGIN), 2 * MARGIN + 40
        draw.rectangle((left, top, left + PANEL_W, top + PANEL_H + CAPTION), fill=CARD)
        _paste(sheet, picture, left, top)
        draw.text((left + 14, top + PANEL_H + 12), chinese, fill=INK, font=middle)
        draw.text((left + 14, top + PANEL_H + 48), english, fill=DIM, font=small)
    sheet.save(path, optimize=True)


def _paste(sheet: Image.Image, picture: npt.NDArray[np.uint8], left: int, top: int) -> None:
    image = Image.fromarray(picture).convert("RGB")
    image.thumbnail((PANEL_W - 8, PANEL_H - 8), Image.Resampling.LANCZOS)
    x = left + (PANEL_W - image.width) // 2
    y = top + (PANEL_H - image.height) // 2
    sheet.paste(image, (x, y))
