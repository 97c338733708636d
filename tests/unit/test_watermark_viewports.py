"""A screenshot is cut where nothing crosses, and nowhere else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from leadapron.watermark.viewports import Box, viewports


def scene(seed: int, shape) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 12)
    return np.clip(120 + 1200 * smooth, 0, 255).astype(np.uint8)


def workstation(places: list[Box], line: int = 2) -> np.ndarray:
    """A viewer's window: toolbar, patient list, viewports with thin borders and overlay text."""
    screen = np.full((1080, 1920, 3), 24, np.uint8)
    screen[:48] = 60
    for x in range(20, 900, 60):
        cv2.rectangle(screen, (x, 12), (x + 28, 36), (200, 200, 210), -1)
    for y in range(90, 1040, 34):
        cv2.putText(screen, "LA12345 CR chest", (12, y), 0, 0.6, (190, 190, 190), 1)
    for seed, box in enumerate(places):
        film = scene(seed, (box.bottom - box.top, box.right - box.left))
        screen[box.top : box.bottom, box.left : box.right] = film[..., None]
        corner = (box.left - line, box.top - line), (box.right + line - 1, box.bottom + line - 1)
        cv2.rectangle(screen, *corner, (90, 140, 220), line)
        cv2.putText(screen, "IM 1/1", (box.left + 8, box.top + 20), 0, 0.5, (255, 255, 0), 1)
    return screen


def overlap(one: Box, other: Box) -> float:
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    width = min(one.right, other.right) - max(one.left, other.left)
    both = max(height, 0) * max(width, 0)
    return both / (one.area + other.area - both)


@pytest.mark.parametrize("line", [1, 2, 4])
def test_each_viewport_of_a_workstation_is_found(line):
    places = [Box(60 + y, 300 + x, 60 + y + 490, 300 + x + 780) for y in (0, 505) for x in (0, 800)]
    found = viewports(workstation(places, line))
    for place in places:
        assert max(overlap(place, box) for box in found) > 0.9


def test_two_pictures_in_a_chat_are_parted():
    chat = np.full((2000, 1000), 240, np.uint8)
    places = [Box(150, 40, 850, 640), Box(980, 360, 1700, 960)]
    for seed, box in enumerate(places):
        chat[box.top : box.bottom, box.left : box.right] = scene(
            seed, (box.bottom - box.top, box.right - box.left)
        )
    cv2.putText(chat, "see this film", (60, 920), 0, 1.2, 20, 2)
    found = viewports(chat)
    for place in places:
        assert max(overlap(place, box) for box in found) > 0.95


def test_one_picture_is_not_cut():
    assert viewports(scene(5, (900, 800))) == []
    assert viewports(np.zeros((500, 500), np.uint8)) == []


def test_deep_pictures_are_cut_too():
    collage = np.zeros((700, 1500), np.uint16)
    collage[50:650, 50:700] = scene(1, (600, 650)).astype(np.uint16) << 8
    collage[50:650, 800:1450] = scene(2, (600, 650)).astype(np.uint16) << 8
    assert len(viewports(collage)) == 2
