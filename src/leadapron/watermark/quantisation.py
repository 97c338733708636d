"""Read the mark through JPEG's quantisation.

JPEG keeps each cosine of an 8×8 block only as a multiple of a step. A mark much weaker than
the step moves a cosine over a border only now and then, and the plain residual drowns these
few moves in rounding that the film alone explains. Knowing the film and the steps, one can say
for every cosine which values of the mark led to the cell that was kept: the score is the
slope of that likelihood. Cosines in mid-cell say nothing, those by a border a lot.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]

_LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    np.float32,
)
"""ITU-T T.81 Annex K.1, which nearly every encoder scales by its quality setting."""

_QUALITIES = tuple(range(4, 97))
_SURE = 0.4
_BLOCKS = 1500
_SMALLEST_STEP = 3
"""A step of 1 or 2 drowns in the rounding of the grey values and proves nothing."""
_LARGEST_VALUE = 1023
_UNKNOWN = 255.0
_FITTING = 0.7
_ENOUGH = 24
_FEWEST_STEPS = 5
_ALIKE = 0.95
_SPREADS = 0.12 * 1.45 ** np.arange(16)
_FARTHEST = 3.5
_MOSTLY = 0.7


@dataclass(frozen=True, eq=False)
class Quantised:
    """How a picture was quantised.

    Attributes:
        quality: the libjpeg quality whose steps are nearest, 1 to 100.
        table: steps, float32 (8, 8).
        top, left: where the first whole block starts.
    """

    quality: int
    table: Float
    top: int
    left: int


def table(quality: int) -> Float:
    """Return libjpeg's luminance steps for a quality of 1 to 100."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip(np.floor((_LUMINANCE * scale + 50) / 100), 1, 255).astype(np.float32)


def cosine_matrix() -> Float:
    """Return the orthonormal 8-point DCT-II, float32 (8, 8)."""
    order, place = np.arange(8)[:, None], np.arange(8)[None, :]
    matrix = np.cos(np.pi / 16 * order * (2 * place + 1)) / 2
    matrix[0] /= np.sqrt(2)
    return matrix.astype(np.float32)


@lru_cache(maxsize=1)
def _block_matrix() -> Float:
    """Return the cosine transform of a flattened 8×8 block, float32 (64, 64), orthonormal."""
    return np.kron(cosine_matrix(), cosine_matrix())


def to_blocks(picture: Float) -> Float:
    """Return the block cosines of a picture of whole blocks, float32 (n, 8, 8)."""
    rows, columns = picture.shape[0] // 8, picture.shape[1] // 8
    blocks = picture.reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3).reshape(-1, 64)
    return (blocks @ _block_matrix().T).reshape(-1, 8, 8)


