"""Text on many frames: found once where it stands still, searched for where it comes and goes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from leadapron.deid.contrast import Floats, Picture, Samples, Tone
from leadapron.deid.detector import TextBox, find_text, read_text
from leadapron.deid.search import find_regions
from leadapron.deid.textblocks import fold, rectangles, suspects
from leadapron.deid.tiles import (
    LEAST_EDGE,
    ZOOM,
    Window,
    back,
    cell_edges,
    drawn,
    packed,
    windows_of,
)

FEW, SAMPLED = 3, 9
RISE, STILL, NEARLY, SOME = 1.5, 3.0, 12, 0.2
CERTAIN = 0.6


class Find(NamedTuple):
    """A rectangle to hide and the frames it is to be hidden on."""

    frames: tuple[int, ...]
    box: TextBox


def find_on_frames(
    samples: Samples, allowed: frozenset[str], *, readable: bool = False
) -> list[Find]:
    """Return the text of a stack (frames, rows, columns[, 3]); with `readable` only what reads.

    Text that stands still shows on the middle value over sampled frames; text that is there for
    a while shows on the brightest or darkest of all frames; and wherever one frame has more
    edges than that place has on the others, the place is looked at on that frame. A 100-frame
    cine so costs a few detections.
    """
    tone = Tone.of(samples)
    every = tuple(range(len(samples)))
    still = _picture(np.median(samples[_spread(len(samples))], axis=0), samples, tone)
    finds = [Find(every, box) for box in _regions(still, allowed, readable=readable)]
    for extreme in (samples.max(axis=0), samples.min(axis=0)):
        shown = Picture.of(extreme, tone)
        _hide(shown, [f.box for f in finds])
        finds += [
            Find(_frames_with(samples, tone, still, shown, box), box)
            for box in _regions(shown, allowed, readable=readable)
        ]
    return finds + _passing(samples, tone, finds, allowed, readable=readable)


def _spread(count: int) -> list[int]:
    """Return the numbers of at most SAMPLED frames, evenly spread, first and last among them."""
    return sorted({round(i) for i in np.linspace(0, count - 1, min(SAMPLED, count))})


def _picture(middle: Floats, samples: Samples, tone: Tone) -> Picture:
    return Picture.of(middle.astype(samples.dtype), tone)


def _regions(picture: Picture, allowed: frozenset[str], *, readable: bool) -> list[TextBox]:
    found = find_regions(picture, allowed)
    return [box for box in found if not readable or _reads(picture, box)]


def _reads(picture: Picture, box: TextBox) -> bool:
    text, sure = read_text(picture, box)
    return len(fold(text)) > 1 and sure >= CERTAIN


def _hide(picture: Picture, boxes: list[TextBox]) -> None:
    for box in boxes:
        picture.gray[box.y0 : box.y1, box.x0 : box.x1] = 128
        picture.ink[box.y0 : box.y1, box.x0 : box.x1] = 0


def _frames_with(
    samples: Samples, tone: Tone, still: Picture, extreme: Picture, box: TextBox
) -> tuple[int, ...]:
    """Return the frames that hold the strokes which the extreme of all frames shows in the box.

    Letters are what sets the extreme apart from the still picture; on their frames they are the
    extreme, on the others moving grain reaches it at few places. Few are enough to count.
    """
    window = (slice(box.y0, box.y1), slice(box.x0, box.x1))
    shown = extreme.gray[window].astype(np.int16)
    apart = np.abs(shown - still.gray[window])
    strokes = apart >= max(STILL, 0.5 * float(apart.max()))
    found = []
    for number, frame in enumerate(samples):
        off = np.abs(tone.gray(frame[window]).astype(np.int16) - shown)
        if float((off[strokes] < NEARLY).mean()) > SOME:
            found.append(number)
    return tuple(found)


def _passing(
    samples: Samples, tone: Tone, known: list[Find], allowed: frozenset[str], *, readable: bool
) -> list[Find]:
    """Return text of places that are busier on some frames than on most."""
    groups = _groups(samples, tone, known)
    windows = [window for _, window in groups]
    finds = []
    for places in packed(windows):
        shown = {p.source: Picture.of(samples[groups[p.source][0][0]], tone) for p in places}
        sheet = drawn(shown, places)
        lines = find_text(sheet, int(max(sheet.shape) * ZOOM))
        for region in _sheet_regions(sheet, lines, allowed, readable=readable):
            placed = back(region, places)
            if placed is not None:
                finds.append(Find(groups[placed[0]][0], placed[1]))
    return finds


def _sheet_regions(
    sheet: Picture, lines: list[TextBox], allowed: frozenset[str], *, readable: bool
) -> list[TextBox]:
    found = rectangles(sheet, suspects(sheet, lines, allowed))
    return [box for box in found if not readable or _reads(sheet, box)]


def _groups(
    samples: Samples, tone: Tone, known: list[Find]
) -> list[tuple[tuple[int, ...], Window]]:
    """Return windows busier than usual with the run of frames on which each looks the same."""
    edges = np.stack([cell_edges(_hidden(tone.gray(f), known, n)) for n, f in enumerate(samples)])
    usual = np.median(edges, axis=0)
    shape = (int(samples.shape[1]), int(samples.shape[2]))
    groups: list[tuple[tuple[int, ...], Window]] = []
    for number, energy in enumerate(edges):
        busy = energy > RISE * usual + LEAST_EDGE
        if not busy.any():
            continue
        for window in windows_of(busy, energy, shape):
            earlier = _same_before(samples, tone, groups, number, window)
            if earlier is None:
                groups.append(((number,), window))
            else:
                groups[earlier] = ((*groups[earlier][0], number), groups[earlier][1])
    return groups


def _hidden(gray: np.ndarray, known: list[Find], number: int) -> np.ndarray:
    for find in known:
        if number in find.frames:
            box = find.box
            gray[box.y0 : box.y1, box.x0 : box.x1] = 128
    return gray


def _same_before(
    samples: Samples,
    tone: Tone,
    groups: list[tuple[tuple[int, ...], Window]],
    number: int,
    window: Window,
) -> int | None:
    """Return the group whose window, on the frame before, held what this frame holds there."""
    x, y, width, height = window
    for place in range(len(groups) - 1, -1, -1):
        frames, (gx, gy, gw, gh) = groups[place]
        if frames[-1] < number - 1:
            continue
        if gx <= x and gy <= y and x + width <= gx + gw and y + height <= gy + gh:
            part = (slice(gy, gy + gh), slice(gx, gx + gw))
            now = tone.gray(samples[number][part]).astype(np.int16)
            then = tone.gray(samples[frames[0]][part]).astype(np.int16)
            if float(np.abs(now - then).mean()) < STILL:
                return place
    return None
