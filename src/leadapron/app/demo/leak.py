"""What a leaker does to a copy: crop, rescale, re-window, JPEG 50."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

CROP = (0.06, 0.95)
SCALE = 0.62
JPEG_QUALITY = 50
CONTRAST, SHIFT = 1.15, -14.0


def leaked_jpeg(display: npt.NDArray[np.uint8]) -> bytes:
    """Return JPEG bytes of a maltreated copy of `display`, uint8 (rows, columns)."""
    rows, columns = display.shape
    low, high = CROP
    cropped = display[int(rows * low) : int(rows * high), int(columns * low) : int(columns * high)]
    small = cv2.resize(cropped, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_AREA)
    toned = np.clip(small.astype(np.float32) * CONTRAST + SHIFT, 0, 255).astype(np.uint8)
    _, jpeg = cv2.imencode(".jpg", toned, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return jpeg.tobytes()
