"""Style, intensity and geometry randomisation of a film with its labels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from leadapron.anatomy.labels import CHANNELS, MIRROR
from leadapron.anatomy.preprocessing import normalise
from leadapron.anatomy.training.films import SIZE, Film

Float = npt.NDArray[np.float32]
Random = np.random.Generator


@dataclass
class Sample:
    """The network's input (C, S, S), targets and their mask (len(CHANNELS), S, S)."""

    inputs: Float
    target: npt.NDArray[np.uint8]
    known: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Reach:
    """How far a variant may be from the film.

    Attributes:
        zoom: least and greatest zoom, natural logarithm.
        stretch: standard deviation of the aspect ratio, natural logarithm.
        shutter: widest margin that collimation covers, as a share of the side.
        equalised: chance of local equalisation, such as some makers process films with.
    """

    zoom: tuple[float, float] = (-0.28, 0.22)
    stretch: float = 0.07
    shutter: float = 0.09
    equalised: float = 0.0


NEAR = Reach()
FAR = Reach((-0.65, 0.3), 0.12, 0.2, 0.25)
"""For the gate, which meets films before anything is known of them."""


def reach(rng: Random, far: float) -> Reach:
    """Return FAR with that chance, else NEAR."""
    return FAR if rng.random() < far else NEAR


def plain(film: Film, size: int) -> Sample:
    """Return the film as it is, at ``size``."""
    scale = size / SIZE
    matrix = np.array([[scale, 0, scale / 2 - 0.5], [0, scale, scale / 2 - 0.5]])
    place = _places(matrix, size)
    image = cv2.resize(film.image.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA)
    inside = _warp(film.inside.astype(np.uint8), place) > 0
    return _sample(film, place, np.asarray(image, dtype=np.float32), inside)


def random(
    film: Film, size: int, rng: Random, mirror: float = 0.15, within: Reach = NEAR
) -> Sample:
    """Return one random variant of the film, at ``size``; mirrored with that chance."""
    mirrored = rng.random() < mirror
    place = _bent(_affine(size, rng, mirrored, within), size, rng)
    turned = np.asarray(cv2.remap(film.image, place[0], place[1], cv2.INTER_LINEAR), dtype=np.uint8)
    if rng.random() < within.equalised:
        turned = _equalised(turned, rng)
    image = _float(turned) / np.float32(255)
    inside = _warp(film.inside.astype(np.uint8), place) > 0
    image = _intensity(image, inside, rng)
    inside = _frame(image, inside, rng, within.shutter)
    sample = _sample(film, place, image, inside)
    if mirrored:
        sample.target = np.ascontiguousarray(sample.target[list(MIRROR)])
        sample.known = np.ascontiguousarray(sample.known[list(MIRROR)])
    return sample


def _sample(film: Film, place: Float, image: Float, inside: npt.NDArray[np.bool_]) -> Sample:
    target, known = (_warp(plane, place) for plane in (film.target, film.known))
    known = np.where(inside, known, 0)
    bits = np.arange(len(CHANNELS), dtype=np.uint16)[:, None, None]
    return Sample(
        normalise(image, inside),
        ((target >> bits) & 1).astype(np.uint8),
        ((known >> bits) & 1).astype(np.uint8),
    )


def _warp(plane: npt.NDArray[np.integer], place: Float) -> npt.NDArray[np.integer]:
    return np.asarray(cv2.remap(plane, place[0], place[1], cv2.INTER_NEAREST))


def _places(matrix: npt.NDArray[np.float64], size: int) -> Float:
    """Return where in the film each pixel of the square comes from, (2, S, S): x and y."""
    back = cv2.invertAffineTransform(matrix)
    rows, cols = np.indices((size, size), dtype=np.float32)
    return _float([x * cols + y * rows + shift for x, y, shift in back.astype(np.float32)])


def _bent(matrix: npt.NDArray[np.float64], size: int, rng: Random) -> Float:
    """Bend the film smoothly besides moving it: chests differ in more than size and tilt."""
    place = _places(matrix, size)
    if rng.random() < 0.7:
        grid, depth = int(rng.integers(4, 8)), float(rng.uniform(0.004, 0.016)) * SIZE
        place += np.stack([_field(size, rng, grid, depth) for _ in range(2)])
    return place


def _affine(size: int, rng: Random, mirrored: bool, within: Reach) -> npt.NDArray[np.float64]:
    angle = np.deg2rad(rng.normal(0, 6))
    zoom = size / SIZE * np.exp(rng.uniform(*within.zoom))
    stretch, shear = np.exp(rng.normal(0, within.stretch)), rng.normal(0, 0.04)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.array([[stretch, shear], [0, 1 / stretch]]) * zoom
    if mirrored:
        linear = linear @ np.diag([-1.0, 1.0])
    centre = np.full(2, (SIZE - 1) / 2)
    shift = np.full(2, (size - 1) / 2) + rng.normal(0, 0.05, 2) * size
    return np.column_stack([linear, shift - linear @ centre])


