"""Learn the visual words that find a leaked film again, and write vocabulary.npz.

    python scripts/learn_vocabulary.py DATA

DATA/anatomy holds `wingspan/images` and `gbc100/images`. Every fourth film of the first and every
second of the second are used; seeded, so the same films give the same words.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from leadapron.watermark.registration import features
from leadapron.watermark.vocabulary import learn, save

DESCRIPTORS_A_FILM, DESCRIPTORS, ROUNDS = 1500, 90_000, 8


def main(data: Path) -> None:
    """Learn from the films below `data` and save into the package."""
    cv2.setNumThreads(1)
    wingspan = sorted((data / "anatomy" / "wingspan" / "images").iterdir())[::4]
    gbc = sorted((data / "anatomy" / "gbc100" / "images").iterdir())[::2]
    found = []
    for path in (*wingspan, *gbc):
        picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if picture is None:
            raise SystemExit(f"cannot read {path}")
        found.append(features(picture, count=DESCRIPTORS_A_FILM).descriptors)
    every = np.concatenate(found)
    chosen = np.random.default_rng(0).permutation(len(every))[:DESCRIPTORS]
    save(learn(every[chosen], rounds=ROUNDS))
    print(f"learnt from {len(found)} films, {len(chosen)} descriptors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
