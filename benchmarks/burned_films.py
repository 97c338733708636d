"""Seeded films with burned-in text for `burned_in.py`: grounds, placing, data sets.

Grounds: chest films below the data folder (512² to 768²), the CR, CT and MR pictures of
pydicom-data at their own size, and drawn ones where none of these is there. Each half has its own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

import burned_text as bt
from burned_text import Item

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("LEADAPRON_TEST_DATA", ROOT.parent / "shared" / "data"))
STOCK = {
    "tune": ("RG3_UNCR.dcm", "MR-SIEMENS-DICOM-WithOverlays.dcm", "693_UNCR.dcm"),
    "report": ("RG1_UNCI.dcm", "MR2_UNCI.dcm", "J2K_pixelrep_mismatch.dcm", "explicit_VR-UN.dcm"),
}
DEPTHS = ("8 bit", "12 bit", "16 bit", "signed", "MONOCHROME1", "wide", "hot pixel")
SIZES = (10, 12, 14, 17, 20, 24, 30, 40, 60)


@dataclass
class Film:
    """A data set and what is written on it; `pixels` is its picture as shown, 0..1."""

    name: str
    ds: Dataset
    items: list[Item] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=dict)


@lru_cache(maxsize=4)
def sources(half: str) -> list[str]:
    """Return the names of this half's grounds."""
    films = sorted((DATA / "anatomy" / "wingspan" / "images").glob("*"))
    films += sorted((DATA / "anatomy" / "gbc100").rglob("images/*"))
    own = [str(f) for f in films[half == "report" :: 2]]
    stock = [s for s in STOCK[half] if _stock(s)]
    return [*own, *stock] or [f"drawn {half} {n}" for n in range(40)]


@lru_cache(maxsize=32)
def _stock(name: str) -> str | None:
    from pydicom.data import get_testdata_file

    try:
        found = get_testdata_file(name, download=False)
    except Exception:
        return None
    return str(found) if found else None


def ground(source: str) -> np.ndarray:
    """Return a film as shown (H, W) float32 0..1."""
    if source.startswith("drawn"):
        return _drawn(abs(hash(source)) % 2**31)
    if source.endswith(".dcm"):
        ds = pydicom.dcmread(str(_stock(source)))
        shown = ds.pixel_array.astype(np.float32)
        if ds.PhotometricInterpretation == "MONOCHROME1":
            shown = -shown
        low, high = np.percentile(shown, (0.5, 99.5))
        return np.clip((shown - low) / max(float(high - low), 1.0), 0, 1).astype(np.float32)
    film = cv2.imread(source, cv2.IMREAD_GRAYSCALE)
    return film.astype(np.float32) / 255


