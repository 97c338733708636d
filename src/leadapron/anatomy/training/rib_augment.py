"""Rib maps made worse: what another first network, or another film, could have shown."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from leadapron.anatomy.rib_view import COUNT, SIZE, placed, warped, whole
from leadapron.anatomy.training.rib_labels import Cage

Byte = npt.NDArray[np.uint8]
Float = npt.NDArray[np.float32]
Random = np.random.Generator


@dataclass
class Sample:
    """Input (INPUTS, SIZE, SIZE), arcs (COUNT, SIZE, SIZE) and where they are known."""

    inputs: Float
    target: Float
    known: Float


def plain(cage: Cage) -> Sample:
    """Return the cage as it is."""
    lungs = whole(cage.maps[1]), whole(cage.maps[2])
    ribs = cage.maps[0].astype(np.float32) / np.float32(255)
    rest = [plane.astype(np.float32) / np.float32(255) for plane in cage.maps[3:]]
    return _sample(cage, (ribs, *rest), lungs, placed(lungs[0] | lungs[1]), mirrored=False)


def random(cage: Cage, rng: Random) -> Sample:
    """Return one random variant, mirrored half of the time."""
    lungs = whole(cage.maps[1]), whole(cage.maps[2])
    if not cage.real:
        lungs = _cut(lungs[0], rng), _cut(lungs[1], rng)
    ribs = cage.maps[0].astype(np.float32) / np.float32(255)
    if cage.real and rng.random() < 0.2:
        ribs = 0.5 * ribs + cage.bone.astype(np.float32) / np.float32(510)
    if not cage.real and rng.random() < 0.85:
        gone = 1.0 if rng.random() < 0.7 else rng.random()
        ribs = ribs * (1 - gone * _soft(cage.anterior.astype(np.float32), 0.8))
    field = (lungs[0] | lungs[1]).astype(np.uint8)
    ribs = _degraded(ribs, field, rng)
    clavicles = cage.maps[3].astype(np.float32) / np.float32(255)
    if rng.random() < 0.6:
        bars = _clavicles(field, rng)
        ribs = np.maximum(ribs, bars)
        clavicles = np.maximum(clavicles, bars) if rng.random() < 0.7 else clavicles
    if rng.random() < 0.3:
        clavicles = clavicles * np.float32(rng.random())
    contrast = _contrast(cage, rng)
    mirrored = rng.random() < 0.5
    matrix = _after(_jitter(rng, mirrored), placed(field))
    sample = _sample(cage, (ribs, clavicles, contrast), lungs, matrix, mirrored)
    return _squeezed(sample, rng) if rng.random() < 0.4 else sample


def _squeezed(sample: Sample, rng: Random) -> Sample:
    """Move the ribs below the apex up or down, as bending the chest back or forth does.

    Squeezed, ribs 2 and 3 become one band, which is where numbering fails on films.
    """
    rows = np.nonzero((sample.inputs[1:3] > 0.5).any(axis=(0, 2)))[0]
    if rows.size == 0:
        return sample
    part, by = rng.uniform(0.25, 0.5) * rows.size, rng.uniform(-0.3, 0.7)
    at = np.arange(SIZE, dtype=np.float32)
    down = np.clip((at - rows[0]) / part, 0, 1)
    source = at + np.where(down < 1, part * by * down * (1 - down), 0).astype(np.float32)
    across, along = np.meshgrid(at, source)

    def moved(planes: Float) -> Float:
        bent = [cv2.remap(p, across, along, cv2.INTER_LINEAR) for p in planes]
        return np.stack(bent).astype(np.float32)

    inputs = moved(sample.inputs)
    if by > 0.2:
        blurred = _soft(inputs[0], rng.uniform(0.6, 1.6))
        inputs[0] = np.where((down < 1)[:, None], blurred, inputs[0])
    return Sample(inputs, moved(sample.target), moved(sample.known))


def _sample(
    cage: Cage,
    soft: tuple[Float, ...],
    lungs: tuple[Byte, Byte],
    matrix: npt.NDArray[np.float64],
    mirrored: bool,
) -> Sample:
    order = lungs[::-1] if mirrored else lungs
    planes = (soft[0], *(lung.astype(np.float32) for lung in order), *soft[1:])
    arcs = [((cage.arcs >> k) & 1).astype(np.float32) for k in range(COUNT)]
    return Sample(
        np.stack([warped(plane, matrix) for plane in planes]),
        np.stack([warped(arc, matrix) for arc in arcs]),
        warped(cage.known.astype(np.float32), matrix)[None],
    )


def _degraded(ribs: Float, field: Byte, rng: Random) -> Float:
    size = ribs.shape[0]
    inside = _soft(field.astype(np.float32), rng.uniform(1, 4))
    chance = rng.random()
    if chance < 0.35:
        ribs = ribs * inside
    elif chance < 0.85:
        ribs = ribs * (inside + (1 - inside) * rng.random() * _noise(size, 6, rng))
    if rng.random() < 0.7:
        ribs = np.clip(ribs, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.5)))
    if rng.random() < 0.5:
        ribs = _soft(ribs, rng.uniform(0.5, 2))
    if rng.random() < 0.6:
        ribs = ribs * (1 - rng.uniform(0.2, 1) * np.clip(_noise(size, 8, rng) * 2 - 1, 0, 1))
    if rng.random() < 0.4:
        blobs = np.clip(_noise(size, 24, rng) * 2 - 1.1, 0, 1)
        ribs = ribs + rng.uniform(0.2, 0.6) * blobs * inside
    if rng.random() < 0.5:
        grain = rng.normal(0, rng.uniform(0.02, 0.12), ribs.shape)
        ribs = ribs + grain.astype(np.float32)
    if rng.random() < 0.6:
        ribs = np.maximum(ribs, _rim(field, rng))
    return np.clip(ribs, 0, 1).astype(np.float32)


def _contrast(cage: Cage, rng: Random) -> Float:
    """The film's local contrast, stronger, weaker or noisier; now and then none at all.

    A projection's is not a film's: half of the time the network must do without it.
    """
    if rng.random() < (0.2 if cage.real else 0.5):
        return np.full(cage.maps[4].shape, 0.5, np.float32)
    away = cage.maps[4].astype(np.float32) / np.float32(255) - np.float32(0.5)
    if rng.random() < 0.3:
        away = _soft(away, rng.uniform(0.4, 1.2))
    grain = rng.normal(0, rng.uniform(0, 0.06), away.shape).astype(np.float32)
    gain = np.float32(np.exp(rng.normal(0, 0.3)))
    return np.asarray(np.clip(away * gain + grain + 0.5, 0, 1), dtype=np.float32)


def _rim(field: Byte, rng: Random) -> Float:
    """The lungs' edge, which the first network likes to call rib."""
    lines, _ = cv2.findContours(field, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    edge = cv2.drawContours(np.zeros_like(field), lines, -1, 1, int(rng.integers(2, 9)))
    present = _noise(field.shape[0], 4, rng) > 0.35
    return rng.uniform(0.3, 1) * _soft(edge.astype(np.float32), 1.2) * present


def _clavicles(field: Byte, rng: Random) -> Float:
    """Slanting bars across the upper lungs: clavicles that pass for ribs."""
    rows, columns = np.nonzero(field)
    top, height = rows.min(), np.ptp(rows)
    middle, width = columns.mean(), np.ptp(columns)
    bars = np.zeros_like(field)
    for sign in (-1, 1):
        inner = middle + sign * 0.08 * width, top + height * rng.uniform(0.08, 0.28)
        outer = middle + sign * 0.5 * width, top + height * rng.uniform(-0.1, 0.12)
        ends = [tuple(int(value) for value in end) for end in (inner, outer)]
        cv2.line(bars, ends[0], ends[1], 1, int(rng.integers(5, 10)))
    return rng.uniform(0.3, 1) * _soft(bars.astype(np.float32), 1.0)


def _cut(lung: Byte, rng: Random) -> Byte:
    """Raise the diaphragm: projections show more of the lungs than films do."""
    rows, columns = np.nonzero(lung)
    if rows.size == 0 or rng.random() < 0.5:
        return lung
    height, away = np.ptp(rows), np.arange(lung.shape[1]) - columns.mean()
    level = rows.max() - rng.uniform(0, 0.3) * height
    dome = (away / max(1, np.ptp(columns))) ** 2 * rng.uniform(0, 0.4) * height
    line = level + dome + rng.normal(0, 0.1) * away
    return np.where(np.arange(lung.shape[0])[:, None] > line, 0, lung).astype(np.uint8)


def _jitter(rng: Random, mirrored: bool) -> npt.NDArray[np.float64]:
    angle, zoom = np.deg2rad(rng.normal(0, 4)), np.exp(rng.normal(-0.02, 0.07))
    stretch, shear = np.exp(rng.normal(0, 0.06)), rng.normal(0, 0.04)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.array([[stretch, shear], [0, 1 / stretch]]) * zoom
    if mirrored:
        linear = linear @ np.diag([-1.0, 1.0])
    centre = np.full(2, (SIZE - 1) / 2)
    return np.column_stack([linear, centre + rng.normal(0, 4, 2) - linear @ centre])


def _after(
    second: npt.NDArray[np.float64], first: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    last = np.array([[0.0, 0.0, 1.0]])
    return np.asarray((np.vstack([second, last]) @ np.vstack([first, last]))[:2])


def _soft(plane: Float, sigma: float) -> Float:
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma), dtype=np.float32)


def _noise(size: int, cells: int, rng: Random) -> Float:
    coarse = rng.random((cells, cells)).astype(np.float32)
    fine = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(fine, 0, 1), dtype=np.float32)