def _intensity(image: Float, inside: npt.NDArray[np.bool_], rng: Random) -> Float:
    size = image.shape[0]
    values = image[inside][::7]
    low, high = np.percentile(values, (0.5, 99.5)) if values.size else (0.0, 1.0)
    image = _float(np.clip((image - low) / max(float(high - low), 1e-3), 0, 1))
    image = _curve(image, rng)
    if rng.random() < 0.6:
        image = image + _field(size, rng, 3, rng.uniform(0.02, 0.18))
    if rng.random() < 0.35:
        image = image + _blob(size, rng) * rng.uniform(0.1, 0.5)
    if rng.random() < 0.3:
        image = _float(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.6)))
    elif rng.random() < 0.3:
        soft = cv2.GaussianBlur(image, (0, 0), rng.uniform(1, 6))
        image = _float(image + rng.uniform(0.3, 1.6) * (image - soft))
    if rng.random() < 0.6:
        image = _float(image + rng.normal(0, rng.uniform(0.003, 0.05), image.shape))
    if rng.random() < 0.25:
        image = _window(image, rng)
    _burn(image, rng)
    return image


def _float(image: npt.ArrayLike) -> Float:
    return np.asarray(image, dtype=np.float32)


def _curve(image: Float, rng: Random) -> Float:
    image = image ** np.float32(np.exp(rng.normal(0, 0.45)))
    knots = np.cumsum(rng.uniform(0.25, 1.0, 6))
    knots = np.concatenate([[0], knots / knots[-1]])
    return np.interp(image, np.linspace(0, 1, 7), knots).astype(np.float32)


def _equalised(image: npt.NDArray[np.uint8], rng: Random) -> npt.NDArray[np.uint8]:
    tiles = int(rng.integers(2, 11))
    return np.asarray(
        cv2.createCLAHE(float(rng.uniform(1, 6)), (tiles, tiles)).apply(image), dtype=np.uint8
    )


def _window(image: Float, rng: Random) -> Float:
    low, high = np.percentile(image[::4, ::4], (rng.uniform(0, 12), rng.uniform(82, 100)))
    return np.clip(image, low, max(high, low + 1e-3))


def _field(size: int, rng: Random, grid: int, depth: float) -> Float:
    coarse = rng.normal(0, depth, (grid, grid)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC))


def _blob(size: int, rng: Random) -> Float:
    """An opacity of any shape, such as a consolidation or an effusion leaves."""
    coarse = rng.normal(0, 1, (7, 7)).astype(np.float32)
    rough = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    x, y, spread = rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.9), rng.uniform(0.08, 0.3)
    grid = np.linspace(0, 1, size, dtype=np.float32)
    near = np.exp(-((grid[None] - x) ** 2 + (grid[:, None] - y) ** 2) / (2 * spread**2))
    return np.asarray(near / (1 + np.exp(-2 * rough)), dtype=np.float32)


def _burn(image: Float, rng: Random) -> None:
    size = image.shape[0]
    bright = float(image.max()) if rng.random() < 0.8 else float(image.min())
    while rng.random() < 0.4:
        text = "".join(rng.choice(list("RLAP0123456789 ERECTKV-"), rng.integers(1, 14)))
        at = (int(rng.integers(0, size)), int(rng.integers(8, size)))
        scale = float(rng.uniform(0.25, 0.9)) * size / 256
        layer = np.zeros(image.shape, dtype=np.uint8)
        cv2.putText(layer, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, 1, cv2.LINE_AA)
        ink = layer.astype(np.float32) / 255
        image += ink * (bright - image)
    while rng.random() < 0.2:
        points = (rng.uniform(0, 1, (4, 2)) * size).astype(np.int32)
        layer = np.zeros(image.shape, dtype=np.uint8)
        cv2.polylines(layer, [points], False, 255, int(rng.integers(1, 3)), cv2.LINE_AA)
        image += cv2.GaussianBlur(layer.astype(np.float32), (0, 0), 0.8) * rng.uniform(4e-4, 2e-3)


def _frame(
    image: Float, inside: npt.NDArray[np.bool_], rng: Random, widest: float
) -> npt.NDArray[np.bool_]:
    """Collimate: cover margins with shutter, or crop them so that the film ends there."""
    size = image.shape[0]
    if rng.random() < 0.35:
        cut = (rng.uniform(0, widest, 4) * size * (rng.random(4) < 0.6)).astype(int)
        keep = np.zeros_like(inside)
        keep[cut[0] : size - cut[1], cut[2] : size - cut[3]] = True
        shutter = float(image.min()) if rng.random() < 0.7 else float(image.max())
        if rng.random() < 0.5:
            image[~keep] = shutter
        else:
            inside = inside & keep
    if rng.random() < 0.5:
        image[~inside] = 0
        return inside
    image[~inside] = float(np.percentile(image, rng.choice([0, 0, 50])))
    return inside if rng.random() < 0.5 else np.ones_like(inside)
