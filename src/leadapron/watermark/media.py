"""Every picture that a leaked file may hold: pages, animations, cines and short films.

Frames that show the same are traced once: of a run of alike frames the sharpest is kept.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from leadapron.model import BadInput, LeadApronError
from leadapron.watermark.overlay import grey
from leadapron.watermark.pictures import (
    FORMATS,
    Picture,
    as_array,
    bounded,
    check_size,
    is_heif,
    load_picture,
)

MOST_SHOTS = 8
"""Pictures of one file that are traced at most, spread evenly over it."""
MOST_LOOKED_AT = 240
LONGEST_VIDEO_S = 1800
_SIGN = 48
_ALIKE = 3.0
_ISO_BASE = b"ftyp"
_MATROSKA = b"\x1aE\xdf\xa3"


@dataclass(frozen=True, eq=False)
class Shot:
    """One picture of a file.

    Attributes:
        pixels: (H, W) uint8 or uint16, or (H, W, 3) uint8.
        number: of the page or frame, from 1.
        at_ms: its time in a film or animation; 0 otherwise.
    """

    pixels: Picture
    number: int = 1
    at_ms: int = 0


@dataclass(frozen=True, eq=False)
class Media:
    """What a file holds: `kind` is ``picture``, ``pages``, ``animation``, ``dicom`` or ``video``.

    `frames` counts all pictures in it, `shots` are those worth tracing.
    """

    kind: str
    frames: int
    shots: tuple[Shot, ...]


def read_media(data: bytes) -> Media:
    """Return the distinct pictures of a file, at most 8.

    Reads what `load_picture` reads, all frames of GIF, WebP, PNG, TIFF and DICOM, and films in
    MP4, MOV, WebM, Matroska and AVI (30 minutes at most; up to 240 frames are looked at).

    Raises:
        BadInput: no such format, damaged, or too large.
    """
    check_size(data)
    if _is_video(data):
        return _video(data)
    if data[128:132] == b"DICM":
        return _dicom(data)
    if is_heif(data):
        return Media("picture", 1, (Shot(load_picture(data)),))
    return _frames(data)


def _is_video(data: bytes) -> bool:
    """Tell films by their containers, so that no playlist or other format reaches the decoder."""
    iso = data[4:8] == _ISO_BASE and not is_heif(data) and b"avif" not in data[8:64]
    return iso or data[:4] == _MATROSKA or (data[:4] == b"RIFF" and data[8:12] == b"AVI ")


def _frames(data: bytes) -> Media:
    from PIL import Image

    first = load_picture(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        frames = int(getattr(image, "n_frames", 1))
        # MPO keeps a depth map or a preview behind the picture.
        if frames == 1 or image.format == "MPO":
            return Media("picture", 1, (Shot(first),))
        kind = "pages" if image.format == "TIFF" else "animation"
        return Media(kind, frames, _distinct(_seeked(image, frames)))


def _seeked(image: Any, frames: int) -> Iterator[Shot]:
    at_ms = 0.0
    wanted = _spread(frames, MOST_LOOKED_AT)
    for index in range(frames):
        try:
            image.seek(index)
            at_ms += float(image.info.get("duration", 0) or 0)
            if index not in wanted:
                continue
            bounded(image.height, image.width)
            image.load()
            pixels = as_array(image)
        except LeadApronError:
            raise
        except Exception:  # a damaged tail: what came before it is still traced
            return
        yield Shot(pixels, index + 1, int(at_ms))


def _dicom(data: bytes) -> Media:
    import pydicom
    from pydicom.pixels import iter_pixels

    first = load_picture(data)
    header = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
    frames = int(header.get("NumberOfFrames", 1) or 1)
    if frames == 1:
        return Media("dicom", 1, (Shot(first),))
    wanted = sorted(_spread(frames, MOST_LOOKED_AT))
    decoded = iter_pixels(io.BytesIO(data), indices=wanted)
    shots = (Shot(_unsigned(p), n + 1) for n, p in zip(wanted, decoded, strict=False))
    return Media("dicom", frames, _distinct(shots))


def _unsigned(pixels: npt.NDArray[Any]) -> Picture:
    if pixels.dtype in (np.uint8, np.uint16):
        return pixels
    low = min(int(pixels.min()), 0)
    return np.clip(pixels.astype(np.int64) - low, 0, 65535).astype(np.uint16)


def _video(data: bytes) -> Media:
    import cv2

    # The file itself is all that the decoder may open: it knows formats that name other files.
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = "protocol_whitelist;none|threads;1"
    source: Any = io.BytesIO(data)
    film = cv2.VideoCapture(source, cv2.CAP_FFMPEG, [])
    try:
        if not film.isOpened():
            raise _no_film()
        rate = film.get(cv2.CAP_PROP_FPS) or 25.0
        frames = max(int(film.get(cv2.CAP_PROP_FRAME_COUNT)), 0)
        bounded(int(film.get(cv2.CAP_PROP_FRAME_HEIGHT)), int(film.get(cv2.CAP_PROP_FRAME_WIDTH)))
        if frames / rate > LONGEST_VIDEO_S:
            raise BadInput(
                f"The film lasts {frames / rate / 60:.0f} minutes; at most "
                f"{LONGEST_VIDEO_S // 60} are looked at.",
                remedy="Cut out the part that shows the X-ray film.",
                code="too-large",
            )
        shots = _distinct(_grabbed(film, frames, rate))
    finally:
        film.release()
    if not shots:
        raise _no_film()
    return Media("video", max(frames, len(shots)), shots)


def _grabbed(film: Any, frames: int, rate: float) -> Iterator[Shot]:
    step = max(1, -(-frames // MOST_LOOKED_AT)) if frames else 5
    for index in count():
        if index // step >= MOST_LOOKED_AT or not film.grab():
            return
        if index % step:
            continue
        found, pixels = film.retrieve()
        if found:
            rgb = np.ascontiguousarray(pixels[..., ::-1])
            yield Shot(rgb, index + 1, round(index * 1000 / rate))


def _no_film() -> BadInput:
    return BadInput(
        "The film cannot be decoded.",
        remedy="Save it as MP4 (H.264), or send single pictures of it.",
        code="unknown-format",
    )


def _distinct(shots: Iterable[Shot]) -> tuple[Shot, ...]:
    """Return the sharpest shot of each run of alike ones, at most MOST_SHOTS."""
    kept: list[tuple[Shot, float]] = []
    last: npt.NDArray[np.float32] | None = None
    for shot in shots:
        sign, sharpness = _seen(shot.pixels)
        if last is not None and float(np.abs(sign - last).mean()) < _ALIKE:
            if sharpness > kept[-1][1]:
                kept[-1] = (shot, sharpness)
        else:
            kept.append((shot, sharpness))
            last = sign
        if len(kept) > 4 * MOST_SHOTS:
            # A film that never rests: thin it out as it comes, to bound what is held.
            kept = kept[::2]
    chosen = sorted(_spread(len(kept), MOST_SHOTS))
    return tuple(kept[i][0] for i in chosen)


def _seen(pixels: Picture) -> tuple[npt.NDArray[np.float32], float]:
    """Return a small picture of 0…255 for comparison, and the sharpness."""
    import cv2

    plain = grey(pixels)
    top = max(float(plain.max()), 1.0) if pixels.dtype != np.uint8 else 255.0
    size = (_SIGN * 8, _SIGN * 8)
    small = cv2.resize(plain * np.float32(255 / top), size, interpolation=cv2.INTER_AREA)
    sharpness = float(cv2.Laplacian(small, cv2.CV_32F).var())
    sign = cv2.resize(small, (_SIGN, _SIGN), interpolation=cv2.INTER_AREA)
    return np.asarray(sign, np.float32), sharpness


def _spread(length: int, most: int) -> set[int]:
    """Return at most `most` indices, evenly over `length`, first and last included."""
    if length <= most:
        return set(range(length))
    return {round(i * (length - 1) / (most - 1)) for i in range(most)}
