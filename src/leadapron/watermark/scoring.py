"""From a residual to a verdict.

The measurement of chip i is any number a_i that was computed without the candidate. If a view
was never marked into the copy, its chips are fair coins independent of every a_i, and

    z = Σ chip_i · a_i / √(Σ a_i²)      obeys      P(z ≥ t) ≤ exp(−t²/2)

for every t and every a (Hoeffding). With N = views × hypotheses tried, N·exp(−z²/2) bounds
the chance that anybody innocent is named at all, whatever was done to the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leadapron.watermark.chips import Band, correlate
from leadapron.watermark.geometry import Geometry
from leadapron.watermark.modelling import Prediction, blurred

Float = npt.NDArray[np.float32]

_RINGS = 32


@dataclass(frozen=True, eq=False)
class Residual:
    """What the prediction leaves.

    Attributes:
        score: derivative of the log-likelihood of the copy by the film's tone, float32
            (rows, columns) of the copy.
        error: the raw difference, grey values.
        spread: its local standard deviation.
        gain: local contrast of the copy against the prediction (0 where the copy is a fill).
    """

    score: Float
    error: Float
    spread: Float
    gain: Float


def residual(copy: Float, prediction: Prediction, window: float) -> Residual:
    """Return the residual after local contrast and brightness were fitted.

    Args:
        window: sigma of the local fit in pixels of the copy.
    """
    expected, weight = prediction.expected, prediction.weight
    mass = blurred(weight, window) + 1e-6
    mean_p = blurred(expected * weight, window) / mass
    mean_y = blurred(copy * weight, window) / mass
    p, y = expected - mean_p, copy - mean_y
    variance = blurred(p * p * weight, window) / mass
    covariance = blurred(p * y * weight, window) / mass
    gain: Float = np.clip((covariance + 1) / (variance + 1), 0, 4).astype(np.float32)
    error: Float = (y - gain * p) * weight
    narrow = max(3.0, window / 4)
    power = blurred(error * error, narrow) / (blurred(weight, narrow) + 1e-6)
    spread: Float = np.sqrt(power + np.float32(0.08))
    bounded = np.clip(error / spread, -2.5, 2.5)
    score = bounded / spread * gain * prediction.slope * weight
    return Residual(score.astype(np.float32), error, spread, gain)


def measure(score: Float, geometry: Geometry, band: Band, mask: Float) -> Float:
    """Return the whitened measurement of every chip, float32 (n,).

    Args:
        score: (rows, columns) on the copy.
        mask: perceptual mask on the mark grid.
    """
    import cv2

    pixels = geometry.film_pixels_per_pixel()
    cell = max(band.shape) / max(band.grid)
    ratio = cell / pixels
    smooth = blurred(score, 0.4 * ratio) if ratio > 1.2 else score
    x, y = geometry.copy_maps(band.grid, band.shape)
    on_grid = cv2.remap(smooth, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return whitened(band.project(np.asarray(on_grid, np.float32) * mask), band)


def whitened(projected: Float, band: Band) -> Float:
    """Return the matched filter's measurement: amplitude over noise power, ring by ring."""
    rings = np.minimum(
        (_RINGS * (band.frequency / band.frequency.max()) ** 0.7).astype(np.int64), _RINGS - 1
    )
    power = np.bincount(rings, projected.astype(np.float64) ** 2, _RINGS)
    count = np.maximum(np.bincount(rings, minlength=_RINGS), 1)
    typical = np.sqrt(power / count) + 1e-12
    bounded = np.clip(projected, -4 * typical[rings], 4 * typical[rings])
    return (bounded * band.amplitude / (typical[rings] ** 2)).astype(np.float32)


def z_scores(
    key: bytes, view_ids: Sequence[str], measured: Float, image_digest: str = ""
) -> npt.NDArray[np.float64]:
    """Return z of every view for each measurement, float64 (views, m); measured is (n, m)."""
    norm = np.sqrt(np.sum(measured.astype(np.float64) ** 2, axis=0)) + 1e-30
    scaled = (measured / norm).astype(np.float32)
    return correlate(key, view_ids, scaled, image_digest)
