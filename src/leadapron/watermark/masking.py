"""Where a film can carry how much: the perceptual mask.

The eye sees a faint pattern on a smooth field before it sees it in texture and noise, and so
does a reader looking for a nodule. The mask follows the film's own local noise, and is zero
where the film is constant (collimated borders, fills).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]

_POWER = 0.6
_WEAKEST, _STRONGEST = 0.4, 1.8


def to_grid(frame: npt.NDArray[Any], grid: tuple[int, int]) -> Float:
    """Return `frame` (H, W) averaged down to `grid` (rows, columns), float32."""
    import cv2

    size = (grid[1], grid[0])
    if frame.shape == grid:
        return frame.astype(np.float32)
    smaller = frame.shape[0] > grid[0]
    how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(frame.astype(np.float32), size, interpolation=how), np.float32)


def perceptual_mask(frame: npt.NDArray[Any], grid: tuple[int, int]) -> Float:
    """Return the relative strength of the mark on the mark grid, float32, 0 to about 2.

    Args:
        frame: (H, W) integers or floats; only ratios matter, not the bit depth.
        grid: (rows, columns) of the mark grid.
    """
    import cv2

    small = to_grid(frame, grid)
    detail = small - cv2.GaussianBlur(small, (0, 0), 2.0)
    noise = np.sqrt(np.maximum(cv2.GaussianBlur(detail * detail, (0, 0), 5.0), 0))
    floor = 1e-5 * max(float(np.ptp(small)), 1e-9)
    textured = noise > floor
    if not textured.any():
        return np.ones(grid, np.float32)
    typical = float(np.median(noise[textured]))
    mask = np.clip((noise / typical) ** _POWER, _WEAKEST, _STRONGEST)
    return np.where(textured, mask, 0).astype(np.float32)
