"""Attack, time and calibrate the watermark; print tables and write JSON.

    python benchmarks/watermark.py [--quick] [--only PART …] [--json FILE] [--peer-python PYTHON]

Films: RG1 (native CR chest film of pydicom-data, 1955×1841, 15 bit), the same averaged down to
1024 pixels, films of ``anatomy/gbc100`` below LEADAPRON_TEST_DATA, enlarged to 1024 pixels
(weaker evidence: they are smooth, so they are reported apart), and RG3 (a native CR film of a
limb, 1760×1760, 10 bit). Every attack has a seed of its
own. Times are process CPU seconds of one thread.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from leadapron.watermark import embed, trace
from watermark_attacks import ATTACKS, COLLUSIONS, QUICK, REPORTED_ONLY, jpeg
from watermark_fidelity import fidelity
from watermark_films import KEY, TRUE, VIEWS, Film, films, generator, rendered
from watermark_finding import finding
from watermark_innocents import innocents
from watermark_leaks import LEAKS, MIXES
from watermark_peers import peers
from watermark_removal import removal

PARTS = (
    "speed",
    "fidelity",
    "attacks",
    "partial",
    "collusions",
    "leaks",
    "removal",
    "peers",
    "innocents",
    "finding",
)
Rows = Iterator[dict]
FEW = ("none", "JPEG 50", "JPEG 10", "1/4 + JPEG 50", "screenshot", "phone photo", "social")


def strength(film: Film) -> int:
    return 60 if max(film[2].shape) >= 1700 else 56


def traced(film: Film, db: float, attack: str, leak: np.ndarray, guilty: set[str]) -> dict:
    """Trace a copy that the views `guilty` made, and return what the table tells of it."""
    name, kind, frame, _ = film
    start = time.process_time()
    found = trace(frame, leak, KEY, VIEWS)
    cpu = time.process_time() - start
    named = {c.view_id for c in found.accused}
    row = {
        "film": name,
        "kind": kind,
        "db": db,
        "attack": attack,
        "z": round(max(c.z for c in found.candidates if c.view_id in guilty), 1),
        "verdict": found.verdict,
        "named": bool(named & guilty),
        "wrong": len(named - guilty),
        "cpu_s": round(cpu, 2),
    }
    if len(guilty) > 1:
        row["share"] = f"{len(named & guilty)}/{len(guilty)}"
    return row


def attacks(film: Film, names: Iterable[str], *seed: int) -> Rows:
    name, _, frame, bits = film
    copy = rendered(embed(frame, KEY, TRUE, bits, strength(film)), bits)
    for attack in names:
        leak = {**LEAKS, **ATTACKS}[attack](copy, generator(name, attack, *seed))
        yield traced(film, strength(film), attack, leak, {TRUE})


def collusions(film: Film, sizes: tuple[int, ...]) -> Rows:
    """Mix the copies of several readers; how many of them are named?"""
    name, _, frame, bits = film
    db = strength(film)
    mixes = [(how, mix, 100) for how, mix in {**COLLUSIONS, **MIXES}.items()]
    mixes.append(("average + JPEG 50", COLLUSIONS["average"], 50))
    every = np.stack([embed(frame, KEY, v, bits, db) for v in VIEWS[: max(sizes)]])
    for size in sizes:
        for how, mix, quality in mixes:
            leak = rendered(mix(every[:size], generator(name, how, size)), bits)
            leak = leak if quality == 100 else jpeg(leak, quality)
            yield traced(film, db, f"{how} of {size}", leak, set(VIEWS[:size]))


def partial(film: Film, names: tuple[str, ...]) -> Rows:
    """Views that show 15 % of the film, the rest a flat fill or a coarse mosaic."""
    name, _, frame, bits = film
    granted = np.zeros(frame.shape, bool)
    h, w = frame.shape
    granted[h // 5 : h // 5 + int(h * 0.48), w // 8 : w // 8 + int(w * 0.32)] = True
    small = cv2.resize(frame, (24, 24), interpolation=cv2.INTER_AREA)
    mosaic = cv2.resize(small, (w, h), interpolation=cv2.INTER_NEAREST)
    for ground, outside in (
        ("fill", np.full_like(frame, int(np.median(frame)))),
        ("mosaic", mosaic),
    ):
        shown = np.where(granted, frame, outside)
        copy = rendered(embed(shown, KEY, TRUE, bits, 56, granted), bits)
        for attack in names:
            leak = ATTACKS[attack](copy, generator(name, attack, ground))
            yield traced(film, 56, f"15 % {ground}: {attack}", leak, {TRUE})


def line(row: dict) -> str:
    if "attack" not in row or "z" not in row:
        return str(row)
    return (
        f"{row['film']:8s} {row['db']:3.0f} dB {row['attack']:38s} z {row['z']:6.1f} "
        f"{row['verdict']:12s} {row.get('share', ''):6s} {row['cpu_s']:5.2f} s"
        + ("" if not row["wrong"] else f" WRONG {row['wrong']}")
    )


def speed(film: Film) -> dict:
    name, _, frame, bits = film
    from leadapron.watermark import embedding, tracing

    def cpu(job: Callable[[], object]) -> float:
        start = time.process_time()
        job()
        return time.process_time() - start

    embed(frame[:300, :300].copy(), KEY, "warm up", bits)
    embed(frame, KEY, "warm up", bits)
    embedding._masks._kept.clear()
    first = cpu(lambda: embed(frame, KEY, "a", bits))
    second = min(cpu(lambda i=i: embed(frame, KEY, f"b{i}", bits)) for i in range(5))
    leak = jpeg(rendered(embed(frame, KEY, TRUE, bits), bits), 70)
    tracing._known_of.cache_clear()
    cold = cpu(lambda: trace(frame, leak, KEY, VIEWS))
    warm = cpu(lambda: trace(frame, leak, KEY, VIEWS))
    return {
        "film": name,
        "shape": list(frame.shape),
        "embed_ms": round(1e3 * first),
        "second_view_ms": round(1e3 * second),
        "trace_s": round(cold, 2),
        "trace_again_s": round(warm, 2),
    }


def main() -> int:
    options = parsed()
    every = films(options.quick)
    chosen = [f for f in every if f[0].startswith(options.film or "")]
    if not chosen:
        return 0
    result: dict[str, list] = {}
    for part, job in jobs(chosen, options).items():
        if part not in (options.only or PARTS):
            continue
        result[part] = []
        start = time.process_time()
        for row in job():
            result[part].append(row)
            print(line(row), flush=True)
            if options.json:
                options.json.write_text(json.dumps(result, indent=1))
        print(f"-- {part}: {time.process_time() - start:.0f} CPU seconds", flush=True)
    return judged(result)


def judged(result: dict[str, list]) -> int:
    """Tell what was missed; the exit code says whether anybody was wronged."""
    asked = [r for part in ("attacks", "leaks", "collusions") for r in result.get(part, [])]
    counted = [r for r in asked if r["attack"] not in REPORTED_ONLY]
    missed = [f"{r['film']}: {r['attack']}" for r in counted if not r["named"]]
    rows = [r for part in result.values() for r in part]
    wrong = sum(r.get("wrong", 0) + r.get("false", 0) for r in rows)
    print(f"named {len(counted) - len(missed)} of {len(counted)}; missed {missed}; wrong {wrong}")
    for row in sorted(asked, key=lambda r: -r["cpu_s"])[:3]:
        print(f"slowest: {row['film']} {row['attack']} {row['cpu_s']} s")
    return 1 if wrong else 0


def jobs(
    chosen: list[Film], options: argparse.Namespace
) -> dict[str, Callable[[], Iterable[dict]]]:
    """Return the parts; each gives rows for the JSON file."""
    quick, seed = options.quick, [options.seed] if options.seed else []
    names = QUICK if quick else tuple(ATTACKS)
    more = () if quick else tuple(k for k in LEAKS if k not in ATTACKS)
    sizes = (10,) if quick else (2, 3, 5, 10, 20)
    first, small = chosen[0], chosen[min(1, len(chosen) - 1)]
    others = [f for f in films(False) if f[0][:3] != first[0][:3]]
    stranger = rendered(others[0][2], others[0][3]) if others else None
    return {
        "speed": lambda: [speed(first)],
        "fidelity": lambda: (r for f in chosen[:2] for r in fidelity(f[0], f[2], f[3])),
        "attacks": lambda: (r for f in chosen for r in attacks(f, names, *seed)),
        "partial": lambda: (r for f in chosen for r in partial(f, FEW)),
        "collusions": lambda: (r for f in chosen[:3] for r in collusions(f, sizes)),
        "leaks": lambda: (r for f in chosen for r in attacks(f, more, *seed)),
        "removal": lambda: removal(first, others, options.peer_python),
        "peers": lambda: peers(small, options.peer_python),
        "innocents": lambda: innocents(first[0], first[2], first[3], 2_000, stranger),
        "finding": lambda: finding(quick, options.archive),
    }


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few minutes")
    parser.add_argument("--only", nargs="+", choices=PARTS)
    parser.add_argument("--film", help="only films whose name starts so")
    parser.add_argument("--seed", type=int, default=0, help="another run of the same attacks")
    parser.add_argument("--json", type=Path, help="written after every row")
    parser.add_argument("--peer-python", help="interpreter that has the peers and PyTorch")
    parser.add_argument("--archive", type=Path, help="folder that keeps the films' fingerprints")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
