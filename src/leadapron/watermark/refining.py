"""Make a registration exact to a few hundredths of a pixel.

Misplaced edges are the loudest thing in a residual. A smooth displacement (Lucas–Kanade with
wide windows) takes them out; where the copy is plainly a resized or cropped film, the exact
geometry is tried too and kept if it explains the copy as well.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from leadapron.watermark.geometry import LATTICE, Geometry, scaling, shifting
from leadapron.watermark.modelling import Film, Prediction, blurred, predict

Float = npt.NDArray[np.float32]

_WINDOWS = (0.14, 0.08, 0.05, 0.03)
_LARGEST_STEP = 3.0
_SNAP_MARGIN = 1.03
SNAP_REACH = 0.03
"""A few features in one part of a film leave its far corners this uncertain."""
_STILL, _STILL_WINDOW = 0.1, 0.05


def settle(film: Film, copy: Float, geometry: Geometry, exact: bool) -> tuple[Geometry, Prediction]:
    """Return the best geometry near `geometry`, and the prediction of `copy` under it.

    Args:
        exact: the copy's pixels are its original ones (it was not reduced for working).
    """
    window = _STILL_WINDOW * _extent(film, geometry)
    plain = [(g, predict(film, copy, g)) for g in snapped(geometry, film.shape, exact)]
    for candidate, prediction in plain:
        moved = _step(copy, prediction, candidate, window).bend
        if moved is not None and float(np.sqrt(np.mean(moved * moved))) < _STILL:
            return candidate, prediction
    best = refine(film, copy, geometry)
    prediction = predict(film, copy, best)
    error = misfit(copy, prediction)
    errors = [misfit(copy, other) for _, other in plain]
    if errors and min(errors) <= error * _SNAP_MARGIN:
        best, prediction = plain[int(np.argmin(errors))]
    return best, prediction


def _extent(film: Film, geometry: Geometry) -> float:
    """Return how many pixels of the copy the whole film would span."""
    return max(film.shape) / geometry.film_pixels_per_pixel()


def refine(film: Film, copy: Float, geometry: Geometry) -> Geometry:
    """Return `geometry` with a smooth displacement that makes film and copy agree."""
    best, best_error = geometry, np.inf
    current = geometry
    for share in (*_WINDOWS, None):
        prediction = predict(film, copy, current, rounds=1)
        error = misfit(copy, prediction)
        if error < best_error:
            best, best_error = current, error
        if share is not None:
            window = share * _extent(film, geometry)
            current = _step(copy, prediction, current, window)
    return best


def misfit(copy: Float, prediction: Prediction) -> float:
    """Return the robust size of the detail that `prediction` misses, in grey values."""
    difference = copy - prediction.expected
    detail = np.abs(difference - blurred(difference, 3.0))[prediction.weight > 0]
    if detail.size < 400:
        return np.inf
    return float(np.mean(np.minimum(detail, np.percentile(detail[::5], 90))))


def _step(copy: Float, prediction: Prediction, geometry: Geometry, window: float) -> Geometry:
    """Return the geometry after one Lucas–Kanade step with Gaussian windows."""
    import cv2

    p = prediction.expected
    error = copy - p
    weight = prediction.weight
    error = error - blurred(error * weight, 10.0) / (blurred(weight, 10.0) + 1e-3)
    used = np.abs(error[weight > 0])
    spread = 1.4826 * float(np.median(used[::7])) + 0.3 if used.size else 1.0
    weight = weight / (1 + (error / (3 * spread)) ** 2)
    dx = cv2.Sobel(p, cv2.CV_32F, 1, 0, scale=0.125)
    dy = cv2.Sobel(p, cv2.CV_32F, 0, 1, scale=0.125)
    parts = [dx * dx, dx * dy, dy * dy, dx * error, dy * error]
    xx, xy, yy, bx, by = (_small(weight * part, window) for part in parts)
    damp = 0.02 * float(np.mean(xx + yy)) + 1e-6
    xx, yy = xx + damp, yy + damp
    determinant = xx * yy - xy * xy
    step = np.stack([(yy * bx - xy * by), (xx * by - xy * bx)], axis=-1) / determinant[..., None]
    step = np.clip(step, -_LARGEST_STEP, _LARGEST_STEP).astype(np.float32)
    bend = step if geometry.bend is None else geometry.bend + step
    return replace(geometry, bend=np.asarray(bend, np.float32))


def _small(picture: Float, window: float) -> Float:
    """Return a wide blur sampled on the bend lattice."""
    import cv2

    side = LATTICE
    size = (side, side)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    across, down = window * side / picture.shape[1], window * side / picture.shape[0]
    return np.asarray(
        cv2.GaussianBlur(small, (0, 0), max(across, 0.5), sigmaY=max(down, 0.5)), np.float32
    )


def snapped(geometry: Geometry, film_shape: tuple[int, int], exact: bool) -> list[Geometry]:
    """Return the plain geometries near `geometry`: the film resized, or cut out unscaled.

    Args:
        exact: the copy's pixels are its original ones (it was not reduced for working).
    """
    rows, columns = geometry.shape
    corners = np.array(
        [[0, 0, 1], [columns - 1, 0, 1], [0, rows - 1, 1], [columns - 1, rows - 1, 1.0]]
    )
    at = corners @ geometry.to_film.T
    at = at[:, :2] / at[:, 2:]
    step = geometry.film_pixels_per_pixel()
    whole = scaling(film_shape[1] / columns, film_shape[0] / rows)
    candidates = [m @ whole for m in _turns(film_shape)]
    if exact:
        cut = np.round(geometry.to_film / geometry.to_film[2, 2])
        if abs(np.linalg.det(cut[:2, :2])) == 1:
            middle = np.array([(columns - 1) / 2, (rows - 1) / 2, 1])
            where = geometry.to_film @ middle
            offset = np.round(where[:2] / where[2] - cut[:2, :2] @ middle[:2] - 1e-9)
            cut[:2, 2], cut[2] = offset, (0, 0, 1)
            candidates.append(cut)
    found = []
    for matrix in candidates:
        expected = (corners @ matrix.T)[:, :2]
        if np.max(np.abs(expected - at)) < max(3.0 * max(step, 1), SNAP_REACH * max(film_shape)):
            found.append(replace(geometry, to_film=matrix, bend=None))
    return found


def _turns(shape: tuple[int, int]) -> list[npt.NDArray[np.float64]]:
    """Return the film's own left-right and up-down flips as film-to-film matrices."""
    flip = shifting(shape[1] - 1, 0) @ np.diag([-1.0, 1, 1])
    drop = shifting(0, shape[0] - 1) @ np.diag([1.0, -1, 1])
    return [np.eye(3), flip, drop, flip @ drop]
