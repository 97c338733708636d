"""Lay a leaked copy over the film: which pixel of the film is each pixel of the copy?

Local features survive cropping, windowing, screenshots and photographs; a homography explains
the flat part of the geometry and a smooth displacement the rest (bent paper, lens). A copy
that was mirrored or inverted needs no second search: both turn a SIFT descriptor into a
permutation of itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from leadapron.watermark.geometry import scaling

Float = npt.NDArray[np.float32]
Grey = npt.NDArray[Any]

_SIDE = 1000
_FEATURES = 3000
_RATIO = 0.86
_TOLERANCE = 4.0
_PLENTY = 150
FEWEST_INLIERS = 10
_OUTLINE = 128
_SAME_ASPECT, _ALIKE = 0.02, 0.75


@dataclass(frozen=True, eq=False)
class Features:
    """Local features of a picture; coordinates are in its own pixels."""

    points: Float
    descriptors: Float


@dataclass(frozen=True, eq=False)
class Registration:
    """How the leaked copy lies on the film.

    Attributes:
        homography: 3×3, film pixels (x, y) to copy pixels (x, y), float64.
        inliers: feature pairs that agree with it.
        mirrored: the copy shows the film as in a mirror.
        inverted: light and dark are exchanged.
        flow: smooth displacement in copy pixels, added before the inverse homography, on a
            coarse lattice over `window`, float32 (rows, columns, 2); None where none is needed.
        window: top, left, bottom, right of the part of the copy that shows the film.
        coverage: share of the film that the copy shows, 0 to 1.
        residual: rms difference that is left, as a share of the copy's contrast.
    """

    homography: npt.NDArray[np.float64]
    inliers: int
    mirrored: bool = False
    inverted: bool = False
    flow: Float | None = None
    window: tuple[int, int, int, int] | None = None
    coverage: float = 0.0
    residual: float = 1.0

    def as_dict(self) -> Mapping[str, Any]:
        """Return the registration as plain JSON values for a report."""
        return {
            "homography": [[float(v) for v in row] for row in self.homography],
            "inliers": self.inliers,
            "mirrored": self.mirrored,
            "inverted": self.inverted,
            "bent": self.flow is not None,
            "window": list(self.window) if self.window else None,
            "coverage": round(float(self.coverage), 4),
            "residual": round(float(self.residual), 4),
        }


def feature_picture(picture: Grey, side: int = _SIDE) -> tuple[npt.NDArray[np.uint8], float]:
    """Return an 8-bit, locally equalised picture of at most `side` pixels, and its scale."""
    import cv2

    scale = min(1.0, side / max(picture.shape))
    small: Any = picture.astype(np.float32)
    if scale < 1:
        size = (max(8, round(picture.shape[1] * scale)), max(8, round(picture.shape[0] * scale)))
        small = cv2.resize(small, size, interpolation=cv2.INTER_AREA)
    low, high = np.percentile(small[::2, ::2], (0.5, 99.5))
    span = max(float(high - low), 1e-6)
    eight = np.clip((small - low) * (255 / span), 0, 255).astype(np.uint8)
    return cv2.createCLAHE(2.0, (8, 8)).apply(eight), small.shape[1] / picture.shape[1]


def features(picture: Grey, side: int = _SIDE, count: int = _FEATURES) -> Features:
    """Return RootSIFT features of a grey picture (H, W) of any depth."""
    import cv2

    eight, scale = feature_picture(picture, side)
    detector: Any = cv2.SIFT_create(  # type: ignore[attr-defined]
        nfeatures=count, contrastThreshold=0.015
    )
    found, described = detector.detectAndCompute(eight, None)
    if described is None:
        return Features(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32))
    points = (np.asarray(cv2.KeyPoint.convert(found), np.float32) + 0.5) / scale - 0.5
    return Features(points, root(described))


def root(described: Float) -> Float:
    """Return RootSIFT: the square root of L1-normalised descriptors."""
    total = np.abs(described).sum(axis=1, keepdims=True)
    return np.sqrt(described / np.maximum(total, 1e-6)).astype(np.float32)


@lru_cache(maxsize=1)
def _mirror_order() -> npt.NDArray[np.int64]:
    """Return how a mirrored patch permutes a SIFT descriptor (4×4 cells × 8 directions)."""
    order = np.arange(128).reshape(4, 4, 8)
    directions = (-np.arange(8)) % 8
    return order[::-1, :, :][:, :, directions].ravel()


@lru_cache(maxsize=1)
def _invert_order() -> npt.NDArray[np.int64]:
    """Return how an inverted patch permutes it: the patch turns, its gradients do not."""
    return np.arange(128).reshape(4, 4, 8)[::-1, ::-1, :].ravel()


def variants(described: Float) -> dict[tuple[bool, bool], Float]:
    """Return the descriptors as (mirrored, inverted) copies of the picture would have them."""
    mirrored = described[:, _mirror_order()]
    inverted = _invert_order()
    return {
        (False, False): described,
        (True, False): mirrored,
        (False, True): described[:, inverted],
        (True, True): mirrored[:, inverted],
    }


def uncut(film: Grey, copy: Grey) -> Registration | None:
    """Return how `copy` shows all of the film, plain or flipped, or None; asks no features.

    Strong noise and coarse quantisation leave no features, but whole pictures stay alike. The
    band of detail that is compared is seen at a hundred pixels and depends on no tone curve.
    """
    factors = (copy.shape[1] / film.shape[1], copy.shape[0] / film.shape[0])
    if abs(factors[0] / factors[1] - 1) > _SAME_ASPECT:
        return None
    mine, theirs = _outline(film), _outline(copy)
    flips = {(x, y): float(np.mean(mine[::y, ::x] * theirs)) for x in (1, -1) for y in (1, -1)}
    (x, y), alike = max(flips.items(), key=lambda one: abs(one[1]))
    if abs(alike) < _ALIKE:
        return None
    across, down = ((side - 1) / 2 for side in (film.shape[1], film.shape[0]))
    flip = np.array([[x, 0, across - x * across], [0, y, down - y * down], [0, 0, 1.0]])
    fit = scaling(*factors) @ flip
    return Registration(np.asarray(fit, np.float64), 0, x * y < 0, alike < 0)


def _outline(picture: Grey) -> Float:
    """Return the middle detail of a picture, of mean 0 and mean square 1, float32."""
    import cv2

    side = (_OUTLINE, _OUTLINE)
    small: Any = cv2.resize(picture.astype(np.float32), side, interpolation=cv2.INTER_AREA)
    low, high = np.percentile(small, (2, 98))
    small = np.clip(small, low, high)
    detail = cv2.GaussianBlur(small, (0, 0), 1.5) - cv2.GaussianBlur(small, (0, 0), 8)
    return np.asarray(detail / max(float(detail.std()), 1e-6), np.float32)


def match(film: Float, copy: Float) -> npt.NDArray[np.int64]:
    """Return index pairs (n, 2) of mutually best and distinctive descriptors."""
    if min(len(film), len(copy)) < 4:
        return np.zeros((0, 2), np.int64)
    similarity = copy @ film.T
    best = similarity.argmax(axis=1)
    rows = np.arange(len(copy))
    top = similarity[rows, best]
    mutual = similarity.argmax(axis=0)[best] == rows
    similarity[rows, best] = -1
    second = similarity.max(axis=1)
    distance, other = np.sqrt(np.maximum(2 - 2 * top, 0)), np.sqrt(np.maximum(2 - 2 * second, 0))
    keep = mutual & (distance < _RATIO * other)
    return np.stack([best[keep], rows[keep]], axis=1)


def align(film: Features, copy: Features, tolerance: float = _TOLERANCE) -> Registration | None:
    """Return the best homography over the mirror and inversion variants, or None."""
    best: Registration | None = None
    for (mirrored, inverted), described in variants(copy.descriptors).items():
        pairs = match(film.descriptors, described)
        best = _better(best, film, copy, pairs, tolerance, mirrored, inverted)
        if best is not None and best.inliers >= _PLENTY:
            break
    return best


def _better(
    best: Registration | None,
    film: Features,
    copy: Features,
    pairs: npt.NDArray[np.int64],
    tolerance: float,
    mirrored: bool,
    inverted: bool,
) -> Registration | None:
    """Return the better of `best` and what these pairs say.

    OpenCV's USAC refuses homographies that turn the plane over, so a mirrored copy is turned
    back first.
    """
    turn = np.array([-1.0 if mirrored else 1.0, 1.0, 1.0])
    target = copy.points[pairs[:, 1]] * turn[:2].astype(np.float32)
    found = _homography(film.points[pairs[:, 0]], target, tolerance)
    if found is None or (best is not None and found[1] <= best.inliers):
        return best
    return Registration(turn[:, None] * found[0], found[1], mirrored, inverted)


def align_codes(
    film_points: Float,
    film_codes: npt.NDArray[np.int8],
    copy_points: Float,
    copy_codes: npt.NDArray[np.int8],
    turn: tuple[bool, bool],
) -> Registration | None:
    """Return the homography between pictures of which only compact codes are kept, or None.

    Args:
        film_points, copy_points: float32 (n, 2), pixels.
        film_codes, copy_codes: int8 (n, d); the copy's are those of the (mirrored, inverted)
            picture that `turn` says.
    """
    pairs = match(_unit(film_codes), _unit(copy_codes))
    film = Features(film_points, np.zeros((0, 0), np.float32))
    copy = Features(copy_points, np.zeros((0, 0), np.float32))
    return _better(None, film, copy, pairs, _TOLERANCE, *turn)


def _unit(codes: npt.NDArray[np.int8]) -> Float:
    """Return codes scaled to length one, so that their products compare like RootSIFT's."""
    values = codes.astype(np.float32)
    return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-6)


