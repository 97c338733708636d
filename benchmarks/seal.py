"""Seal and unseal a real chest film: time, size beside plain compression, and what a thief gets.

    python benchmarks/seal.py [--file FILM.dcm] [--runs 5] [--json OUT.json]

The film is RG1_UNCI.dcm of the PyPI package pydicom-data unless one is given; the regions
are LeadApron's own network's where its weights are installed, drawn shapes otherwise.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from leadapron.model import Region, RegionMap
from leadapron.seal import (
    CentreKeyPair,
    SealPolicy,
    Suite,
    inspect,
    open_frame,
    seal,
    unseal,
    verify_sealed,
)
from leadapron.seal.codec import compress_dataset, decode_frame


def drawn(shape: tuple[int, int]) -> RegionMap:
    """Ten overlapping regions of roughly the real sizes, ribs as twenty bands."""
    rows, columns = shape
    y, x = np.mgrid[:rows, :columns] / np.array(shape)[:, None, None]

    def ellipse(cy: float, cx: float, ry: float, rx: float) -> np.ndarray:
        return ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1

    ribs = np.zeros(shape, bool)
    for number in range(10):
        for centre in (0.29, 0.71):
            curve = 0.15 + number * 0.065 + 2 * (x - centre) ** 2
            ribs |= (abs(y - curve) < 0.009) & (abs(x - centre) < 0.19)
    masks = {
        Region.RIGHT_LUNG: ellipse(0.45, 0.3, 0.33, 0.16),
        Region.LEFT_LUNG: ellipse(0.45, 0.7, 0.33, 0.16),
        Region.HEART: ellipse(0.62, 0.55, 0.18, 0.2),
        Region.RIBS: ribs,
        Region.MEDIASTINUM: ellipse(0.45, 0.5, 0.35, 0.09),
        Region.RIGHT_CLAVICLE: ellipse(0.14, 0.33, 0.02, 0.14),
        Region.LEFT_CLAVICLE: ellipse(0.14, 0.67, 0.02, 0.14),
        Region.SPINE: abs(x - 0.5) < 0.03,
        Region.SUBDIAPHRAGM: y > 0.82,
        Region.THORAX: ellipse(0.5, 0.5, 0.48, 0.47),
    }
    return RegionMap(shape, masks, {}, model_version="drawn")


def found(ds: Dataset) -> RegionMap | None:
    """What the installed network finds, or None."""
    try:
        from leadapron.anatomy import Segmenter

        segmenter = Segmenter.load(threads=1)
        return segmenter.segment(decode_frame(ds), photometric=str(ds.PhotometricInterpretation))
    except Exception as exc:
        print(f"skipped: regions of the network ({type(exc).__name__}: {exc})", file=sys.stderr)
        return None


def timed(work: Callable[[], Any], runs: int) -> tuple[Any, float, float]:
    """Return (result, best wall ms, best CPU ms)."""
    wall, cpu = [], []
    for _ in range(runs):
        start, used = time.perf_counter(), time.process_time()
        result = work()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - used)
    return result, min(wall) * 1e3, min(cpu) * 1e3


def part10(ds: Dataset) -> bytes:
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def stolen(ds: Dataset, data: bytes) -> dict[str, Any]:
    """What the sealed object gives to someone without a key."""
    sealed = pydicom.dcmread(io.BytesIO(data))
    verify_sealed(sealed)
    values = np.unique(decode_frame(sealed)).size
    cells = [
        element.value
        for item in sealed.private_block(0x7FE1, "LEADAPRON SEAL 1.0")[7].value
        for element in item
        if element.VR == "OB"
    ]
    ciphertext = b"".join(cells)
    counts = np.bincount(np.frombuffer(ciphertext, np.uint8), minlength=256)
    expected = len(ciphertext) / 256
    return {
        "distinct_stored_values": int(values),
        "stored_picture_bits_of_information": float(np.log2(values)),
        "ciphertext_deflates_to": len(zlib.compress(ciphertext, 9)) / len(ciphertext),
        "ciphertext_chi2_255": float(((counts - expected) ** 2 / expected).sum()),
        "original_bytes_found_in_file": ds.PixelData[len(ds.PixelData) // 2 :][:64] in data,
    }


def measure(ds: Dataset, known: RegionMap, runs: int) -> dict[str, Any]:
    keys = CentreKeyPair.generate()
    pixels = decode_frame(ds)
    rows: list[dict[str, Any]] = []

    def row(name: str, work: Callable[[], Any]) -> Any:
        result, wall, cpu = timed(work, runs)
        rows.append({"what": name, "wall_ms": round(wall, 1), "cpu_ms": round(cpu, 1)})
        return result

    compressed = row("whole film to HTJ2K", lambda: compress_dataset(ds))
    row("whole film from HTJ2K", lambda: decode_frame(compressed))
    jls = row("whole film to JPEG-LS", lambda: imagecodecs.jpegls_encode(pixels))
    row("whole film from JPEG-LS", lambda: imagecodecs.jpegls_decode(jls))
    baseline = len(part10(compressed))
    sizes = {"native": len(part10(ds)), "HTJ2K": baseline, "JPEG-LS": len(jls)}
    out: dict[str, Any] = {"rows": rows, "sizes": sizes}
    for suite in Suite:
        policy = SealPolicy(suite=suite)
        sealed = row(f"seal {suite}", lambda policy=policy: seal(ds, known, policy, keys.public))
        data = part10(sealed)
        sizes[f"sealed {suite}"] = len(data)
        read = pydicom.dcmread(io.BytesIO(data))
        back = row(f"unseal all {suite}", lambda read=read: unseal(read, keys))
        if back.PixelData != ds.PixelData:
            raise SystemExit("unsealing is not bit-exact")
        if suite is Suite.AES256_GCM:
            out["cells"] = readers(read, keys, row)
            out["stolen"] = stolen(ds, data)
    out["ratio_to_htj2k"] = {k: round(v / baseline, 3) for k, v in sizes.items()}
    return out


def readers(sealed: Dataset, keys: CentreKeyPair, row: Callable[..., Any]) -> int:
    """Time what an archive and a delivery do; return the number of cells."""
    row("inspect", lambda: inspect(sealed, keys))
    row("verify_sealed (no key)", lambda: verify_sealed(sealed))
    row("open_frame, everything", lambda: open_frame(sealed, keys))
    manifest = inspect(sealed, keys)
    for region in manifest.regions:
        row(f"open_frame {region}", lambda region=region: open_frame(sealed, keys, [region]))
    return len(manifest.cells)


def show(name: str, result: dict[str, Any]) -> None:
    print(f"\n{name}: {result['cells']} cells")
    print(f"{'':32}{'wall ms':>9}{'CPU ms':>9}")
    for row in result["rows"]:
        print(f"{row['what']:32}{row['wall_ms']:9.1f}{row['cpu_ms']:9.1f}")
    for what, size in result["sizes"].items():
        print(f"{what:32}{size:12,} bytes  {result['ratio_to_htj2k'][what]:6.3f} × HTJ2K")
    for what, value in result["stolen"].items():
        print(f"{what:36}{value}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    path = options.file or get_testdata_file("RG1_UNCI.dcm", download=False)
    if path is None:
        print("skipped: RG1_UNCI.dcm needs the PyPI package pydicom-data", file=sys.stderr)
        return
    ds = pydicom.dcmread(path)
    results = {"drawn regions": measure(ds, drawn((ds.Rows, ds.Columns)), options.runs)}
    network = found(ds)
    if network is not None:
        results["network's regions"] = measure(ds, network, options.runs)
    for name, result in results.items():
        show(name, result)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
