"""Find the film of a leaked copy among ten thousand, and no film of strangers' copies.

    python benchmarks/watermark_finding.py [--archive FOLDER] [--asked 150] [--kind NAME …]

The archive (see `watermark_archive`) is kept in FOLDER, and an interrupted run goes on where it
was. Every film that is asked for is asked once for each kind of copy; the copies carry a mark.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from leadapron.watermark import FilmIndex, embed
from watermark_archive import Archive
from watermark_attacks import ATTACKS, Attack
from watermark_films import KEY, TRUE, Picture, generator
from watermark_leaks import LEAKS

KINDS: dict[str, Attack] = {
    **{k: ATTACKS[k] for k in ("crop 25 %", "phone photo", "screenshot")},
    **{k: LEAKS[k] for k in ("cut 25 %", "phone 20° shaken", "viewer")},
}
"""Crop, phone and screenshot, each by both suites."""
SAME = {"gbc100-014": "gbc100-017"}
"""The data set holds this film twice."""
TOTAL, ASKED, OUTSIDE = 10_000, 150, 20


def lower_bound(right: int, of: int, sure: float = 0.95) -> float:
    """Return the one-sided Clopper–Pearson bound: the rate is at least this, `sure` of it."""
    low, high = 0.0, 1.0
    for _ in range(60):
        rate = (low + high) / 2
        tail = sum(
            math.comb(of, k) * rate**k * (1 - rate) ** (of - k) for k in range(right, of + 1)
        )
        low, high = (rate, high) if tail < 1 - sure else (low, rate)
    return low


def leaked(picture: Picture, kind: str, name: str) -> Picture:
    return KINDS[kind](embed(picture, KEY, TRUE, 8, 56), generator("finding", kind, name))


def asked(index: FilmIndex, films: dict[str, Picture], kind: str) -> dict:
    """Ask for each of `films` by a copy of this kind."""
    first, sure, wrong, impostor, lost = 0, 0, 0, 0, []
    times = []
    for place, (name, picture) in enumerate(films.items()):
        leak = leaked(picture, kind, name)
        start = time.process_time()
        found = index.find(leak)
        times.append(time.process_time() - start)
        twin = SAME.get(name, next((a for a, b in SAME.items() if b == name), ""))
        found = [m for m in found if m.film_id != twin]
        right = bool(found) and found[0].film_id == name
        first += right
        sure += right and found[0].sure
        others = [m.inliers for m in found if m.film_id != name]
        impostor = max([impostor, *others])
        wrong += sum(m.sure and m.film_id != name for m in found)
        if not right:
            mine = next((m.inliers for m in found if m.film_id == name), 0)
            lost.append({"film": name, "inliers": mine, "others": others[:1]})
            print(f"{kind}: lost {lost[-1]}", flush=True)
        print(f"{kind}: {place + 1} asked, {first} at rank 1", end="\r", flush=True)
    row = {
        "attack": kind,
        "films": len(index),
        "asked": len(films),
        "rank1": first,
        "at_least": round(lower_bound(first, len(films)), 4),
        "sure": sure,
        "sure_of_a_wrong_film": wrong,
        "impostor_inliers": impostor,
        "lost": lost,
        "mean_cpu_s": round(sum(times) / len(times), 2),
        "slowest_cpu_s": round(max(times), 2),
    }
    print(row, flush=True)
    return row


def strangers(index: FilmIndex, films: dict[str, Picture], kind: str) -> dict:
    """Show copies of films that are not in the archive: none may be found for sure."""
    best, wrong = 0, 0
    for name, picture in films.items():
        found = index.find(leaked(picture, kind, name))
        wrong += any(m.sure for m in found)
        best = max([best, *(m.inliers for m in found)])
    row = {
        "attack": f"film not in the archive: {kind}",
        "films": len(index),
        "asked": len(films),
        "wrong": wrong,
        "impostor_inliers": best,
    }
    print(row, flush=True)
    return row


def finding(
    quick: bool, folder: Path | None = None, each: int = ASKED, kinds: tuple[str, ...] = ()
) -> Iterator[dict]:
    """Yield a row for every kind of copy, of films in the archive and of others."""
    archive = Archive.split(8 if quick else ASKED, 4 if quick else OUTSIDE)
    if len(archive.asked) < 8:
        print("SKIPPED: finding films needs real films")
        return
    index = archive.index(600 if quick else TOTAL, folder)
    index.find(next(iter(archive.asked.values())))
    chosen = kinds or tuple(KINDS)
    for kind in chosen:
        yield asked(index, dict(islice(archive.asked.items(), each)), kind)
    for kind in chosen:
        yield strangers(index, archive.outside, kind)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--archive", type=Path, help="folder that keeps the fingerprints")
    parser.add_argument(
        "--asked", type=int, default=ASKED, help="how many of the 150 films to ask for"
    )
    parser.add_argument("--kind", nargs="+", choices=tuple(KINDS), default=())
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    for row in finding(False, options.archive, options.asked, tuple(options.kind)):
        rows.append(row)
        if options.json:
            options.json.write_text(json.dumps(rows, indent=1))
    return int(any(row.get("wrong") or row.get("sure_of_a_wrong_film") for row in rows))


if __name__ == "__main__":
    sys.exit(main())
