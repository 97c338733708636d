"""What the rib network learns from: labels cut to what a film shows, and samples made worse."""

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")

from leadapron.anatomy.centreline import band  # noqa: E402
from leadapron.anatomy.rib_view import INPUTS  # noqa: E402
from leadapron.anatomy.training import rib_augment  # noqa: E402
from leadapron.anatomy.training.rib_labels import HIDDEN, Cage, beside_spine  # noqa: E402

SIDE = 320
COLUMNS = np.arange(180, 270).astype(np.float64)


def lungs() -> np.ndarray:
    maps = np.zeros((INPUTS, SIDE, SIDE), np.uint8)
    maps[4] = 128
    maps[1, 60:240, 60:140], maps[2, 60:240, 180:260] = 255, 255
    return maps


def cage(name: str = "rib_drr/one") -> Cage:
    """Two lungs and five left arcs, 25 rows apart."""
    maps, arcs = lungs(), np.zeros((SIDE, SIDE), np.uint16)
    for k in range(1, 6):
        points = np.column_stack([COLUMNS, 50.0 + 25 * k + 0.1 * (COLUMNS - 180)])
        mask = band(points, np.full(len(COLUMNS), 8.0), arcs.shape)
        arcs[mask] |= np.uint16(1 << k)
        maps[0][mask] = 255
    nothing = np.zeros(arcs.shape, np.bool_)
    return Cage(name, "train", maps, arcs, ~nothing, nothing, np.zeros(arcs.shape, np.uint8))


def test_an_arc_of_a_projection_teaches_nothing_beside_the_spine() -> None:
    arcs = np.zeros((SIDE, SIDE), np.uint16)
    arcs[150:156, 165:255] = 1 << 7
    arcs[100:106, 165:255] = 1 << 2
    hidden = beside_spine(arcs, lungs())
    assert hidden[152, 165:185].all()
    first = int(np.nonzero(~hidden[152, 180:255])[0][0])
    assert abs(first - HIDDEN[7] * 80) <= 2
    assert not hidden[152, 200:].any()
    assert not hidden[102, 185:].any()
    assert not hidden[arcs == 0].any()


def test_squeezing_moves_labels_with_the_picture() -> None:
    plain = rib_augment.plain(cage())
    for seed in range(4):
        bent = rib_augment._squeezed(plain, np.random.default_rng(seed))
        for k in range(1, 6):
            label = bent.target[k] > 0.5
            assert label.any()
            assert bent.inputs[0][label].mean() > 0.75
        rows = [np.nonzero(bent.target[k] > 0.5)[0].mean() for k in range(1, 6)]
        assert rows == sorted(rows)


def test_a_sample_is_the_same_for_the_same_seed_and_stays_in_range() -> None:
    first, second = (rib_augment.random(cage(), np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first.inputs, second.inputs)
    np.testing.assert_array_equal(first.target, second.target)
    assert 0 <= first.inputs.min() <= first.inputs.max() <= 1
