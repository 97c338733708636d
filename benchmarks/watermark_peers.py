"""The same attacks on blind-watermark and invisible-watermark, also with our registration."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from leadapron.watermark.modelling import apply_curve, tone_curve
from leadapron.watermark.overlay import grey
from leadapron.watermark.tracing import _known, register
from watermark_attacks import ATTACKS, QUICK
from watermark_films import KEY, Film, Picture, generator, psnr, rendered

KINDS = (*QUICK, "JPEG 75", "JPEG 20", "1/4", "crop 25 %", "rotate 3", "invert", "bend", "noise 10")
_LONGEST = 200
# invisible-watermark marks chroma unless told otherwise; a grey film has none, so luma is marked.
_PEER = """
import signal, sys, numpy as np, cv2
def late(*_):
    raise TimeoutError
signal.signal(signal.SIGALRM, late)
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
        return e.encode(a, 'dwtDctSvd', scales=[36, 0, 0])
    def get(a):
        return np.array(WatermarkDecoder('bits', 64).decode(a, 'dwtDctSvd', scales=[36, 0, 0])) > 0
if mode == 'put':
    cv2.imwrite(folder + '/marked.png', put(cv2.imread(folder + '/film.png')))
else:
    for path in sys.argv[4:]:
        signal.alarm(30)
        try:
            print('bits', int(np.sum(get(cv2.imread(path)) == bits)), flush=True)
        except Exception:
            print('bits -1', flush=True)
        signal.alarm(0)
"""


def laid_back(frame: Picture, clean: Picture, leak: Picture) -> Picture | None:
    """Return `leak` laid on the film with its tone curve undone, uint8, by our registration."""
    copy = grey(leak)
    placed = register(_known(frame, KEY), copy)
    if placed is None:
        return None
    shape = (frame.shape[0], frame.shape[1])
    x, y = placed.geometry.copy_maps(shape, shape)
    laid = cv2.remap(placed.copy, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    tone = np.clip(laid * 2, 0, 511).astype(np.float32)
    curve = tone_curve(tone, clean.astype(np.float32), np.ones(shape, np.float32))
    return np.clip(np.rint(apply_curve(tone, curve)), 0, 255).astype(np.uint8)


def peers(film: Film, python: str | None) -> list[dict]:
    """Give the same attacks to blind-watermark and invisible-watermark (64 bits)."""
    if not python:
        print("SKIPPED: peers; pass --peer-python with blind-watermark and invisible-watermark")
        return []
    rows: list[dict] = []
    for peer in ("blind-watermark", "invisible-watermark"):
        with tempfile.TemporaryDirectory() as folder:
            rows += _peer(film, python, peer, Path(folder))
    return rows


def _worker(python: str, *words: str) -> list[int]:
    """Return the bits that the peer read right before it ended or its time was over."""
    command = [python, "-c", _PEER, *words]
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=_LONGEST
        )
    except subprocess.TimeoutExpired as late:
        print(f"{words[2]}: stopped after {_LONGEST} s")
        return _told((late.stdout or b"").decode())
    if done.returncode:
        print(f"{words[2]}: {done.stderr.strip().splitlines()[-1:]}")
    return _told(done.stdout)


def _told(output: str) -> list[int]:
    """Return the numbers; the peers print other things too."""
    return [int(line.split()[1]) for line in output.splitlines() if line.startswith("bits ")]


def _peer(film: Film, python: str, peer: str, folder: Path) -> list[dict]:
    name, _, frame, bits = film
    clean = rendered(frame, bits)
    Image.fromarray(clean).save(folder / "film.png")
    _worker(python, "put", str(folder), peer)
    if not (folder / "marked.png").exists():
        print(f"SKIPPED: {peer} marked nothing")
        return []
    marked = np.array(Image.open(folder / "marked.png").convert("L"))
    paths, labels = [], []
    for place, attack in enumerate(KINDS):
        leak = ATTACKS[attack](marked, generator(name, attack))
        for label, picture in (("alone", leak), ("registered", laid_back(frame, clean, leak))):
            if picture is not None:
                paths.append(str(folder / f"{place}-{label}.png"))
                labels.append((attack, label))
                Image.fromarray(picture).save(paths[-1])
    counts = _worker(python, "get", str(folder), peer, *paths)
    if len(counts) < len(paths):
        print(f"{peer}: {len(paths) - len(counts)} of {len(paths)} pictures were not read in time")
    strength = round(psnr(clean, marked, 255), 1)
    return [
        {
            "film": name,
            "peer": peer,
            "psnr": strength,
            "attack": attack,
            "how": how,
            "bits_of_64": right,
            # 64 fair coins show 58 or more alike in one of 5e11 tries.
            "named": right >= 58,
        }
        for (attack, how), right in zip(labels, counts, strict=False)
    ]
