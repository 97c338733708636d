"""Pictures that are no frontal chest film, for the gate to learn to refuse."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from leadapron.anatomy.preprocessing import normalise
from leadapron.anatomy.training import augment
from leadapron.anatomy.training.films import SIZE, Film

Float = npt.NDArray[np.float32]
Point = npt.NDArray[np.float64]
Random = np.random.Generator


class Strangers:
    """Other pictures: a folder of them, CT projections, pieces of films, and inventions."""

    def __init__(self, films: list[Film], folder: Path | None) -> None:
        """Use the projections among ``films`` (no films themselves) and ``folder``."""
        self._chest = [f for f in films if f.source in ("wingspan", "gbc100")]
        self._projections = [f for f in films if f.source in ("rib_drr", "ct")]
        self._laterals = [f for f in films if f.source == "ct-lateral"]
        paths = sorted(folder.rglob("*.png")) if folder else []
        self._pictures = [_as_film(path) for path in paths]

    def draw(self, size: int, rng: Random, within: augment.Reach) -> Float:
        """Return the network's input (CHANNELS, size, size) of one such picture."""
        kind = rng.random()
        pools = ((0.3, self._pictures), (0.48, self._projections), (0.62, self._laterals))
        for share, pool in pools:
            if kind < share and pool:
                return augment.random(_pick(pool, rng), size, rng, within=within).inputs
        if kind < 0.8:
            piece = _piece(_pick(self._chest, rng), rng)
            return augment.random(piece, size, rng, within=within).inputs
        image = _limb(rng) if kind < 0.93 else _texture(rng)
        if rng.random() < 0.7:
            return augment.random(_film(image), size, rng, within=within).inputs
        small = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
        return normalise(small.astype(np.float32), np.ones(small.shape, dtype=np.bool_))


def _pick(films: list[Film], rng: Random) -> Film:
    return films[int(rng.integers(len(films)))]


def _piece(film: Film, rng: Random) -> Film:
    """A part of a film that does not show both lungs."""
    for _ in range(20):
        side = int(SIZE * rng.uniform(0.2, 0.5))
        row, col = (int(rng.integers(0, SIZE - side)) for _ in range(2))
        window = np.s_[row : row + side, col : col + side]
        lungs = [float((film.target[window] & bit > 0).sum()) for bit in (1, 2)]
        whole = [max(1.0, float((film.target & bit > 0).sum())) for bit in (1, 2)]
        if min(part / all_ for part, all_ in zip(lungs, whole, strict=True)) < 0.35:
            break
    image = cv2.resize(film.image[window], (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    return _film(np.asarray(image))


def _limb(rng: Random) -> npt.NDArray[np.uint8]:
    """One or several long bones in soft tissue on a dark field."""
    image = np.zeros((SIZE, SIZE), dtype=np.float32)
    middle = rng.uniform(0.3, 0.7, 2) * SIZE
    direction = rng.uniform(0, np.pi)
    along = np.array([np.cos(direction), np.sin(direction)]) * SIZE
    flesh = rng.uniform(0.1, 0.45) * SIZE
    _tube(image, middle - along, middle + along, flesh, rng.uniform(0.25, 0.5))
    bones = int(rng.integers(1, 6))
    for bone in range(bones):
        side = np.array([-along[1], along[0]]) / SIZE
        offset = side * flesh * ((bone + 0.5) / bones - 0.5) * 0.7
        joint = offset + middle + along * rng.uniform(-0.4, 0.4)
        width = flesh / bones * rng.uniform(0.25, 0.6)
        for end in (joint - along, joint + along):
            _tube(image, joint + rng.normal(0, 4, 2), end, width, rng.uniform(0.2, 0.5))
            _tube(image, joint, end, width * 0.6, -rng.uniform(0.02, 0.15))
        cv2.circle(image, tuple(int(v) for v in joint), int(width * 0.7), 0.9, -1)
    blurred = cv2.GaussianBlur(image, (0, 0), rng.uniform(1.5, 5))
    return (255 * np.clip(blurred / max(float(blurred.max()), 1e-3), 0, 1)).astype(np.uint8)


def _tube(image: Float, start: Point, end: Point, width: float, depth: float) -> None:
    layer = np.zeros(image.shape, dtype=np.uint8)
    first, last = (tuple(int(v) for v in point) for point in (start, end))
    cv2.line(layer, first, last, 255, max(1, int(width)))
    image += layer.astype(np.float32) / 255 * np.float32(depth)


def _texture(rng: Random) -> npt.NDArray[np.uint8]:
    """Noise of one or several grain sizes, ramps, blocks."""
    image = np.zeros((SIZE, SIZE), dtype=np.float32)
    for _ in range(int(rng.integers(1, 4))):
        grid = int(2 ** rng.uniform(1, 8))
        coarse = rng.random((grid, grid)).astype(np.float32)
        method = cv2.INTER_NEAREST if rng.random() < 0.4 else cv2.INTER_CUBIC
        image += cv2.resize(coarse, (SIZE, SIZE), interpolation=method) * rng.random()
    image -= image.min()
    return (255 * image / max(float(image.max()), 1e-3)).astype(np.uint8)


def _as_film(path: Path) -> Film:
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise FileNotFoundError(path)
    scale = SIZE / max(image.shape)
    rows, cols = (max(1, round(side * scale)) for side in image.shape)
    small = cv2.resize(image, (cols, rows), interpolation=cv2.INTER_AREA)
    square = np.zeros((SIZE, SIZE), dtype=np.uint8)
    top, left = (SIZE - rows) // 2, (SIZE - cols) // 2
    square[top : top + rows, left : left + cols] = small
    film = _film(square)
    film.inside[:] = False
    film.inside[top : top + rows, left : left + cols] = True
    return film


def _film(image: npt.NDArray[np.integer]) -> Film:
    nothing = np.zeros(image.shape, dtype=np.uint16)
    inside = np.ones(image.shape, dtype=np.bool_)
    return Film("stranger", "train", image.astype(np.uint8), nothing, nothing, inside)
