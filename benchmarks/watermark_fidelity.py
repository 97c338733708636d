"""What the mark costs a film, beside lossy compression that readers accept."""

from __future__ import annotations

import cv2
import numpy as np

from leadapron.watermark import embed
from watermark_films import KEY, TRUE, Picture, psnr


def similarity(a: Picture, b: Picture, full: float) -> float:
    """Return SSIM with Gaussian windows of sigma 1.5."""
    a, b = a.astype(np.float64), b.astype(np.float64)

    def mean(x: Picture) -> Picture:
        return cv2.GaussianBlur(x, (11, 11), 1.5)

    ma, mb = mean(a), mean(b)
    va, vb, cov = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
    c1, c2 = (0.01 * full) ** 2, (0.03 * full) ** 2
    top = (2 * ma * mb + c1) * (2 * cov + c2)
    return float(np.mean(top / ((ma**2 + mb**2 + c1) * (va + vb + c2))))


def nodule_contrast(before: Picture, after: Picture) -> float:
    """Return the largest relative change of 64 simulated nodules' contrast, in percent.

    A nodule is a disc of 12 pixels against its ring; its contrast is taken as 3 % of full
    scale, a faint one.
    """
    rng = np.random.default_rng(3)
    y, x = np.mgrid[-12:13, -12:13]
    disc, ring = np.hypot(x, y) <= 6, (np.hypot(x, y) > 6) & (np.hypot(x, y) <= 12)
    change = after.astype(float) - before
    worst = 0.0
    for _ in range(64):
        r, c = (int(rng.integers(s // 5, 4 * s // 5)) for s in before.shape)
        part = change[r - 12 : r + 13, c - 12 : c + 13]
        worst = max(worst, abs(float(part[disc].mean() - part[ring].mean())))
    return worst


def accepted_lossy(frame: Picture, full: int) -> Picture:
    """Return the frame after JPEG 2000 at 41.7 dB, what 10:1 costs a chest film."""
    import imagecodecs

    low, high = 20.0, 90.0
    for _ in range(9):
        middle = (low + high) / 2
        data = imagecodecs.jpeg2k_encode(frame, level=middle, reversible=False)
        other = imagecodecs.jpeg2k_decode(data)
        low, high = (low, middle) if psnr(frame, other, full) > 41.7 else (middle, high)
    return other


def fidelity(name: str, frame: Picture, bits: int) -> list[dict]:
    full = 2**bits - 1
    rows = []
    lossy = accepted_lossy(frame, full)
    for label, other in [
        *((f"mark {db} dB", embed(frame, KEY, TRUE, bits, db)) for db in (60, 56, 50)),
        ("JPEG 2000 at 41.7 dB", lossy),
    ]:
        delta = np.abs(other.astype(float) - frame)
        # GSDF over an 8-bit display: one display step is about 2.4 just noticeable differences.
        rows.append(
            {
                "film": name,
                "what": label,
                "psnr": round(psnr(frame, other, full), 2),
                "ssim": round(similarity(frame, other, full), 5),
                "max_4095": round(float(delta.max()) / full * 4095, 1),
                "jnd_rms": round(float(np.sqrt(np.mean(delta**2))) / full * 255 * 2.4, 2),
                "nodule_pct": round(100 * nodule_contrast(frame, other) / (0.03 * full), 2),
            }
        )
    return rows
