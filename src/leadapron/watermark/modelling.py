"""Predict the leaked copy from the unmarked film: sampling, blur, tone curve, local contrast.

What the prediction cannot explain is the residual in which the mark is looked for. The model
is fitted to the copy alone and never sees a candidate, so it cannot favour one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from leadapron.watermark.geometry import Geometry

Float = npt.NDArray[np.float32]

_BINS = 512
_PARTS = 8
_SHOWN_SIDE = 640
_LIGHT_SIDE = 128
_LIGHT_WINDOW = 0.12
_DARK = 8.0
_EVEN = 0.03
_SHARP_BLURS = (0.0, 0.7, 1.4, 2.8)
_CLIPPED, _STRAIGHT, _FAR = 3.0, 0.6, 3.0
_REDUCED_BLURS = (0.3, 0.5, 0.8, 1.6)


@dataclass(frozen=True, eq=False)
class Film:
    """The unmarked film, prepared for sampling.

    Attributes:
        tone: film values mapped to 0 … bins - 1, float32, at working density.
        scale: (x, y) working pixels per film pixel.
        shape: (rows, columns) of the native film.
    """

    tone: Float
    scale: tuple[float, float]
    shape: tuple[int, int]

    @classmethod
    def prepare(cls, frame: npt.NDArray[Any], longest: int) -> Film:
        """Return `frame` at a density of at most `longest` pixels on its longer side."""
        import cv2

        small: Any = frame.astype(np.float32)
        factor = min(1.0, longest / max(frame.shape))
        if factor < 1:
            size = (round(frame.shape[1] * factor), round(frame.shape[0] * factor))
            small = cv2.resize(small, size, interpolation=cv2.INTER_AREA)
        low, high = np.percentile(small[::3, ::3], (0.003, 99.997))
        span = max(float(high - low), 1e-6)
        tone = np.clip((small - low) * ((_BINS - 1) / span), 0, _BINS - 1)
        scale = (small.shape[1] / frame.shape[1], small.shape[0] / frame.shape[0])
        return cls(tone.astype(np.float32), scale, (frame.shape[0], frame.shape[1]))


def sample(picture: Float, maps: tuple[Float, Float], fill: float = 0.0) -> Float:
    """Return `picture` at the map positions (cubic), float32."""
    import cv2

    return np.asarray(
        cv2.remap(
            picture,
            maps[0],
            maps[1],
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=fill,
        ),
        np.float32,
    )


def blurred(picture: Float, sigma: float) -> Float:
    """Return a Gaussian blur; wide ones are done on a smaller copy."""
    import cv2

    if sigma < 0.05:
        return picture
    if sigma <= 8:
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.float32)
    factor = int(sigma // 4)
    rows, columns = picture.shape[:2]
    size = (max(4, columns // factor), max(4, rows // factor))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma * size[0] / columns)
    return np.asarray(
        cv2.resize(small, (columns, rows), interpolation=cv2.INTER_LINEAR), np.float32
    )


def inside(
    maps: tuple[Float, Float], shape: tuple[int, int], margin: float
) -> npt.NDArray[np.bool_]:
    """Return which map positions are on a picture of `shape`, `margin` pixels from its edge."""
    x, y = maps
    return np.asarray(
        (x >= margin) & (y >= margin) & (x <= shape[1] - 1 - margin) & (y <= shape[0] - 1 - margin)
    )


def tone_curve(source: Float, target: Float, weight: Float) -> Float:
    """Return the mean of `target` for each tone of `source`, smoothed, float32 (bins,)."""
    stride = max(1, int(np.sqrt(source.size / 700_000)))
    source, target, weight = (part[::stride, ::stride] for part in (source, target, weight))
    index = np.clip(np.rint(source), 0, _BINS - 1).astype(np.intp).ravel()
    mass = np.bincount(index, weight.ravel(), _BINS)
    total = np.bincount(index, (weight * target).ravel(), _BINS)
    offsets = np.arange(-6, 7)
    kernel = np.exp(-0.5 * (offsets / 1.5) ** 2)
    mass, total = np.convolve(mass, kernel, "same"), np.convolve(total, kernel, "same")
    known = mass > 1e-3 * mass.max()
    places = np.arange(_BINS)
    return np.interp(places, places[known], total[known] / mass[known]).astype(np.float32)


def straightened(curve: Float, source: Float, weight: Float) -> Float:
    """Return the straight line that `curve` is but for the noise of its fit, or `curve`.

    Most copies are windowed in a straight line; a line is known much better than a curve.
    """
    stride = max(1, int(np.sqrt(source.size / 200_000)))
    index = np.rint(source[::stride, ::stride]).astype(np.intp).ravel()
    mass = np.bincount(index, weight[::stride, ::stride].ravel(), _BINS)
    mass[(curve < _CLIPPED) | (curve > 255 - _CLIPPED)] = 0
    if np.count_nonzero(mass) < _BINS // 16:
        return curve
    places = np.arange(_BINS)
    for _ in range(2):
        slope, level = np.polyfit(places, curve, 1, w=np.sqrt(mass))
        line = np.clip(slope * places + level, 0, 255).astype(np.float32)
        apart = np.minimum(np.abs(curve - line), _FAR)
        # Tones that hardly occur, as at the edge of a fill, have no say.
        straight = np.average(apart**2, weights=mass) < _STRAIGHT**2
        mass = mass / (1 + apart**2)
    return line if straight else curve


def apply_curve(tone: Float, curve: Float) -> Float:
    """Return curve(tone); tones are rounded to an eighth of a bin."""
    return np.asarray(_finer(curve)[_places(tone)], np.float32)


def slope_of_curve(tone: Float, curve: Float) -> Float:
    """Return the derivative of `curve` at `tone`, grey values per bin."""
    slopes = np.convolve(np.diff(curve, prepend=curve[:1], append=curve[-1:]), [0.5, 0.5], "valid")
    return np.asarray(_finer(slopes.astype(np.float32))[_places(tone)], np.float32)


def _finer(curve: Float) -> Float:
    places = np.arange((_BINS - 1) * _PARTS + 1, dtype=np.float32) / _PARTS
    return np.interp(places, np.arange(_BINS), curve).astype(np.float32)


def _places(tone: Float) -> npt.NDArray[np.uint16]:
    scaled = tone * np.float32(_PARTS) + np.float32(0.5)
    return np.clip(scaled, 0, (_BINS - 1) * _PARTS, out=scaled).astype(np.uint16)


@dataclass(frozen=True, eq=False)
class Prediction:
    """The copy as the unmarked film explains it.

    Attributes:
        expected: predicted grey values, float32 (rows, columns) of the copy.
        slope: grey values per tone bin of the film at each pixel, float32.
        weight: 0 to 1; 0 outside the film.
        uneven: the copy is lit unevenly, as photographs are.
        followed: how much of what should show the film does, 0 to 1.
        blurs: (sigma in copy pixels, share) of the Gaussians that mimic the copy's sampling.
    """

    expected: Float
    slope: Float
    weight: Float
    followed: float
    uneven: bool = False
    blurs: tuple[tuple[float, float], ...] = ((0.0, 1.0),)

    def carried(self, field: Float, geometry: Geometry, film_shape: tuple[int, int]) -> Float:
        """Return what a small change of the film's tone does to the copy, grey values.

        Args:
            field: the change, on a grid of any size over the whole film.
            film_shape: (rows, columns) of the film.
        """
        scale = (field.shape[1] / film_shape[1], field.shape[0] / film_shape[0])
        maps = geometry.film_maps(scale)
        step = geometry.film_pixels_per_pixel() * float(np.mean(scale))
        total = np.zeros(geometry.shape, np.float32)
        for sigma, share in self.blurs:
            total += share * sample(blurred(field, sigma * step), maps)
        return np.asarray(total * self.slope, np.float32)


def predict(
    film: Film,
    copy: Float,
    geometry: Geometry,
    rounds: int = 2,
    sharp: bool = False,
    whole: bool = False,
) -> Prediction:
    """Fit tone curve and blur, and return the prediction of `copy` (rows, columns).

    Args:
        rounds: how often outliers are weighed anew.
        sharp: assume that the copy was not filtered; only the tone curve is fitted.
        whole: assume that all of the copy shows the film; otherwise that is tested.
    """
    maps = geometry.film_maps(film.scale)
    step = geometry.film_pixels_per_pixel() * float(np.mean(film.scale))
    weight = inside(maps, film.tone.shape, 1.0 + step).astype(np.float32)
    base_blur = 0.45 * step if step > 1.2 else 0.0
    flat = np.clip(sample(blurred(film.tone, base_blur), maps), 0, _BINS - 1)
    followed = 1.0
    if not whole:
        outline = float(weight.sum())
        weight = weight * shown(flat, copy, weight)
        followed = float(weight.sum()) / max(outline, 1.0)
    robust, level, light = weight, copy, None
    for _ in range(rounds):
        curve = tone_curve(flat, level, robust)
        expected = apply_curve(flat, curve)
        robust = weight * _trust(level - expected, weight)
        if not sharp:
            light = lighting(expected, copy, robust)
            level = copy if light is None else copy / light
    if light is not None:
        curve = tone_curve(flat, level, robust)
    lit = np.float32(1) if light is None else light
    slope = slope_of_curve(flat, curve) * lit
    if sharp:
        curve = straightened(curve, flat, robust)
        expected, slope = apply_curve(flat, curve), slope_of_curve(flat, curve)
        return Prediction(expected, slope, weight, followed, blurs=((base_blur / step, 1.0),))
    toned = apply_curve(film.tone, curve)
    sigmas = _SHARP_BLURS if step <= 1.2 else _REDUCED_BLURS
    layers = [sample(blurred(toned, sigma * step), maps) for sigma in sigmas]
    expected, shares = _mixed(layers, level, robust)
    expected = expected * lit
    blurs = tuple(zip(sigmas, shares, strict=True))
    return Prediction(expected, slope, weight, followed, light is not None, blurs)


def lighting(expected: Float, copy: Float, weight: Float) -> Float | None:
    """Return how unevenly a photographed film is lit, as a factor around 1; None if it is even.

    A lens darkens the corners, lamps brighten a side: without this the tone curve would be
    torn between the lit and the dark parts.
    """
    import cv2

    factor = min(1.0, _LIGHT_SIDE / max(copy.shape))
    size = (max(8, round(copy.shape[1] * factor)), max(8, round(copy.shape[0] * factor)))
    small = [
        np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.float32)
        for part in (copy * weight, expected * weight, weight)
    ]
    reach = _LIGHT_WINDOW * float(np.sqrt(max(small[2].sum(), 1.0)))
    seen, due, mass = (blurred(part, reach) for part in small)
    light = (seen + _DARK * mass + 1e-3) / (due + _DARK * mass + 1e-3)
    used = light[small[2] > 0.5]
    if used.size < 16 or float(np.std(used)) < _EVEN:
        return None
    full = (copy.shape[1], copy.shape[0])
    wide = cv2.resize(light, full, interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(wide, 0.1, 10), np.float32)


def shown(flat: Float, copy: Float, weight: Float) -> Float:
    """Return where the copy follows the film at all, 0 to 1.

    Fills, mosaics and windows of other programs do not; they would spoil every fit. The test
    is the local correlation of detail, which no tone curve changes.
    """
    import cv2

    full = (copy.shape[1], copy.shape[0])
    factor = min(1.0, _SHOWN_SIDE / max(full))
    if factor < 1:
        size = (round(full[0] * factor), round(full[1] * factor))
        flat, copy, weight = (
            np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.float32)
            for part in (flat, copy, weight)
        )
    extent = float(np.sqrt(max(float(weight.sum()), 1.0)))
    window = max(5.0, extent / 90)
    agreement = _agreement(flat, copy, weight, (1.2, max(4.0, extent / 120)), window)
    used = agreement[weight > 0]
    if used.size < 100:
        return np.ones((full[1], full[0]), np.float32)
    usual = float(np.percentile(used[:: max(1, used.size // 20_000)], 90))
    found = np.clip(agreement / max(usual, 1e-3) * 2.5 - 0.75, 0.0, 1.0).astype(np.float32)
    # The edge of a fill looks like the film for half a window.
    reach = 2 * round(window / 2) + 1
    found = np.asarray(cv2.erode(found, np.ones((reach, reach), np.uint8)), np.float32)
    if factor < 1:
        found = np.asarray(cv2.resize(found, full, interpolation=cv2.INTER_LINEAR), np.float32)
    return found


def _agreement(
    flat: Float, copy: Float, weight: Float, scales: tuple[float, float], window: float
) -> Float:
    """Return the local correlation of detail between two scales, 0 to 1."""
    fine, coarse = scales
    p = (blurred(flat, fine) - blurred(flat, coarse)) * weight
    y = (blurred(copy, fine) - blurred(copy, coarse)) * weight
    pp, yy, py = (blurred(part, window) for part in (p * p, y * y, p * y))
    sign = 1 if float(py.sum()) >= 0 else -1
    return np.asarray(np.maximum(sign * py, 0) / np.sqrt((pp + 1e-4) * (yy + 1e-4)), np.float32)


def _trust(error: Float, weight: Float) -> Float:
    """Return weights that fall off for outliers, such as text laid over the film."""
    stride = max(1, int(np.sqrt(error.size / 60_000)))
    used = np.abs(error[::stride, ::stride])[weight[::stride, ::stride] > 0]
    if used.size == 0:
        return np.zeros_like(error)
    reach = np.float32(2.5 * (1.4826 * float(np.median(used)) + 0.3))
    scaled = error / reach
    return np.asarray(1 / (1 + scaled * scaled), np.float32)


def _mixed(layers: list[Float], copy: Float, weight: Float) -> tuple[Float, list[float]]:
    """Return the least-squares mixture of blurs of the film: any mild symmetric filter.

    Also returns each blur's share, which sum to the mixture's contrast.
    """
    stride = max(1, int(np.sqrt(copy.size / 150_000)))
    root = np.sqrt(weight[::stride, ::stride]).ravel()
    columns = [layers[0], *(layer - layers[0] for layer in layers[1:])]
    design = np.stack([c[::stride, ::stride].ravel() * root for c in columns] + [root], axis=1)
    target = copy[::stride, ::stride].ravel() * root
    square = design.T @ design
    ridge = np.diag(np.diag(square)) * 1e-4 + np.eye(len(square)) * 1e-3
    mix = np.linalg.solve(square + ridge, design.T @ target).astype(np.float32)
    result = np.full_like(copy, mix[-1])
    for share, column in zip(mix, columns, strict=False):
        result += share * column
    others = [float(share) for share in mix[1:-1]]
    return result, [float(mix[0]) - sum(others), *others]
