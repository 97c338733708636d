"""What reaches the network does not depend on depth, window or polarity."""

import numpy as np
import pytest

from leadapron.anatomy.preprocessing import Letterbox, normalise, shrink


@pytest.fixture
def film() -> np.ndarray:
    rng = np.random.default_rng(4)
    ramp = np.add.outer(np.linspace(0, 1500, 600), np.linspace(0, 2000, 480))
    return (ramp + rng.integers(0, 300, (600, 480))).astype(np.uint16)


def prepared(frame: np.ndarray, size: int = 128) -> np.ndarray:
    square, box = shrink(frame, size)
    return normalise(square, box.inside)


def test_letterbox_keeps_the_aspect_and_centres() -> None:
    box = Letterbox.of((600, 480), 128)
    assert box.inner == (128, 102)
    assert box.rows == slice(0, 128)
    assert box.cols == slice(13, 115)
    assert box.inside.sum() == 128 * 102


@pytest.mark.parametrize("shape", [(1, 900), (900, 1), (64, 64), (3000, 65)])
def test_any_shape_fits(shape: tuple[int, int]) -> None:
    square, box = shrink(np.ones(shape, np.uint8), 96)
    assert square.shape == (96, 96)
    assert min(box.inner) >= 1


def test_negation_changes_the_sign_alone(film: np.ndarray) -> None:
    square, box = shrink(film, 128)
    seen, negated = normalise(square, box.inside), normalise(-square, box.inside)
    inside = box.inside
    np.testing.assert_allclose(negated[:, inside], -seen[:, inside], atol=2e-3)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", ">u2", "float64"])
def test_depth_and_dtype_do_not_matter(film: np.ndarray, dtype: str) -> None:
    same = (film // 16).astype(dtype)
    np.testing.assert_allclose(prepared(same), prepared(film // 16), atol=1e-5)


def test_a_window_does_not_matter(film: np.ndarray) -> None:
    linear = film.astype(np.float32) * 0.37 + 911
    assert np.abs(prepared(linear) - prepared(film)).mean() < 1e-3


def test_rank_ignores_a_gamma_curve(film: np.ndarray) -> None:
    square, box = shrink(film, 128)
    curved = (square / square.max()) ** 1.8
    plain, gamma = normalise(square, box.inside)[0], normalise(curved, box.inside)[0]
    assert np.abs(plain - gamma).mean() < 0.02


def test_missing_values_do_not_spread(film: np.ndarray) -> None:
    holed = film.astype(np.float32)
    holed[100:104, 100:104] = np.nan
    holed[0, 0] = np.inf
    assert np.isfinite(prepared(holed)).all()


def test_outside_the_film_is_marked(film: np.ndarray) -> None:
    inputs = prepared(film)
    assert (inputs[0][:, :10] == -1).all()
    assert (inputs[1][:, :10] == 0).all()
