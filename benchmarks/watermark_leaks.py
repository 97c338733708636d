"""How copies really leave: encoders, viewers, screens, phones, printers, chat programs.

A second attack suite beside `watermark_attacks`, with other implementations of the same kinds
(other codecs, resamplers, moiré and lens models) and kinds that it lacks. Each attack takes an
8-bit grey picture and a seeded generator, and returns a grey or RGB picture.
"""

# ruff: noqa: ARG001, ARG005 - every attack takes a picture and a generator

from __future__ import annotations

import io
from collections.abc import Callable

import cv2
import imagecodecs
import numpy as np
from PIL import Image, ImageDraw

Picture = np.ndarray
Attack = Callable[[Picture, np.random.Generator], Picture]


def clipped(values: Picture) -> Picture:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def colour(a: Picture) -> Picture:
    return np.repeat(a[..., None], 3, axis=2) if a.ndim == 2 else a


def pil(a: Picture, kind: str, **options: object) -> Picture:
    """Encode as RGB, as chat programs do, and decode."""
    buffer = io.BytesIO()
    Image.fromarray(colour(a)).save(buffer, kind, **options)
    return np.array(Image.open(io.BytesIO(buffer.getvalue())).convert("RGB"))


def opencv_jpeg(a: Picture, quality: int, progressive: bool = False) -> Picture:
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive)]
    return cv2.imdecode(cv2.imencode(".jpg", a, options)[1], cv2.IMREAD_GRAYSCALE)


def own_tables(a: Picture, scale: float) -> Picture:
    """JPEG with the flat-then-steep table of N. Robidoux that mozjpeg uses."""
    y, x = np.mgrid[:8, :8]
    steps = np.clip(np.rint(scale * (16 + 2.2 * (x * x + y * y) ** 0.85)), 1, 255).astype(int)
    table = [int(v) for v in steps.ravel()]
    return pil(a, "JPEG", qtables=[table, table], subsampling=2)


def resampled(a: Picture, factor: float, how: int) -> Picture:
    size = (max(1, round(a.shape[1] * factor)), max(1, round(a.shape[0] * factor)))
    return cv2.resize(a, size, interpolation=how)


def capped(a: Picture, longest: int) -> Picture:
    factor = min(1.0, longest / max(a.shape[:2]))
    return resampled(a, factor, cv2.INTER_AREA) if factor < 1 else a


def sigmoid(a: Picture, centre: float, width: float) -> Picture:
    """The viewer's SIGMOID VOI LUT function (PS3.3 C.11.2.1.3.1)."""
    return clipped(255 / (1 + np.exp(-4 * (a.astype(float) - centre) / width)))


def viewer(a: Picture, scaling: float, rng: np.random.Generator) -> Picture:
    """A dark-mode viewer with tool bars, a grid of thumbnails and a desktop scaling."""
    screen = np.full((1440, 2560, 3), 24, np.uint8)
    screen[:48] = (45, 45, 48)
    screen[48:, :300] = (30, 30, 34)
    room = (1330, 2160)
    factor = min(room[0] / a.shape[0], room[1] / a.shape[1])
    how = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_LINEAR
    shown = colour(sigmoid(resampled(a, factor, how), 120, 220))
    screen[72 : 72 + shown.shape[0], 340 : 340 + shown.shape[1]] = shown
    for i in range(6):
        small = colour(resampled(a, 120 / a.shape[0], cv2.INTER_AREA))
        top = 70 + 200 * i
        screen[top : top + small.shape[0], 20 : 20 + small.shape[1]] = small
    for i, text in enumerate(("CHEST PA", "W 2000 C 1000", "Zoom 67%", "Im 1/1")):
        cv2.putText(screen, text, (350, 110 + 34 * i), 0, 0.9, (230, 230, 120), 2, cv2.LINE_AA)
    cv2.arrowedLine(screen, (900, 500), (1000, 640), (255, 60, 60), 6)
    return resampled(screen, scaling, cv2.INTER_LINEAR) if scaling != 1 else screen


