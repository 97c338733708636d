"""Seeded burned-in text for `burned_in.py`: words, fonts, looks; every letter's place is known.

Each half has fonts of its own: the detector was looked at with the `tune` half only, the
`report` half gives the published figures. A font that is not installed is left out; the run
prints which.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

FOLDER = Path("/usr/share/fonts")
LATIN_FONTS = {
    "tune": (
        "truetype/dejavu/DejaVuSans.ttf", "truetype/dejavu/DejaVuSansMono-Bold.ttf",
        "truetype/liberation/LiberationSerif-Regular.ttf", "truetype/freefont/FreeSans.ttf",
        "hershey:0", "hershey:4", "bitmap", "seven",
    ),
    "report": (
        "truetype/dejavu/DejaVuSans-Bold.ttf", "truetype/dejavu/DejaVuSerif-Bold.ttf",
        "truetype/liberation/LiberationSans-Regular.ttf",
        "truetype/liberation/LiberationSansNarrow-Bold.ttf",
        "truetype/liberation/LiberationMono-Regular.ttf",
        "truetype/terminus/TerminusTTF-4.46.0.ttf", "truetype/dseg/DSEG7Classic-Regular.ttf",
        "hershey:1", "hershey:2", "hershey:3",
    ),
}  # fmt: skip
CHINESE_FONTS = {
    "tune": ("opentype/noto/NotoSansCJK-Regular.ttc", "opentype/noto/NotoSerifCJK-Bold.ttc"),
    "report": (
        "opentype/noto/NotoSansCJK-Bold.ttc", "opentype/noto/NotoSerifCJK-Regular.ttc",
        "truetype/wqy/wqy-zenhei.ttc", "truetype/arphic/ukai.ttc",
    ),
}  # fmt: skip
SEGMENTS = dict(
    zip("0123456789-", ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc",
                        "abcdefg", "abcdfg", "g"), strict=True)
)  # fmt: skip
STROKES = {
    "a": (0, 0, 1, 0), "b": (1, 0, 1, 1), "c": (1, 1, 1, 2), "d": (0, 2, 1, 2),
    "e": (0, 1, 0, 2), "f": (0, 0, 0, 1), "g": (0, 1, 1, 1),
}  # fmt: skip
LAST = [
    "Kaufman",
    "Davidson",
    "Beasley",
    "Okafor",
    "Nguyen",
    "Szymanski",
    "Rossi",
    "Whitfield",
    "Petrov",
    "Al-Sayed",
]
FIRST = [
    "Scott",
    "Carmen",
    "Andrew",
    "Ngozi",
    "Minh",
    "Agnieszka",
    "Luca",
    "Eleanor",
    "Dmitri",
    "Fatima",
]
SURNAMES, GIVEN = "王李张刘陈杨赵黄周吴欧阳", "伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超"
LOOKS = ("plain", "plain", "plain", "outline", "box", "translucent", "hard", "shadow")
TURNS = (0, 0, 0, 0, 0, 0, 90, 270, 180, "tilt")
CONTENTS = (
    "latin name", "chinese name", "number", "date", "short token", "labelled", "chinese labelled",
    "block", "chinese block",
)  # fmt: skip


@dataclass
class Item:
    """One annotated line: tight half-open box and what kind of text it is, axis by axis."""

    text: str
    box: tuple[int, int, int, int]
    kinds: dict[str, str] = field(default_factory=dict)
    mark: bool = False


@dataclass
class Stamp:
    """Rendered text: alpha (H, W) 0..1 and the box of each line in it."""

    alpha: np.ndarray
    boxes: list[tuple[int, int, int, int]]
    lines: list[str]


def available(names: tuple[str, ...]) -> list[str]:
    return [n for n in names if n.partition(":")[0] in ("hershey", "bitmap", "seven")
            or (FOLDER / n).exists()]  # fmt: skip


def missing() -> list[str]:
    every = [n for fonts in (LATIN_FONTS, CHINESE_FONTS) for names in fonts.values() for n in names]
    return [n for n in every if n not in available(tuple(every))]


def words(rng: np.random.Generator, content: str) -> list[str]:
    """Return the lines of one text: invented people only."""

    def pick(options: Any) -> str:
        return str(options[int(rng.integers(len(options)))])

    def digits(count: int) -> str:
        return "".join(map(str, rng.integers(0, 10, count)))

    def date() -> str:
        year, month, day = rng.integers(1930, 2025), rng.integers(1, 13), rng.integers(1, 29)
        forms = ("{0}-{1:02}-{2:02}", "{0}{1:02}{2:02}", "{1:02}/{2:02}/{0}", "{2:02}.{1:02}.{0}")
        return pick(forms).format(year, month, day)

    name = f"{pick(LAST).upper()} {pick(FIRST).upper()}"
    given = pick(GIVEN) + (pick(GIVEN) if rng.random() < 0.6 else "")
    chinese = pick(SURNAMES) + given
    latin = {
        "latin name": [pick((name, name.title(), name.replace(" ", "^"), name.replace(" ", ", ")))],
        "number": [digits(int(rng.integers(6, 13)))],
        "date": [date()],
        "short token": [pick(("M", "F", "42Y", "067Y", "037", "78", "F67", "3D"))],
        "labelled": [pick((f"Patient ID: {digits(8)}", f"Name: {name}", f"DOB {date()}"))],
        "block": [f"Name: {name}", f"ID: {digits(9)}", f"DOB: {date()}",
                  f"Age: {rng.integers(1, 99)}", f"{pick(LAST)} Community Hospital"],
    }  # fmt: skip
    han = {
        "chinese name": [chinese],
        "chinese labelled": [pick((f"姓名:{chinese}", f"住院号 {digits(8)}", f"检查日期 {date()}",
                                   f"年龄 {rng.integers(1, 99)}岁", f"身份证 {digits(18)}"))],
        "chinese block": [f"姓名 {chinese}  {pick('男女')}", f"门诊号 {digits(7)}",
                          f"出生日期 {date()}", "市第一人民医院放射科"],
    }  # fmt: skip
    return (latin | han)[content]


def stamp(rng: np.random.Generator, half: str, content: str, size: int) -> tuple[Stamp, str]:
    """Render one text of `size` pixels an em; return it with its font's name."""
    chinese = content.startswith("chinese")
    names = available((CHINESE_FONTS if chinese else LATIN_FONTS)[half])
    plain = content in ("number", "date")
    names = [n for n in names if plain or not n.startswith(("seven", "truetype/dseg"))]
    name = names[int(rng.integers(len(names)))]
    lines = words(rng, content)
    if name.startswith(("seven", "truetype/dseg")):
        lines = [line.replace("/", "-").replace(".", "-") for line in lines]
    gap = round(size * float(rng.uniform(1.15, 1.6)))
    return stack([render(name, line, size) for line in lines], lines, gap), name