def _drawn(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.random((7, 7), np.float32)
    fine = rng.normal(0, 0.02, (640, 560)).astype(np.float32)
    return np.clip(cv2.resize(coarse, (560, 640), interpolation=cv2.INTER_CUBIC) + fine, 0, 1)


def texted(half: str, number: int) -> Film:
    """Return one film with up to five texts far apart, each of another kind."""
    rng = np.random.default_rng([number, half == "report", 1])
    every = sources(half)
    large = [s for s in every if s.endswith(".dcm")]
    pool = large if large and number % 4 == 0 else every
    source = pool[int(rng.integers(len(pool)))]
    picture = ground(source).copy()
    items: list[Item] = []
    for _ in range(5):
        _add(rng, half, picture, items)
    depth = DEPTHS[int(rng.integers(len(DEPTHS)))]
    ds = dataset(picture, depth, rng)
    for item in items:
        item.kinds["depth"] = depth
    return Film(f"{half} {number}: {Path(source).name}, {depth}", ds, items, {"depth": depth})


def _add(rng: np.random.Generator, half: str, picture: np.ndarray, items: list[Item]) -> None:
    content = bt.CONTENTS[int(rng.integers(len(bt.CONTENTS)))]
    largest = max(picture.shape) / 20
    sizes = [s for s in SIZES if s <= largest or s <= 24]
    size = sizes[int(rng.integers(len(sizes)))]
    made, font = bt.stamp(rng, half, content, size)
    turn: Any = bt.TURNS[int(rng.integers(len(bt.TURNS)))]
    degrees = float(rng.uniform(2, 8) * rng.choice((-1, 1))) if turn == "tilt" else float(turn)
    made = bt.turned(made, degrees)
    place = ("free", "free", "edge", "saturated")[int(rng.integers(4))]
    spot = _spot(rng, picture.shape, made.alpha.shape, items, place, size)
    if spot is None:
        return
    x, y = spot
    window = picture[y : y + made.alpha.shape[0], x : x + made.alpha.shape[1]]
    if place == "saturated":
        window = _saturate(rng, picture, spot, made.alpha.shape, size)
    colour, tone = _ink(rng, window)
    look = bt.LOOKS[int(rng.integers(len(bt.LOOKS)))]
    bt.burn(picture, made, spot, look, colour)
    kinds = {
        "content": content, "font": font.rpartition("/")[2], "look": look, "turn": str(turn),
        "place": place, "ink": tone, "size": f"{size:02} px", "ground": _ground_kind(window),
        "film": f"{-(-max(picture.shape) // 500) * 500:04} px",
    }  # fmt: skip
    for line, (x0, y0, x1, y1) in zip(made.lines, made.boxes, strict=True):
        items.append(Item(line, (x0 + x, y0 + y, x1 + x, y1 + y), dict(kinds)))


def _ground_kind(window: np.ndarray) -> str:
    mean, spread = float(window.mean()), float(window.std())
    if spread > 0.12:
        return "uneven"
    return "dark" if mean < 0.2 else "bright" if mean > 0.8 else "middle"


def _ink(rng: np.random.Generator, window: np.ndarray) -> tuple[float, str]:
    """Choose a tone that a person can tell from at least most of the ground."""
    tones = {"white": 1.0, "black": 0.0, "light grey": 0.75, "dark grey": 0.3}
    seen = {k: v for k, v in tones.items() if float((abs(window - v) > 0.2).mean()) > 0.8}
    if not seen:
        return (1.0, "white") if float(window.mean()) < 0.5 else (0.0, "black")
    tone = str(rng.choice(sorted(seen)))
    return seen[tone], tone


def _saturate(
    rng: np.random.Generator, picture: np.ndarray, spot: tuple[int, int], size: tuple[int, ...],
    margin: int,
) -> np.ndarray:  # fmt: skip
    """Paint a white or black field under the text, as direct radiation and shutters do."""
    (x, y), (rows, columns) = spot, size
    patch = picture[
        max(0, y - margin) : y + rows + margin, max(0, x - margin) : x + columns + margin
    ]
    patch[...] = float(rng.choice((0.0, 1.0, 1.0)))
    return patch


def _spot(
    rng: np.random.Generator, film: tuple[int, ...], size: tuple[int, ...], items: list[Item],
    place: str, em: int,
) -> tuple[int, int] | None:  # fmt: skip
    """Return a free place well away from other texts; None if there is none."""
    rows, columns = size
    if rows + 6 > film[0] or columns + 6 > film[1]:
        return None
    for _ in range(40):
        x = int(rng.integers(3, film[1] - columns - 2))
        y = int(rng.integers(3, film[0] - rows - 2))
        if place == "edge":
            side = int(rng.integers(4))
            x = (1, film[1] - columns - 1, x, x)[side]
            y = (y, y, 1, film[0] - rows - 1)[side]
        away = max(24, 3 * em)
        box = (x - away, y - away, x + columns + away, y + rows + away)
        if not any(_touch(box, item.box) for item in items):
            return x, y
    return None


def _touch(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def dataset(picture: np.ndarray, depth: str, rng: np.random.Generator) -> Dataset:
    """Return the picture (H, W) 0..1 as a data set of one of DEPTHS, or RGB (H, W, 3)."""
    bits, photometric, signed = 16, "MONOCHROME2", 0
    if picture.ndim == 3:
        samples, bits, photometric = np.round(picture * 255).astype(np.uint8), 8, "RGB"
    elif depth == "8 bit":
        samples, bits = np.round(picture * 255).astype(np.uint8), 8
    elif depth == "12 bit":
        samples, bits = np.round(picture * 4095).astype(np.uint16), 12
    elif depth == "signed":
        samples, signed = np.round(picture * 3000 - 1000).astype(np.int16), 1
    elif depth == "MONOCHROME1":
        samples, bits = np.round((1 - picture) * 1023).astype(np.uint16), 10
        photometric = "MONOCHROME1"
    elif depth == "wide":  # the film fills a tenth of the range, pure ink all of it
        ink = picture >= 1
        samples = np.where(ink, 65535, np.round(picture * 6000)).astype(np.uint16)
    elif depth == "hot pixel":
        samples = np.round(picture * 4000).astype(np.uint16)
        for _ in range(6):
            spot = rng.integers(0, picture.shape[0]), rng.integers(0, picture.shape[1])
            samples[spot] = 65535
    else:
        samples = np.round(picture * 65535).astype(np.uint16)
    return wrap(samples, bits, photometric, signed)


def wrap(samples: np.ndarray, bits: int, photometric: str, signed: int = 0) -> Dataset:
    """Return a Secondary Capture data set around samples (rows, columns) or (…, 3)."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3.4"
    ds.PatientName, ds.PatientID, ds.Modality = "Nobody^Known", "none-0", "CR"
    ds.SamplesPerPixel = 3 if photometric == "RGB" else 1
    if ds.SamplesPerPixel == 3:
        ds.PlanarConfiguration = 0
    ds.Rows, ds.Columns = samples.shape[:2]
    ds.PhotometricInterpretation, ds.PixelRepresentation = photometric, signed
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = samples.dtype.itemsize * 8, bits, bits - 1
    ds.PixelData = samples.tobytes() + b"\0" * (samples.nbytes % 2)
    ds.set_original_encoding(is_implicit_vr=False, is_little_endian=True)
    return ds


def clean(half: str, number: int) -> Film:
    """Return a film without text, in one of the depths."""
    rng = np.random.default_rng([number, half == "report", 2])
    every = sources(half)
    stock = [s for s in every if s.endswith(".dcm")]
    source = stock[number] if number < len(stock) else every[int(rng.integers(len(every)))]
    depth = DEPTHS[int(rng.integers(len(DEPTHS)))]
    return Film(f"{half} clean {Path(source).name}, {depth}", dataset(ground(source), depth, rng))


def wrapped(half: str, number: int) -> Film:
    """Return a noisy 8-bit film as public test sets have them: two layouts, one bold font.

    Their samples lost the upper byte, which turns smooth shadows into contour lines and noise;
    the letters are pure black or white of 1/50 of the rows an em, some of them unseen.
    """
    rng = np.random.default_rng([number, half == "report", 3])
    every = sources(half)
    stock = [s for s in every if s.endswith(".dcm")]
    source = stock[number % len(stock)] if stock and number % 3 == 0 else every[
        int(rng.integers(len(every)))
    ]  # fmt: skip
    film = ground(source)
    rows = int(rng.choice((400, 512, 512, 665, 800, 800)))
    film = cv2.resize(film, (round(rows * film.shape[1] / film.shape[0]), rows))
    raw = film * float(rng.choice((900, 2500, 4095))) + rng.normal(0, 1.5, film.shape)
    style = rng.choice(("lost byte", "lost byte", "clipped"))
    low = rng.uniform(0.05, 0.4)
    shown = raw.astype(np.int32) & 255 if style == "lost byte" else (film - low) / 0.25 * 255
    picture = np.clip(shown, 0, 255).astype(np.float32) / 255
    made, lines = _sheet(rng, max(7, rows // 50))
    limit = picture.shape[1] - made.alpha.shape[1]
    x = int(rng.integers(2, max(3, limit + made.alpha.shape[1] // 10)))
    y = int(rng.integers(2, max(3, rows - made.alpha.shape[0] * 4 // 5)))
    box = picture[y : y + made.alpha.shape[0], x : x + made.alpha.shape[1]]
    bt.burn(picture, made, (x, y), "plain", 0.0 if float(box.mean()) > 0.4 else 1.0)
    items = []
    for text, (x0, y0, x1, y1) in zip(lines, made.boxes, strict=True):
        inside = (x0 + x, y0 + y, min(x1 + x, picture.shape[1]), min(y1 + y, rows))
        if inside[2] > inside[0] and inside[3] > inside[1]:
            kinds = {"style": str(style), "film": f"{rows} rows", "place": "value"}
            items.append(Item(text, inside, kinds))
    samples = np.round(picture * 255).astype(np.uint16)
    photometric = "MONOCHROME1" if rng.random() < 0.3 else "MONOCHROME2"
    return Film(
        f"{half} wrapped {number}: {Path(source).name}", wrap(samples, 16, photometric), items
    )


def _sheet(rng: np.random.Generator, size: int) -> tuple[bt.Stamp, list[str]]:
    """Return labels and values, or one line of values, with the boxes of the values only."""
    font = "truetype/dejavu/DejaVuSans-Bold.ttf"
    name, number = bt.words(rng, "latin name")[0].upper(), str(rng.integers(10**8, 10**10))
    place = f"{rng.choice(bt.LAST)}, {rng.choice(bt.LAST)} and {rng.choice(bt.LAST)} Medical Center"
    born = f"{rng.integers(1, 13):02}/{rng.integers(1, 29):02}/{rng.integers(1930, 2000)}"
    date = f"{rng.integers(1990, 2020)} {rng.choice(('Jan', 'Sep', 'Jul'))} {rng.integers(10, 29)}"
    rows = [
        ("Institution Name:", place), ("Study Date:", date), ("Patient ID:", number),
        ("Name:", name), ("Age:", str(rng.integers(20, 90))), ("DOB:", born),
    ]  # fmt: skip
    if rng.random() < 0.35:
        rows = [("", f"{date} {name} {rng.choice(('M', 'F'))}"), ("DOB:", born)]
    parts, boxes, gap = [], [], max(size + 2, round(size * 1.25))
    for line, (label, value) in enumerate(rows):
        part = bt.render(font, f"{label} {value}".strip(), size)
        before = bt.render(font, f"{label} ", size).shape[1] - 4 if label else 0
        shown = part.copy()
        shown[:, :before] = 0
        x0, y0, x1, y1 = bt.tight(shown)
        boxes.append((x0, y0 + line * gap, x1, y1 + line * gap))
        parts.append(part)
    made = bt.stack(parts, [v for _, v in rows], gap)
    return bt.Stamp(made.alpha, boxes, made.lines), [v for _, v in rows]
