"""What leakers do to a copy: the attack kinds of the watermark benchmark, seeded by the caller."""

# ruff: noqa: ARG001, ARG005 - every attack takes a picture and a generator

from __future__ import annotations

import io
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image, ImageDraw

Picture = np.ndarray
Attack = Callable[[Picture, np.random.Generator], Picture]


def coded(a: Picture, kind: str, quality: int) -> Picture:
    buffer = io.BytesIO()
    Image.fromarray(a).save(buffer, kind, quality=quality)
    return np.array(Image.open(io.BytesIO(buffer.getvalue())).convert("L"))


def jpeg(a: Picture, quality: int) -> Picture:
    return coded(a, "JPEG", quality)


def resized(a: Picture, factor: float) -> Picture:
    size = (max(1, round(a.shape[1] * factor)), max(1, round(a.shape[0] * factor)))
    return np.array(Image.fromarray(a).resize(size, Image.Resampling.LANCZOS))


def cropped(a: Picture, area: float, rng: np.random.Generator) -> Picture:
    side = np.sqrt(area)
    h, w = int(a.shape[0] * side), int(a.shape[1] * side)
    y = int((a.shape[0] - h) * rng.uniform(0.3, 0.7))
    x = int((a.shape[1] - w) * rng.uniform(0.3, 0.7))
    return a[y : y + h, x : x + w].copy()


def rotated(a: Picture, degrees: float) -> Picture:
    h, w = a.shape
    matrix = cv2.getRotationMatrix2D((w / 2, h / 2), degrees, 1)
    return cv2.warpAffine(a, matrix, (w, h), flags=cv2.INTER_LINEAR)


def bent(a: Picture) -> Picture:
    h, w = a.shape
    y, x = np.mgrid[:h, :w].astype(np.float32)
    reach = 0.006 * max(h, w)
    x2 = x + reach * np.sin(2.6 * np.pi * y / h).astype(np.float32)
    y2 = y + reach * np.sin(2 * np.pi * x / w).astype(np.float32)
    return cv2.remap(a, x2, y2, cv2.INTER_LINEAR)


