"""From lines of text to rectangles to fill: paragraphs whole, allowed marks left alone."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import reduce

import numpy as np
import numpy.typing as npt

from leadapron.deid.contrast import Picture
from leadapron.deid.detector import TextBox, read_text

READ = 0.5
SURE, CLEAR, WORD = 0.68, 0.75, 6
PARAGRAPH, SPARSE, COMPACT = 3, 0.4, 1.2
INK_LEAST, INK_MOST, DENSE, SOLID = 0.04, 0.7, 0.5, 0.98
UNSEEN = 12
LONG = 5

_WORDS = (
    "L R LT RT LEFT RIGHT PA AP LAT LATERAL LL RL LLD RLD "
    "OBL LAO RAO LPO RPO DEC DECUB ERECT UPRIGHT SEMIUPRIGHT SEMIERECT SUPINE PRONE SITTING "
    "STANDING PORTABLE MOBILE INSP EXP STAT A P H S I HF FH SEMI DECUBITUS LATERAL OBLIQUE "
    "INSPIRATION EXPIRATION RECUMBENT WEIGHTBEARING XTABLE CROSSTABLE VIEW CHEST DX SX "
    "左 右 左侧 右侧 立位 站立位 卧位 仰卧位 仰卧 平卧位 俯卧位 坐位 半坐位 半卧位 侧卧位 "
    "正位 侧位 左侧位 右侧位 斜位 左前斜位 右前斜位 左后斜位 右后斜位 后前位 前后位 "
    "胸部 床旁 床边 吸气 吸气相 呼气 呼气相 "
)
MARKS = frozenset(_WORDS.split())
"""Laterality, projection and position marks (PS3.3 C.8.11.5, CID 247, in both languages)."""


def fold(text: str) -> str:
    """Return a mark without case, width, spaces and punctuation."""
    wide = unicodedata.normalize("NFKC", text).upper()
    return "".join(c for c in wide if c.isalnum())


def suspects(
    picture: Picture, lines: list[TextBox], allowed: frozenset[str]
) -> list[list[TextBox]]:
    """Return the blocks of near lines that are not allowed marks alone."""
    marks = MARKS | {fold(m) for m in allowed}
    return [b for b in blocks(lines) if not _harmless(picture, b, marks)]


def rectangles(picture: Picture, found: list[list[TextBox]]) -> list[TextBox]:
    """Return the rectangles that hide these blocks.

    A block is filled whole: between two seen lines there may be one that nobody could see. A
    block that is mostly empty, such as a title row with a column below it, is filled in parts.
    """
    followed = [[_follow(picture, line) for line in block] for block in found]
    parts = [part for block in followed for part in _parts(block)]
    return _merge([_frame(part, picture.shape) for part in parts])


def _parts(block: list[TextBox]) -> list[list[TextBox]]:
    hull = reduce(_union, block)
    if sum(_area(line) for line in block) > SPARSE * _area(hull):
        return [block]
    return _grouped(block, lambda a, b: _near(a, b) and _in_line(a, b))


def _in_line(a: TextBox, b: TextBox) -> bool:
    """Return whether one box stands beside or below most of the other."""
    across = min(a.x1, b.x1) - max(a.x0, b.x0)
    down = min(a.y1, b.y1) - max(a.y0, b.y0)
    least_across, least_down = min(a.x1 - a.x0, b.x1 - b.x0), min(a.y1 - a.y0, b.y1 - b.y0)
    return 2 * across > least_across or 2 * down > least_down


def _area(box: TextBox) -> int:
    return (box.x1 - box.x0) * (box.y1 - box.y0)


def _harmless(picture: Picture, block: list[TextBox], marks: frozenset[str]) -> bool:
    if len(block) > PARAGRAPH:
        return False
    readings = [(line, *read_text(picture, line)) for line in block]
    if all(_only_marks(text, marks) and sure >= READ for _, text, sure in readings):
        return True
    return all(
        line.score < SURE and sure < CLEAR and len(fold(text)) < WORD
        for line, text, sure in readings
    )


def _only_marks(text: str, marks: frozenset[str]) -> bool:
    words = [fold(w) for w in re.split(r"[\s\-_/.,:]+", text)]
    if fold(text) in marks or (any(words) and all(w in marks for w in words if w)):
        return True
    return any(_of_marks(fold(text), frozenset(marks), long) for long in marks if len(long) >= LONG)


def _of_marks(text: str, marks: frozenset[str], long: str) -> bool:
    """Return whether a text read without its spaces is a long mark between other marks."""
    before, found, after = text.partition(long)
    return bool(found) and all(
        not part or part in marks or any(_of_marks(part, marks, m) for m in marks if len(m) >= LONG)
        for part in (before, after)
    )


def blocks(lines: list[TextBox]) -> list[list[TextBox]]:
    """Return the lines in groups of neighbours."""
    return _grouped(lines, _near)


def _grouped(
    lines: list[TextBox], belong: Callable[[TextBox, TextBox], bool]
) -> list[list[TextBox]]:
    groups: list[list[TextBox]] = []
    for line in lines:
        near = [g for g in groups if any(belong(line, other) for other in g)]
        groups = [g for g in groups if g not in near]
        groups.append([line, *(other for g in near for other in g)])
    return groups


def _follow(picture: Picture, line: TextBox) -> TextBox:
    """Follow a horizontal line to where its ink ends, also where the ground hides it.

    Burned-in letters have one exact value, black or white. Columns that hold some of it, but are
    not made of it, go on with the line; a gap wider than the letters are high ends it. On ground
    of the letters' own value nobody sees whether the line goes on, and filling it hides nothing
    else: there it is followed for UNSEEN times its height.
    """
    if line.x1 - line.x0 < line.y1 - line.y0:
        return line
    band = picture.ink[line.y0 : line.y1]
    left, right = line.x0, line.x1
    for sign in (-1, 1):
        share = (np.sign(band) == sign).mean(axis=0)
        if not INK_LEAST < float(share[line.x0 : line.x1].mean()) < INK_MOST:
            continue
        hits = (share > INK_LEAST) & (share < INK_MOST)
        reach, gap = line.x1 - line.x0, line.height
        right = max(right, line.x1 + _run(hits[line.x1 : line.x1 + reach], gap))
        left = min(left, line.x0 - _run(hits[max(0, line.x0 - reach) : line.x0][::-1], gap))
        solid, reach = share >= SOLID, UNSEEN * line.height
        right += _solid(solid[right : right + reach], gap)
        left -= _solid(solid[max(0, left - reach) : left][::-1], gap)
    return line._replace(x0=left, x1=right)


def _solid(columns: npt.NDArray[np.bool_], gap: int) -> int:
    """Return how far a run of solid columns reaches that begins within half a `gap`."""
    places = np.flatnonzero(columns)
    if not places.size or places[0] > gap // 2:
        return 0
    breaks = np.flatnonzero(np.diff(places) > 1)
    return int(places[breaks[0]] if breaks.size else places[-1]) + 1


def _run(hits: npt.NDArray[np.bool_], gap: int) -> int:
    """Return how far a run of mostly set columns reaches before a gap wider than `gap`."""
    places = np.flatnonzero(hits)
    if not places.size or places[0] > gap:
        return 0
    breaks = np.flatnonzero(np.diff(places) > gap)
    end = int(places[breaks[0]] if breaks.size else places[-1]) + 1
    dense = float(hits[:end].mean()) > DENSE
    return end if dense else 0


def _near(a: TextBox, b: TextBox) -> bool:
    size = min(a.height, b.height)
    across = max(a.x0, b.x0) - min(a.x1, b.x1)
    down = max(a.y0, b.y0) - min(a.y1, b.y1)
    return across < 2.0 * size and down < 1.6 * size


def _frame(block: list[TextBox], shape: tuple[int, int]) -> TextBox:
    """Return the block's rectangle with a margin; paragraphs get a line above and below."""
    size = float(np.median([line.height for line in block]))
    side = round(0.3 * size) + 1
    above = round((0.9 if len(block) >= PARAGRAPH else 0.15) * size) + 1
    return TextBox(
        max(0, min(line.x0 for line in block) - side),
        max(0, min(line.y0 for line in block) - above),
        min(shape[1], max(line.x1 for line in block) + side),
        min(shape[0], max(line.y1 for line in block) + above),
        max(line.score for line in block),
        round(size),
    )


def _merge(boxes: list[TextBox]) -> list[TextBox]:
    """Join rectangles that overlap into one, where that swallows little that neither held."""
    merged: list[TextBox] = []
    for box in boxes:
        touching = [other for other in merged if _overlap(box, other)]
        joined = reduce(_union, touching, box)
        merged = [*(other for other in merged if other not in touching), joined]
    return merged if len(merged) == len(boxes) else _merge(merged)


def _overlap(a: TextBox, b: TextBox) -> bool:
    apart = a.x0 >= b.x1 or b.x0 >= a.x1 or a.y0 >= b.y1 or b.y0 >= a.y1
    return not apart and _area(_union(a, b)) <= COMPACT * (_area(a) + _area(b))


def _union(a: TextBox, b: TextBox) -> TextBox:
    return TextBox(
        min(a.x0, b.x0),
        min(a.y0, b.y0),
        max(a.x1, b.x1),
        max(a.y1, b.y1),
        max(a.score, b.score),
        min(a.line, b.line),
    )
