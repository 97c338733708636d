"""The anatomy network on held-out films: ``python benchmarks/anatomy.py --data DIR``.

DIR holds ``wingspan/``, ``gbc100/`` and ``rib_drr/``. Figures are on the fixed test third
of wingspan and the test part of rib_drr, which no training or tuning saw, and on the
validation fifth of gbc100. ``--sheets DIR`` writes contact sheets (best, median, worst).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from leadapron.anatomy import Segmenter, cover
from leadapron.anatomy.gate import Pose, Verdict
from leadapron.anatomy.training import films
from leadapron.anatomy.training.drawing import read
from leadapron.model import Region, RegionMap

Mask = np.ndarray
Row = dict[str, float | str]
LUNGS = (Region.RIGHT_LUNG, Region.LEFT_LUNG)
GOALS = {
    "lungs Dice, wingspan test": (0.970, 0.980),
    "heart Dice, wingspan test": (0.945, 0.960),
    "ribs Dice, DRR test": (0.85, 0.92),
    "ribs Dice, cleaned bone map, wingspan test": (0.75, 0.85),
    "cardiothoracic ratio, mean abs error": (0.020, 0.012),
    "heart uncovered by cover(.01), 95th percentile": (0.01, 0.005),
}
CHANGES = (
    "inverted", "rotated 180", "flipped up-down", "black border", "white border",
    "border of noise", "locally equalised", "blurred", "noisy",
)  # fmt: skip


class OpenGate:
    """Lets every picture pass: CT projections are no films, but their ribs are exact."""

    def judge(self, square: np.ndarray, inside: Mask) -> Verdict:  # noqa: ARG002
        return Verdict(1.0, Pose())


def dice(first: Mask, second: Mask) -> float:
    both = first.sum() + second.sum()
    return float(2 * (first & second).sum() / both) if both else 1.0


def area_under_roc(score: np.ndarray, truth: Mask) -> float:
    from scipy.stats import rankdata

    positive, ranks = int(truth.sum()), rankdata(score)
    negative = truth.size - positive
    if not positive or not negative:
        return float("nan")
    return float((ranks[truth].sum() - positive * (positive + 1) / 2) / (positive * negative))


def plane(film: films.Film, region: Region) -> Mask:
    return (film.target & films.bit(region)) > 0


def known(film: films.Film, region: Region) -> Mask:
    return (film.known & films.bit(region)) > 0


def found(region_map: RegionMap, region: Region) -> Mask:
    empty = np.zeros(region_map.shape, dtype=np.bool_)
    return region_map.mask(region) if region in region_map.regions else empty


def width(mask: Mask) -> int:
    columns = np.nonzero(mask.any(axis=0))[0]
    return int(columns[-1] - columns[0] + 1) if columns.size else 0


def wingspan_row(film: films.Film, result: RegionMap, raw: Mask) -> Row:
    truth = {r: plane(film, r) for r in (*LUNGS, Region.HEART)}
    lungs, said = (
        truth[LUNGS[0]] | truth[LUNGS[1]],
        found(result, LUNGS[0]) | found(result, LUNGS[1]),
    )
    heart, bone = found(result, Region.HEART), found(result, Region.RIBS)
    trusted = known(film, Region.RIBS)
    row: Row = {
        "film": film.name,
        "accepted": float(result.in_domain),
        "contrast": float(np.ptp(np.percentile(film.image[lungs], (10, 90)))),
        "lungs": dice(lungs, said),
        "lungs as drawn": dice((raw & 3) > 0, said),
        "right lung": dice(truth[LUNGS[0]], found(result, LUNGS[0])),
        "left lung": dice(truth[LUNGS[1]], found(result, LUNGS[1])),
        "heart": dice(truth[Region.HEART], heart),
        "ribs": dice(plane(film, Region.RIBS)[trusted], bone[trusted]),
        "rib share of lung": float((bone & lungs).sum() / lungs.sum()),
    }
    chests = width(lungs), width(said)
    if all(chests):
        ratios = width(truth[Region.HEART]) / chests[0], width(heart) / chests[1]
        row["ctr error"] = abs(ratios[0] - ratios[1])
    if result.in_domain:
        soft = result.extras["probability"]["ribs"]
        row["ribs auc"] = area_under_roc(soft[trusted], plane(film, Region.RIBS)[trusted])
    for region in (Region.HEART, *LUNGS):
        if region in result.regions:
            wide = cover(result, region, 0.01)
            area = truth[region].sum()
            row[f"{region} uncovered"] = float((truth[region] & ~wide).sum() / area)
            row[f"{region} over-cover"] = float((wide & ~truth[region]).sum() / area)
    return row


def sturdy(segmenter: Segmenter, film: films.Film, plain: RegionMap) -> Row:
    """Inverted, turned, framed and otherwise processed copies against the film itself."""
    picture, edge = film.image, film.image.shape[0] // 4
    middle = np.s_[edge:-edge, edge:-edge]
    light, dark = (np.pad(picture, edge, constant_values=grey) for grey in (255, 0))
    noise = np.random.default_rng(0).integers(0, 256, dark.shape, dtype=np.uint8)
    noise[middle] = picture
    copies: dict[str, tuple[np.ndarray, Callable[[Mask], Mask]]] = {
        "inverted": (255 - picture, lambda mask: mask),
        "rotated 180": (np.rot90(picture, 2), lambda mask: np.rot90(mask, 2)),
        "flipped up-down": (picture[::-1], lambda mask: mask[::-1]),
        "black border": (dark, lambda mask: mask[middle]),
        "white border": (light, lambda mask: mask[middle]),
        "border of noise": (noise, lambda mask: mask[middle]),
        "locally equalised": (cv2.createCLAHE(4, (8, 8)).apply(picture), lambda mask: mask),
        "blurred": (cv2.GaussianBlur(picture, (0, 0), 3), lambda mask: mask),
        "noisy": (_noisy(picture), lambda mask: mask),
    }
    row: Row = {}
    for name, (picture, back) in copies.items():
        result = segmenter.segment(picture)
        pairs = [dice(found(plain, r), back(found(result, r))) for r in (*LUNGS, Region.HEART)]
        row[f"{name}: accepted"] = float(result.in_domain)
        row[name] = float(min(pairs) > 0.97)
    return row


def _noisy(picture: np.ndarray) -> np.ndarray:
    grain = np.random.default_rng(1).normal(0, 13, picture.shape)
    return np.rint(picture + grain).clip(0, 255).astype(np.uint8)


def column(rows: list[Row], name: str) -> np.ndarray:
    return np.array([row[name] for row in rows if name in row], dtype=float)


def wingspan(segmenter: Segmenter, root: Path, tests: list[films.Film]) -> list[Row]:
    rows = []
    for film in tests:
        raw = cv2.imread(str(root / "wingspan" / "labels" / f"{film.name[-3:]}.png"), -1)
        result = segmenter.segment(film.image)
        row = wingspan_row(film, result, raw)
        rows.append({**row, **(sturdy(segmenter, film, result) if len(rows) % 3 == 0 else {})})
    return rows


def gbc(segmenter: Segmenter, tests: list[films.Film]) -> list[Row]:
    rows: list[Row] = []
    for film in tests:
        result = segmenter.segment(film.image)
        drawn = [r for r in LUNGS if known(film, r).any()]
        truth = np.any([plane(film, r) for r in drawn], axis=0)
        said = np.any([found(result, r) for r in drawn], axis=0)
        centre = dice(plane(film, Region.MEDIASTINUM), found(result, Region.MEDIASTINUM))
        row: Row = {"film": film.name, "accepted": float(result.in_domain)}
        rows.append({**row, "lungs": dice(truth, said), "mediastinum": centre})
    return rows


def projections(segmenter: Segmenter, tests: list[films.Film]) -> list[Row]:
    closed = segmenter
    opened = Segmenter(segmenter.network, OpenGate())  # type: ignore[arg-type]
    rows: list[Row] = []
    for film in tests:
        refused = not closed.segment(film.image).in_domain
        result = opened.segment(film.image)
        ribs = dice(plane(film, Region.RIBS), found(result, Region.RIBS))
        rows.append({"film": film.name, "ribs": ribs, "refused": float(refused)})
    return rows


def by_hand(segmenter: Segmenter, root: Path) -> list[Row]:
    """Bones against strokes drawn by hand on test films; ribs inside the lungs found."""
    rows: list[Row] = []
    for drawing in read(Path(__file__).with_name("drawn_films.json")):
        picture = drawing.picture(root)
        result, shape = segmenter.segment(picture), picture.shape[:2]
        row: Row = {"film": drawing.film}
        for side, region in (("R", Region.RIGHT_CLAVICLE), ("L", Region.LEFT_CLAVICLE)):
            strokes = [s for s in drawing.strokes if s.structure == "clavicle" and s.side == side]
            if strokes and all(s.sure for s in strokes):
                truth = np.any([s.mask(shape) for s in strokes], axis=0)
                row[str(region)] = dice(truth, found(result, region))
        column_ = drawing.spine(shape)
        if column_ is not None:
            drawn_rows = column_.any(axis=1)
            row["spine"] = dice(column_[drawn_rows], found(result, Region.SPINE)[drawn_rows])
        ribs = np.any([s.mask(shape) for s in drawing.ribs()], axis=0)
        lungs = found(result, LUNGS[0]) | found(result, LUNGS[1])
        row["drawn ribs found"] = float((ribs & found(result, Region.RIBS) & lungs).sum())
        row["drawn ribs found"] /= max(1.0, float((ribs & lungs).sum()))
        rows.append(row)
    return rows


def pace(path: Path) -> dict[str, float]:
    """Time one 2000 x 2000 film; run in a process of its own, so that memory is its own."""
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    large = cv2.resize(picture, (2000, 2000), interpolation=cv2.INTER_CUBIC).astype(np.uint16)
    large = large * 16 + np.random.default_rng(0).integers(0, 16, large.shape, dtype=np.uint16)
    segmenter, wall, cpu = Segmenter.load(), [], []
    for _ in range(31):
        started, busy = time.perf_counter(), time.process_time()
        segmenter.segment(large)
        wall.append(1000 * (time.perf_counter() - started))
        cpu.append(1000 * (time.process_time() - busy))
    return {
        "2000 x 2000 film, p50 wall ms": float(np.median(wall[1:])),
        "2000 x 2000 film, p50 CPU ms": float(np.median(cpu[1:])),
        "peak memory, MB": peak_memory(),
    }


def peak_memory() -> float:
    """Linux counts it from the program's start; getrusage would include the parent's."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return float(status.read_text().split("VmHWM:")[1].split()[0]) / 1024