def from_blocks(blocks: Float, shape: tuple[int, int]) -> Float:
    """Return the picture of `shape` whose block cosines are `blocks`."""
    spatial = blocks.reshape(-1, 64) @ _block_matrix()
    spatial = spatial.reshape(shape[0] // 8, shape[1] // 8, 8, 8)
    return np.ascontiguousarray(spatial.transpose(0, 2, 1, 3).reshape(shape), np.float32)


def detect(copy: Float) -> Quantised | None:
    """Return how `copy` (grey values 0 … 255, not resampled) was quantised, or None."""
    best: tuple[float, Quantised] | None = None
    for top, left in _origins(copy):
        blocks = _sample_blocks(copy, top, left)
        if len(blocks) < 24:
            continue
        quality, score = _quality(blocks)
        steps = table(quality) if score > _SURE else None
        own, own_score = _own_steps(blocks, steps)
        if own is not None and own_score > _SURE:
            steps, score = own, own_score
        if steps is not None and (best is None or score > best[0]):
            best = (score, Quantised(quality, steps, top, left))
    return best[1] if best else None


def _own_steps(blocks: Float, usual: Float | None) -> tuple[Float | None, float]:
    """Return the steps of an encoder with tables of its own, and how well they fit, 0 to 1.

    Each cosine's step is read from its own values. Steps of which the copy shows nothing are
    taken so large that they say nothing either.

    Args:
        usual: the steps of Annex K that fit best, if any; None is returned if they fit as well.
    """
    values = np.abs(blocks.reshape(-1, 64) - 1024 * (np.arange(64) == 0))
    size = np.minimum(np.rint(values), _LARGEST_VALUE).astype(np.int64)
    counts = np.stack([np.bincount(one, minlength=_LARGEST_VALUE + 1) for one in size.T])
    counts[:, :2] = 0
    total = counts.sum(axis=1)
    fit = counts.astype(np.float32) @ _periods() / np.maximum(total, 1)[:, None]
    place = np.arange(64)
    peak = np.array([_peak(one) for one in fit])
    found = fit[place, peak]
    step = peak + _SMALLEST_STEP
    multiple = np.rint(values / step)
    step = np.sum(values * multiple, axis=0) / np.maximum(np.sum(multiple**2, axis=0), 1)
    known = (total >= _ENOUGH) & (found > _FITTING)
    if np.count_nonzero(known) < _FEWEST_STEPS:
        return None, 0.0
    if usual is not None:
        at = np.maximum(usual.ravel().astype(np.int64) - _SMALLEST_STEP, 0)
        judged = known & (usual.ravel() >= _SMALLEST_STEP)
        if np.sum((total * fit[place, at])[judged]) >= _ALIKE * np.sum((total * found)[judged]):
            return None, 0.0
    score = float(np.average(found[known], weights=total[known]))
    steps = np.where(known, np.rint(step), _UNKNOWN).astype(np.float32)
    return steps.reshape(8, 8), score


def _peak(fit: Float) -> int:
    """Return the largest step that fits: its divisors fit as well, its neighbours nearly."""
    last = int(np.flatnonzero(fit >= fit.max() - 0.15)[-1])
    start = int(last / 1.25)
    return start + int(np.argmax(fit[start : last + 1]))


@lru_cache(maxsize=1)
def _periods() -> Float:
    """Return how well a value fits a step: float32 (values, steps), 1 is a multiple of it."""
    value = np.arange(_LARGEST_VALUE + 1)[:, None]
    step = np.arange(_SMALLEST_STEP, 256)[None, :]
    # What is nearer to no step than to one step would have been dropped.
    fit = np.where(value < step / 2, -1.0, np.cos(2 * np.pi * value / step))
    return fit.astype(np.float32)


def _origins(copy: Float) -> list[tuple[int, int]]:
    """Return likely block origins: the corner, and where the blockiness is."""
    across = np.abs(np.diff(copy, n=1, axis=1))
    down = np.abs(np.diff(copy, n=1, axis=0))
    top = _phase(np.minimum(down, 20).mean(axis=1))
    left = _phase(np.minimum(across, 20).mean(axis=0))
    return list(dict.fromkeys([(0, 0), (top, left), (0, left), (top, 0)]))


def _phase(profile: Float) -> int:
    """Return at which remainder by 8 neighbouring lines differ most."""
    detail = profile[1:-1] - (profile[:-2] + profile[2:]) / 2
    place = (np.arange(len(detail)) + 2) % 8
    sums = [float(np.median(detail[place == i])) if np.any(place == i) else 0 for i in range(8)]
    return int(np.argmax(sums))


def _sample_blocks(copy: Float, top: int, left: int) -> Float:
    """Return block cosines of blocks that are neither flat nor clipped."""
    rows, columns = (copy.shape[0] - top) // 8, (copy.shape[1] - left) // 8
    whole = copy[top : top + 8 * rows, left : left + 8 * columns]
    if whole.size == 0:
        return np.zeros((0, 8, 8), np.float32)
    cells = whole.reshape(rows, 8, columns, 8)
    low, high = cells.min(axis=(1, 3)), cells.max(axis=(1, 3))
    useful = np.flatnonzero(((low > 2) & (high < 253) & (high - low > 2)).ravel())
    step = max(1, len(useful) // _BLOCKS)
    chosen = useful[::step]
    blocks = cells.transpose(0, 2, 1, 3)[chosen // columns, chosen % columns]
    cosine = cosine_matrix()
    return np.asarray(cosine @ blocks @ cosine.T, np.float32)


def _quality(blocks: Float) -> tuple[int, float]:
    """Return the quality whose steps the cosines are multiples of, and how well, 0 to 1."""
    low = blocks[:, :6, :6].reshape(len(blocks), 36)[:, 1:]
    place, column = np.nonzero(np.abs(low) > 1.4)
    values = low[place, column]
    if len(values) < 60:
        return 0, 0.0
    scores = []
    for quality in _QUALITIES:
        step = table(quality)[:6, :6].ravel()[1:][column]
        coarse = step >= _SMALLEST_STEP
        if coarse.sum() < 60:
            scores.append(0.0)
            continue
        share = np.abs(values[coarse]) / step[coarse]
        # What is nearer to no step than to one step would have been dropped.
        agree = np.where(share < 0.5, -1.0, np.cos(2 * np.pi * share))
        scores.append(float(np.mean(agree)))
    best = int(np.argmax(scores))
    return _QUALITIES[best], scores[best]


def unrounded(copy: Float, expected: Float, quantised: Quantised, weight: Float) -> Float:
    """Return the picture nearest to `expected` that JPEG would have turned into `copy`.

    Fitting the film to it, and not to the copy, keeps JPEG's own softening out of the fit.
    Blocks that do not follow the film (`weight`, as for `score`) stay as they are.
    """
    kept, predicted = to_blocks(copy - 128), to_blocks(expected - 128)
    steps = quantised.table
    middle = np.rint(kept / steps) * steps
    nearest = np.clip(predicted, middle - steps / 2, middle + steps / 2)
    follows = following(weight)[:, None, None]
    blocks = np.where(follows, nearest, kept).astype(np.float32)
    return from_blocks(blocks, (copy.shape[0], copy.shape[1])) + 128


def score(
    copy: Float, expected: Float, signal: Float, quantised: Quantised, weight: Float
) -> tuple[Float, Float]:
    """Return the derivative of the log-likelihood of `copy` by its grey values before JPEG.

    Args:
        copy: whole blocks, cut at the block origin.
        expected: what the unmarked film predicts there, same shape.
        signal: a small change of the grey values, same shape.
        weight: how far the copy follows the film there, 0 to 1, same shape. Blocks that do not
            say nothing: a fill would pass for a film that is always wrong.

    Returns:
        float32, same shape: the score, and the score that `signal` would add.
    """
    steps = quantised.table
    follows = following(weight)
    kept, predicted = to_blocks(copy - 128)[follows], to_blocks(expected - 128)[follows]
    found, response = np.zeros((2, len(follows), 8, 8), np.float32)
    shape = (copy.shape[0], copy.shape[1])
    if not follows.any():
        return from_blocks(found, shape), from_blocks(response, shape)
    middle = np.rint(kept / steps) * steps - predicted
    slope = _slope(middle, steps, _spreads(middle, steps))
    # A likelihood's information is the mean square of its slope.
    information = np.mean(slope * slope, axis=0)
    found[follows] = slope
    response[follows] = to_blocks(signal)[follows] * information
    return from_blocks(found, shape), from_blocks(response, shape)


def following(weight: Float) -> npt.NDArray[np.bool_]:
    """Return which blocks follow the film in most of their pixels, (n,)."""
    rows, columns = weight.shape[0] // 8, weight.shape[1] // 8
    mean = weight.reshape(rows, 8, columns, 8).mean(axis=(1, 3)).ravel()
    return np.asarray(mean > _MOSTLY)


def _slope(middle: Float, steps: Float, spread: Float) -> Float:
    """Return the slope of the log-likelihood of each cosine, float32 like `middle`.

    Args:
        middle: the kept cell's middle minus the prediction, (n, 8, 8).
        steps, spread: (8, 8).
    """
    from scipy.special import ndtr

    reach = np.abs(middle) - steps / 2
    # In mid-cell the slope is nothing, and far outside the cell the prediction is wrong.
    near = np.flatnonzero(np.abs(reach) < _FARTHEST * spread)
    place = near % 64
    deviation = spread.ravel()[place]
    centre, half = middle.ravel()[near] / deviation, steps.ravel()[place] / (2 * deviation)
    low, high = centre - half, centre + half
    mass = ndtr(high) - ndtr(low)
    density = (np.exp(-0.5 * low * low) - np.exp(-0.5 * high * high)) / np.float32(2.5066283)
    slope = np.zeros(middle.shape, np.float32)
    slope.ravel()[near] = density / (deviation * np.maximum(mass, 1e-9))
    return slope


def _spreads(middle: Float, steps: Float) -> Float:
    """Return, by maximum likelihood, how far predictions are off, for every cosine (8, 8)."""
    from scipy.special import ndtr

    part = middle[:: max(1, len(middle) // 2500)]
    best = np.full((8, 8), -np.inf)
    chosen = np.full((8, 8), _SPREADS[-1])
    for spread in _SPREADS:
        inside = ndtr((part + steps / 2) / spread) - ndtr((part - steps / 2) / spread)
        # 2 % of outliers anywhere keep a few wrong blocks from deciding.
        likelihood = np.log(0.98 * inside + 0.02 * 1e-3).sum(axis=0)
        better = likelihood > best
        best, chosen = np.where(better, likelihood, best), np.where(better, spread, chosen)
    return chosen.astype(np.float32)
