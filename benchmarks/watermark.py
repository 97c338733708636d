"""Attack, time and calibrate the watermark; print tables and write JSON.

    python benchmarks/watermark.py [--quick] [--json FILE] [--peer-python PYTHON]

Films: RG1 (native CR chest film of pydicom-data, 1955×1841, 15 bit), the native 10-bit DX film
of ``deid/pseudo_phi`` and films of ``anatomy/gbc100`` below LEADAPRON_TEST_DATA, enlarged to
1024 pixels (weaker evidence: they are smooth, so they are reported apart). Every attack has a
seed of its own. Times are process CPU seconds of one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import numpy as np
from PIL import Image

from leadapron.watermark import FilmIndex, embed, fingerprint, trace
from leadapron.watermark.fingerprint import Fingerprint
from leadapron.watermark.ranking import threshold
from watermark_attacks import (
    ATTACKS,
    COLLUSIONS,
    QUICK,
    REPORTED_ONLY,
    Picture,
    jpeg,
    photographed,
)

cv2.setNumThreads(1)
KEY = bytes(range(32))
VIEWS = [f"view-{i:05d}" for i in range(1000)]
TRUE = VIEWS[7]
DATA = Path(__file__).parents[2] / "shared" / "data"


def films(quick: bool) -> list[tuple[str, str, Picture, int]]:
    """Return (name, kind, frame, bits stored); say aloud what is missing."""
    found: list[tuple[str, str, Picture, int]] = []
    try:
        import pydicom
        from pydicom.data import get_testdata_file

        path = get_testdata_file("RG1_UNCI.dcm", download=False)
        if path:
            ds = pydicom.dcmread(path)
            found.append(("RG1", "native", ds.pixel_array, int(ds.BitsStored)))
        else:
            print("SKIPPED: RG1 needs pydicom-data (pip install pydicom-data)")
    except ImportError:
        print("SKIPPED: RG1 needs pydicom")
    data = Path(
        os.environ.get("LEADAPRON_TEST_DATA", Path(__file__).parents[2] / "shared" / "data")
    )
    for file in sorted((data / "deid" / "pseudo_phi").glob("*CHEST_AP*.dcm")):
        ds = pydicom.dcmread(file)
        if min(ds.Rows, ds.Columns) < 700 or len(found) > 1:
            continue
        found.append(("DX 800", "native", ds.pixel_array.astype(np.uint16), int(ds.BitsStored)))
    gbc = sorted((data / "anatomy" / "gbc100" / "images").glob("*"))
    if not gbc:
        print(f"SKIPPED: no films under {data} (set LEADAPRON_TEST_DATA)")
    for file in gbc[12 : 13 if quick else 36 : 6]:
        small = np.array(Image.open(file).convert("L"))
        factor = 1024 / max(small.shape)
        big = cv2.resize(small, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        found.append((f"gbc {file.stem}", "enlarged to 1024", big, 8))
    return found


def rendered(frame: Picture, bits: int) -> Picture:
    return np.clip(np.rint(frame.astype(float) * 255 / (2**bits - 1)), 0, 255).astype(np.uint8)


def generator(*names: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32("/".join(map(str, names)).encode()))


def psnr(a: Picture, b: Picture, full: float) -> float:
    error = float(np.mean((a.astype(float) - b) ** 2))
    return float(10 * np.log10(full**2 / error)) if error else float("inf")


def similarity(a: Picture, b: Picture, full: float) -> float:
    """Return SSIM with Gaussian windows of sigma 1.5."""
    a, b = a.astype(np.float64), b.astype(np.float64)

    def mean(x: Picture) -> Picture:
        return cv2.GaussianBlur(x, (11, 11), 1.5)

    ma, mb = mean(a), mean(b)
    va, vb, cov = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
    c1, c2 = (0.01 * full) ** 2, (0.03 * full) ** 2
    top = (2 * ma * mb + c1) * (2 * cov + c2)
    return float(np.mean(top / ((ma**2 + mb**2 + c1) * (va + vb + c2))))


def nodule_contrast(before: Picture, after: Picture) -> float:
    """Return the largest relative change of 64 simulated nodules' contrast, in percent.

    A nodule is a disc of 12 pixels against its ring; its contrast is taken as 3 % of full
    scale, a faint one.
    """
    rng = np.random.default_rng(3)
    y, x = np.mgrid[-12:13, -12:13]
    disc, ring = np.hypot(x, y) <= 6, (np.hypot(x, y) > 6) & (np.hypot(x, y) <= 12)
    change = after.astype(float) - before
    worst = 0.0
    for _ in range(64):
        r, c = (int(rng.integers(s // 5, 4 * s // 5)) for s in before.shape)
        part = change[r - 12 : r + 13, c - 12 : c + 13]
        worst = max(worst, abs(float(part[disc].mean() - part[ring].mean())))
    return worst


def accepted_lossy(frame: Picture, full: int) -> Picture:
    """Return the frame after JPEG 2000 at 41.7 dB, what 10:1 costs a chest film."""
    import imagecodecs

    low, high = 20.0, 90.0
    for _ in range(9):
        middle = (low + high) / 2
        data = imagecodecs.jpeg2k_encode(frame, level=middle, reversible=False)
        other = imagecodecs.jpeg2k_decode(data)
        low, high = (low, middle) if psnr(frame, other, full) > 41.7 else (middle, high)
    return other


def fidelity(name: str, frame: Picture, bits: int) -> list[dict]:
    full = 2**bits - 1
    rows = []
    lossy = accepted_lossy(frame, full)
    for label, other in [
        *((f"mark {db} dB", embed(frame, KEY, TRUE, bits, db)) for db in (60, 56, 50)),
        ("JPEG 2000 at 41.7 dB", lossy),
    ]:
        delta = np.abs(other.astype(float) - frame)
        # GSDF over an 8-bit display: one display step is about 2.4 just noticeable differences.
        rows.append(
            {
                "film": name,
                "what": label,
                "psnr": round(psnr(frame, other, full), 2),
                "ssim": round(similarity(frame, other, full), 5),
                "max_4095": round(float(delta.max()) / full * 4095, 1),
                "jnd_rms": round(float(np.sqrt(np.mean(delta**2))) / full * 255 * 2.4, 2),
                "nodule_pct": round(100 * nodule_contrast(frame, other) / (0.03 * full), 2),
            }
        )
    return rows


def attacks(film: tuple, db: float, names: tuple[str, ...], sizes: tuple[int, ...]) -> list[dict]:
    name, kind, frame, bits = film
    copy = rendered(embed(frame, KEY, TRUE, bits, db), bits)
    clean = rendered(frame, bits)
    rows = []
    for attack in names:
        leak = ATTACKS[attack](copy, generator(name, attack))
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
    for size in sizes:
        marked = np.stack([embed(frame, KEY, v, bits, db) for v in VIEWS[:size]])
        for how, mix in COLLUSIONS.items():
            leak = rendered(mix(marked, generator(name, how, size)), bits)
            found = trace(frame, leak, KEY, VIEWS)
            named = {c.view_id for c in found.accused}
            rows.append(
                {
                    "film": name,
                    "kind": kind,
                    "db": db,
                    "attack": f"{how} of {size}",
                    "z": round(found.z, 1),
                    "verdict": found.verdict,
                    "named": bool(named & set(VIEWS[:size])),
                    "wrong": len(named - set(VIEWS[:size])),
                    "share": f"{len(named & set(VIEWS[:size]))}/{size}",
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


def innocents(film: tuple, count: int, other: Picture | None) -> list[dict]:
    """Trace null copies against many views that have nothing to do with them."""
    name, _, frame, bits = film
    copies = {
        "unmarked": rendered(frame, bits),
        "unmarked JPEG 50": jpeg(rendered(frame, bits), 50),
        "unmarked phone": photographed(rendered(frame, bits), generator("null")),
        "other view": rendered(embed(frame, KEY, "not a candidate", bits), bits),
        "other view JPEG 20": jpeg(rendered(embed(frame, KEY, "nor this", bits), bits), 20),
        "other key": rendered(embed(frame, b"x" * 32, "view-00007", bits), bits),
    }
    if other is not None:
        copies["other film"] = other
    rows = []
    views = [f"innocent-{i}" for i in range(count)]
    for label, leak in copies.items():
        found = trace(frame, leak, KEY, views)
        z = np.array([c.z for c in found.candidates])
        rows.append(
            {
                "film": name,
                "copy": label,
                "views": count,
                "false": len(found.accused),
                "max_z": round(float(z.max()), 2),
                "decoy_sd": round(float(found.decoys.get("sd", 0)), 3),
                "threshold": round(threshold(count * found.hypotheses), 2),
            }
        )
        print(rows[-1], flush=True)
    return rows


def speed(film: tuple) -> dict:
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


def finding(quick: bool, distractors: int = 10_000, asked_each: int = 60) -> list[dict]:
    """Find real films among real ones and many distractors made of their features.

    A distractor takes features of three real films, turned about, shifted by up to a tenth of
    the film and with noisy descriptors: not a real film, but as confusable words.
    """
    data = Path(
        os.environ.get("LEADAPRON_TEST_DATA", Path(__file__).parents[2] / "shared" / "data")
    )
    files = [
        *sorted((data / "anatomy" / "gbc100" / "images").glob("*")),
        *sorted((data / "anatomy" / "wingspan" / "images").glob("*")),
    ][: 60 if quick else None]
    if not files:
        print(f"SKIPPED: finding films needs {data}/anatomy")
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
    kinds = ("crop 25 %", "phone photo", "screenshot")
    rows = []
    for kind in kinds:
        asked = rng.choice(
            len(pictures), min(len(pictures), 8 if quick else asked_each), replace=False
        )
        first = sure = impostor = 0
        slowest = 0.0
        for i in asked:
            leak = ATTACKS[kind](pictures[i], generator(kind, i))
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


_PEER = """
import sys, numpy as np, cv2
mode, folder = sys.argv[1:3]
name = sys.argv[3]
bits = np.random.default_rng(7).integers(0, 2, 64).astype(bool)
if name == 'blind-watermark':
    from blind_watermark import WaterMark
    def put(a):
        w = WaterMark(password_wm=1, password_img=1)
        w.read_img(img=a); w.read_wm(bits, mode='bit')
        return np.clip(np.rint(w.embed()), 0, 255).astype(np.uint8)
    def get(a):
        w = WaterMark(password_wm=1, password_img=1)
        return np.asarray(w.extract(embed_img=a, wm_shape=64, mode='bit')) > 0.5
