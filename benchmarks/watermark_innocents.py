"""Count false namings: a million innocent views against copies that none of them made.

    python benchmarks/watermark_innocents.py [--views 100000] [--film NAME] [--json FILE]

Each null copy is registered and its leak chain estimated once, by the code that `trace` runs;
then every innocent view is scored against it, with N = views × hypotheses as `trace` counts it.
Null copies of one film are scored together: a view's chips are made once for all of them.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

from leadapron.watermark import embed, trace
from leadapron.watermark.overlay import grey
from leadapron.watermark.ranking import FALSE_NAMING, bound, threshold
from leadapron.watermark.scoring import z_scores
from leadapron.watermark.tracing import _known, _measurements, register
from watermark_archive import real_films
from watermark_attacks import Picture, jpeg, screenshot
from watermark_films import KEY, TRUE, VIEWS, Film, films, generator, rendered
from watermark_leaks import cut, phone, pil

_CHUNK = 2000


def null_copies(frame: Picture, bits: int, stranger: Picture | None) -> dict[str, Picture]:
    """Return copies whose view is not among the candidates."""
    clean = rendered(frame, bits)
    other = rendered(embed(frame, KEY, "not a candidate", bits), bits)
    foreign = rendered(embed(frame, b"x" * 32, "innocent-7", bits), bits)
    copies = {
        "unmarked": clean,
        "unmarked, JPEG 10": jpeg(clean, 10),
        "unmarked, JPEG 50": jpeg(clean, 50),
        "unmarked, WebP 20": pil(clean, "WEBP", quality=20),
        "unmarked, phone": phone(clean, generator("null phone"), 15),
        "unmarked, cut 10 %": cut(clean, 0.1, generator("null cut")),
        "other view": other,
        "other view, JPEG 20": jpeg(other, 20),
        "other view, screenshot": screenshot(other, generator("null screen")),
        "other view, phone": phone(other, generator("null phone 2"), 20),
        "other key": foreign,
        "other key, JPEG 50": jpeg(foreign, 50),
    }
    if stranger is not None:
        # A film outside the archive, forced on this one: usually it cannot be registered.
        copies["film not in the archive"] = stranger
    return copies


def innocents(name: str, frame: Picture, bits: int, views: int, stranger: Picture | None) -> list:
    known = _known(frame, KEY)
    rows, columns, owner = [], [], []
    for label, copy in null_copies(frame, bits, stranger).items():
        picture = grey(copy)
        placed = register(known, picture)
        row = {"film": name, "copy": label, "views": views, "false": 0, "hypotheses": 0}
        if placed is None:
            row["not_registered"] = True
        else:
            measured, _ = _measurements(known, picture, placed)
            row["hypotheses"] = measured.shape[1]
            columns.append(measured)
            owner.append(len(rows))
        rows.append(row)
    best = _score(np.concatenate(columns, axis=1), [c.shape[1] for c in columns], views)
    for place, scores in zip(owner, best, strict=True):
        row = rows[place]
        tried = views * row["hypotheses"]
        row["false"] = int(sum(bound(float(z), tried) <= FALSE_NAMING for z in scores[scores > 4]))
        row["max_z"] = round(float(scores.max()), 2)
        row["threshold"] = round(threshold(tried), 2)
        row["threshold_of_1000"] = round(threshold(1000 * row["hypotheses"]), 2)
        row["above_it"] = int(np.sum(scores >= threshold(1000 * row["hypotheses"])))
    for row in rows:
        print(row, flush=True)
    return rows


def strangers(film: Film, copies: dict[str, Picture]) -> list[dict]:
    """Trace copies of films that are not in the archive against a film that is.

    Nobody may be named, whether the copy can be laid on the film or not.
    """
    name, _, frame, _ = film
    rows = []
    for label, copy in copies.items():
        found = trace(frame, copy, KEY, VIEWS)
        rows.append(
            {
                "film": name,
                "copy": label,
                "views": len(VIEWS),
                "false": len(found.accused),
                "registered": found.registration is not None,
                "max_z": round(max(c.z for c in found.candidates), 2),
            }
        )
        print(rows[-1], flush=True)
    return rows


def foreign_copies(count: int = 12) -> dict[str, Picture]:
    """Return marked copies of films that the archive lacks, plain, as JPEG and photographed."""
    rng = np.random.default_rng(77)
    real = list(real_films().items())
    copies: dict[str, Picture] = {}
    for place in rng.choice(len(real), count, replace=False):
        name, picture = real[place]
        if name.startswith("RG"):
            continue
        marked = embed(picture, KEY, TRUE, 8, 50)
        copies[name] = marked
        copies[f"{name}, JPEG 30"] = jpeg(marked, 30)
        copies[f"{name}, phone"] = phone(marked, generator("foreign", name), 15)
    return copies


def _score(measured: Picture, widths: list[int], views: int) -> list[Picture]:
    """Return, for every null copy, each view's best z over its hypotheses."""
    edges = np.cumsum([0, *widths])
    best: list[list[Picture]] = [[] for _ in widths]
    for start in range(0, views, _CHUNK):
        ids = [f"innocent-{i}" for i in range(start, min(views, start + _CHUNK))]
        z = z_scores(KEY, ids, measured)
        for place, (a, b) in enumerate(pairwise(edges)):
            best[place].append(z[:, a:b].max(axis=1))
    return [np.concatenate(parts) for parts in best]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--views", type=int, default=100_000)
    parser.add_argument("--film", help="only the film of this name")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    chosen = films(quick=False)
    rows: list = []
    start = time.process_time()
    for place, (name, _, frame, bits) in enumerate(chosen):
        if options.film not in (None, name):
            continue
        other = chosen[place - 1]
        stranger = rendered(other[2], other[3]) if other[2] is not frame else None
        rows += innocents(name, frame, bits, options.views, stranger)
    if chosen and options.film in (None, chosen[0][0]):
        rows += strangers(chosen[0], foreign_copies())
    pairs = sum(r["views"] for r in rows if r.get("hypotheses"))
    wrong = sum(r["false"] for r in rows)
    cpu = time.process_time() - start
    print(f"{wrong} false namings in {pairs} innocent candidates; {cpu:.0f} CPU seconds")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
