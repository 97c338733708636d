"""Borders are cut off, a small chest is looked at again, and the maps lie where they belong."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadapron.anatomy.labels import CHANNELS
from leadapron.anatomy.window import Look, Window, composed, look, nearer

SIZE = 64


def picture(rows: int = 200, cols: int = 160) -> np.ndarray:
    rng = np.random.default_rng(3)
    smooth = np.add.outer(np.sin(np.arange(rows) / 17), np.cos(np.arange(cols) / 23))
    return (1000 * (smooth + 2) + rng.normal(0, 40, (rows, cols))).astype(np.uint16)


@pytest.mark.parametrize("grey", [0, 2000, 4095])
@pytest.mark.parametrize("noise", [0, 6])
def test_a_uniform_border_is_cut_off(grey: int, noise: int) -> None:
    frame = np.random.default_rng(1).normal(grey, noise, (320, 360)).clip(0, 4095).astype(np.uint16)
    frame[60:260, 100:260] = picture()
    window = look(frame, SIZE).window
    assert abs(window.top - 60) <= 6
    assert abs(window.left - 100) <= 6
    assert abs(window.rows - 200) <= 12
    assert abs(window.cols - 160) <= 12


def test_a_film_without_border_is_looked_at_whole() -> None:
    frame = picture()
    assert look(frame, SIZE).window == Window(0, 0, 200, 160)


def test_a_blank_frame_is_looked_at_whole() -> None:
    assert look(np.full((90, 80), 7, np.uint8), SIZE).window == Window(0, 0, 90, 80)


def lungs(rows: slice, cols: slice) -> np.ndarray:
    mask = np.zeros((SIZE, SIZE), np.bool_)
    mask[rows, cols] = True
    return mask


def test_no_second_look_where_the_lungs_fill_the_square() -> None:
    first = look(picture(), SIZE)
    assert nearer(picture(), first, lungs(slice(8, 56), slice(16, 48))) is None
    assert nearer(picture(), first, lungs(slice(0, 0), slice(0, 0))) is None


def test_the_second_look_holds_the_lungs_with_room_around() -> None:
    frame = picture(400, 400)
    near = nearer(frame, look(frame, SIZE), lungs(slice(20, 36), slice(30, 50)))
    assert near is not None
    scale = 400 / SIZE
    window = near.window
    assert window.top < 20 * scale
    assert window.top + window.rows > 36 * scale
    assert window.left < 30 * scale
    assert window.left + window.cols > 50 * scale
    assert 20 * scale / max(window.rows, window.cols) == pytest.approx(0.74, abs=0.02)


@given(st.integers(0, 150), st.integers(0, 150), st.integers(60, 250), st.integers(60, 250))
def test_maps_of_a_window_lie_where_the_window_lies(top: int, left: int, rows: int, cols: int):
    frame = np.zeros((400, 400), np.uint8)
    frame[top : top + rows, left : left + cols] = 255
    window = Window(top, left, rows, cols)
    whole, near = Window.whole(frame), window.of(frame)
    first = look(picture(400, 400), SIZE)
    assert first.window == whole
    from leadapron.anatomy.preprocessing import shrink

    second = Look(window, *shrink(near, SIZE))
    nothing = np.zeros((len(CHANNELS), SIZE, SIZE), np.uint8)
    found = np.repeat(second.square.astype(np.uint8)[None], len(CHANNELS), axis=0)
    maps = composed((400, 400), [(first, nothing), (second, found)])
    wrong = (maps.bytes_of(CHANNELS[0]) > 127) != (frame > 127)
    edge = 2 * (rows + cols)
    assert wrong.sum() <= 6 * edge
    assert maps.share == pytest.approx(max(rows, cols) / 400)


def test_one_whole_look_is_left_as_it_is() -> None:
    first = look(picture(), SIZE)
    levels = np.random.default_rng(0).integers(0, 256, (len(CHANNELS), SIZE, SIZE), np.uint8)
    maps = composed((200, 160), [(first, levels)])
    np.testing.assert_array_equal(maps.small(CHANNELS[2]), levels[2])
    assert maps.share == 1.0
