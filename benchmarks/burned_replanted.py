"""The films of the test set with other people on them, for `burned_in.py`.

Each picture of ``deid/pseudo_phi`` loses its own text (a part of the same picture is laid over
it), is perhaps mirrored and made larger or smaller, and gets a new sheet of labels and values or
a line of values, as such sets have them: other names, places, fonts and positions. The seed was
never looked at while the detector was built.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom

import burned_text as bt
from burned_films import DATA, Film, wrap
from burned_text import Item

SEED = 7_402_119
OWN_FONT = "truetype/dejavu/DejaVuSans-Bold.ttf"
OTHER_FONTS = (
    "truetype/dejavu/DejaVuSans.ttf", "truetype/liberation/LiberationSans-Regular.ttf",
    "truetype/liberation/LiberationSans-Bold.ttf", "truetype/freefont/FreeSansBold.ttf",
)  # fmt: skip
NAMES = (
    "MAC DONALD-FRASER SIOBHAN", "O'CONNOR LI", "VAN DER BERG JOHANNES", "NG AI", "ÅKESSON BJÖRN",
    "IBARRA DE LA CRUZ MARIA", "WU XIAOMING", "SMITH JOHN", "THORNTON-REES IMOGEN", "YU FEI",
)  # fmt: skip
PLACES = (
    "St. Anne's Hospital", "Harper, Cole and Whitaker Regional Medical Center", "Kim Clinic",
    "Rasmussen-Ortiz Community Hospital", "Abbott, Vance and Liu Health", "Mercy West Imaging",
)  # fmt: skip
TONES = {"own": None, "grey": 0.62, "translucent": None}

Hull = tuple[int, int, int, int]


@lru_cache(maxsize=1)
def grounds() -> list[tuple[str, str, np.ndarray]]:
    """Return (name, modality, picture 0..1 without its text) of every film of the set."""
    found = []
    for file in sorted((DATA / "deid" / "pseudo_phi").glob("*.dcm")):
        ds = pydicom.dcmread(file)
        truth = json.loads(file.with_suffix(".json").read_text())["annotation"]
        boxes = [p["bbox"] for a in truth for p in a.values() if any(p.get("bbox", ()))]
        shown = np.clip(ds.pixel_array, 0, 255).astype(np.float32) / 255
        found.append((file.name[:10], str(ds.Modality), _without(shown, boxes)))
    return found


def _without(picture: np.ndarray, boxes: list[list[int]]) -> np.ndarray:
    """Lay a part of the picture without text over the text's hull."""
    rows, columns = picture.shape
    x0, y0 = max(0, min(b[0] for b in boxes) - 6), max(0, min(b[1] for b in boxes) - 30)
    x1, y1 = min(columns, max(b[2] for b in boxes) + 90), min(rows, max(b[3] for b in boxes) + 6)
    tall = y1 - y0
    for part in (
        picture[:, ::-1][y0:y1, x0:x1] if x1 <= columns / 2 or x0 >= columns / 2 else None,
        picture[y0 - tall : y0, x0:x1][::-1] if y0 >= tall else None,
        picture[y1 : y1 + tall, x0:x1][::-1] if y1 + tall <= rows else None,
    ):
        if part is not None:
            out = picture.copy()
            out[y0:y1, x0:x1] = part
            return out
    raise ValueError("the text covers more than half of the picture")


