"""Where on a picture something must be hidden: one look at all of it, a closer one at each find."""

from __future__ import annotations

import numpy as np

from leadapron.deid.contrast import Picture
from leadapron.deid.detector import TextBox, find_text
from leadapron.deid.textblocks import SURE, rectangles, suspects
from leadapron.deid.tiles import find_small

EASY_HEIGHT = 26
ASIDE, ASIDE_IN_NOISE = 12, 30
ABOVE, ABOVE_ALONE = 2, 1
MOST_BLOCKS, MOST_LINES, LONGEST, NOISY = 12, 8, 1600, 10
SAME = 0.6
PLAIN = 0.0
"""Sharpening costs letters on saturated ground, as much as it wins elsewhere: look twice."""


def find_regions(picture: Picture, allowed: frozenset[str]) -> list[TextBox]:
    """Return the rectangles that hide all text of a picture but allowed marks."""
    lines = find_text(picture)
    lines += _unseen(find_text(picture, gain=PLAIN), lines)
    lines += find_small(picture, [line for line in lines if line.score >= SURE])
    found = suspects(picture, lines, allowed)
    if not found:
        return []
    more = [line for block in found[:MOST_BLOCKS] for line in _closer(picture, block)]
    fresh = _unseen(more, lines)
    known = [line for block in found for line in block]
    return rectangles(picture, suspects(picture, [*known, *fresh], allowed))


def _unseen(found: list[TextBox], lines: list[TextBox]) -> list[TextBox]:
    return [box for box in found if not any(_same(box, line) for line in lines)]


def _closer(picture: Picture, block: list[TextBox]) -> list[TextBox]:
    """Look again at the rows of a block, far to both sides, with easy letters.

    The detector weighs a picture as a whole: on a noisy film it loses the end of a line that it
    sees well on a strip.
    """
    if _noise(picture, block) <= NOISY:
        return _strip(picture, block, ABOVE, ASIDE)
    found = _strip(picture, block, ABOVE, ASIDE_IN_NOISE)
    for line in block[:MOST_LINES] if len(block) > 1 else ():
        found += _strip(picture, [line], ABOVE_ALONE, ASIDE_IN_NOISE)
    return found


def _strip(picture: Picture, block: list[TextBox], above: int, aside: int) -> list[TextBox]:
    x0, y0, x1, y1, size = _around(picture, block, above, aside)
    part = picture.window(x0, y0, x1, y1)
    side = min(LONGEST, int(max(part.shape) * EASY_HEIGHT / size))
    return [moved(line, x0, y0) for line in find_text(part, side)]


def _around(
    picture: Picture, block: list[TextBox], above: int, aside: int
) -> tuple[int, int, int, int, int]:
    size = max(line.height for line in block)
    return (
        max(0, min(line.x0 for line in block) - aside * size),
        max(0, min(line.y0 for line in block) - above * size),
        min(picture.shape[1], max(line.x1 for line in block) + aside * size),
        min(picture.shape[0], max(line.y1 for line in block) + above * size),
        size,
    )


def _noise(picture: Picture, block: list[TextBox]) -> float:
    """Return how grainy the ground around a block is, in grey levels."""
    import cv2

    x0, y0, x1, y1, _ = _around(picture, block, ABOVE, ASIDE)
    part = picture.gray[y0:y1, x0:x1]
    return float(np.median(cv2.absdiff(part, cv2.blur(part, (9, 9)))))


def moved(line: TextBox, x: int, y: int) -> TextBox:
    """Return a box of a window in the picture that the window was cut from at (x, y)."""
    return line._replace(x0=line.x0 + x, y0=line.y0 + y, x1=line.x1 + x, y1=line.y1 + y)


def _same(a: TextBox, b: TextBox) -> bool:
    """Return whether the first box adds nothing to the second."""
    wide = min(a.x1, b.x1) - max(a.x0, b.x0)
    tall = min(a.y1, b.y1) - max(a.y0, b.y0)
    return wide > 0 and tall > 0 and wide * tall >= SAME * (a.x1 - a.x0) * (a.y1 - a.y0)
