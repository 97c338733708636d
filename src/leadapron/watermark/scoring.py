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
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from leadapron.watermark.chips import Band, correlate
from leadapron.watermark.geometry import Geometry
from leadapron.watermark.modelling import Prediction, blurred
from leadapron.watermark.notching import Notches

Float = npt.NDArray[np.float32]

_RINGS = 32
_EXACT = 2**24


@dataclass(frozen=True, eq=False)
class Residual:
    """What the prediction leaves.

    Attributes:
        error: copy minus prediction after the local fit, grey values, float32.
        expected: the prediction after the local fit, grey values.
        gain: local contrast of the copy against the prediction (0 where the copy is a fill).
        spread: local standard deviation of the error.
        window: sigma of the local fit, pixels of the copy.
    """

    error: Float
    expected: Float
    gain: Float
    spread: Float
    window: float

    def score(self) -> Float:
        """Return the derivative of the log-likelihood by the copy's grey values."""
        return np.clip(self.error / self.spread, -2.5, 2.5) / self.spread

    def response(self, signal: Float) -> Float:
        """Return the score that a change `signal` of the copy would add."""
        return (signal - blurred(signal, self.window)) / self.spread**2


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
    return Residual(error, mean_y + gain * p, gain, spread, window)


@dataclass(frozen=True, eq=False)
class Meter:
    """Measures the chips of one film in one working copy.

    Attributes:
        band: the film's cosines.
        mask: perceptual mask on the mark grid.
        geometry: of the copy.
        prediction: of the copy.
    """

    band: Band
    mask: Float
    geometry: Geometry
    prediction: Prediction

    def signal(self) -> Float:
        """Return what a public test mark does to the copy, grey values at unit strength."""
        field = self.band.field(_test_chips(self.band.size)) * self.mask
        return self.prediction.carried(field, self.geometry, self.band.shape)

    def measure(self, score: Float, response: Float, gain: Float, striped: bool = False) -> Float:
        """Return the measurement of every chip, float32 (n,): the matched filter.

        Args:
            score: derivative of the log-likelihood by the copy's grey values.
            response: the score that the test mark would add; tells which cosines the copy
                still carries.
            gain: local contrast of the copy.
            striped: the copy may show moiré or a print raster; take it out.
        """
        if striped:
            notches = Notches.of(score)
            score, response = notches.apply(score), notches.apply(response)
        weight = gain * self.prediction.slope * self.prediction.weight
        found = self._project(score * weight)
        would = self._project(response * weight) * _test_chips(self.band.size)
        rings = np.minimum(
            (_RINGS * (self.band.frequency / self.band.frequency.max()) ** 0.7).astype(np.int64),
            _RINGS - 1,
        )
        count = np.maximum(np.bincount(rings, minlength=_RINGS), 1)
        power = np.bincount(rings, found.astype(np.float64) ** 2, _RINGS) / count
        passed = np.bincount(rings, would / self.band.amplitude, _RINGS) / count
        passed = np.maximum(passed, 0)
        filtered = (passed / (power + 1e-6 * power.max() + 1e-30))[rings]
        typical = np.sqrt(power)[rings]
        bounded = np.clip(found, -4 * typical, 4 * typical)
        return np.asarray(bounded * self.band.amplitude * filtered, np.float32)

    def _project(self, score: Float) -> Float:
        """Return the cosine coefficients of a picture on the copy, laid on the mark grid."""
        import cv2

        ratio = max(self.band.shape) / max(self.band.grid) / self.geometry.film_pixels_per_pixel()
        smooth = blurred(score, 0.4 * ratio) if ratio > 1.2 else score
        x, y = self.geometry.copy_maps(self.band.grid, self.band.shape)
        on_grid = cv2.remap(smooth, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        return self.band.project(np.asarray(on_grid, np.float32) * self.mask)


@lru_cache(maxsize=8)
def _test_chips(size: int) -> Float:
    """Return fixed, public chips that belong to no view."""
    return np.random.default_rng(2026).choice(np.array([-1, 1], np.float32), size)


def z_scores(
    key: bytes, view_ids: Sequence[str], measured: Float, image_digest: str = ""
) -> npt.NDArray[np.float64]:
    """Return z of every view for each measurement, float64 (views, m); measured is (n, m)."""
    whole = _whole_numbers(measured)
    norm = np.sqrt(np.sum(whole.astype(np.float64) ** 2, axis=0))
    return correlate(key, view_ids, whole, image_digest) / np.maximum(norm, 1e-30)


def _whole_numbers(measured: Float) -> Float:
    """Return each column scaled and rounded to whole numbers that float32 adds exactly.

    A z is then the same to the last bit on every processor and for every number of threads.
    """
    total = np.sum(np.abs(measured), axis=0, dtype=np.float64)
    # Rounding can add half to every magnitude.
    scale = (_EXACT - measured.shape[0]) / np.maximum(total, 1e-30)
    return np.rint(measured * scale).astype(np.float32)
