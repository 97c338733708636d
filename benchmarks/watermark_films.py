"""Films, rendering and seeds that the watermark benchmarks share."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import numpy as np
from PIL import Image

cv2.setNumThreads(1)
Picture = np.ndarray
Film = tuple[str, str, Picture, int]
KEY = bytes(range(32))
VIEWS = [f"view-{i:05d}" for i in range(1000)]
TRUE = VIEWS[7]
DATA = Path(os.environ.get("LEADAPRON_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


def films(quick: bool) -> list[Film]:
    """Return (name, kind, frame, bits stored); say aloud what is missing."""
    native = natives()
    found = native[:1] + reduced(native[:1])
    gbc = sorted((DATA / "anatomy" / "gbc100" / "images").glob("*"))
    if not gbc:
        print(f"SKIPPED: no films under {DATA} (set LEADAPRON_TEST_DATA)")
    for file in gbc[12 : 13 if quick else 19 : 6]:
        small = np.array(Image.open(file).convert("L"))
        factor = 1024 / max(small.shape)
        big = cv2.resize(small, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        found.append((f"gbc {file.stem}", "enlarged to 1024", big, 8))
    return found if quick else found + native[1:]


def natives() -> list[Film]:
    """Return the native films of pydicom-data; say aloud what is missing."""
    try:
        import pydicom
        from pydicom.data import get_testdata_file
    except ImportError:
        print("SKIPPED: native films need pydicom")
        return []
    found: list[Film] = []
    for name in ("RG1", "RG3"):
        path = get_testdata_file(f"{name}_UNCI.dcm", download=False)
        if path is None:
            print(f"SKIPPED: {name} needs pydicom-data (pip install pydicom-data)")
            continue
        ds = pydicom.dcmread(path)
        found.append((name, "native", ds.pixel_array, int(ds.BitsStored)))
    return found


def reduced(found: list[Film]) -> list[Film]:
    """Return native films averaged down to 1024 pixels and 12 bits: small, but sharp."""
    small: list[Film] = []
    for name, _, frame, bits in found:
        factor = 1024 / max(frame.shape)
        less = cv2.resize(
            frame.astype(np.float32), None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA
        )
        twelve = np.clip(np.rint(less * (4095 / (2**bits - 1))), 0, 4095).astype(np.uint16)
        small.append((f"{name} 1024", "native reduced to 1024", twelve, 12))
    return small


def rendered(frame: Picture, bits: int) -> Picture:
    return np.clip(np.rint(frame.astype(float) * 255 / (2**bits - 1)), 0, 255).astype(np.uint8)


def generator(*names: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32("/".join(map(str, names)).encode()))


def psnr(a: Picture, b: Picture, full: float) -> float:
    error = float(np.mean((a.astype(float) - b) ** 2))
    return float(10 * np.log10(full**2 / error)) if error else float("inf")
