"""Pictures for the report: how the copy lies on the film, and what is left over."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from leadapron.watermark.geometry import Geometry
from leadapron.watermark.modelling import Film, blurred, inside, predict, sample
from leadapron.watermark.registration import Registration

Float = npt.NDArray[np.float32]
Rgb = npt.NDArray[np.uint8]

_SIDE = 900
_SQUARES = 12


def registration_overlay(
    original: npt.NDArray[Any], leaked: npt.NDArray[Any], registration: Registration
) -> Rgb:
    """Return the film with the copy laid on it in a checkerboard, uint8 RGB.

    Squares of the copy are tinted; where edges run on across the squares the registration is
    right. At most 900 pixels on the longer side; the same input gives the same bytes.

    Args:
        original: (H, W) unmarked film.
        leaked: grey or RGB copy as given to `trace`.
        registration: of that trace.
    """
    film = Film.prepare(original, _SIDE)
    shape = (film.tone.shape[0], film.tone.shape[1])
    copy = grey(leaked)
    window, geometry = registered_window(copy, registration)
    x, y = geometry.copy_maps(shape, film.shape)
    step = 1 / (geometry.film_pixels_per_pixel() * film.scale[0])
    laid = sample(blurred(window, 0.45 * step) if step > 1.2 else window, (x, y))
    covered = inside((x, y), geometry.shape, 0)
    base = film.tone / max(float(film.tone.max()), 1e-6) * 255
    low, high = np.percentile(laid[covered], (1, 99)) if covered.any() else (0, 255)
    laid = np.clip((laid - low) * (255 / max(float(high - low), 1e-6)), 0, 255)
    if registration.inverted:
        laid = 255 - laid
    rows, columns = np.indices(shape)
    cell = max(8, max(shape) // _SQUARES)
    square = ((rows // cell + columns // cell) % 2 == 0) & covered
    picture = np.repeat(base[..., None], 3, axis=2)
    tint = np.array([1.0, 0.86, 0.55], np.float32)
    picture[square] = laid[square][:, None] * tint
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def residual_heatmap(
    original: npt.NDArray[Any], leaked: npt.NDArray[Any], registration: Registration
) -> Rgb:
    """Return where the copy differs from what the film predicts, uint8 RGB.

    Dark is agreement; bright is text, retouching or another picture. At most 900 pixels.
    """
    import cv2

    window, geometry = registered_window(grey(leaked), registration)
    factor = min(1.0, _SIDE / max(window.shape))
    if factor < 1:
        size = (round(window.shape[1] * factor), round(window.shape[0] * factor))
        window = np.asarray(cv2.resize(window, size, interpolation=cv2.INTER_AREA), np.float32)
        geometry = geometry.resized((size[1], size[0]))
    prediction = predict(Film.prepare(original, 1400), window, geometry)
    difference = np.abs(window - prediction.expected)
    difference[~inside(geometry.film_maps((1, 1)), original.shape, 0)] = 0
    share = np.clip(blurred(difference, 1.0) / 32, 0, 1)
    heat = cv2.applyColorMap((share * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    return np.ascontiguousarray(np.asarray(heat, np.uint8)[..., ::-1])


def registered_window(copy: Float, registration: Registration) -> tuple[Float, Geometry]:
    """Return the part of the copy that was traced, and its geometry with the bend."""
    top, left, bottom, right = registration.window or (0, 0, *copy.shape)
    window = np.ascontiguousarray(copy[top:bottom, left:right])
    whole = Geometry(np.asarray(np.linalg.inv(registration.homography), np.float64), copy.shape)
    cut = whole.cropped(top, left, (window.shape[0], window.shape[1]))
    return window, Geometry(cut.to_film, cut.shape, registration.flow)


def grey(leaked: npt.NDArray[Any]) -> Float:
    """Return luma (ITU-R BT.601) as float32 (h, w)."""
    if leaked.ndim == 2:
        return leaked.astype(np.float32)
    if leaked.shape[2] < 3:
        return leaked[..., 0].astype(np.float32)
    return leaked[..., :3].astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
