"""Single ribs: lines from maps, poses, drawings, and the shipped network on a real film."""

import hashlib
import itertools
import json
import os
from pathlib import Path

import numpy as np
import pytest

from leadapron.anatomy import Segmenter, ribs_to_segmentation, single_ribs
from leadapron.anatomy.centreline import band
from leadapron.anatomy.gate import Pose
from leadapron.anatomy.rib_tracing import trace
from leadapron.anatomy.rib_view import COUNT, SIZE, RibView
from leadapron.anatomy.ribs import CODES, Rib, posed
from leadapron.anatomy.training import drawing
from leadapron.anatomy.training.rib_labels import CHECKED, posterior_pair
from leadapron.model import BadInput, IntegrityFailure, NotFound, RegionMap

pydicom = pytest.importorskip("pydicom")
ROOT = Path(__file__).resolve().parents[2]
DRAWN = ROOT / "benchmarks" / "drawn_films.json"


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    return 2 * float((first & second).sum()) / float(first.sum() + second.sum())


def arch(number: int, columns: np.ndarray) -> np.ndarray:
    """A rib's row by column: a shallow arch, one lower than the other."""
    return 30 + 14 * number + 0.004 * (columns - 110) ** 2


def chances(numbers: list[int], columns: np.ndarray) -> np.ndarray:
    maps = np.zeros((COUNT, SIZE, SIZE), np.float32)
    for number in numbers:
        points = np.column_stack([columns, arch(number, columns)])
        maps[number - 1][band(points, np.full(len(columns), 5.0), (SIZE, SIZE))] = 0.9
    return maps


COLUMNS = np.arange(110, 175).astype(np.float64)
EVERYWHERE = np.ones((SIZE, SIZE), np.bool_)


def test_a_band_is_as_wide_as_asked() -> None:
    mask = band(np.array([[5.0, 20], [55, 20]]), np.array([8.0, 8.0]), (40, 60))
    assert 7 <= mask[:, 30].sum() <= 9
    assert not mask[:, :4].any()
    slanted = band(np.array([[5.0, 5], [35, 35]]), np.array([8.0, 8.0]), (40, 40))
    assert abs(slanted.sum() - 8 * 30 * 2**0.5) < 60


def test_every_rib_becomes_one_line_with_its_number() -> None:
    arcs = trace(chances([2, 3, 5, 6], COLUMNS), EVERYWHERE, outwards=1)
    assert [arc.number for arc in arcs] == [2, 3, 5, 6]
    for arc in arcs:
        away = np.abs(arc.points[:, 1] - arch(arc.number, arc.points[:, 0]))
        assert away[4:-4].max() < 1.0
        assert 4 < np.median(arc.widths) < 6
        assert arc.share > 0.95
        assert (np.diff(arc.points[:, 0]) > 0).all()


def test_lines_run_from_the_spine_outwards() -> None:
    maps = chances([4], COLUMNS)[:, :, ::-1]
    (arc,) = trace(np.ascontiguousarray(maps), EVERYWHERE, outwards=-1)
    assert (np.diff(arc.points[:, 0]) < 0).all()


def test_a_rib_that_two_numbers_claim_is_found_once_and_is_uncertain() -> None:
    maps = chances([4], COLUMNS)
    maps[4] = 0.45 * maps[3] / 0.9
    maps[3] *= 0.5
    arcs = trace(maps, EVERYWHERE, outwards=1)
    assert len(arcs) == 1
    assert arcs[0].share < 0.6


def test_a_short_gap_is_bridged_and_a_speck_is_no_rib() -> None:
    maps = chances([4], COLUMNS)
    maps[3, :, 140:146] = 0
    maps[7, 150:154, 120:126] = 0.9
    arcs = trace(maps, EVERYWHERE, outwards=1)
    assert [arc.number for arc in arcs] == [4]
    assert len(arcs[0].points) > 55


def test_nothing_is_found_in_nothing() -> None:
    empty = np.zeros((COUNT, SIZE, SIZE), np.float32)
    assert trace(empty, EVERYWHERE, outwards=1) == []
    assert trace(empty, np.zeros_like(EVERYWHERE), outwards=1) == []


def test_the_view_centres_the_lungs_and_finds_its_way_back() -> None:
    right, left = np.zeros((2, 320, 320), np.uint8)
    right[60:200, 50:120], left[60:210, 160:240] = 255, 255
    ribs = np.zeros_like(right)
    ribs[100, 80] = 255
    view = RibView.of(np.stack([ribs, right, left, ribs, ribs]))
    assert view is not None
    rows, columns = np.nonzero(view.inputs[1:].max(axis=0) > 0.5)
    middle = (rows[0] + rows[-1]) / 2, (columns.min() + columns.max()) / 2
    assert np.allclose(middle, (SIZE - 1) / 2, atol=2)
    at = np.unravel_index(view.inputs[0].argmax(), (SIZE, SIZE))
    np.testing.assert_allclose(view.back(np.array([[at[1], at[0]]], float)), [[80, 100]], atol=1)
    ours, theirs = view.sides()
    assert not (ours & theirs).any()


