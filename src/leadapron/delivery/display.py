"""A reader's copy as a picture of 8 bits: what a screen, a print or an export shows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from leadapron.model import BadInput

Picture = npt.NDArray[np.uint8]


def display_of(
    dataset: Dataset, frame: int = 1, window: tuple[float, float] | None = None
) -> Picture:
    """Return one frame's picture, uint8 (rows, columns) or RGB (rows, columns, 3).

    Grey goes through the linear `window` (center, width), else the dataset's own, else its full
    range (PS3.3 C.11.2.1.2.1). BadInput when there is no such frame.
    """
    count = int(dataset.get("NumberOfFrames", 1) or 1)
    if not 1 <= frame <= count:
        raise BadInput(
            f"there is no frame {frame}", remedy=f"frames count from 1 to {count}", code="no-frame"
        )
    pixels = dataset.pixel_array[frame - 1] if count > 1 else dataset.pixel_array
    if pixels.ndim == 3:
        return np.asarray(pixels >> max(int(dataset.BitsStored) - 8, 0), np.uint8)
    full = float(1 << int(dataset.BitsStored))
    center, width = window or (
        float(dataset.get("WindowCenter", full / 2)),
        float(dataset.get("WindowWidth", full)),
    )
    low = center - 0.5 - (width - 1) / 2
    shown = np.clip((pixels.astype(np.float32) - low) / max(width - 1, 1.0), 0, 1)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        shown = 1 - shown
    return (shown * 255 + 0.5).astype(np.uint8)


def fitted(picture: Picture, columns: int, rows: int) -> Picture:
    """Return the picture made smaller so that it fits into `columns` × `rows`; never larger."""
    import cv2

    factor = min(columns / picture.shape[1], rows / picture.shape[0])
    if factor >= 1:
        return picture
    size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def encoded(picture: Picture, kind: str, quality: int = 95) -> bytes:
    """Return the picture as a file of `kind`: ``png`` or ``jpeg`` (of `quality`, 1 to 100)."""
    import cv2

    turned = picture[..., ::-1] if picture.ndim == 3 else picture
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if kind == "jpeg" else []
    _, made = cv2.imencode(".jpg" if kind == "jpeg" else ".png", turned, options)
    return made.tobytes()
