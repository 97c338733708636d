"""Weak rib labels on real films from the soft bone map of a bone-suppression network."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
_SMOOTH = 2.0
_NEIGHBOURHOOD = 91
_BONE, _AIR, _DARK = 0.1, -0.2, 0.1
_SMALLEST, _SHORTEST = 150, 22
_NOISE_SHARE = 0.62


def bone_labels(
    residual: npt.NDArray[np.uint8], film: npt.NDArray[np.uint8], lungs: Mask
) -> tuple[Mask, Mask]:
    """Return (bone, trusted), bool (H, W) each, for a 512-pixel film.

    Bone stands out from its local mean inside the lungs; pieces too small or too round
    for a rib, the band between bone and background, and noisy patches are not trusted.
    The map is blind to anterior arcs: no bone is believed only where the film itself is
    darker than its surroundings.
    """
    score = _standardised(residual.astype(np.float32), lungs)
    dark = _standardised(film.astype(np.float32), lungs) < _DARK
    bone, air = (score > _BONE) & lungs, (score < _AIR) & dark & lungs
    bone, doubtful = _ribs_only(bone)
    trusted = (bone | air) & ~doubtful & ~_noisy(bone, lungs)
    return bone, trusted


def _standardised(residual: npt.NDArray[np.float32], lungs: Mask) -> npt.NDArray[np.float32]:
    smooth = cv2.GaussianBlur(residual, (0, 0), _SMOOTH)
    weight, window = lungs.astype(np.float32), (_NEIGHBOURHOOD, _NEIGHBOURHOOD)
    share = np.maximum(cv2.blur(weight, window), 1e-3)
    mean = cv2.blur(smooth * weight, window) / share
    variance = cv2.blur(smooth * smooth * weight, window) / share - mean * mean
    score = (smooth - mean) / (np.sqrt(np.maximum(variance, 0)) + 1)
    return np.asarray(score, dtype=np.float32)


def _ribs_only(bone: Mask) -> tuple[Mask, Mask]:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(bone.astype(np.uint8))
    kept = np.zeros(count, dtype=np.bool_)
    for piece in range(1, count):
        extent = max(stats[piece, cv2.CC_STAT_WIDTH], stats[piece, cv2.CC_STAT_HEIGHT])
        kept[piece] = stats[piece, cv2.CC_STAT_AREA] >= _SMALLEST and extent >= _SHORTEST
    clean = kept[labels]
    return clean, bone & ~clean


def _noisy(bone: Mask, lungs: Mask) -> Mask:
    """Patches where nearly everything counts as bone: the autoencoder's grain."""
    window = (61, 61)
    share = cv2.blur(bone.astype(np.float32), window)
    lung = np.maximum(cv2.blur(lungs.astype(np.float32), window), 1e-3)
    return np.asarray((share / lung > _NOISE_SHARE) & (lung > 0.7), dtype=np.bool_)