else:
    from imwatermark import WatermarkEncoder, WatermarkDecoder
    def put(a):
        e = WatermarkEncoder(); e.set_watermark('bits', [int(b) for b in bits])
        return e.encode(a, 'dwtDctSvd')
    def get(a):
        return np.array(WatermarkDecoder('bits', 64).decode(a, 'dwtDctSvd')) > 0
if mode == 'put':
    cv2.imwrite(folder + '/marked.png', put(cv2.imread(folder + '/film.png')))
else:
    out = get(cv2.imread(folder + '/leak.png'))
    print(int(np.sum(out == bits)))
"""


def peers(film: tuple, python: str | None, names: tuple[str, ...]) -> list[dict]:
    """Give the same attacks to blind-watermark and invisible-watermark (64 bits)."""
    if not python:
        print("SKIPPED: peers; pass --peer-python with blind-watermark or invisible-watermark")
        return []
    name, _, frame, bits = film
    rows = []
    for peer in ("blind-watermark", "invisible-watermark"):
        with tempfile.TemporaryDirectory() as folder:
            clean = rendered(frame, bits)
            Image.fromarray(clean).save(f"{folder}/film.png")

            def run(
                mode: str, peer: str = peer, folder: str = folder
            ) -> subprocess.CompletedProcess:
                command = [python, "-c", _PEER, mode, folder, peer]
                return subprocess.run(
                    command, check=False, capture_output=True, text=True, timeout=300
                )

            made = run("put")
            if made.returncode:
                print(f"SKIPPED: {peer}: {made.stderr.strip().splitlines()[-1:]}")
                continue
            marked = np.array(Image.open(f"{folder}/marked.png").convert("L"))
            strength = psnr(clean, marked, 255)
            for attack in names:
                leak = ATTACKS[attack](marked, generator(name, attack))
                Image.fromarray(leak).save(f"{folder}/leak.png")
                got = run("get")
                right = 0 if got.returncode else int(got.stdout.split()[-1])
                rows.append(
                    {
                        "peer": peer,
                        "psnr": round(strength, 1),
                        "attack": attack,
                        "bits_of_64": right,
                        "named": right >= 58,
                    }
                )
                print(rows[-1], flush=True)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="about two minutes")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--peer-python", help="interpreter that has the peers installed")
    options = parser.parse_args()
    chosen = films(options.quick)
    if not chosen:
        return 0
    names = QUICK if options.quick else tuple(ATTACKS)
    sizes = (10,) if options.quick else (2, 5, 10, 20)
    result: dict[str, list] = {"speed": [speed(chosen[0])], "fidelity": [], "attacks": []}
    print("speed (CPU seconds, one thread):", result["speed"][0])
    for name, _, frame, bits in chosen[:2]:
        result["fidelity"] += fidelity(name, frame, bits)
    for row in result["fidelity"]:
        print(row)
    for film in chosen[:1] + chosen[2:] if options.quick else chosen:
        result["attacks"] += attacks(film, 60 if max(film[2].shape) >= 1800 else 56, names, sizes)
    stranger = rendered(embed(chosen[-1][2], KEY, "innocent-1", chosen[-1][3]), chosen[-1][3])
    result["innocents"] = innocents(chosen[0], 2_000 if options.quick else 150_000, stranger)
    result["finding"] = finding(options.quick)
    result["peers"] = peers(chosen[-1], options.peer_python, names)
    judged = [r for r in result["attacks"] if r["attack"] not in REPORTED_ONLY]
    missed = [f"{r['film']}: {r['attack']}" for r in judged if not r["named"]]
    wrong = sum(r["wrong"] for r in result["attacks"])
    wrong += sum(r["false"] for r in result["innocents"])
    print(f"named {len(judged) - len(missed)} of {len(judged)}; missed {missed}; wrong {wrong}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
