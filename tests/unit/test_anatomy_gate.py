"""Poses undo what they apply; shapes are cleaned by what a region can look like."""

import numpy as np
import pytest

from leadapron.anatomy import shape
from leadapron.anatomy.gate import Pose
from leadapron.anatomy.labels import CHANNELS, MIRROR
from leadapron.model import Region

POSES = [Pose(turns, mirrored) for turns in range(4) for mirrored in (False, True)]


@pytest.mark.parametrize("pose", POSES)
def test_undo_is_the_inverse_of_apply(pose: Pose) -> None:
    square = np.arange(2 * 25).reshape(2, 5, 5)
    np.testing.assert_array_equal(pose.undo(pose.apply(square)), square)


def test_a_turn_is_numpys() -> None:
    square = np.arange(9).reshape(3, 3)
    np.testing.assert_array_equal(Pose(1).apply(square), np.rot90(square))
    np.testing.assert_array_equal(Pose(2, mirrored=True).apply(square), np.flipud(square))


def test_reasons_name_the_turn_and_the_flip() -> None:
    assert Pose().reasons == ()
    assert Pose(2).reasons == ("upside-down",)
    assert Pose(2, mirrored=True).reasons == ("upside-down", "mirrored")


def test_mirroring_twice_changes_nothing() -> None:
    assert [MIRROR[i] for i in MIRROR] == list(range(len(CHANNELS)))
    assert CHANNELS[MIRROR[CHANNELS.index(Region.RIGHT_LUNG)]] is Region.LEFT_LUNG


def test_clean_keeps_the_largest_piece_and_fills_it() -> None:
    levels = np.zeros((60, 60), np.uint8)
    levels[10:40, 10:40] = 200
    levels[20:24, 20:24] = 0
    levels[50:54, 50:54] = 250
    found = shape.clean(Region.HEART, levels, 128) >= 128
    assert found[22, 22]
    assert not found[52, 52]
    assert found.sum() == 30 * 30


def test_ribs_keep_their_pieces_and_gaps() -> None:
    levels = np.zeros((60, 60), np.uint8)
    levels[5:50:9] = 180
    found = shape.clean(Region.RIBS, levels, 128) >= 128
    np.testing.assert_array_equal(found, levels >= 128)
