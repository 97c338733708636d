"""Drawn outlines become the masks that the drawing says, and nothing beside them."""

import json
from pathlib import Path

import numpy as np
import pytest

from leadapron.anatomy.training.drawn_bones import Drawing, drawings, masks, uncertain
from leadapron.model import Region

SHAPE = (200, 300)


@pytest.fixture
def drawing() -> Drawing:
    return {
        "film": "invented/1",
        "sha256": "0" * 64,
        "right_clavicle": [[120, 60, 20], [80, 60, 10], [40, 60, 10]],
        "spine": {
            "right": [[140, 20], [140, 180]],
            "left": [[160, 20], [170, 180]],
            "sure_to": 100,
        },
        "not_visible": ["left_clavicle"],
    }


def test_a_bone_that_was_not_drawn_has_no_mask(drawing: Drawing) -> None:
    assert set(masks(drawing, SHAPE)) == {Region.RIGHT_CLAVICLE, Region.SPINE}


def test_the_clavicle_has_the_width_drawn_and_square_ends(drawing: Drawing) -> None:
    bone = masks(drawing, SHAPE)[Region.RIGHT_CLAVICLE]
    thickness = bone.sum(axis=0)
    assert abs(int(thickness[60]) - 10) <= 1
    assert abs(int(thickness[119]) - 20) <= 1
    assert thickness[80] < thickness[100] < thickness[119]
    rows, cols = np.nonzero(bone)
    assert (cols.min(), cols.max()) == (40, 120)
    assert abs(rows.mean() - 60) < 1


def test_the_spine_fills_the_space_between_its_borders(drawing: Drawing) -> None:
    spine = masks(drawing, SHAPE)[Region.SPINE]
    rows, cols = np.nonzero(spine)
    assert (rows.min(), rows.max()) == (20, 180)
    assert cols.min() == 140
    assert abs(int(spine[100].sum()) - 26) <= 1


def test_only_the_column_beyond_the_sure_rows_is_uncertain(drawing: Drawing) -> None:
    doubt = uncertain(drawing, SHAPE)
    assert not doubt[20:101].any()
    assert doubt[5, 150]
    assert doubt[110:, 150].all()
    assert doubt[150, 137], "the border itself is in doubt"
    assert not doubt[:, :120].any()
    assert not doubt[:, 190:].any()


def test_no_spine_no_doubt(drawing: Drawing) -> None:
    del drawing["spine"]
    assert not uncertain(drawing, SHAPE).any()


def test_drawings_are_found_by_film(drawing: Drawing, tmp_path: Path) -> None:
    path = tmp_path / "drawn.json"
    path.write_text(json.dumps({"how": "invented", "films": [drawing]}))
    assert drawings(path) == {"invented/1": drawing}


def test_the_kept_drawings_lie_on_their_films_and_the_patients_right_is_on_the_left() -> None:
    kept = drawings()
    assert len(kept) > 40
    for film in kept.values():
        found = masks(film, (800, 800))
        centre = {region: np.nonzero(mask)[1].mean() for region, mask in found.items()}
        if Region.RIGHT_CLAVICLE in found:
            assert centre[Region.RIGHT_CLAVICLE] < centre[Region.SPINE], film["film"]
        if Region.LEFT_CLAVICLE in found:
            assert centre[Region.SPINE] < centre[Region.LEFT_CLAVICLE], film["film"]
        drawn = {region.value for region in found} | set(film.get("not_visible", ()))
        assert drawn == {"right_clavicle", "left_clavicle", "spine"}, film["film"]