def test_without_two_lungs_there_is_no_view() -> None:
    lung, empty = np.zeros((2, 320, 320), np.uint8)
    lung[60:200, 50:120] = 255
    assert RibView.of(np.stack([empty, lung, empty, empty, empty])) is None


@pytest.mark.parametrize(("turns", "mirrored"), list(itertools.product(range(4), (False, True))))
def test_points_follow_the_pixels_into_a_pose(turns: int, mirrored: bool) -> None:
    pose, square = Pose(turns, mirrored), np.zeros((9, 9))
    square[2, 6] = 1
    row, column = np.argwhere(pose.apply(square) == 1)[0]
    np.testing.assert_allclose(posed(np.array([[6.0, 2.0]]), pose, 9), [[column, row]])


def test_the_upper_run_of_a_rib_is_its_posterior_arc() -> None:
    pair = np.zeros((80, 100), np.uint8)
    for first, last, step in ((44, 14, -1), (56, 86, 1)):
        columns = np.arange(first, last, step)
        away = np.abs(columns - first)
        for column, rise in zip(columns, away, strict=True):
            pair[20 + rise // 3 : 25 + rise // 3, column] = 1
            if rise > 12:
                pair[50 - rise // 3 : 55 - rise // 3, column] = 1
        pair[30:46, last - 3 * step] = 1
    behind = posterior_pair(pair)
    assert behind[22, 44] == behind[22, 56] == 1
    assert not behind[47:, :].any()
    assert (behind <= pair).all()


def test_no_pair_no_posterior_arc() -> None:
    assert not posterior_pair(np.zeros((40, 40), np.uint8)).any()


def strokes(tmp_path: Path, sha256: str) -> drawing.Drawing:
    line = {"structure": "rib", "side": "R", "number": 3, "arc": "posterior", "width": 6}
    spine = {"structure": "spine", "width": 1}
    entry = {
        "film": "film.png",
        "sha256": sha256,
        "strokes": [
            {**line, "points": [[5, 10], [35, 12]]},
            {**line, "points": [[5, 30], [35, 32]], "sure": False},
            {**spine, "side": "R", "points": [[10, 0], [10, 39]]},
            {**spine, "side": "L", "points": [[30, 0], [30, 39]]},
        ],
    }
    path = tmp_path / "drawn.json"
    path.write_text(json.dumps({"films": [entry]}))
    return drawing.read(path)[0]


def test_a_drawing_becomes_masks(tmp_path: Path) -> None:
    drawn = strokes(tmp_path, "0" * 64)
    assert [stroke.number for stroke in drawn.ribs()] == [3]
    assert drawn.ribs()[0].mask((40, 40))[11, 20]
    spine = drawn.spine((40, 40))
    assert spine is not None
    assert spine[20, 12:29].all()
    assert not spine[:, :9].any()


def test_a_stroke_can_be_cut_to_where_both_edges_are_told() -> None:
    line, widths = np.array([[0.0, 5], [10, 5], [30, 5]]), np.array([4.0, 6, 6])
    stroke = drawing.Stroke("rib", "L", 7, "posterior", line, widths, True, True, 5.0)
    np.testing.assert_allclose(stroke.clear.points, [[5, 5], [10, 5], [30, 5]])
    np.testing.assert_allclose(stroke.clear.widths, [5, 6, 6])
    assert stroke.clear.hidden == 0
    whole = drawing.Stroke("rib", "L", 7, "posterior", line, widths, True, True)
    assert whole.clear is whole
    overlong = drawing.Stroke("rib", "L", 7, "posterior", line, widths, True, True, 500.0)
    assert len(overlong.clear.points) >= 2


def test_a_drawing_belongs_to_one_film(tmp_path: Path) -> None:
    import cv2

    with pytest.raises(NotFound):
        strokes(tmp_path, "0" * 64).picture(tmp_path)
    cv2.imwrite(str(tmp_path / "film.png"), np.zeros((40, 40), np.uint8))
    with pytest.raises(IntegrityFailure):
        strokes(tmp_path, "0" * 64).picture(tmp_path)
    digest = hashlib.sha256((tmp_path / "film.png").read_bytes()).hexdigest()
    assert strokes(tmp_path, digest).picture(tmp_path).shape == (40, 40)


def test_films_drawn_for_the_figure_are_not_trained_on() -> None:
    judged = {drawn.film for drawn in drawing.read(DRAWN)}
    learned = {drawn.film for drawn in drawing.read(CHECKED)}
    assert len(judged) >= 12
    assert not judged & learned
    counted = sum(len(drawn.ribs()) >= 12 for drawn in drawing.read(DRAWN))
    assert counted >= 12


def test_twelve_ribs_have_twelve_codes() -> None:
    assert len({code.value for code in CODES}) == 12
    assert all(code.zh for code in CODES)


@pytest.fixture(scope="module")
def ribs(found: RegionMap) -> list[Rib]:
    return single_ribs(found)


def numbers(ribs: list[Rib], side: str) -> list[int]:
    return [rib.number for rib in ribs if rib.side == side and rib.number]


def test_a_film_has_ribs_on_both_sides_in_order(ribs: list[Rib]) -> None:
    for side in ("right", "left"):
        seen = numbers(ribs, side)
        assert len(seen) >= 6
        assert seen == sorted(set(seen))


def test_a_rib_lies_below_the_one_before(ribs: list[Rib]) -> None:
    for side in ("right", "left"):
        rows = [np.median(rib.centreline[:, 1]) for rib in ribs if rib.side == side]
        assert rows == sorted(rows)


def test_ribs_lie_on_their_side_and_on_bone(ribs: list[Rib], found: RegionMap) -> None:
    lungs = {side: found.mask(f"{side}_lung") for side in ("right", "left")}
    bone = found.mask("ribs")
    for rib in ribs:
        other = lungs["left" if rib.side == "right" else "right"]
        assert rib.mask.shape == found.shape
        assert not (rib.mask & other).any()
        assert 0 <= rib.score <= 1
        inside = rib.mask & lungs[rib.side]
        if inside.sum() > 100:
            assert (inside & bone).sum() > 0.5 * inside.sum()


def test_a_turned_film_has_the_same_ribs(
    segmenter: Segmenter, small: np.ndarray, ribs: list[Rib]
) -> None:
    turned = single_ribs(segmenter.segment(np.rot90(small, 2), "MONOCHROME1"))
    plain = {(rib.side, rib.number): rib for rib in ribs if rib.number}
    same = [
        overlap(np.rot90(rib.mask, 2), plain[rib.side, rib.number].mask)
        for rib in turned
        if (rib.side, rib.number) in plain
    ]
    assert len(same) >= 0.8 * len(plain)
    assert np.median(same) > 0.9


def test_what_is_no_film_has_no_ribs(segmenter: Segmenter) -> None:
    assert single_ribs(segmenter.segment(np.zeros((300, 300), np.uint16))) == []


def test_a_map_without_probabilities_is_bad_input() -> None:
    with pytest.raises(BadInput, match="probability"):
        single_ribs(RegionMap((8, 8), {}, {}))


def test_ribs_are_stored_one_segment_each(segmenter: Segmenter, dataset: "pydicom.Dataset") -> None:
    from highdicom.seg import Segmentation

    large = single_ribs(segmenter.segment(dataset.pixel_array, "MONOCHROME1"))[:3]
    stored = Segmentation.from_dataset(ribs_to_segmentation(large, dataset, "ribs-test"))
    assert stored.number_of_segments == 3
    for at, rib in enumerate(large):
        described = stored.SegmentSequence[at]
        assert described.SegmentedPropertyTypeCodeSequence[0].CodeValue == rib.coded.value
        side = described.SegmentedPropertyTypeModifierCodeSequence[0]
        assert side.CodeMeaning.lower() == rib.side
        np.testing.assert_array_equal(stored.pixel_array[at] > 0, rib.mask)
    with pytest.raises(BadInput, match="no rib"):
        ribs_to_segmentation([], dataset)
    dataset_of_other_size = pydicom.Dataset()
    dataset_of_other_size.Rows, dataset_of_other_size.Columns = 4, 4
    with pytest.raises(BadInput, match="the ribs are of"):
        ribs_to_segmentation(large, dataset_of_other_size)


def test_ribs_of_hand_drawn_films_are_told_apart(segmenter: Segmenter) -> None:
    default = ROOT.parent / "shared" / "data"
    data = Path(os.environ.get("LEADAPRON_TEST_DATA", default)) / "anatomy"
    if not (data / "wingspan").is_dir():
        pytest.skip(f"the drawn films are not under {data}: set LEADAPRON_TEST_DATA")
    best = []
    for drawn in drawing.read(DRAWN)[:8:2]:
        single = single_ribs(segmenter.segment(drawn.picture(data)))
        for stroke in drawn.ribs():
            if 4 <= stroke.number <= 7:
                own = [rib for rib in single if rib.side[0].upper() == stroke.side]
                best.append(max(overlap(rib.mask, stroke.mask(rib.shape)) for rib in own))
    assert np.median(best) > 0.6