def tilted(size: tuple[int, int], degrees: float, rng: np.random.Generator) -> Picture:
    """Return the 3×3 view of a screen of `size` (w, h) turned away by `degrees`."""
    w, h = size
    turn = rng.uniform(0, 2 * np.pi)
    axis = np.array([np.cos(turn), np.sin(turn), 0]) * np.radians(degrees)
    rotation, _ = cv2.Rodrigues(axis)
    roll, _ = cv2.Rodrigues(np.array([0, 0, np.radians(rng.uniform(-6, 6))]))
    rotation = roll @ rotation
    reach = 1.6 * max(w, h)
    corners = np.array([[-w, -h, 0], [w, -h, 0], [w, h, 0], [-w, h, 0]], float) / 2
    seen = corners @ rotation.T + [0, 0, reach]
    flat = seen[:, :2] / seen[:, 2:] * reach
    flat -= flat.min(axis=0)
    flat *= 1800 / flat.max()
    flat += 60
    source = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
    return cv2.getPerspectiveTransform(source, flat.astype(np.float32)), (
        int(flat[:, 0].max()) + 60,
        int(flat[:, 1].max()) + 60,
    )


def barrel(a: Picture, strength: float) -> Picture:
    h, w = a.shape[:2]
    y, x = np.mgrid[:h, :w].astype(np.float32)
    u, v = (x - w / 2) / max(h, w), (y - h / 2) / max(h, w)
    factor = 1 + strength * (u * u + v * v) - 0.6 * strength * (u * u + v * v) ** 2
    at = (u * factor * max(h, w) + w / 2, v * factor * max(h, w) + h / 2)
    return cv2.remap(a, at[0].astype(np.float32), at[1].astype(np.float32), cv2.INTER_LINEAR)


def disc(radius: float) -> Picture:
    reach = int(np.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    kernel = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)
    return (kernel / kernel.sum()).astype(np.float32)


def motion(length: int, degrees: float) -> Picture:
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1
    turn = cv2.getRotationMatrix2D(((length - 1) / 2, (length - 1) / 2), degrees, 1)
    kernel = cv2.warpAffine(kernel, turn, (length, length))
    return kernel / kernel.sum()


