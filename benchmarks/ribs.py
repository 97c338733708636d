"""Single ribs on real films, against rib cages drawn by hand.

    python benchmarks/ribs.py [--data DIR] [--json FILE] [--sheets DIR]

``drawn_films.json`` holds our strokes on fourteen films of the test part; the films stay
under DIR (skips aloud without them). A drawn arc counts where it lies inside the lungs as
the data set's people drew them. Prints the figures beside their goals.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata

from leadapron.anatomy import Rib, Segmenter, single_ribs
from leadapron.anatomy.training import drawing
from leadapron.model import Region, RegionMap

Mask = np.ndarray
Row = dict[str, float | str]
STROKES = Path(__file__).with_name("drawn_films.json")
GOALS = {"single ribs: mean Dice under the right number": (0.70, 0.85)}
LEAST = 200
SIDES = {"R": "right", "L": "left"}
COLOURS = ((80, 255, 80), (80, 80, 255), (255, 160, 60), (60, 220, 255), (255, 80, 255))


def dice(first: Mask, second: Mask) -> float:
    both = first.sum() + second.sum()
    return float(2 * (first & second).sum() / both) if both else 1.0


def lungs_of(drawn: drawing.Drawing, root: Path) -> Mask:
    path = root / "wingspan" / "labels" / Path(drawn.film).name
    return (cv2.imread(str(path), cv2.IMREAD_UNCHANGED) & 3) > 0


def posterior(drawn: drawing.Drawing) -> list[drawing.Stroke]:
    return [stroke for stroke in drawn.ribs() if stroke.arc == "posterior"]


def arcs_inside(drawn: drawing.Drawing, lungs: Mask) -> list[tuple[drawing.Stroke, Mask]]:
    """The drawn arcs that count, cut to the lungs; specks of fewer than LEAST pixels do not."""
    cut = [(stroke, stroke.mask(lungs.shape) & lungs) for stroke in posterior(drawn)]
    return [(stroke, mask) for stroke, mask in cut if mask.sum() >= LEAST]


def rib_rows(drawn: drawing.Drawing, ribs: list[Rib], lungs: Mask) -> list[Row]:
    """One row a drawn rib: Dice under its number, and with whichever rib fits best."""
    masks = [rib.mask & lungs for rib in ribs]
    rows: list[Row] = []
    for side, name in SIDES.items():
        theirs = [(s, m) for s, m in arcs_inside(drawn, lungs) if s.side == side]
        ours = [i for i, rib in enumerate(ribs) if rib.side == name]
        table = np.array([[dice(m, masks[i]) for i in ours] for _, m in theirs])
        table = table.reshape(len(theirs), len(ours))
        pairs = dict(zip(*linear_sum_assignment(-table), strict=True)) if table.size else {}
        for at, (stroke, _) in enumerate(theirs):
            fit = pairs.get(at)
            row: Row = {"film": drawn.film, "rib": f"{side}{stroke.number}"}
            row["told apart"] = float(fit is not None and table[at, fit] >= 0.5)
            row["best Dice"] = float(table[at, fit]) if fit is not None else 0.0
            if stroke.number_sure:
                named = [k for k, i in enumerate(ours) if ribs[i].number == stroke.number]
                row["Dice"] = float(max((table[at, k] for k in named), default=0.0))
                number = ribs[ours[fit]].number if row["told apart"] and fit is not None else None
                row["unnumbered"] = float(bool(row["told apart"]) and number is None)
                row["number right"] = float(number == stroke.number)
                row["number within one"] = float(
                    number is not None and abs(number - stroke.number) <= 1
                )
            rows.append(row)
    return rows


def readings(drawings: list[drawing.Drawing]) -> list[bool]:
    """Whether each later reading of a numbered arc agrees with the drawing's number."""
    counted = [s for d in drawings for s in posterior(d) if s.number_sure]
    return [n == s.number for s in counted for n in s.read_again if n is not None]


def area_under_roc(score: np.ndarray, truth: Mask) -> float:
    positive = int(truth.sum())
    above = rankdata(score)[truth].sum() - positive * (positive + 1) / 2
    return float(above / (positive * (truth.size - positive)))