def stack(parts: list[np.ndarray], lines: list[str], gap: int) -> Stamp:
    """Put lines below each other, left-aligned, each `gap` pixels below the last one's top."""
    height = gap * (len(parts) - 1) + parts[-1].shape[0]
    height = max(height, *(gap * i + p.shape[0] for i, p in enumerate(parts)))
    alpha = np.zeros((height, max(p.shape[1] for p in parts)), np.float32)
    boxes = []
    for number, part in enumerate(parts):
        top = gap * number
        rows, columns = part.shape
        window = alpha[top : top + rows, :columns]
        np.maximum(window, part, out=window)
        x0, y0, x1, y1 = tight(part)
        boxes.append((x0, y0 + top, x1, y1 + top))
    return Stamp(alpha, boxes, lines)


def tight(alpha: np.ndarray) -> tuple[int, int, int, int]:
    ys, xs = np.nonzero(alpha > 0.3)
    return int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1


def render(name: str, text: str, size: int) -> np.ndarray:
    if name.startswith("hershey"):
        return _hershey(int(name[-1]), text, size)
    if name == "seven":
        return _seven(text, size)
    if name == "bitmap":
        return _bitmap(text, size)
    font = _font(name, size)
    x0, y0, x1, y1 = font.getbbox(text)
    canvas = Image.new("L", (int(x1 - min(x0, 0)) + 4, int(y1 - min(y0, 0)) + 4))
    ImageDraw.Draw(canvas).text((2 - min(x0, 0), 2 - min(y0, 0)), text, font=font, fill=255)
    return np.asarray(canvas, np.float32) / 255


