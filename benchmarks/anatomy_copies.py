"""Films as other hospitals send them: ``python benchmarks/anatomy_copies.py --data DIR``.

Every fourth held-out film of wingspan and the held-out fifth of gbc100 are framed, moved,
stretched, processed and worn in 27 ways. Printed per way: films accepted, right polarity, and Dice
of lungs and heart (gbc100: cardiomediastinum) against the labels, moved alike. The gate's
threshold was chosen with these films in view.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from anatomy import LUNGS, dice, found, plane
from leadapron.anatomy import Segmenter
from leadapron.anatomy.training import films
from leadapron.model import Region

Picture = np.ndarray
Change = Callable[[Picture, bool], Picture]
"""Takes a picture (0..255, float32) or a mask (told by the flag)."""


def framed(left: float, right: float, top: float, bottom: float, grey: int) -> Change:
    def change(picture: Picture, mask: bool) -> Picture:
        rows, cols = picture.shape
        sides = int(top * rows), int(bottom * rows), int(left * cols), int(right * cols)
        value = 0 if mask else grey
        return cv2.copyMakeBorder(picture, *sides, cv2.BORDER_CONSTANT, value=value)

    return change


def moved(angle: float = 0, zoom: float = 1, right: float = 0, down: float = 0) -> Change:
    def change(picture: Picture, mask: bool) -> Picture:
        rows, cols = picture.shape
        matrix = cv2.getRotationMatrix2D((cols / 2, rows / 2), angle, zoom)
        matrix[:, 2] += right * cols, down * rows
        way = cv2.INTER_NEAREST if mask else cv2.INTER_LINEAR
        return cv2.warpAffine(picture, matrix, (cols, rows), flags=way)

    return change


def stretched(wide: float, tall: float) -> Change:
    def change(picture: Picture, mask: bool) -> Picture:
        way = cv2.INTER_NEAREST if mask else cv2.INTER_AREA
        return cv2.resize(picture, None, fx=wide, fy=tall, interpolation=way)

    return change


def cut(share: float) -> Change:
    def change(picture: Picture, mask: bool) -> Picture:  # noqa: ARG001
        rows, cols = (int(share * side) for side in picture.shape)
        return picture[rows:-rows, cols:-cols]

    return change


def toned(curve: Callable[[Picture], Picture]) -> Change:
    def change(picture: Picture, mask: bool) -> Picture:
        return picture if mask else 255 * np.clip(curve(picture / 255), 0, 1)

    return change


def noisy(sigma: float) -> Change:
    return toned(lambda x: x + np.random.default_rng(5).normal(0, sigma, x.shape))


def soft(picture: Picture, sigma: float) -> Picture:
    return cv2.GaussianBlur(picture, (0, 0), sigma)


def equalised(picture: Picture, mask: bool) -> Picture:
    return picture if mask else cv2.createCLAHE(4, (8, 8)).apply(picture.astype(np.uint8))


def lettered(picture: Picture, mask: bool) -> Picture:
    if not mask:
        picture = cv2.putText(picture.astype(np.uint8), "R", (30, 60), 0, 2, 255, 4)
        cv2.putText(picture, "ZHANG SAN 1960", (30, len(picture) - 30), 0, 1, 255, 2)
    return picture


CHANGES: dict[str, Change] = {
    "none": lambda picture, _: picture,
    "black border 20 %": framed(0.2, 0.2, 0.2, 0.2, 0),
    "white border 20 %": framed(0.2, 0.2, 0.2, 0.2, 255),
    "black strip left 30 %": framed(0.3, 0, 0, 0, 0),
    "white strips beside 25 %": framed(0.25, 0.25, 0, 0, 255),
    "black strips above, below 25 %": framed(0, 0, 0.25, 0.25, 0),
    "turned 8 degrees": moved(8),
    "turned -15 degrees": moved(-15),
    "zoom 1.15": moved(zoom=1.15),
    "zoom 0.7": moved(zoom=0.7),
    "shifted 10 %": moved(right=0.1, down=0.08),
    "cut 8 % all round": cut(0.08),
    "20 % wider": stretched(1.2, 1),
    "20 % taller": stretched(1, 1.2),
    "gamma 0.4": toned(lambda x: x**0.4),
    "gamma 2.5": toned(lambda x: x**2.5),
    "steep sigmoid": toned(lambda x: 1 / (1 + np.exp(-12 * (x - 0.5)))),
    "window, half of the range": toned(lambda x: (x - 0.25) / 0.5),
    "equalised in tiles": equalised,
    "noise 5 %": noisy(0.05),
    "noise 12 %": noisy(0.12),
    "blurred, 3 of 512 pixels": toned(lambda x: soft(x, 3)),
    "sharpened": toned(lambda x: 3 * x - 2 * soft(x, 8)),
    "flattened": toned(lambda x: 0.5 + 1.5 * (x - soft(x, 60))),
    "inverted": toned(lambda x: 1 - x),
    "darker to the left": toned(lambda x: x * np.linspace(0.5, 1, x.shape[1])[None]),
    "darker to the bottom": toned(lambda x: x * np.linspace(1, 0.5, len(x))[:, None]),
    "lettered": lettered,
}


def rows(segmenter: Segmenter, held: list[films.Film], name: str) -> np.ndarray:
    """Return accepted, polarity right, lungs and heart Dice, a row a film."""
    table = []
    for film in held:
        change = CHANGES[name]
        picture = change(film.image.astype(np.float32), False)
        result = segmenter.segment(np.rint(picture).clip(0, 255).astype(np.uint8))
        centre = Region.HEART if film.source == "wingspan" else Region.MEDIASTINUM
        lungs, heart = (
            change(mask.astype(np.uint8), True) > 0
            for mask in (plane(film, LUNGS[0]) | plane(film, LUNGS[1]), plane(film, centre))
        )
        said = found(result, LUNGS[0]) | found(result, LUNGS[1])
        wrong = "photometric-contradicts-picture" in result.reasons
        polarity = wrong == (name == "inverted")
        marks = dice(lungs, said), dice(heart, found(result, centre))
        table.append((result.in_domain, polarity, *marks))
    return np.array(table, dtype=float)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    default = os.environ.get("LEADAPRON_TEST_DATA", Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(default) / "anatomy")
    options = parser.parse_args()
    if not (options.data / "wingspan").is_dir():
        print(f"skipped: no films under {options.data} (give --data)")
        return
    out = [f for f in films.load(options.data, ("wingspan", "gbc100")) if f.split != "train"]
    first = [f for f in out if f.source == "wingspan"][::4]
    other = [f for f in out if f.source == "gbc100"]
    segmenter, refused, seen = Segmenter.load(), 0, 0
    print(f"{'':32}{'wingspan: in, lungs, heart':34}gbc100: in, lungs, mediastinum")
    for name in CHANGES:
        parts = [rows(segmenter, held, name) for held in (first, other)]
        refused += sum(int((part[:, 0] == 0).sum()) for part in parts)
        seen += sum(len(part) for part in parts)
        text = [
            f"{int(p[:, 0].sum())}/{len(p)}  {p[:, 2].mean():.3f}  {p[:, 3].mean():.3f}"
            for p in parts
        ]
        wrong = sum(int((part[:, 1] == 0).sum()) for part in parts)
        note = f"polarity wrong on {wrong}" if wrong else ""
        print(f"{name:32}{text[0]:34}{text[1]}  {note}", flush=True)
    print(f"refused: {refused} of {seen}", file=sys.stdout)


if __name__ == "__main__":
    main()
