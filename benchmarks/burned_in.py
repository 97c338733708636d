"""Burned-in text on generated films: ``python benchmarks/burned_in.py [--half report]``.

Prints, for films with rendered text, how many texts were covered at ≥ 90 % of their box, kind by
kind, and false boxes a clean film. Everything is seeded. Only the `tune` half was looked at while
the detector was built; publish the `report` half.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import burned_films as films
import burned_text as bt
from burned_films import Film
from burned_replanted import grounds, replanted
from leadapron.deid import MemoryVault, Profile, deidentify
from leadapron.deid.report import Report

KEY = b"benchmark key of thirty-two byte"
ENOUGH = 0.9


def cleaned(film: Film) -> tuple[Report, float]:
    """De-identify one film; return the report and the seconds of processor time."""
    start = time.process_time()
    result = deidentify(film.ds, Profile.gateway(), MemoryVault(KEY))
    return result.report, time.process_time() - start


def mask_of(report: Report, shape: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    for box in report.boxes:
        mask[box.y0 : box.y1, box.x0 : box.x1] = True
    return mask


def cover(mask: np.ndarray, box: tuple[int, int, int, int]) -> float:
    x0, y0, x1, y1 = box
    return float(mask[y0:y1, x0:x1].mean())


def excess(mask: np.ndarray, film: Film) -> float:
    """Return the share of the film that is filled farther from a text than two lines' height."""
    near = np.zeros_like(mask)
    for item in film.items:
        x0, y0, x1, y1 = item.box
        away = 2 * min(y1 - y0, x1 - x0)
        near[max(0, y0 - away) : y1 + away, max(0, x0 - away) : x1 + away] = True
    return float((mask & ~near).mean())


def false_boxes(report: Report, film: Film) -> int:
    """Count filled boxes that touch no text."""
    return sum(
        not any(films._touch((b.x0, b.y0, b.x1, b.y1), item.box) for item in film.items)
        for b in report.boxes
    )


def run(
    make: Callable[[str, int], Film], half: str, count: int, misses: list[str]
) -> dict[str, Any]:
    by_kind: dict[str, list[bool]] = defaultdict(list)
    total: list[bool] = []
    wrong: Counter[int] = Counter()
    seconds, wasted = [], []
    for number in range(count):
        film = make(half, number)
        report, took = cleaned(film)
        seconds.append(took)
        mask = mask_of(report, (film.ds.Rows, film.ds.Columns))
        wrong[false_boxes(report, film)] += 1
        wasted.append(excess(mask, film))
        for item in film.items:
            share = cover(mask, item.box)
            total.append(share >= ENOUGH)
            for axis, kind in item.kinds.items():
                by_kind[f"{axis}: {kind}"].append(share >= ENOUGH)
            if share < ENOUGH:
                misses.append(f"{film.name} {item.text!r} {item.box} {share:.2f} {item.kinds}")
    row: dict[str, Any] = {"films": count, "median s": round(float(np.median(seconds)), 2)}
    row["films by false boxes"] = dict(sorted(wrong.items()))
    if total:
        row["covered"] = f"{sum(total)}/{len(total)} = {sum(total) / len(total):.1%}"
        row["filled elsewhere"] = f"{np.mean(wasted):.2%} of the film"
        row["by kind"] = {k: f"{sum(v)}/{len(v)}" for k, v in sorted(by_kind.items())}
    return row


SETS: dict[str, Callable[[str, int], Film]] = {
    "texts": films.texted, "wrapped": films.wrapped, "replanted": replanted, "clean": films.clean,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--half", choices=("tune", "report"), default="report")
    parser.add_argument("--films", type=int, default=40, help="films a set")
    parser.add_argument("--sets", nargs="*", default=list(SETS), choices=list(SETS))
    parser.add_argument("--misses", action="store_true", help="print every text that was missed")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    for name in bt.missing():
        print(f"SKIPPED: font {name} (not installed)", file=sys.stderr)
    if "replanted" in options.sets and not grounds():
        print("SKIPPED: replanted (no films in deid/pseudo_phi)", file=sys.stderr)
        options.sets = [name for name in options.sets if name != "replanted"]
    results = {}
    for name in options.sets:
        misses: list[str] = []
        results[name] = run(SETS[name], options.half, options.films, misses)
        print(f"\n{name} ({options.half})")
        for key, value in results[name].items():
            if key != "by kind":
                print(f"  {key:22} {value}")
        for kind, share in results[name].get("by kind", {}).items():
            print(f"    {kind:34} {share}")
        for miss in misses if options.misses else ():
            print("  missed", miss)
    if options.json:
        options.json.write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
