"""Attack, time and calibrate the watermark; print tables and write JSON.

    python benchmarks/watermark.py [--quick] [--only PART …] [--json FILE] [--peer-python PYTHON]

Films: RG1 (native CR chest film of pydicom-data, 1955×1841, 15 bit), the same averaged down to
1024 pixels, and films of ``anatomy/gbc100`` below LEADAPRON_TEST_DATA, enlarged to 1024 pixels
(weaker evidence: they are smooth, so they are reported apart). Every attack has a seed of its
own. Times are process CPU seconds of one thread.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from leadapron.watermark import embed, trace
from watermark_attacks import ATTACKS, COLLUSIONS, QUICK, REPORTED_ONLY, jpeg
from watermark_fidelity import fidelity
from watermark_films import KEY, TRUE, VIEWS, Film, films, generator, psnr, rendered
from watermark_finding import finding
from watermark_innocents import innocents
from watermark_leaks import LEAKS, MIXES
from watermark_peers import peers
from watermark_removal import removal

PARTS = ("speed", "fidelity", "attacks", "leaks", "partial", "removal", "innocents", "finding")


def strength(film: Film) -> int:
    return 60 if max(film[2].shape) >= 1800 else 56


def attacks(film: Film, names: tuple[str, ...]) -> list[dict]:
    name, kind, frame, bits = film
    db = strength(film)
    copy = rendered(embed(frame, KEY, TRUE, bits, db), bits)
    clean = rendered(frame, bits)
    rows = []
    for attack in names:
        leak = {**ATTACKS, **LEAKS}[attack](copy, generator(name, attack))
        start = time.process_time()
        found = trace(frame, leak, KEY, VIEWS)
        cpu = time.process_time() - start
        z = next(c.z for c in found.candidates if c.view_id == TRUE)
        wrong = sum(c.view_id != TRUE for c in found.accused)
        damage = psnr(clean, leak, 255) if leak.shape == clean.shape else None
        rows.append(
            {
                "film": name,
                "kind": kind,
                "db": db,
                "attack": attack,
                "z": round(z, 1),
                "verdict": found.verdict,
                "named": TRUE in {c.view_id for c in found.accused},
                "wrong": wrong,
                "cpu_s": round(cpu, 2),
                "copy_psnr": None if damage is None else round(float(damage), 1),
            }
        )
        print(line(rows[-1]), flush=True)
    return rows


def collusions(film: Film, sizes: tuple[int, ...]) -> list[dict]:
    """Mix the copies of several readers; how many of them are named?"""
    name, kind, frame, bits = film
    db, rows = strength(film), []
    mixes = [(how, mix, 100) for how, mix in {**COLLUSIONS, **MIXES}.items()]
    mixes.append(("average + JPEG 50", COLLUSIONS["average"], 50))
    for size in sizes:
        marked = np.stack([embed(frame, KEY, v, bits, db) for v in VIEWS[:size]])
        for how, mix, quality in mixes:
            leak = rendered(mix(marked, generator(name, how, size)), bits)
            found = trace(frame, leak if quality == 100 else jpeg(leak, quality), KEY, VIEWS)
            named = {c.view_id for c in found.accused}
            guilty = named & set(VIEWS[:size])
            rows.append(
                {
                    "film": name,
                    "kind": kind,
                    "db": db,
                    "attack": f"{how} of {size}",
                    "z": round(found.z, 1),
                    "verdict": found.verdict,
                    "named": bool(guilty),
                    "wrong": len(named - guilty),
                    "share": f"{len(guilty)}/{size}",
                }
            )
            print(line(rows[-1]), flush=True)
    return rows


def partial(film: Film, names: tuple[str, ...]) -> list[dict]:
    """Views that show 15 % of the film, the rest a flat fill or a coarse mosaic."""
    name, kind, frame, bits = film
    granted = np.zeros(frame.shape, bool)
    h, w = frame.shape
    granted[h // 5 : h // 5 + int(h * 0.48), w // 8 : w // 8 + int(w * 0.32)] = True
    small = cv2.resize(frame, (24, 24), interpolation=cv2.INTER_AREA)
    mosaic = cv2.resize(small, (w, h), interpolation=cv2.INTER_NEAREST)
    rows = []
    for ground, outside in (
        ("fill", np.full_like(frame, int(np.median(frame)))),
        ("mosaic", mosaic),
    ):
        shown = np.where(granted, frame, outside)
        copy = rendered(embed(shown, KEY, TRUE, bits, 56, granted), bits)
        for attack in names:
            leak = {**ATTACKS, **LEAKS}[attack](copy, generator(name, attack, ground))
            found = trace(frame, leak, KEY, VIEWS)
            wrong = sum(c.view_id != TRUE for c in found.accused)
            z = next(c.z for c in found.candidates if c.view_id == TRUE)
            rows.append(
                {
                    "film": name,
                    "kind": kind,
                    "db": 56,
                    "attack": f"15 % {ground}: {attack}",
                    "z": round(z, 1),
                    "verdict": found.verdict,
                    "named": TRUE in {c.view_id for c in found.accused},
                    "wrong": wrong,
                }
            )
            print(line(rows[-1]), flush=True)
    return rows


def line(row: dict) -> str:
    return (
        f"{row['film']:8s} {row['db']:3.0f} dB {row['attack']:38s} z {row['z']:6.1f} "
        f"{row['verdict']:12s} {row.get('share', ''):6s}"
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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="about two minutes")
    parser.add_argument("--only", nargs="+", choices=(*PARTS, "collusions", "peers"))
    parser.add_argument("--film", help="only films whose name starts so")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--peer-python", help="interpreter that has the peers installed")
    options = parser.parse_args()
    every = films(options.quick)
    chosen = [f for f in every if f[0].startswith(options.film or "")]
    if not chosen:
        return 0
    wanted = set(options.only or (*PARTS, "collusions", "peers"))
    result = run(chosen, wanted, options.quick, options.peer_python)
    judged = [r for part in ("attacks", "leaks", "collusions") for r in result.get(part, [])]
    judged = [r for r in judged if r["attack"] not in REPORTED_ONLY]
    missed = [f"{r['film']}: {r['attack']}" for r in judged if not r["named"]]
    rows = [r for part in result.values() for r in part]
    wrong = sum(r.get("wrong", 0) + r.get("false", 0) for r in rows)
    print(f"named {len(judged) - len(missed)} of {len(judged)}; missed {missed}; wrong {wrong}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1))
    return 1 if wrong else 0


def run(chosen: list[Film], wanted: set[str], quick: bool, python: str | None) -> dict[str, list]:
    """Run the wanted parts; each gives rows for the JSON file."""
    names = QUICK if quick else tuple(ATTACKS)
    few = ("none", "JPEG 50", "JPEG 10", "1/4 + JPEG 50", "screenshot", "phone photo", "social")
    stranger = rendered(chosen[-1][2], chosen[-1][3]) if len(chosen) > 1 else None
    jobs: dict[str, Callable[[], list]] = {
        "speed": lambda: [speed(chosen[0])],
        "fidelity": lambda: [r for f in chosen[:2] for r in fidelity(f[0], f[2], f[3])],
        "attacks": lambda: [r for f in chosen for r in attacks(f, names)],
        "leaks": lambda: [] if quick else [r for f in chosen for r in attacks(f, tuple(LEAKS))],
        "collusions": lambda: [
            r for f in chosen for r in collusions(f, (10,) if quick else (2, 3, 5, 10, 20))
        ],
        "partial": lambda: [r for f in chosen for r in partial(f, few)],
        "removal": lambda: [r for f in chosen[:1] for r in removal(f)],
        "innocents": lambda: innocents(*chosen[0][::2], chosen[0][3], 2_000, stranger),
        "finding": lambda: finding(quick),
        "peers": lambda: peers(chosen[-1], python, names),
    }
    result = {}
    for part, job in jobs.items():
        if part in wanted:
            result[part] = job()
            if part in ("speed", "fidelity"):
                print(*result[part], sep="\n", flush=True)
    return result


if __name__ == "__main__":
    sys.exit(main())
