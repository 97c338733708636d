"""What is sealed comes back bit for bit, whole or by region."""

from __future__ import annotations

import copy
import io

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)
from seal_films import film, noise, regions, reread

from leadapron.model import BadInput, Conflict, NotFound, Region, RegionMap
from leadapron.seal import (
    CentreKeyPair,
    SealPolicy,
    Suite,
    inspect,
    open_frame,
    seal,
    unseal,
    verify_sealed,
)
from leadapron.seal.codec import compress_dataset, decode_frame, encode_htj2k, transcode

KEYS = CentreKeyPair.generate()
UNCOMPRESSED = "SC_rgb_small_odd.dcm"


@pytest.fixture(scope="module")
def rg1():
    path = get_testdata_file("RG1_UNCI.dcm", download=False)
    if path is None:
        pytest.skip("pydicom-data is not installed: no real chest film to seal")
    return pydicom.dcmread(path)


@pytest.fixture(scope="module")
def sealed_rg1(rg1):
    return reread(seal(rg1, regions(rg1.Rows, rg1.Columns), SealPolicy(), KEYS.public))


def size(ds) -> int:
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return len(buffer.getvalue())


def test_the_whole_film_comes_back_with_every_attribute(rg1, sealed_rg1):
    assert unseal(sealed_rg1, KEYS) == rg1
    assert unseal(sealed_rg1, KEYS).file_meta.TransferSyntaxUID == ExplicitVRLittleEndian


def test_the_input_is_not_touched():
    ds = reread(film(noise((40, 50), 12), bits_stored=12))
    before = copy.deepcopy(ds)
    sealed = seal(ds, regions(40, 50), None, KEYS.public)
    assert ds == before
    kept = copy.deepcopy(sealed)
    unseal(sealed, KEYS, ["heart"])
    assert sealed == kept


def test_a_sealed_film_is_hardly_larger_than_one_compressed(rg1, sealed_rg1):
    assert size(sealed_rg1) <= 1.15 * size(compress_dataset(rg1))


def test_lossy_and_burned_in_flags_stay_as_they_were(rg1, sealed_rg1):
    for keyword in ("LossyImageCompression", "BurnedInAnnotation", "SOPInstanceUID"):
        assert sealed_rg1.get(keyword) == rg1.get(keyword)


@pytest.mark.parametrize("wanted", [["heart"], ["right_lung", "left_lung"], ["outside"]])
def test_a_region_shows_its_pixels_and_no_other(rg1, sealed_rg1, wanted):
    known = regions(rg1.Rows, rg1.Columns)
    masks = dict(known.masks)
    masks[Region.OUTSIDE] = ~np.logical_or.reduce(list(masks.values()))
    expected = np.logical_or.reduce([masks[Region(w)] for w in wanted])
    opened = open_frame(sealed_rg1, KEYS, wanted)
    original = rg1.pixel_array
    assert (opened.granted == expected).all()
    assert (opened.pixels[expected] == original[expected]).all()
    assert (opened.pixels[~expected] == opened.fill[0]).all()
    assert opened.fill == (2**15 - 1,), "MONOCHROME1: the highest value displays as black"
    assert set(opened.region_masks) == {Region(w) for w in wanted}
    for region, mask in opened.region_masks.items():
        assert (mask == masks[region]).all()
    partial = unseal(sealed_rg1, KEYS, wanted)
    assert (partial.pixel_array == opened.pixels).all()
    assert partial.WindowCenter == rg1.WindowCenter
    assert not any(t.group == 0x7FE1 for t in list(partial.keys()))


def test_full_opening_names_every_region(rg1, sealed_rg1):
    opened = open_frame(sealed_rg1, KEYS)
    assert (opened.pixels == rg1.pixel_array).all()
    assert opened.granted.all()
    assert set(opened.region_masks) == set(inspect(sealed_rg1, KEYS).regions)
    assert opened.bits_stored == 15
    assert opened.photometric == "MONOCHROME1"


def test_an_empty_selection_is_a_film_of_fill(sealed_rg1):
    assert len(np.unique(unseal(sealed_rg1, KEYS, frozenset()).pixel_array)) == 1


def test_the_manifest_says_what_is_inside(rg1, sealed_rg1):
    manifest = inspect(sealed_rg1, KEYS)
    assert manifest.in_domain
    assert manifest.model_version == "test-net"
    assert manifest.frames[0].scores == {"heart": 0.97}
    assert sum(c.pixels for c in manifest.cells) == rg1.Rows * rg1.Columns
    assert len(manifest.pixel_digest) == 64


