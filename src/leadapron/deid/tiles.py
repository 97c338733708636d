"""Small letters on a large film: the busiest places at full size, packed onto one sheet.

A film of 1955 rows is looked at at half its size; letters of ten pixels are lost there. Looking
at all of it at full size costs four times as much, and almost all of a film is smooth.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from leadapron.deid.contrast import Floats, Gray, Picture
from leadapron.deid.detector import LONG_SIDE, TextBox, find_text

CELL = 16
SMALL_ENOUGH = 0.75
LEAST_EDGE, OVER_NOISE = 4.0, 3.0
SHEET, GAP = 640, 48
ZOOM = 1.25

Window = tuple[int, int, int, int]
"""x, y, width, height in pixels."""


class Place(NamedTuple):
    """Where window number `source` lies on a sheet: its top left corner is at (left, top)."""

    source: int
    window: Window
    left: int
    top: int


def find_small(picture: Picture, seen: list[TextBox]) -> list[TextBox]:
    """Return lines of small letters away from `seen`; none if the film was looked at whole."""
    if LONG_SIDE / max(picture.shape) > SMALL_ENOUGH:
        return []
    windows = _busy(picture, seen)
    sheets = packed(windows)
    if not sheets:
        return []
    sheet = drawn(dict.fromkeys(range(len(windows)), picture), sheets[0])
    side = int(max(sheet.shape) * ZOOM)
    placed = (back(box, sheets[0]) for box in find_text(sheet, side))
    return [found[1] for found in placed if found is not None]


def _busy(picture: Picture, seen: list[TextBox]) -> list[Window]:
    """Return places with edges in both directions, the strongest first."""
    energy = cell_edges(picture.gray)
    for box in seen:
        energy[box.y0 // CELL : -(-box.y1 // CELL), box.x0 // CELL : -(-box.x1 // CELL)] = 0
    busy = energy > max(LEAST_EDGE, OVER_NOISE * float(np.median(energy)))
    return windows_of(busy, energy, picture.shape)


def windows_of(busy: npt.NDArray[np.bool_], energy: Floats, shape: tuple[int, int]) -> list[Window]:
    """Return the windows around connected busy cells, one cell wider, the strongest first."""
    import cv2

    joined = cv2.dilate(busy.astype(np.uint8), np.ones((1, 3), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    found = []
    for x, y, w, h, _area in stats[1:count]:
        x0, y0 = max(0, int(x) - 1) * CELL, max(0, int(y) - 1) * CELL
        x1 = min(shape[1], (int(x) + int(w) + 1) * CELL)
        y1 = min(shape[0], (int(y) + int(h) + 1) * CELL)
        strength = float(energy[y : y + h, x : x + w].max())
        found.append((strength, (x0, y0, x1 - x0, y1 - y0)))
    return [window for _, window in sorted(found, reverse=True)]


def cell_edges(gray: Gray) -> Floats:
    """Return how much neighbours differ in each cell, along the weaker of the two directions.

    Letters have edges both ways; the straight edge of a shutter or a table has not.
    """
    return np.minimum(_edges(gray, 1), _edges(gray, 0))


def _edges(gray: Gray, axis: int) -> Floats:
    import cv2

    rows, columns = gray.shape[0] // CELL, gray.shape[1] // CELL
    whole = gray[: rows * CELL, : columns * CELL]
    step = np.zeros_like(whole)
    if axis:
        step[:, 1:] = cv2.absdiff(whole[:, 1:], whole[:, :-1])
    else:
        step[1:] = cv2.absdiff(whole[1:], whole[:-1])
    cells = cv2.resize(step, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.float32)
    return cells if cells.ndim == 2 else cells.mean(axis=2)


def packed(windows: list[Window]) -> list[list[Place]]:
    """Lay windows onto sheets, row by row; a window larger than a sheet gets one of its own."""
    sheets: list[list[Place]] = []
    left = top = tall = 0
    for source, window in enumerate(windows):
        _, _, width, height = window
        if left + width > SHEET:
            left, top, tall = 0, top + tall + GAP, 0
        if not sheets or top + height > SHEET or (width > SHEET and sheets[-1]):
            sheets.append([])
            left = top = tall = 0
        sheets[-1].append(Place(source, window, left, top))
        left, tall = left + width + GAP, max(tall, height)
    return sheets


def drawn(pictures: dict[int, Picture], places: list[Place]) -> Picture:
    """Return one sheet: each place's window of its source picture on middle grey."""
    rows = max(p.top + p.window[3] for p in places)
    columns = max(p.left + p.window[2] for p in places)
    gray = np.full((rows, columns, *pictures[places[0].source].gray.shape[2:]), 128, np.uint8)
    ink = np.zeros((rows, columns), np.int8)
    for p in places:
        x, y, width, height = p.window
        part = pictures[p.source].window(x, y, x + width, y + height)
        gray[p.top : p.top + height, p.left : p.left + width] = part.gray
        ink[p.top : p.top + height, p.left : p.left + width] = part.ink
    return Picture(gray, ink)


def back(box: TextBox, places: list[Place]) -> tuple[int, TextBox] | None:
    """Return the source of a box on a sheet and the box there; None between the places."""
    middle_x, middle_y = (box.x0 + box.x1) // 2, (box.y0 + box.y1) // 2
    for p in places:
        x, y, width, height = p.window
        if p.left <= middle_x < p.left + width and p.top <= middle_y < p.top + height:
            return p.source, box._replace(
                x0=max(x, box.x0 - p.left + x),
                y0=max(y, box.y0 - p.top + y),
                x1=min(x + width, box.x1 - p.left + x),
                y1=min(y + height, box.y1 - p.top + y),
            )
    return None
