"""Bands around centrelines: how a rib is drawn and stored."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

Line = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
_SHIFT = 4


def band(points: Line, widths: Line, shape: tuple[int, int]) -> Mask:
    """Return the band of the given widths around a line, bool (H, W).

    points: float (N, 2) of (column, row) at pixel centres, N >= 2, one after another.
    widths: float (N,), across the line, in pixels.
    """
    step = np.gradient(points, axis=0)
    step /= np.maximum(np.linalg.norm(step, axis=1, keepdims=True), 1e-9)
    across = np.stack([-step[:, 1], step[:, 0]], axis=1) * widths[:, None] / 2
    edges = np.stack([points + across, points - across], axis=1)
    canvas = np.zeros(shape, np.uint8)
    for first, second in pairwise(edges):
        corners = np.stack([first[0], second[0], second[1], first[1]])
        fixed = np.rint(corners * 2**_SHIFT).astype(np.int32)
        cv2.fillConvexPoly(canvas, cv2.convexHull(fixed), 1, shift=_SHIFT)
    return np.asarray(canvas > 0)


def smooth(values: npt.NDArray[np.floating], sigma: float) -> Line:
    """Return values along a line, float (N,), smoothed by a Gaussian; its ends go straight on."""
    kernel = cv2.getGaussianKernel(2 * int(3 * sigma) + 1, sigma)[:, 0]
    reach = len(kernel) // 2
    padded = np.pad(values.astype(np.float64), reach, mode="reflect", reflect_type="odd")
    return np.convolve(padded, kernel, mode="valid")