def map_row(drawn: drawing.Drawing, found: RegionMap, lungs: Mask) -> Row:
    """The segmentation network's own ``ribs`` against all drawn posterior arcs, by place."""
    shape = lungs.shape
    arcs = np.any([s.mask(shape) for s in drawn.strokes if s.structure == "rib"], axis=0)
    ribs = found.mask("ribs") if "ribs" in found.regions else np.zeros(shape, np.bool_)
    rows = np.nonzero(lungs.any(axis=1))[0]
    apex = np.zeros(shape, np.bool_)
    apex[: int(rows[0] + 0.2 * np.ptp(rows))] = True
    inner = cv2.erode(lungs.astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
    places = {"lungs": lungs, "apex": lungs & apex, "edge": lungs & ~inner, "inner": inner}
    row: Row = {"film": drawn.film, "ribs Dice": dice(arcs & lungs, ribs & lungs)}
    row["ribs AUC"] = area_under_roc(found.extras["probability"]["ribs"][lungs], arcs[lungs])
    for name, place in places.items():
        hit = (arcs & ribs & place).sum()
        row[f"ribs recall, {name}"] = float(hit / max(1, (arcs & place).sum()))
        row[f"ribs precision, {name}"] = float(hit / max(1, (ribs & place).sum()))
    for stroke in drawn.strokes:
        region = f"{SIDES.get(stroke.side)}_clavicle"
        if stroke.structure == "clavicle" and stroke.sure and region in found.regions:
            row[f"{region} Dice"] = dice(found.mask(region), stroke.mask(shape))
    spine = drawn.spine(shape)
    if spine is not None and Region.SPINE in found.regions:
        level = spine.any(axis=1)[:, None]
        row["spine Dice"] = dice(found.mask("spine") & level, spine)
    return row


def mean(rows: list[Row], name: str) -> float:
    values = [float(row[name]) for row in rows if name in row]
    return float(np.mean(values)) if values else float("nan")


def summary(ribs: list[Row], maps: list[Row], busy: list[float]) -> dict[str, float]:
    figures = {
        "single ribs: drawn arcs that count": float(len(ribs)),
        "single ribs: mean Dice under the right number": mean(ribs, "Dice"),
        "single ribs: told apart (best match, Dice >= 0.5)": mean(ribs, "told apart"),
        "single ribs: mean Dice of the best match": mean(ribs, "best Dice"),
        "single ribs: numbered right": mean(ribs, "number right"),
        "single ribs: numbered within one": mean(ribs, "number within one"),
        "single ribs: told apart, no number given": mean(ribs, "unnumbered"),
        "single ribs: CPU ms a film, median": float(np.median(busy)),
    }
    for name in sorted({name for row in maps for name in row} - {"film"}):
        figures[f"segmenter: {name}"] = mean(maps, name)
    return figures


def drawn_over(picture: np.ndarray, ribs: list[Rib], drawn: drawing.Drawing) -> np.ndarray:
    """The film with our ribs in colour and the drawn ones in white."""
    low, high = np.percentile(picture, (0.5, 99.5))
    grey = np.clip((picture - low) / max(high - low, 1) * 255, 0, 255).astype(np.uint8)
    grey = cv2.createCLAHE(3.0, (8, 8)).apply(grey)
    canvas = cv2.cvtColor(cv2.resize(grey, None, fx=1.5, fy=1.5), cv2.COLOR_GRAY2BGR)

    def outline(mask: Mask, colour: tuple[int, int, int]) -> None:
        large = cv2.resize(mask.astype(np.uint8), canvas.shape[1::-1])
        lines, _ = cv2.findContours(large, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(canvas, lines, -1, colour, 1, cv2.LINE_AA)

    for stroke in posterior(drawn):
        outline(stroke.mask(picture.shape), (255, 255, 255))
    for rib in ribs:
        colour = COLOURS[(rib.number or 0) % 5] if rib.number else (128, 128, 128)
        outline(rib.mask, colour)
        at = rib.centreline[len(rib.centreline) // 2] * 1.5
        text = str(rib.number or "?")
        cv2.putText(canvas, text, (int(at[0]), int(at[1])), 0, 0.5, colour, 1, cv2.LINE_AA)
    return canvas


def sheet(tiles: list[np.ndarray], path: Path) -> None:
    side = max(max(tile.shape[:2]) for tile in tiles)
    padded = [
        cv2.copyMakeBorder(
            t, 0, side - t.shape[0], 0, side - t.shape[1], cv2.BORDER_CONSTANT, value=(0, 0, 0)
        )
        for t in tiles
    ]
    padded += [np.zeros_like(padded[0])] * (-len(padded) % 2)
    rows = [np.hstack(padded[at : at + 2]) for at in range(0, len(padded), 2)]
    cv2.imwrite(str(path), np.vstack(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    default = os.environ.get("LEADAPRON_TEST_DATA", Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(default) / "anatomy")
    parser.add_argument("--strokes", type=Path, default=STROKES)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sheets", type=Path)
    options = parser.parse_args()
    if not (options.data / "wingspan").is_dir():
        print(f"skipped: no films under {options.data} (give --data)")
        return
    segmenter = Segmenter.load()
    ribs: list[Row] = []
    maps: list[Row] = []
    busy: list[float] = []
    tiles: list[np.ndarray] = []
    drawings = drawing.read(options.strokes)
    for drawn in drawings:
        picture = drawn.picture(options.data)
        lungs, found = lungs_of(drawn, options.data), segmenter.segment(picture)
        started = time.process_time()
        single = single_ribs(found)
        busy.append(1000 * (time.process_time() - started))
        rows = rib_rows(drawn, single, lungs)
        ribs, maps = [*ribs, *rows], [*maps, map_row(drawn, found, lungs)]
        print(
            f"{drawn.film}: {len(rows)} arcs, Dice {mean(rows, 'Dice'):.3f}, told apart "
            f"{mean(rows, 'told apart'):.2f}, numbered right {mean(rows, 'number right'):.2f}; "
            f"segmenter's ribs Dice {maps[-1]['ribs Dice']:.3f}"
        )
        if options.sheets:
            tiles.append(drawn_over(picture, single, drawn))
    figures = summary(ribs, maps, busy)
    again = readings(drawings)
    if again:
        figures["drawn arcs: blind readings of a number"] = float(len(again))
        figures["drawn arcs: of these as drawn"] = float(np.mean(again))
    for name, value in figures.items():
        must, aim = GOALS.get(name, ("", ""))
        print(f"{name:55s} {value:9.4f}  {must!s:>6} {aim!s:>6}")
    if options.json:
        text = {"model": segmenter.network.version, "figures": figures, "ribs": ribs, "maps": maps}
        options.json.write_text(json.dumps(text, indent=1))
    if options.sheets:
        options.sheets.mkdir(parents=True, exist_ok=True)
        for at in range(0, len(tiles), 4):
            sheet(tiles[at : at + 4], options.sheets / f"ribs-{at // 4}.png")


if __name__ == "__main__":
    main()