def phone(
    a: Picture,
    rng: np.random.Generator,
    degrees: float = 12,
    defocus: float = 1.2,
    shake: int = 0,
    barrelled: float = 0.05,
    quality: int = 88,
    levels: bool = True,
) -> Picture:
    """A screen's subpixels seen by a camera's mosaic: moiré arises, it is not painted on."""
    screen = colour(a).astype(np.float32)
    factor = 1400 / max(a.shape[:2])
    screen = cv2.resize(screen, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    screen = np.repeat(np.repeat(screen, 3, axis=0), 3, axis=1)
    lit = np.full((3, 3, 3), 0.12, np.float32)
    for channel in range(3):
        lit[:2, channel, channel] = 1
    screen *= np.tile(lit, (screen.shape[0] // 3, screen.shape[1] // 3, 1)) / lit.mean()
    matrix, size = tilted((screen.shape[1], screen.shape[0]), degrees, rng)
    screen = cv2.GaussianBlur(screen, (0, 0), 0.9)
    photo = cv2.warpPerspective(screen, matrix, size, flags=cv2.INTER_AREA, borderValue=(18,) * 3)
    photo = cv2.filter2D(photo, -1, disc(defocus))
    if shake:
        photo = cv2.filter2D(photo, -1, motion(shake, rng.uniform(0, 180)))
    photo = barrel(photo, barrelled)
    y, x = np.mgrid[: photo.shape[0], : photo.shape[1]]
    away = np.hypot(x - photo.shape[1] * 0.45, y - photo.shape[0] * 0.55) / max(photo.shape[:2])
    photo *= (np.cos(np.arctan(1.1 * away)) ** 4)[..., None].astype(np.float32)
    photo += 30 * np.exp(-(((x - 300) / 260) ** 2 + ((y - 200) / 180) ** 2))[..., None]
    photo = rng.poisson(np.clip(photo, 0, None) * 6) / 6 + rng.normal(0, 2.5, photo.shape)
    if levels:
        low, high = np.percentile(photo, (1, 99))
        photo = (photo - low) * 240 / (high - low) + 8
    photo = 255 * (np.clip(photo, 0, 255) / 255) ** 0.9 * np.array([1.04, 1.0, 0.93])
    return pil(clipped(photo), "JPEG", quality=quality)


def printed(a: Picture, rng: np.random.Generator) -> Picture:
    """Laser print in clustered dots of 45 degrees, scanned back at another pitch."""
    big = resampled(a, 2400 / max(a.shape), cv2.INTER_CUBIC).astype(np.float32)
    y, x = np.mgrid[: big.shape[0], : big.shape[1]]
    cell = 0.5 + 0.25 * (np.cos(np.pi * (x + y) / 4) + np.cos(np.pi * (x - y) / 4))
    ink = (big / 255 + rng.normal(0, 0.03, big.shape) > cell).astype(np.float32) * 225 + 15
    ink = cv2.GaussianBlur(ink, (0, 0), 2.2)
    turn = cv2.getRotationMatrix2D((big.shape[1] / 2, big.shape[0] / 2), 0.8, 0.63)
    size = (big.shape[1], big.shape[0])
    scan = cv2.warpAffine(ink, turn, size, flags=cv2.INTER_AREA, borderValue=245)
    return opencv_jpeg(clipped(scan + rng.normal(0, 2, scan.shape)), 85)


def annotated(a: Picture, rng: np.random.Generator) -> Picture:
    image = Image.fromarray(colour(a))
    draw = ImageDraw.Draw(image)
    h, w = a.shape
    for _ in range(8):
        x, y = int(rng.integers(0, w)), int(rng.integers(0, h))
        draw.ellipse((x, y, x + w // 8, y + h // 8), outline=(255, 40, 40), width=max(2, w // 200))
        draw.line((x, y, w // 2, h // 2), fill=(255, 220, 0), width=max(2, w // 250))
    draw.text((w // 9, h // 2), "ROTATE  CASE 17", fill=(90, 200, 255), font_size=h // 14)
    return np.array(image)


def hidden_corner(a: Picture, rng: np.random.Generator) -> Picture:
    """Blur a quarter and pixelate a box, as people do with names and faces."""
    out = a.copy()
    h, w = a.shape
    out[: h // 2, : w // 2] = cv2.GaussianBlur(a[: h // 2, : w // 2], (0, 0), 15)
    box = a[h // 2 : h // 2 + h // 4, w // 2 :]
    small = cv2.resize(box, (max(1, box.shape[1] // 24), max(1, box.shape[0] // 24)))
    out[h // 2 : h // 2 + h // 4, w // 2 :] = cv2.resize(
        small, box.shape[::-1], interpolation=cv2.INTER_NEAREST
    )
    return out


def cut(a: Picture, area: float, rng: np.random.Generator) -> Picture:
    """Crop a window of another shape than the film's, anywhere but the outer tenth."""
    aspect = rng.uniform(0.75, 1.33)
    h = int(min(a.shape[0] * 0.85, np.sqrt(area * a.size * aspect)))
    w = int(min(a.shape[1] * 0.85, area * a.size / h))
    y = int(rng.uniform(0.08, 0.92) * (a.shape[0] - h))
    x = int(rng.uniform(0.08, 0.92) * (a.shape[1] - w))
    return a[y : y + h, x : x + w].copy()


def elastic(a: Picture, rng: np.random.Generator) -> Picture:
    h, w = a.shape
    lattice = rng.normal(0, 0.004 * max(h, w), (5, 5, 2)).astype(np.float32)
    shift = cv2.resize(lattice, (w, h), interpolation=cv2.INTER_CUBIC)
    y, x = np.mgrid[:h, :w].astype(np.float32)
    return cv2.remap(a, x + shift[..., 0], y + shift[..., 1], cv2.INTER_CUBIC)


def turned(a: Picture, degrees: float) -> Picture:
    h, w = a.shape
    matrix = cv2.getRotationMatrix2D((w / 2, h / 2), degrees, 1)
    cos, sin = abs(matrix[0, 0]), abs(matrix[0, 1])
    size = (int(h * sin + w * cos), int(h * cos + w * sin))
    matrix[:, 2] += [(size[0] - w) / 2, (size[1] - h) / 2]
    return cv2.warpAffine(a, matrix, size, flags=cv2.INTER_CUBIC)


def sharpened(a: Picture, amount: float) -> Picture:
    soft = cv2.GaussianBlur(a, (0, 0), 2).astype(np.float32)
    return clipped(a + amount * (a - soft))


def wavelet(a: Picture, threshold: float) -> Picture:
    """Soft threshold of an undecimated Haar pyramid."""
    rest, details = a.astype(np.float32), []
    for level in range(4):
        step = 2**level
        kernel = np.zeros(step + 1, np.float32)
        kernel[[0, -1]] = 0.5
        soft = cv2.sepFilter2D(rest, -1, kernel, kernel, borderType=cv2.BORDER_REFLECT)
        detail = rest - soft
        limit = threshold / 2**level
        details.append(np.sign(detail) * np.maximum(np.abs(detail) - limit, 0))
        rest = soft
    return clipped(rest + sum(details))


def chat(a: Picture, longest: int, *qualities: int) -> Picture:
    """A chat program shrinks once and codes again at every hop."""
    out = capped(a, longest)
    for quality in qualities:
        out = pil(out, "JPEG", quality=quality, subsampling=2)
    return out


LEAKS: dict[str, Attack] = {
    **{f"cv2 JPEG {q}": (lambda a, r, q=q: opencv_jpeg(a, q)) for q in (85, 40, 10)},
    "progressive JPEG 60": lambda a, r: opencv_jpeg(a, 60, True),
    **{
        f"RGB JPEG {q} 4:2:0": (lambda a, r, q=q: pil(a, "JPEG", quality=q, subsampling=2))
        for q in (90, 50, 15, 10)
    },
    "JPEG own tables mild": lambda a, r: own_tables(a, 0.6),
    "JPEG own tables harsh": lambda a, r: own_tables(a, 3.0),
    "JPEG 75 shifted JPEG 60": lambda a, r: opencv_jpeg(opencv_jpeg(a, 75)[3:, 5:], 60),
    "WebP 75 m0": lambda a, r: pil(a, "WEBP", quality=75, method=0),
    "WebP 40 m6": lambda a, r: pil(a, "WEBP", quality=40, method=6),
    "WebP 20 m4": lambda a, r: pil(a, "WEBP", quality=20, method=4),
    "WebP 10 m4": lambda a, r: pil(a, "WEBP", quality=10, method=4),
    "AVIF 60": lambda a, r: pil(a, "AVIF", quality=60, speed=8),
    "AVIF 30": lambda a, r: pil(a, "AVIF", quality=30, speed=8),
    "JPEG XL 60": lambda a, r: imagecodecs.jpegxl_decode(
        imagecodecs.jpegxl_encode(a, level=60, effort=3)
    ),
    "JPEG 2000 30:1": lambda a, r: pil(a, "JPEG2000", quality_mode="rates", quality_layers=[90]),
    "nearest 1/2": lambda a, r: resampled(a, 0.5, cv2.INTER_NEAREST),
    "bilinear 1/4": lambda a, r: resampled(a, 0.25, cv2.INTER_LINEAR),
    "area 1/8": lambda a, r: resampled(a, 0.125, cv2.INTER_AREA),
    "Lanczos 1.5": lambda a, r: resampled(a, 1.5, cv2.INTER_LANCZOS4),
    "area 1/4 + JPEG 50": lambda a, r: opencv_jpeg(resampled(a, 0.25, cv2.INTER_AREA), 50),
    "bilinear 1/8 + JPEG 30": lambda a, r: opencv_jpeg(resampled(a, 0.125, cv2.INTER_LINEAR), 30),
    "thumbnail 300 px WebP 60": lambda a, r: pil(capped(a, 300), "WEBP", quality=60),
    **{f"cut {int(100 * s)} %": (lambda a, r, s=s: cut(a, s, r)) for s in (0.5, 0.25, 0.1, 0.05)},
    "cut 10 % + JPEG 40": lambda a, r: opencv_jpeg(cut(a, 0.1, r), 40),
    "cut 25 % 1.3 + WebP 50": lambda a, r: pil(
        resampled(cut(a, 0.25, r), 1.3, cv2.INTER_CUBIC), "WEBP", quality=50
    ),
    "gamma 1.8": lambda a, r: clipped(255 * (a / 255.0) ** 1.8),
    "sigmoid window": lambda a, r: sigmoid(a, 110, 120),
    "narrow window": lambda a, r: clipped((a.astype(float) - 90) * 3.0),
    "invert gamma": lambda a, r: clipped(255 * (1 - a / 255.0) ** 0.7),
    "16 grey levels": lambda a, r: (a // 16 * 17).astype(np.uint8),
    "histogram equalised": lambda a, r: cv2.equalizeHist(a),
    "CLAHE 4 16x16": lambda a, r: cv2.createCLAHE(4.0, (16, 16)).apply(a),
    "unsharp 1.5": lambda a, r: sharpened(a, 1.5),
    "median 3": lambda a, r: cv2.medianBlur(a, 3),
    "bilateral 9": lambda a, r: cv2.bilateralFilter(a, 9, 30, 7),
    "NL-means 8": lambda a, r: cv2.fastNlMeansDenoising(a, None, 8, 7, 15),
    "wavelet": lambda a, r: wavelet(a, 8),
    "blur 2 + noise 8": lambda a, r: clipped(
        cv2.GaussianBlur(a, (0, 0), 2) + r.normal(0, 8, a.shape)
    ),
    "salt 3 %": lambda a, r: np.where(
        r.random(a.shape) < 0.03, r.integers(0, 256, a.shape), a
    ).astype(np.uint8),
    "noise 30": lambda a, r: clipped(a + r.normal(0, 30, a.shape)),
    "rotate 17": lambda a, r: turned(a, 17),
    "rotate 180 mirror": lambda a, r: a[::-1].copy(),
    "aspect 0.9": lambda a, r: cv2.resize(a, (int(a.shape[1] * 0.9), a.shape[0])),
    "shear": lambda a, r: cv2.warpAffine(
        a, np.array([[1, 0.08, 0], [0.03, 1, 0]], np.float32), a.shape[::-1]
    ),
    "elastic": elastic,
    "annotated": annotated,
    "hidden corner": hidden_corner,
    "viewer": lambda a, r: viewer(a, 1, r),
    "viewer 0.67": lambda a, r: viewer(a, 0.67, r),
    "viewer 1.25 + JPEG 70": lambda a, r: opencv_jpeg(viewer(a, 1.25, r)[..., 1], 70),
    "viewer inverted": lambda a, r: 255 - viewer(a, 1, r),
    "phone 12°": lambda a, r: phone(a, r, 12),
    "phone 20° shaken": lambda a, r: phone(a, r, 20, 1.0, 7),
    "phone 30° defocused": lambda a, r: phone(a, r, 30, 2.6),
    "phone barrel": lambda a, r: phone(a, r, 10, 1.2, 0, 0.14),
    "phone of viewer": lambda a, r: phone(viewer(a, 1, r), r, 12),
    "phone + chat": lambda a, r: chat(phone(a, r, 15), 1080, 75, 60),
    "light box": lambda a, r: phone(clipped(255 * (a / 255.0) ** 1.4), r, 8, 1.6, 0, 0.02, 92),
    "print and scan": printed,
    "chat 1080 75": lambda a, r: chat(a, 1080, 75),
    "chat 1080 75 60": lambda a, r: chat(a, 1080, 75, 60),
    "chat 720 60 50": lambda a, r: chat(a, 720, 60, 50),
    "viewer + chat": lambda a, r: chat(viewer(a, 1, r), 1280, 80, 70),
    "mirror cut 50 % rotate CLAHE JPEG 60": lambda a, r: opencv_jpeg(
        cv2.createCLAHE(2.0, (8, 8)).apply(turned(cut(a[:, ::-1].copy(), 0.5, r), 4)), 60
    ),
    "invert 0.6 WebP 50": lambda a, r: pil(
        resampled(255 - a, 0.6, cv2.INTER_AREA), "WEBP", quality=50
    ),
    "cut 25 % gamma JPEG 30": lambda a, r: opencv_jpeg(
        clipped(255 * (cut(a, 0.25, r) / 255.0) ** 0.7), 30
    ),
}


def interleaved(stack: Picture, rng: np.random.Generator) -> Picture:
    rows = np.arange(stack.shape[1])
    return stack[rows % len(stack), rows]


def blocks(stack: Picture, rng: np.random.Generator) -> Picture:
    """Take every block of 16 pixels from another copy."""
    h, w = stack.shape[1:]
    chosen = rng.integers(0, len(stack), ((h + 15) // 16, (w + 15) // 16))
    chosen = np.kron(chosen, np.ones((16, 16), int))[:h, :w]
    return np.take_along_axis(stack, chosen[None], axis=0)[0]


def middle(stack: Picture, rng: np.random.Generator) -> Picture:
    low, high = stack.min(axis=0).astype(np.float32), stack.max(axis=0).astype(np.float32)
    return np.rint((low + high) / 2).astype(stack.dtype)


MIXES: dict[str, Attack] = {
    "interleaved rows": interleaved,
    "blocks": blocks,
    "min-max middle": middle,
    "average (8 bit)": lambda s, r: np.rint(s.mean(axis=0)).astype(s.dtype),
}
