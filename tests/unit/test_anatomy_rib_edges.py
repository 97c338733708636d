"""A rib's line and width move to the edges that the film shows."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadapron.anatomy.centreline import band
from leadapron.anatomy.rib_edges import snapped

SIDE, WIDTH = 320, 8.0
Line = npt.NDArray[np.float64]


def arc() -> Line:
    """A rib's course: level by the spine, falling at the flank."""
    columns = np.linspace(190, 280, 46)
    return np.column_stack([columns, 120 + (columns - 190) ** 2 / 140])


def film(points: Line, width: float, noise: float = 0.0) -> npt.NDArray[np.uint8]:
    """Contrast bytes with one bright band."""
    bright = band(points, np.full(len(points), width), (SIDE, SIDE)).astype(np.float32)
    grain = np.random.default_rng(3).normal(0, noise, bright.shape)
    return np.clip(118 + 50 * cv2.GaussianBlur(bright, (0, 0), 0.8) + grain, 0, 255).astype(
        np.uint8
    )


def apart(points: Line, truth: Line) -> float:
    """Mean vertical distance of a line from another."""
    return float(np.abs(points[:, 1] - np.interp(points[:, 0], truth[:, 0], truth[:, 1])).mean())


@settings(max_examples=15, deadline=None)
@given(st.floats(-2, 2), st.floats(-1.5, 1.5), st.sampled_from([1, -1]))
def test_a_line_near_a_rib_moves_to_its_edges(off: float, wider: float, facing: int) -> None:
    truth = arc()
    if facing < 0:
        truth = np.column_stack([SIDE - 1 - truth[:, 0], truth[:, 1]])
    picture = film(truth, WIDTH, noise=4.0)
    start = truth + np.array([0.0, off])
    points, widths = snapped([(start, np.full(len(start), WIDTH + wider))], picture)[0]
    ordered = truth[np.argsort(truth[:, 0])]
    assert apart(points, ordered) < 0.7
    assert abs(float(np.median(widths)) - WIDTH) < 1.6
    assert (points[0, 0] - points[-1, 0]) * (start[0, 0] - start[-1, 0]) > 0


def test_where_nothing_shows_a_line_stays() -> None:
    start, even = arc(), np.full((SIDE, SIDE), 128, np.uint8)
    points, widths = snapped([(start, np.full(len(start), WIDTH))], even)[0]
    assert apart(points, start) < 0.3
    assert np.allclose(widths, WIDTH, atol=0.6)


def test_a_line_at_the_border_of_the_film_is_no_error() -> None:
    start = arc() - np.array([0.0, 119.0])
    picture = film(start, WIDTH)
    points, widths = snapped([(start, np.full(len(start), WIDTH))], picture)[0]
    assert np.isfinite(points).all()
    assert (widths > 0).all()


@pytest.mark.parametrize("count", [0, 1, 3])
def test_every_line_comes_back(count: int) -> None:
    start = arc()
    lines = [(start + np.array([0.0, 20.0 * k]), np.full(len(start), WIDTH)) for k in range(count)]
    assert len(snapped(lines, film(start, WIDTH))) == count
