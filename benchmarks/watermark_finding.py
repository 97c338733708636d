"""Find the film of a leaked copy among ten thousand."""

from __future__ import annotations

import time

import numpy as np
from PIL import Image

from leadapron.watermark import FilmIndex, Fingerprint, fingerprint
from watermark_attacks import ATTACKS
from watermark_films import DATA, generator
from watermark_leaks import LEAKS


def finding(quick: bool, distractors: int = 10_000, asked_each: int = 60) -> list[dict]:
    """Find real films among real ones and many distractors made of their features.

    A distractor takes features of three real films, turned about, shifted by up to a tenth of
    the film and with noisy descriptors: not a real film, but as confusable words.
    """
    files = [
        *sorted((DATA / "anatomy" / "gbc100" / "images").glob("*")),
        *sorted((DATA / "anatomy" / "wingspan" / "images").glob("*")),
    ][: 60 if quick else None]
    if not files:
        print(f"SKIPPED: finding films needs {DATA}/anatomy")
        return []
    pictures = [np.array(Image.open(f).convert("L")) for f in files]
    pictures = [p for p in pictures if max(p.shape) >= 500]
    prints = [fingerprint(p) for p in pictures]
    index = FilmIndex()
    for i, one in enumerate(prints):
        index.add(f"real-{i}", one)
    rng = np.random.default_rng(11)
    for i in range(500 if quick else distractors):
        index.add(f"made-{i}", _distractor(prints, rng))
    index.find(pictures[0])
    kinds = {
        **{k: ATTACKS[k] for k in ("crop 25 %", "phone photo", "screenshot")},
        **{k: LEAKS[k] for k in ("cut 25 %", "phone 20° shaken", "viewer")},
    }
    rows = []
    for kind, attack in kinds.items():
        asked = rng.choice(
            len(pictures), min(len(pictures), 8 if quick else asked_each), replace=False
        )
        first = sure = impostor = 0
        slowest = 0.0
        for i in asked:
            leak = attack(pictures[i], generator(kind, i))
            start = time.process_time()
            found = index.find(leak)
            slowest = max(slowest, time.process_time() - start)
            first += bool(found) and found[0].film_id == f"real-{i}"
            sure += bool(found) and found[0].film_id == f"real-{i}" and found[0].sure
            impostor = max([impostor, *(m.inliers for m in found if m.film_id != f"real-{i}")])
        rows.append(
            {
                "attack": kind,
                "films": len(index),
                "real": len(prints),
                "asked": len(asked),
                "rank1": first,
                "sure": sure,
                "impostor_inliers": impostor,
                "slowest_cpu_s": round(slowest, 2),
            }
        )
        print(rows[-1], flush=True)
    return rows


def _distractor(prints: list[Fingerprint], rng: np.random.Generator) -> Fingerprint:
    chosen = [prints[i] for i in rng.choice(len(prints), 3, replace=False)]
    points, codes = [], []
    for one in chosen:
        some = rng.choice(len(one.points), min(333, len(one.points)), replace=False)
        place = one.points[some] + rng.uniform(-0.1, 0.1, 2) * one.shape[1]
        points.append(place.astype(np.float32) + rng.normal(0, 6, place.shape).astype(np.float32))
        noise = rng.normal(0, 4, (len(some), one.codes.shape[1]))
        codes.append(np.clip(one.codes[some] + noise, -127, 127).astype(np.int8))
    return Fingerprint(
        chosen[0].shape, rng.bytes(32), np.concatenate(points), np.concatenate(codes)
    )