def _homography(
    source: Float, target: Float, tolerance: float
) -> tuple[npt.NDArray[np.float64], int] | None:
    """Return a plausible homography and its inlier count, or None. Deterministic."""
    import cv2

    if len(source) < FEWEST_INLIERS:
        return None
    cv2.setRNGSeed(1)
    matrix, inside = cv2.findHomography(
        source, target, cv2.USAC_MAGSAC, tolerance, maxIters=5000, confidence=0.9999
    )
    if matrix is None or inside is None or int(inside.sum()) < FEWEST_INLIERS:
        return None
    found = np.asarray(matrix, np.float64)
    return (found, int(inside.sum())) if _plausible(found, source) else None


def _plausible(matrix: npt.NDArray[np.float64], source: Float) -> bool:
    """Reject homographies that fold or crush the part of the film they were found on."""
    low, high = source.min(axis=0), source.max(axis=0)
    corners = (
        np.array(
            [[low[0], low[1], 1], [high[0], low[1], 1], [high[0], high[1], 1], [low[0], high[1], 1]]
        )
        @ matrix.T
    )
    depth = corners[:, 2]
    if not (np.all(depth > 1e-9) or np.all(depth < -1e-9)):
        return False
    flat = corners[:, :2] / depth[:, None]
    turned = np.roll(flat, -1, axis=0)
    area = 0.5 * abs(float(np.sum(flat[:, 0] * turned[:, 1] - flat[:, 1] * turned[:, 0])))
    share = area / max(float(np.prod(high - low)), 1e-9)
    return 1e-3 < share < 1e3
