"""What a text detector should see of a film: its own range of values, sharp things, exact ink."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Gray = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Ink = npt.NDArray[np.int8]
Samples = npt.NDArray[Any]

TAIL, EDGE, SAMPLED = 1.0, 0.1, 1 << 16
STROKE, THICKEST, NEAR_SOLID = 2, 11, 5
SPECK_AREA, SPECK_SIDE = 5, 4
DETAIL_SIGMA = 9.0
STRONG, QUIET = 24.0, 4.0
FAINTEST, BUSIEST = 4.0, 0.25


class Picture(NamedTuple):
    """One frame as a detector sees it.

    `gray` is uint8 (rows, columns) or (rows, columns, 3); `ink` is positive where a sample has
    exactly the frame's greatest value, negative where the least: STROKE in thin strokes, else 1.
    """

    gray: Gray
    ink: Ink

    @classmethod
    def of(cls, frame: Samples, tone: Tone | None = None) -> Picture:
        """Return the picture of one frame of samples (rows, columns[, 3])."""
        return cls((tone or Tone.of(frame)).gray(frame), exact_ink(frame))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.gray.shape[0], self.gray.shape[1]

    def window(self, x0: int, y0: int, x1: int, y1: int) -> Picture:
        """Return a view of a part; what is written there is written here."""
        return Picture(self.gray[y0:y1, x0:x1], self.ink[y0:y1, x0:x1])


class Tone(NamedTuple):
    """How sample values become grey levels; frames that are compared share one.

    The middle 98 % of the values get most of the range: one hot pixel, a shutter or letters far
    above the film's own values must not press the film into a few grey levels.
    """

    stops: tuple[float, float, float, float]
    levels: tuple[float, float, float, float]

    @classmethod
    def of(cls, samples: Samples) -> Tone:
        """Return the tone for samples of any shape."""
        low, high = float(samples.min()), float(samples.max())
        step = max(1, samples.size // SAMPLED)
        first, last = np.percentile(samples.reshape(-1)[:: step | 1], (TAIL, 100 - TAIL))
        span = max(high - low, 1e-6)
        below, above = min(EDGE, (first - low) / span), min(EDGE, (high - last) / span)
        last = max(last, first + span * 1e-3)
        return cls(
            (low - 1e-6, float(first), float(last), high + 2e-6),
            (0.0, below * 255, (1 - above) * 255, 255.0),
        )

    def gray(self, frame: Samples) -> Gray:
        """Return one frame as uint8; colour of 8 bits stays as it is."""
        values = frame[..., :3] if frame.ndim == 3 else frame
        if values.dtype == np.uint8 and frame.ndim == 3:
            return np.array(values)  # a copy: what is drawn on it must not reach the samples
        if values.dtype.itemsize > 2:
            return np.interp(values, self.stops, self.levels).astype(np.uint8)
        least, most = int(values.min()), int(values.max())
        table = np.interp(np.arange(least, most + 1), self.stops, self.levels).astype(np.uint8)
        shown: Gray = table[values.astype(np.int32) - least]
        return shown


def exact_ink(frame: Samples) -> Ink:
    """Return where samples have the frame's greatest (+) or least (-) value, strokes as ±STROKE.

    Burned-in letters mostly have one exact value, black or white. On noise, where a detector
    sees nothing, that value alone shows them. Larger fields of it are saturation, not letters.
    """
    values = frame[..., :3].max(axis=2) if frame.ndim == 3 else frame
    ink = np.zeros(values.shape, np.int8)
    for sign, extreme in ((-1, values.min()), (1, values.max())):
        mask = values == extreme
        ink[mask] = sign
        ink[_thin(mask.view(np.uint8))] = sign * STROKE
    return ink


def _thin(mask: Gray) -> npt.NDArray[np.bool_]:
    import cv2

    solid = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((THICKEST, THICKEST), np.uint8))
    solid = cv2.dilate(solid, np.ones((NEAR_SOLID, NEAR_SOLID), np.uint8))
    strokes = cv2.bitwise_and(mask, 1 - solid)
    if not strokes.any():
        return strokes.astype(bool)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(strokes, connectivity=8)
    kept = (stats[:, 4] >= SPECK_AREA) & (stats[:, 2:4].max(axis=1) >= SPECK_SIDE)
    kept[0] = False
    thin: npt.NDArray[np.bool_] = kept[np.asarray(labels)]
    return thin


def resized(picture: Picture, size: tuple[int, int]) -> Gray:
    """Return the picture at `size` (columns, rows)."""
    return np.asarray(_scaled(picture.gray, size), np.uint8)


def _scaled(plane: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    import cv2

    way = cv2.INTER_CUBIC if size[0] > plane.shape[1] else cv2.INTER_AREA
    return np.asarray(cv2.resize(plane, size, interpolation=way))


def sharpen(picture: Picture, size: tuple[int, int], gain: float = 1.0) -> Gray:
    """Return only what is sharp, resized to `size` (columns, rows), 128 where nothing is.

    A smooth film otherwise lights up as one great text. Faint strokes are lifted where nothing
    stronger is near, up to FAINTEST times; `gain` lifts everything. In noise the exact ink is
    drawn over what the noise left of it.
    """
    import cv2

    shown = resized(picture, size).astype(np.float32)
    fine = shown - cv2.GaussianBlur(shown, (0, 0), DETAIL_SIGMA)
    strength = _strength(fine)
    lift = np.clip(STRONG / (strength + QUIET), BUSIEST, FAINTEST) * gain
    noisy = np.clip(strength / STRONG - 1, 0, 1)
    sharp = np.clip(_each(lift, fine) * fine + 128, 0, 255)
    strokes = np.where(abs(picture.ink) == STROKE, np.sign(picture.ink), 0).astype(np.float32)
    if noisy.any() and strokes.any():
        ink = _scaled(strokes, size)
        weight = _each(np.clip(np.abs(ink), 0, 1) * noisy, fine)
        sharp += weight * (_each(np.where(ink > 0, np.float32(255), np.float32(0)), fine) - sharp)
    return sharp.astype(np.uint8)


def _each(plane: Floats, like: Floats) -> Floats:
    return plane[..., None] if like.ndim == 3 else plane


def _strength(fine: Floats) -> Floats:
    """Return the local contrast: a mean over twice DETAIL_SIGMA, on a quarter of the side."""
    import cv2

    square = fine * fine
    if square.ndim == 3:
        square = square.max(axis=2)
    rows, columns = square.shape
    small = (max(1, columns // 4), max(1, rows // 4))
    coarse = cv2.resize(square, small, interpolation=cv2.INTER_AREA)
    coarse = cv2.GaussianBlur(coarse, (0, 0), DETAIL_SIGMA / 2)
    wide = cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_LINEAR)
    return np.sqrt(np.maximum(wide, 0)).astype(np.float32)