def lettered(a: Picture, rng: np.random.Generator) -> Picture:
    image = Image.fromarray(a)
    draw = ImageDraw.Draw(image)
    for i in range(12):
        place = (int(rng.integers(0, a.shape[1])) * 0.8, int(rng.integers(0, a.shape[0])))
        draw.text(place, f"LOOK AT THIS {i}", fill=255, font_size=a.shape[0] // 20)
    return np.array(image)


def screenshot(a: Picture, rng: np.random.Generator) -> Picture:
    screen = np.full((1080, 1920, 3), 40, np.uint8)
    screen[:60], screen[:, :250] = 200, 90
    for i in range(20):
        cv2.putText(screen, f"Item {i}", (10, 100 + 45 * i), 0, 0.7, (220, 220, 220), 1)
    factor = min(1000 / a.shape[0], 1500 / a.shape[1])
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    small = cv2.resize(a, None, fx=factor, fy=factor, interpolation=how)
    screen[70 : 70 + small.shape[0], 300 : 300 + small.shape[1]] = small[..., None]
    cv2.putText(screen, "W:2000 L:500", (310, 100), 0, 0.7, (255, 255, 0), 1)
    return screen


def photographed(a: Picture, rng: np.random.Generator) -> Picture:
    """Perspective, moiré, vignette, gamma, blur, noise and the camera's JPEG."""
    h, w = a.shape
    scale = 1600 / max(h, w)
    size = (int(w * scale), int(h * scale))
    corners = np.array([[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]])
    target = ((corners + rng.uniform(-0.05, 0.05, (4, 2))) * size).astype(np.float32)
    source = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
    soft = cv2.GaussianBlur(a, (0, 0), max(0.01, 0.4 / (0.8 * scale)))
    matrix = cv2.getPerspectiveTransform(source, target)
    photo = cv2.warpPerspective(soft, matrix, size, borderValue=30).astype(np.float32)
    y, x = np.mgrid[: size[1], : size[0]]
    photo *= 1 + 0.04 * np.sin(2 * np.pi * (0.23 * x + 0.05 * y)) * np.sin(1.32 * y - 0.19 * x)
    photo *= 1 - 0.6 * (((x - size[0] / 2) / size[0]) ** 2 + ((y - size[1] / 2) / size[1]) ** 2)
    photo = 255 * (np.clip(photo, 0, 255) / 255) ** 0.85
    photo = cv2.GaussianBlur(photo, (0, 0), 1.0) + rng.normal(0, 4, photo.shape)
    return jpeg(np.clip(photo * 0.9 + 12, 0, 255).astype(np.uint8), 85)


def clipped(values: Picture) -> Picture:
    return np.clip(values, 0, 255).astype(np.uint8)


def equalised(a: Picture) -> Picture:
    return cv2.createCLAHE(2.0, (8, 8)).apply(a)


def total_variation(a: Picture) -> Picture:
    """A few steps of Rudin–Osher–Fatemi denoising."""
    noisy = a.astype(np.float32)
    u = noisy.copy()
    for _ in range(25):
        dx, dy = np.roll(u, -1, 1) - u, np.roll(u, -1, 0) - u
        size = np.sqrt(dx * dx + dy * dy + 1)
        px, py = dx / size, dy / size
        u += 0.2 * (px - np.roll(px, 1, 1) + py - np.roll(py, 1, 0) - 0.08 * (u - noisy))
    return clipped(u)


def renoised(a: Picture, rng: np.random.Generator) -> Picture:
    return cv2.fastNlMeansDenoising(clipped(a + rng.normal(0, 6, a.shape)), None, 8, 5, 11)


ATTACKS: dict[str, Attack] = {
    "none": lambda a, r: a,
    **{f"JPEG {q}": (lambda a, r, q=q: jpeg(a, q)) for q in (90, 75, 50, 30, 20, 10)},
    **{f"WebP {q}": (lambda a, r, q=q: coded(a, "WEBP", q)) for q in (80, 50, 20)},
    "1/4": lambda a, r: resized(a, 0.25),
    "1/8": lambda a, r: resized(a, 0.125),
    "1/4 + JPEG 50": lambda a, r: jpeg(resized(a, 0.25), 50),
    "1/8 + JPEG 30": lambda a, r: jpeg(resized(a, 0.125), 30),
    **{
        f"crop {int(100 * s)} %": (lambda a, r, s=s: cropped(a, s, r))
        for s in (0.5, 0.25, 0.1, 0.05)
    },
    "crop 10 % + JPEG 50": lambda a, r: jpeg(cropped(a, 0.1, r), 50),
    "gamma 0.6": lambda a, r: clipped(255 * (a / 255.0) ** 0.6),
    "window": lambda a, r: clipped((a.astype(float) - 60) * 255 / 130),
    "invert": lambda a, r: 255 - a,
    "CLAHE": lambda a, r: equalised(a),
    "rotate 3": lambda a, r: rotated(a, 3),
    "rotate 90": lambda a, r: np.rot90(a).copy(),
    "mirror": lambda a, r: a[:, ::-1].copy(),
    "bend": lambda a, r: bent(a),
    "text": lettered,
    "screenshot": screenshot,
    "phone photo": photographed,
    "social": lambda a, r: jpeg(jpeg(resized(a, min(1, 1080 / max(a.shape))), 70), 75),
    "mirror crop CLAHE rotate 0.7 JPEG 60": lambda a, r: jpeg(
        resized(rotated(equalised(cropped(a[:, ::-1], 0.5, r)), 2), 0.7), 60
    ),
    "window crop 0.6 invert JPEG 40": lambda a, r: jpeg(
        255 - resized(cropped(clipped((a.astype(float) - 30) * 1.3), 0.4, r), 0.6), 40
    ),
    "NL-means": lambda a, r: cv2.fastNlMeansDenoising(a, None, 5, 5, 11),
    "median 5": lambda a, r: cv2.medianBlur(a, 5),
    "bilateral": lambda a, r: cv2.bilateralFilter(a, 7, 20, 5),
    "total variation": lambda a, r: total_variation(a),
    "noise 6 + NL-means": renoised,
    "blur 4": lambda a, r: cv2.GaussianBlur(a, (0, 0), 4),
    "noise 10": lambda a, r: clipped(a + r.normal(0, 10, a.shape)),
    "noise 30": lambda a, r: clipped(a + r.normal(0, 30, a.shape)),
}
QUICK = (
    "none",
    "JPEG 50",
    "JPEG 10",
    "1/4 + JPEG 50",
    "crop 10 %",
    "CLAHE",
    "mirror",
    "screenshot",
    "phone photo",
    "social",
)
REPORTED_ONLY = ("1/8 + JPEG 30", "crop 5 %")
COLLUSIONS: dict[str, Callable[[Picture, np.random.Generator], Picture]] = {
    "average": lambda s, r: np.rint(s.mean(axis=0)).astype(s.dtype),
    "minimum": lambda s, r: s.min(axis=0),
    "maximum": lambda s, r: s.max(axis=0),
    "median": lambda s, r: np.median(s, axis=0).astype(s.dtype),
    "pick": lambda s, r: np.take_along_axis(s, r.integers(0, len(s), (1, *s.shape[1:])), axis=0)[0],
}