@lru_cache(maxsize=256)
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FOLDER / name), size)


def _hershey(face: int, text: str, size: int) -> np.ndarray:
    scale, thick = size / 30, max(1, round(size / 16))
    (width, height), base = cv2.getTextSize(text, face, scale, thick)
    canvas = np.zeros((height + base + 2 * thick + 4, width + 2 * thick + 4), np.uint8)
    cv2.putText(canvas, text, (thick + 2, height + thick + 2), face, scale, 255, thick, cv2.LINE_AA)
    return canvas.astype(np.float32) / 255


def _bitmap(text: str, size: int) -> np.ndarray:
    """Return the 11-pixel bitmap font, enlarged without smoothing like old consoles do."""
    font = ImageFont.load_default_imagefont()
    x0, _, x1, y1 = font.getbbox(text)
    canvas = Image.new("L", (int(x1 - x0) + 2, int(y1) + 2))
    ImageDraw.Draw(canvas).text((1, 1), text, font=font, fill=255)
    times = max(1, round(size / 11))
    return np.kron(np.asarray(canvas), np.ones((times, times))).astype(np.float32) / 255


def _seven(text: str, size: int) -> np.ndarray:
    thick = max(1, size // 9)
    tall, wide, gap = size - thick, size // 2, max(2, size // 4)
    canvas = np.zeros((size + 4, len(text) * (wide + gap) + 2 * thick + 4), np.uint8)
    for number, letter in enumerate(text):
        left = 2 + thick + number * (wide + gap)
        for segment in SEGMENTS.get(letter, ""):
            ax, ay, bx, by = STROKES[segment]
            start = (left + ax * wide, 2 + ay * tall // 2)
            cv2.line(canvas, start, (left + bx * wide, 2 + by * tall // 2), 255, thick)
    return canvas.astype(np.float32) / 255


def turned(made: Stamp, degrees: float) -> Stamp:
    """Return the stamp turned counter-clockwise; boxes stay upright and tight."""
    if not degrees:
        return made

    def turn(alpha: np.ndarray) -> np.ndarray:
        picture = Image.fromarray((alpha * 255).astype(np.uint8))
        return np.asarray(picture.rotate(degrees, Image.Resampling.BICUBIC, expand=True)) / 255

    boxes = []
    for x0, y0, x1, y1 in made.boxes:
        alone = np.zeros_like(made.alpha)
        alone[y0:y1, x0:x1] = made.alpha[y0:y1, x0:x1]
        boxes.append(tight(turn(alone)))
    return Stamp(turn(made.alpha).astype(np.float32), boxes, made.lines)


def burn(
    picture: np.ndarray, made: Stamp, at: tuple[int, int], look: str, colour: np.ndarray | float
) -> None:
    """Draw a stamp on `picture` (H, W[, 3]) float 0..1 with its top left corner at (x, y)."""
    x, y = at
    rows, columns = made.alpha.shape
    window = picture[y : y + rows, x : x + columns]
    alpha = made.alpha[: window.shape[0], : window.shape[1]]
    ink = np.asarray(colour, np.float32)
    opposite = np.float32(0.0 if float(ink.mean()) > 0.5 else 1.0)
    if look == "box":
        window[...] = 0.8 * opposite + 0.1
    elif look in ("outline", "shadow"):
        wide = max(1, round(rows / max(1, len(made.lines)) / 12))
        around = cv2.dilate(alpha, np.ones((2 * wide + 1, 2 * wide + 1), np.uint8))
        if look == "shadow":
            around = np.roll(alpha, (wide, wide), (0, 1))
        _blend(window, around, opposite)
    if look == "hard":
        alpha = (alpha > 0.5).astype(np.float32)
    _blend(window, alpha * (0.55 if look == "translucent" else 1.0), ink)


def _blend(window: np.ndarray, alpha: np.ndarray, ink: np.ndarray | np.float32) -> None:
    weight = alpha[..., None] if window.ndim == 3 else alpha
    window[...] = window * (1 - weight) + weight * ink