def replanted(half: str, number: int) -> Film:
    """Return one film of the set with a new person's text on it."""
    rng = np.random.default_rng([SEED, number, half == "report"])
    films = grounds()
    name, modality, ground = films[number % len(films)]
    picture = ground[:, ::-1] if rng.random() < 0.5 else ground
    scale = float(rng.choice((1.0, 1.0, 1.0, 0.8, 1.25, 1.6)))
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    picture = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
    font = OWN_FONT if rng.random() < 0.6 else str(rng.choice(bt.available(OTHER_FONTS)))
    ems = max(8, round(picture.shape[0] / float(rng.choice((50, 50, 50, 36, 60)))))
    made, values = _sheet(rng, font, ems)
    tone = str(rng.choice(("own", "own", "own", "grey", "translucent")))
    items = _burn(rng, picture, made, values, tone)
    for item in items:
        item.kinds |= {
            "modality": modality, "font": Path(font).stem, "ink": tone, "em": f"{ems:02} px",
            "film": f"{picture.shape[0]:04} rows", "patient": name,
        }  # fmt: skip
    samples = np.round(picture * 255).astype(np.uint16)
    photometric = "MONOCHROME1" if rng.random() < 0.2 else "MONOCHROME2"
    return Film(f"{half} {number}: {name} {modality}", wrap(samples, 16, photometric), items)


def _burn(
    rng: np.random.Generator, picture: np.ndarray, made: bt.Stamp, values: list[str], tone: str
) -> list[Item]:
    """Draw the sheet somewhere, perhaps across the edge; return what stays on the film."""
    rows, columns = picture.shape
    tall, wide = made.alpha.shape
    corner = rng.random() < 0.5
    x = int(rng.choice((3, columns - wide - 3)) if corner else rng.integers(2, columns * 3 // 4))
    y = int(rng.choice((3, rows - tall - 3)) if corner else rng.integers(2, rows * 4 // 5))
    x, y = max(2, x), max(2, y)
    under = picture[y : y + tall, x : x + wide]
    ink: Any = 0.0 if float(under.mean()) > 0.4 else 1.0
    if tone == "grey":
        ink = abs(ink - 0.62 if ink else 0.38)
    bt.burn(picture, made, (x, y), "translucent" if tone == "translucent" else "plain", ink)
    items = []
    for text, (x0, y0, x1, y1) in zip(values, made.boxes, strict=True):
        box = (x0 + x, y0 + y, min(x1 + x, columns), min(y1 + y, rows))
        if box[2] > box[0] + 2 and box[3] > box[1] + 2:
            items.append(Item(text, box, {"place": "corner" if corner else "anywhere"}))
    return items


def _sheet(rng: np.random.Generator, font: str, size: int) -> tuple[bt.Stamp, list[str]]:
    """Return the drawn sheet and its values; the stamp's boxes are the values' own."""
    name, place = str(rng.choice(NAMES)), str(rng.choice(PLACES))
    number = "".join(map(str, rng.integers(0, 10, int(rng.integers(7, 11)))))
    born = f"{rng.integers(1, 13):02}/{rng.integers(1, 29):02}/{rng.integers(1930, 2012)}"
    month = rng.choice(("Jan", "Mar", "May", "Jun", "Oct", "Dec"))
    date = f"{rng.integers(1986, 2022)} {month} {rng.integers(1, 29):02}"
    lines = [
        [("Institution Name:", place)], [("Study Date:", date)], [("Patient ID:", number)],
        [("Name:", name)], [("Age:", str(rng.integers(1, 99)))], [("DOB:", born)],
    ]  # fmt: skip
    if rng.random() < 0.35:
        lines = [[("", date), ("", name), ("", str(rng.choice(("M", "F"))))], [("DOB:", born)]]
    gap = max(size + 2, round(size * float(rng.choice((1.25, 1.4)))))
    parts, boxes, values = [], [], []
    for row, pieces in enumerate(lines):
        drawn = bt.render(font, " ".join(f"{k} {v}".strip() for k, v in pieces), size)
        parts.append(drawn)
        before = ""
        for label, value in pieces:
            start = f"{before}{label} " if label else before
            left = bt.render(font, start, size).shape[1] - 4 if start else 0
            right = bt.render(font, start + value, size).shape[1]
            shown = drawn.copy()
            shown[:, :left], shown[:, right:] = 0, 0
            x0, y0, x1, y1 = bt.tight(shown)
            boxes.append((x0, y0 + row * gap, x1, y1 + row * gap))
            values.append(value)
            before = f"{start}{value} "
    return bt.Stamp(bt.stack(parts, values[: len(parts)], gap).alpha, boxes, values), values