def pace_alone(path: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--pace", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def summary(wing: list[Row], other: list[Row], drr: list[Row], hand: list[Row]) -> dict[str, float]:
    def mean(rows: list[Row], name: str) -> float:
        return float(np.nanmean(column(rows, name))) if column(rows, name).size else float("nan")

    figures = {
        "lungs Dice, wingspan test": mean(wing, "lungs"),
        "lungs Dice, wingspan test, labels as drawn": mean(wing, "lungs as drawn"),
        "right lung Dice, wingspan test": mean(wing, "right lung"),
        "left lung Dice, wingspan test": mean(wing, "left lung"),
        "heart Dice, wingspan test": mean(wing, "heart"),
        "ribs Dice, DRR test": mean(drr, "ribs"),
        "ribs Dice, cleaned bone map, wingspan test": mean(wing, "ribs"),
        "ribs area under ROC, cleaned bone map": mean(wing, "ribs auc"),
        "rib mask's share of the lungs": mean(wing, "rib share of lung"),
        "cardiothoracic ratio, mean abs error": mean(wing, "ctr error"),
        "lungs Dice, gbc100 held out": mean(other, "lungs"),
        "cardiomediastinum Dice, gbc100 held out": mean(other, "mediastinum"),
        "right clavicle Dice, drawn by hand": mean(hand, "right_clavicle"),
        "left clavicle Dice, drawn by hand": mean(hand, "left_clavicle"),
        "spine Dice, drawn by hand": mean(hand, "spine"),
        "share of drawn ribs found in the lungs": mean(hand, "drawn ribs found"),
        "films accepted, wingspan test": mean(wing, "accepted"),
        "films accepted, gbc100 held out": mean(other, "accepted"),
        "CT projections refused": mean(drr, "refused"),
    }
    ordered = sorted(wing, key=lambda row: row["contrast"])
    for at, third in enumerate(("low", "middle", "high")):
        rows = ordered[at * len(wing) // 3 : (at + 1) * len(wing) // 3]
        for name in ("lungs", "heart"):
            figures[f"{name} Dice, {third} third by contrast in the lungs"] = mean(rows, name)
    for name in CHANGES:
        figures[f"{name}: accepted"] = mean(wing, f"{name}: accepted")
        figures[f"{name}: same masks"] = mean(wing, name)
    for region in ("heart", *LUNGS):
        missed = column(wing, f"{region} uncovered")
        figures[f"{region} uncovered by cover(.01), 95th percentile"] = float(
            np.percentile(missed, 95)
        )
        figures[f"{region} over-cover, mean"] = mean(wing, f"{region} over-cover")
    return figures


def drawn(film: films.Film, result: RegionMap) -> np.ndarray:
    low, high = np.percentile(film.image[film.inside], (0.5, 99.5))
    grey = np.clip((film.image - low) / max(high - low, 1) * 255, 0, 255).astype(np.uint8)
    picture = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    ribs = found(result, Region.RIBS)
    picture[ribs] = (0.72 * picture[ribs] + 0.28 * np.array([60, 220, 60])).astype(np.uint8)
    colours = {"right_lung": (255, 120, 0), "left_lung": (255, 255, 0), "heart": (60, 60, 255)}
    for region, colour in colours.items():
        for mask, thickness in (
            (found(result, Region(region)), 2),
            (plane(film, Region(region)), 1),
        ):
            lines, _ = cv2.findContours(mask.astype(np.uint8), 0, cv2.CHAIN_APPROX_NONE)
            shade = colour if thickness == 2 else (255, 255, 255)
            cv2.drawContours(picture, lines, -1, shade, thickness, cv2.LINE_AA)
    return cv2.resize(picture, (320, 320), interpolation=cv2.INTER_AREA)


def sheets(segmenter: Segmenter, tests: list[films.Film], rows: list[Row], out: Path) -> None:
    """White lines are the labels, coloured ones the network's; ribs in green."""
    out.mkdir(parents=True, exist_ok=True)
    order = sorted(range(len(rows)), key=lambda i: min(rows[i]["lungs"], rows[i]["heart"]))
    middle = len(order) // 2
    picks = {"worst": order[:8], "median": order[middle - 4 : middle + 4], "best": order[-8:]}
    for name, films_ in picks.items():
        tiles = [drawn(tests[i], segmenter.segment(tests[i].image)) for i in films_]
        sheet = np.vstack([np.hstack(tiles[:4]), np.hstack(tiles[4:])])
        cv2.imwrite(str(out / f"anatomy-{name}.png"), sheet)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    default = os.environ.get("LEADAPRON_TEST_DATA", Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(default) / "anatomy")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sheets", type=Path)
    parser.add_argument("--pace", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.pace:
        print(json.dumps(pace(options.pace)))
        return
    if not (options.data / "wingspan").is_dir():
        print(f"skipped: no films under {options.data} (give --data)")
        return
    segmenter = Segmenter.load()
    data = films.load(options.data)
    tests = [f for f in data if f.name.startswith("wingspan") and f.split == "test"]
    wing = wingspan(segmenter, options.data, tests)
    other = gbc(segmenter, [f for f in data if f.source == "gbc100" and f.split == "val"])
    drr = projections(segmenter, [f for f in data if f.source == "rib_drr" and f.split == "test"])
    hand = by_hand(segmenter, options.data)
    film = options.data / "wingspan" / "images" / "100.png"
    figures = {**summary(wing, other, drr, hand), **pace_alone(film)}
    print(
        f"{segmenter.network.version}: {len(wing)} + {len(other)} + {len(drr)} + {len(hand)} films"
    )
    for name, value in figures.items():
        must, aim = GOALS.get(name, ("", ""))
        print(f"{name:55s} {value:9.4f}  {must!s:>6} {aim!s:>6}")
    if options.json:
        text = {
            "model": segmenter.network.version,
            "figures": figures,
            "films": wing + other + drr + hand,
        }
        options.json.write_text(json.dumps(text, indent=1))
    if options.sheets:
        sheets(segmenter, tests, wing, options.sheets)


if __name__ == "__main__":
    main()
