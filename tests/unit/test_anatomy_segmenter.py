"""The shipped network on a real film: polarity, pose, refusals, outlines, SEG."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from leadapron.anatomy import Segmenter, contours, core, cover, to_segmentation
from leadapron.anatomy.labels import CHANNELS
from leadapron.anatomy.preprocessing import Letterbox
from leadapron.anatomy.probability import ProbabilityMaps
from leadapron.anatomy.weights_file import DIRECTORY
from leadapron.model import BadInput, IntegrityFailure, NotFound, Region, RegionMap, Unavailable

pydicom = pytest.importorskip("pydicom")
FIRST = ("right_lung", "left_lung", "heart")


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    return 2 * float((first & second).sum()) / float(first.sum() + second.sum())


def test_lungs_and_heart_lie_where_they_belong(found: RegionMap) -> None:
    assert found.in_domain
    middle = {name: np.argwhere(found.mask(name)).mean(axis=0) for name in FIRST}
    assert middle["right_lung"][1] < middle["heart"][1] < middle["left_lung"][1]
    assert middle["heart"][0] > middle["left_lung"][0]
    assert all(found.score(name) > 0.8 for name in FIRST)
    assert all(found.mask(name).shape == found.shape for name in found.regions)


def test_ribs_cover_part_of_the_lungs(found: RegionMap) -> None:
    lungs = found.mask("right_lung") | found.mask("left_lung")
    assert 0.25 < (found.mask("ribs") & lungs).sum() / lungs.sum() < 0.65


def test_a_falsely_tagged_film_gets_the_same_masks(
    segmenter: Segmenter, small: np.ndarray, found: RegionMap
) -> None:
    told_wrong = segmenter.segment(small, "MONOCHROME2")
    assert "photometric-contradicts-picture" in told_wrong.reasons
    for region in found.regions:
        np.testing.assert_array_equal(told_wrong.mask(region), found.mask(region))


def test_an_inverted_film_gets_the_same_masks(
    segmenter: Segmenter, small: np.ndarray, found: RegionMap
) -> None:
    inverted = segmenter.segment(small.max() - small, "MONOCHROME2")
    assert inverted.reasons == found.reasons == ()
    for name in (*FIRST, "ribs"):
        assert overlap(inverted.mask(name), found.mask(name)) > 0.995


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_film_is_found_out(
    segmenter: Segmenter, small: np.ndarray, found: RegionMap, turns: int
) -> None:
    turned = segmenter.segment(np.rot90(small, turns), "MONOCHROME1")
    slug = ["", "turned-90", "upside-down", "turned-270"][turns]
    assert turned.in_domain
    assert turned.reasons == (slug,)
    for name in FIRST:
        assert overlap(np.rot90(turned.mask(name), -turns), found.mask(name)) > 0.98


def test_a_film_flipped_upside_down_keeps_the_patients_sides(
    segmenter: Segmenter, small: np.ndarray, found: RegionMap
) -> None:
    flipped = segmenter.segment(np.flipud(small), "MONOCHROME1")
    assert "upside-down" in flipped.reasons
    assert overlap(np.flipud(flipped.mask("right_lung")), found.mask("right_lung")) > 0.98


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64])
def test_any_depth_will_do(
    segmenter: Segmenter, small: np.ndarray, found: RegionMap, dtype: type
) -> None:
    same = (small / small.max() * 250).astype(dtype)
    assert overlap(segmenter.segment(same, "MONOCHROME1").mask("heart"), found.mask("heart")) > 0.97


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        (np.zeros((300, 300, 3), np.uint8), "colour"),
        (np.full((300, 300), 7, np.uint16), "blank"),
        (np.eye(40, dtype=np.uint8), "too-small"),
        (np.random.default_rng(1).integers(0, 4096, (300, 300)), "not-a-chest-film"),
        (np.tile(np.arange(400, dtype=np.uint16), (300, 1)), "not-a-chest-film"),
    ],
)
def test_other_pictures_are_refused_whole(
    segmenter: Segmenter, pixels: np.ndarray, reason: str
) -> None:
    refused = segmenter.segment(pixels)
    assert not refused.in_domain
    assert reason in refused.reasons
    assert refused.regions == (Region.OUTSIDE,)
    assert refused.mask("outside").all()


def test_a_limb_is_refused(segmenter: Segmenter, dataset: "pydicom.Dataset") -> None:
    limb = pydicom.dcmread(Path(dataset.filename).with_name("RG3_UNCI.dcm"))
    assert not segmenter.segment(limb.pixel_array, limb.PhotometricInterpretation).in_domain


def test_what_is_no_frame_is_bad_input(segmenter: Segmenter) -> None:
    for pixels in (
        np.zeros((4, 300, 300), np.uint8),
        np.zeros((0, 3)),
        np.array([["a"] * 90] * 90),
    ):
        with pytest.raises(BadInput):
            segmenter.segment(pixels)


def test_probability_is_there_at_native_size(found: RegionMap) -> None:
    soft = found.extras["probability"]["ribs"]
    assert soft.shape == found.shape
    assert soft.dtype == np.float32
    assert 0 <= soft.min() < soft.max() <= 1
    assert np.corrcoef(soft.ravel(), found.mask("ribs").ravel())[0, 1] > 0.8


def test_cover_holds_the_mask_and_core_lies_in_it(found: RegionMap) -> None:
    mask = found.mask("heart")
    wide, sure = cover(found, "heart", 0.01), core(found, "heart", 0.01)
    assert not (mask & ~wide).any()
    assert not (sure & ~mask).any()
    assert cover(found, "heart", 0.001).sum() >= wide.sum() >= cover(found, "heart", 0.05).sum()


def test_cover_turns_with_the_film(
    segmenter: Segmenter, small: np.ndarray, found: RegionMap
) -> None:
    turned = segmenter.segment(np.rot90(small, 2), "MONOCHROME1")
    back = np.rot90(cover(turned, "heart", 0.01), 2)
    assert overlap(back, cover(found, "heart", 0.01)) > 0.97


def test_cover_is_wider_where_readers_differ_more() -> None:
    mask = np.zeros((80, 80), np.bool_)
    mask[30:50, 30:50] = True
    maps = ProbabilityMaps(
        np.full((len(CHANNELS), 80, 80), 1, np.uint8), Letterbox.of((80, 80), 80)
    )
    calibration = {"cover": {"heart": {"0.01": 2.0}}, "profile": {"heart": [4.0, 4.0, 3.0, 3.0]}}
    extras = {"probability": maps, "calibration": calibration}
    wide = cover(RegionMap((80, 80), {Region.HEART: mask}, {}, extras=extras), "heart", 0.01)
    rows = wide[:, 40].nonzero()[0]
    assert rows.max() - 49 > 30 - rows.min() >= 0


def test_cover_refuses_what_was_not_calibrated(found: RegionMap) -> None:
    with pytest.raises(BadInput, match="nothing calibrated"):
        cover(found, "heart", 1e-9)
    with pytest.raises(NotFound):
        cover(found, "subdiaphragm")
    with pytest.raises(BadInput, match="network"):
        cover(RegionMap.whole((8, 8)), "outside")


def test_contours_redraw_the_mask(found: RegionMap) -> None:
    import cv2

    canvas = np.zeros(found.shape, np.uint8)
    lines = contours(found, "heart")
    cv2.fillPoly(canvas, [np.round(line).astype(np.int32) for line in lines], 1)
    assert overlap(canvas > 0, found.mask("heart")) > 0.98
    assert sum(len(line) for line in lines) < 400


def test_segmentation_object_holds_the_masks(
    segmenter: Segmenter, dataset: "pydicom.Dataset"
) -> None:
    from highdicom.seg import Segmentation

    result = segmenter.segment(dataset.pixel_array, dataset.PhotometricInterpretation)
    stored = to_segmentation(result, dataset, ["heart", "left_lung"])
    read = Segmentation.from_dataset(stored)
    assert [read.get_segment_description(n).segment_label for n in (1, 2)] == ["Heart", "Left lung"]
    assert read.get_segment_description(1).segmented_property_type.value == "80891009"
    planes = read.pixel_array
    np.testing.assert_array_equal(planes[0] > 0, result.mask("heart"))
    np.testing.assert_array_equal(planes[1] > 0, result.mask("left_lung"))
    assert stored.PatientID == dataset.PatientID


def test_segmentation_needs_the_same_film(found: RegionMap, dataset: "pydicom.Dataset") -> None:
    with pytest.raises(BadInput, match="the map is"):
        to_segmentation(found, dataset)


def test_weights_are_checked_before_use(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        Segmenter.load(weights=tmp_path)
    for name in ("anatomy.onnx", "anatomy.json", "gate.onnx", "gate.json"):
        shutil.copy(DIRECTORY / name, tmp_path)
    graph = bytearray((tmp_path / "anatomy.onnx").read_bytes())
    graph[len(graph) // 2] ^= 1
    (tmp_path / "anatomy.onnx").write_bytes(graph)
    with pytest.raises(IntegrityFailure):
        Segmenter.load(weights=tmp_path)


def test_the_package_stays_small_and_says_what_it_is() -> None:
    assert sum(path.stat().st_size for path in DIRECTORY.iterdir()) < 20e6
    card = json.loads((DIRECTORY / "anatomy.json").read_text())
    assert {"name", "version", "sha256", "thresholds", "calibration"} <= card.keys()