def test_region_names(sealed_rg1):
    assert (open_frame(sealed_rg1, KEYS, "heart").granted).any()
    with pytest.raises(BadInput, match="unknown region"):
        unseal(sealed_rg1, KEYS, ["liver"])
    with pytest.raises(NotFound, match="spine") as caught:
        unseal(sealed_rg1, KEYS, ["spine"])
    assert "heart" in caught.value.remedy


def test_sealing_twice_is_refused(sealed_rg1):
    with pytest.raises(Conflict):
        seal(sealed_rg1, None, None, KEYS.public)


shapes = st.tuples(st.integers(1, 40), st.integers(1, 40))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    shape=shapes,
    bits=st.integers(1, 16),
    wide=st.booleans(),
    signed=st.booleans(),
    photometric=st.sampled_from(["MONOCHROME1", "MONOCHROME2"]),
    suite=st.sampled_from(list(Suite)),
    density=st.floats(0, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_grey_film_comes_back(shape, bits, wide, signed, photometric, suite, density, seed):
    rng = np.random.default_rng(seed)
    pixels = noise(shape, bits, signed, seed)
    if wide:
        pixels = pixels.astype("i2" if signed else "u2")
    ds = film(pixels, bits_stored=bits, photometric=photometric)
    names = rng.choice([r for r in Region if r is not Region.OUTSIDE], rng.integers(0, 5), False)
    masks = {Region(n): rng.random(shape) < density for n in names}
    sealed = reread(seal(ds, RegionMap(shape, masks, {}), SealPolicy(suite=suite), KEYS.public))
    verify_sealed(sealed)
    back = unseal(sealed, KEYS)
    assert back.PixelData == ds.PixelData
    assert back == ds
    for region in inspect(sealed, KEYS).regions:
        opened = open_frame(sealed, KEYS, [region])
        assert (opened.pixels[opened.granted] == pixels[opened.granted]).all()
        assert (opened.pixels[~opened.granted] == opened.fill[0]).all()
        if region is not Region.OUTSIDE:
            assert (opened.granted == masks[region]).all()


@settings(max_examples=25, deadline=None)
@given(bits=st.integers(1, 15), signed=st.booleans(), seed=st.integers(0, 2**32 - 1))
def test_bits_above_bits_stored_survive(bits, signed, seed):
    """Old overlays live in the unused high bits of the words."""
    words = np.random.default_rng(seed).integers(0, 2**16, (20, 30)).astype("u2")
    ds = film(words.view("i2") if signed else words, bits_stored=bits)
    back = unseal(reread(seal(ds, regions(20, 30), None, KEYS.public)), KEYS)
    assert back.PixelData == ds.PixelData


def test_stored_bits_may_sit_high_in_the_word():
    ds = film(noise((20, 30), 12) << 4, bits_stored=12)
    ds.HighBit = 15
    sealed = reread(seal(ds, regions(20, 30), None, KEYS.public))
    verify_sealed(sealed)
    assert unseal(sealed, KEYS) == ds


@pytest.mark.parametrize("maps", ["one", "each", "none"])
def test_several_frames(maps):
    pixels = noise((3, 24, 30), 12)
    ds = film(pixels, bits_stored=12, frames=3)
    one = regions(24, 30)
    given_maps = {"one": one, "each": [one, None, RegionMap.whole((24, 30))], "none": None}[maps]
    sealed = reread(seal(ds, given_maps, None, KEYS.public))
    verify_sealed(sealed)
    assert unseal(sealed, KEYS) == ds
    assert (open_frame(sealed, KEYS, frame=2).pixels == pixels[1]).all()
    if maps == "each":
        heart = unseal(sealed, KEYS, ["heart"]).pixel_array
        assert (heart[0] != 0).any()
        assert (heart[1:] == 0).all(), "frames without that region show nothing"
    with pytest.raises(BadInput):
        open_frame(sealed, KEYS, frame=4)


@pytest.mark.parametrize("planar", [0, 1])
def test_colour_is_sealed_whole(planar):
    pixels = noise((21, 33, 3), 8)
    ds = film(pixels, photometric="RGB")
    if planar:
        ds.PlanarConfiguration = 1
        data = np.moveaxis(pixels, -1, 0).tobytes()
        ds.PixelData = data + bytes(len(data) % 2)
    sealed = reread(seal(ds, regions(21, 33), None, KEYS.public))
    verify_sealed(sealed)
    assert inspect(sealed, KEYS).regions == (Region.OUTSIDE,)
    assert unseal(sealed, KEYS) == ds
    assert (open_frame(sealed, KEYS).pixels == pixels).all()
    assert not open_frame(sealed, KEYS, []).granted.any()


@pytest.mark.parametrize(
    "name",
    [
        "MR_small_bigendian.dcm",
        "SC_rgb_jpeg_gdcm.dcm",
        "693_J2KR.dcm",
        "JPEG-lossy.dcm",
        "examples_palette.dcm",
        "liver_1frame.dcm",
        "rtdose_1frame.dcm",
        "SC_ybr_full_422_uncompressed.dcm",
        "examples_ybr_color.dcm",
        "MR_small_RLE.dcm",
    ],
)
@pytest.mark.parametrize("mapped", [True, False])
def test_objects_of_all_sorts(name, mapped):
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip(f"{name} is not among the installed test files of pydicom")
    ds = pydicom.dcmread(path)
    sealed = reread(seal(ds, regions(ds.Rows, ds.Columns) if mapped else None, None, KEYS.public))
    verify_sealed(sealed)
    back = reread(unseal(sealed, KEYS))
    assert (decode_frame(back) == decode_frame(ds)).all()
    for keyword in ("PhotometricInterpretation", "BitsStored", "HighBit", "PixelRepresentation"):
        assert back.get(keyword) == ds.get(keyword)


def test_a_received_codestream_is_kept_as_it_came():
    ds = pydicom.dcmread(get_testdata_file("SC_rgb_jpeg_gdcm.dcm"))
    back = unseal(reread(seal(ds, None, None, KEYS.public)), KEYS)
    assert back.file_meta.TransferSyntaxUID == ds.file_meta.TransferSyntaxUID
    codestream = next(pydicom.encaps.generate_frames(ds.PixelData, number_of_frames=1))
    assert next(pydicom.encaps.generate_frames(back.PixelData, number_of_frames=1)) == codestream


@pytest.mark.parametrize(
    "syntax",
    [
        HTJ2KLossless,
        HTJ2KLosslessRPCL,
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        DeflatedExplicitVRLittleEndian,
        JPEGLSLossless,
        RLELossless,
    ],
)
def test_the_stored_transfer_syntax_is_a_choice_and_may_change_later(syntax):
    ds = film(noise((40, 50), 12), bits_stored=12)
    chosen = reread(seal(ds, regions(40, 50), SealPolicy(transfer_syntax=syntax), KEYS.public))
    assert chosen.file_meta.TransferSyntaxUID == syntax
    later = reread(transcode(seal(ds, regions(40, 50), None, KEYS.public), syntax))
    for sealed in (chosen, later):
        verify_sealed(sealed)
        assert unseal(sealed, KEYS) == ds
    with pytest.raises(BadInput, match="without loss"):
        SealPolicy(transfer_syntax="1.2.840.10008.1.2.4.50")


@pytest.mark.parametrize("signed", [False, True])
def test_profile_regions_leaves_the_rest_readable(signed):
    pixels = noise((60, 70), 12, signed)
    ds = film(pixels, bits_stored=12)
    known = regions(60, 70)
    heart = known.masks[Region.HEART]
    cover = np.roll(heart, 4, 0) | np.roll(heart, -4, 0)
    policy = SealPolicy(profile="regions", regions=frozenset({Region.HEART}))
    sealed = reread(seal(ds, known, policy, KEYS.public, cover={Region.HEART: cover}))
    stored = sealed.pixel_array
    hidden = heart | cover
    assert (stored[~hidden] == pixels[~hidden]).all()
    assert len(np.unique(stored[hidden])) == 1
    assert unseal(sealed, KEYS) == ds
    opened = open_frame(sealed, KEYS, ["heart"])
    assert (opened.granted == hidden).all()
    assert (opened.pixels[hidden] == pixels[hidden]).all()
    verify_sealed(sealed, profiles=("full", "regions"))
    with pytest.raises(BadInput, match="profile"):
        verify_sealed(sealed)


@pytest.mark.parametrize("colour", [False, True])
def test_profile_regions_seals_whole_what_was_not_recognised(colour):
    pixels = noise((40, 50, 3) if colour else (40, 50), 8)
    ds = film(pixels, photometric="RGB" if colour else "MONOCHROME2")
    known = regions(40, 50)
    without = RegionMap((40, 50), {Region.THORAX: known.masks[Region.THORAX]}, {})
    foreign = RegionMap((40, 50), known.masks, {}, in_domain=False)
    policy = SealPolicy(profile="regions", regions=frozenset({Region.HEART}))
    for region_map in (None, without, foreign, RegionMap.whole((40, 50))):
        sealed = reread(seal(ds, region_map, policy, KEYS.public))
        assert len(np.unique(sealed.pixel_array)) == 1
        assert unseal(sealed, KEYS) == ds


def test_the_networks_own_regions_on_the_real_film(rg1):
    from leadapron.anatomy import Segmenter
    from leadapron.anatomy.cover import cover

    pixels = rg1.pixel_array
    known = Segmenter.load(threads=1).segment(pixels, photometric="MONOCHROME1")
    sealed = reread(seal(rg1, known, None, KEYS.public))
    assert size(sealed) <= 1.15 * size(compress_dataset(rg1))
    assert set(inspect(sealed, KEYS).regions) >= {Region.HEART, Region.RIGHT_LUNG, Region.LEFT_LUNG}
    for region in known.regions:
        if region is Region.OUTSIDE:
            continue
        opened = open_frame(sealed, KEYS, [region])
        assert (opened.granted == known.masks[region]).all()
        assert (opened.pixels[opened.granted] == pixels[opened.granted]).all()
    assert unseal(sealed, KEYS) == rg1

    wide = cover(known, "heart", 0.05)
    policy = SealPolicy(profile="regions", regions=frozenset({Region.HEART}))
    partly = reread(seal(rg1, known, policy, KEYS.public, cover={Region.HEART: wide}))
    hidden = wide | known.masks[Region.HEART]
    assert (partly.pixel_array[hidden] == 2**15 - 1).all()
    assert (partly.pixel_array[~hidden] == pixels[~hidden]).all()
    assert unseal(partly, KEYS) == rg1


def test_two_seals_of_one_film_share_no_ciphertext():
    ds = film(noise((40, 50), 12), bits_stored=12)
    one, two = (seal(ds, regions(40, 50), None, KEYS.public) for _ in range(2))
    values = [
        {e.value for e in item if e.VR == "OB"}
        for sealed in (one, two)
        for item in sealed.private_block(0x7FE1, "LEADAPRON SEAL 1.0")[7].value
    ]
    assert len(set.union(*values)) == sum(len(v) for v in values)


def test_bad_input_says_what_to_do():
    ds = film(noise((20, 30), 12), bits_stored=12)
    cases = {
        "no-pixel-data": lambda d: delattr(d, "PixelData"),
        "truncated": lambda d: setattr(d, "PixelData", d.PixelData[:-2]),
        "too-large": lambda d: (setattr(d, "Rows", 65535), setattr(d, "Columns", 65535)),
        "bad-input": lambda d: setattr(d, "NumberOfFrames", 2**31 - 1),
        "bad-input ": lambda d: delattr(d, "SOPInstanceUID"),
    }
    for slug, spoil in cases.items():
        spoiled = copy.deepcopy(ds)
        spoil(spoiled)
        with pytest.raises(BadInput) as caught:
            seal(spoiled, None, None, KEYS.public)
        assert caught.value.slug == slug.strip()
        assert caught.value.remedy
    with pytest.raises(BadInput, match="region map"):
        seal(ds, regions(20, 31), None, KEYS.public)
    with pytest.raises(BadInput, match="region maps"):
        seal(ds, [None, None], None, KEYS.public)


def test_htj2k_helpers_are_lossless():
    for pixels in (noise((33, 47), 16), noise((33, 47), 8), noise((33, 47), 12, True)):
        ds = film(pixels)
        made = reread(compress_dataset(ds))
        assert made.file_meta.TransferSyntaxUID == HTJ2KLossless
        assert (made.pixel_array == pixels).all()
        assert (decode_frame(made) == pixels).all()
    colour = noise((20, 20, 3), 8)
    made = reread(compress_dataset(film(colour, photometric="RGB")))
    assert made.PhotometricInterpretation == "YBR_RCT"
    assert (made.pixel_array == colour).all()
    assert encode_htj2k(colour)[:2] == b"\xff\x4f"
