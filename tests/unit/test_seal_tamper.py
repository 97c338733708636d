"""One changed bit, one exchanged part: an error with a remedy, and never a pixel."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from seal_films import film, noise, regions, reread

from leadapron.model import BadInput, Denied, IntegrityFailure, LeadApronError
from leadapron.seal import (
    CentreKeyPair,
    SealPolicy,
    Suite,
    inspect,
    open_frame,
    rewrap,
    seal,
    unseal,
    verify_sealed,
)
from leadapron.seal.pixels import duplicate

KEYS = CentreKeyPair.generate()
CREATOR = "LEADAPRON SEAL 1.0"
SUITE, PROFILE, KEY_ID, WRAPPED, CHECK, MANIFEST, CELLS, FRAME, CELL, CIPHERTEXT = range(1, 11)


def make(suite=Suite.AES256_GCM, profile="full"):
    ds = film(noise((48, 60), 12), bits_stored=12)
    policy = SealPolicy(suite=suite, profile=profile)
    return reread(seal(ds, regions(48, 60), policy, KEYS.public))


SEALED = {(s, p): make(s, p) for s in Suite for p in ("full", "regions")}


def block(ds):
    return ds.private_block(0x7FE1, CREATOR)


def items(ds):
    return block(ds)[CELLS].value


def item_block(item):
    return item.private_block(0x7FE1, CREATOR)


def refuse(ds, *errors):
    """Every way in refuses with one of `errors`; return what they said."""
    errors = errors or (IntegrityFailure,)
    said = []
    for way in (
        lambda: unseal(ds, KEYS),
        lambda: unseal(ds, KEYS, ["heart"]),
        lambda: open_frame(ds, KEYS, ["heart"]),
        lambda: open_frame(ds, KEYS),
        lambda: unseal(ds, KEYS, []),
    ):
        with pytest.raises(LeadApronError) as caught:
            way()
        assert isinstance(caught.value, errors), caught.value.diagnostics()
        assert caught.value.remedy
        said.append(caught.value.message)
    return said


@pytest.mark.parametrize("sealed", SEALED.values(), ids=["-".join(key) for key in SEALED])
@pytest.mark.parametrize("element", [WRAPPED, CHECK, MANIFEST])
@settings(max_examples=6, deadline=None)
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_in_the_block(sealed, element, where, bit):
    ds = duplicate(sealed)
    value = bytearray(block(ds)[element].value)
    at = int(where * len(value))
    value[at] ^= 1 << bit
    block(ds)[element].value = bytes(value)
    refuse(ds)


@pytest.mark.parametrize("suite", Suite)
def test_a_flipped_bit_in_each_cell(suite):
    sealed = SEALED[suite, "full"]
    for index in range(len(items(sealed))):
        for at in (0, 500, -1):
            ds = duplicate(sealed)
            element = item_block(items(ds)[index])[CIPHERTEXT]
            value = bytearray(element.value)
            value[at] ^= 0x10
            element.value = bytes(value)
            refuse(ds)


@pytest.mark.parametrize("profile", ["full", "regions"])
def test_a_changed_stored_picture(profile):
    ds = duplicate(SEALED[Suite.AES256_GCM, profile])
    pixels = ds.pixel_array.copy()
    pixels[3, 4] ^= 1
    ds.PixelData = pixels.tobytes()
    ds["PixelData"].VR = "OW"
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    refuse(ds)
    ds.PixelData = ds.PixelData[:-2]
    refuse(ds)


@pytest.mark.parametrize(
    ("element", "value"),
    [
        (SUITE, "SM4GCM_SM3"),
        (SUITE, "ROT13"),
        (PROFILE, "REGIONS"),
        (PROFILE, ""),
        (KEY_ID, "centre-0000000000000000"),
        (MANIFEST, b""),
        (CELLS, []),
    ],
)
def test_changed_words_of_the_block(element, value):
    ds = duplicate(SEALED[Suite.AES256_GCM, "full"])
    block(ds)[element].value = value
    refuse(ds, IntegrityFailure, Denied)


@pytest.mark.parametrize("element", [SUITE, PROFILE, KEY_ID, WRAPPED, CHECK, MANIFEST, CELLS])
def test_a_missing_element(element):
    ds = duplicate(SEALED[Suite.AES256_GCM, "full"])
    del block(ds)[element]
    refuse(ds)
    with pytest.raises(BadInput):
        verify_sealed(ds)


@pytest.mark.parametrize(
    "keyword_value",
    [
        ("SOPInstanceUID", generate_uid()),
        ("SOPInstanceUID", ""),
        ("Rows", 49),
        ("Columns", 61),
    ],
)
def test_changed_identity_or_dimensions(keyword_value):
    ds = duplicate(SEALED[Suite.AES256_GCM, "full"])
    setattr(ds, *keyword_value)
    refuse(ds)


def test_cells_exchanged_renumbered_doubled_dropped_or_cut():
    def swap_ciphertexts(ds):
        one, two = (item_block(i)[CIPHERTEXT] for i in items(ds)[:2])
        one.value, two.value = two.value, one.value

    def swap_numbers(ds):
        one, two = (item_block(i)[CELL] for i in items(ds)[:2])
        one.value, two.value = two.value, one.value

    def cut(ds):
        element = item_block(items(ds)[0])[CIPHERTEXT]
        element.value = element.value[:-64]

    def double_one_for_another(ds):
        items(ds).pop()
        items(ds).append(copy.deepcopy(items(ds)[0]))

    spoilers = (
        double_one_for_another,
        swap_ciphertexts,
        swap_numbers,
        cut,
        lambda ds: items(ds).append(copy.deepcopy(items(ds)[0])),
        lambda ds: items(ds).pop(),
        lambda ds: setattr(item_block(items(ds)[0])[FRAME], "value", 2),
    )
    for spoil in spoilers:
        ds = duplicate(SEALED[Suite.AES256_GCM, "full"])
        spoil(ds)
        refuse(ds)


def test_parts_of_another_object():
    victim = SEALED[Suite.AES256_GCM, "full"]
    other = make()
    other.SOPInstanceUID = victim.SOPInstanceUID
    ds = duplicate(victim)
    item_block(items(ds)[0])[CIPHERTEXT].value = item_block(items(other)[0])[CIPHERTEXT].value
    refuse(ds)
    for element in (WRAPPED, CHECK, MANIFEST, CELLS):
        ds = duplicate(victim)
        block(ds)[element].value = block(other)[element].value
        refuse(ds)
    refuse(other)


def test_reordered_items_are_the_same_seal():
    sealed = SEALED[Suite.AES256_GCM, "full"]
    ds = duplicate(sealed)
    items(ds).reverse()
    assert unseal(ds, KEYS) == unseal(sealed, KEYS)


def test_the_wrong_key_and_the_public_half():
    sealed = SEALED[Suite.AES256_GCM, "full"]
    for keys, code in ((CentreKeyPair.generate(), "wrong-key"), (KEYS.public, "public-half")):
        for way in (inspect, unseal, open_frame, lambda d, k: rewrap(d, k, KEYS)):
            with pytest.raises(Denied) as caught:
                way(sealed, keys)
            assert caught.value.slug == code
            assert caught.value.remedy


def test_a_faulty_codec_is_noticed_before_the_original_is_gone(monkeypatch):
    from leadapron.seal import cells

    honest = cells.encode_htj2k
    monkeypatch.setattr(cells, "encode_htj2k", lambda pixels: honest(pixels ^ 1))
    ds = film(noise((20, 30), 12), bits_stored=12)
    with pytest.raises(IntegrityFailure, match="not sealed"):
        seal(ds, None, None, KEYS.public)
    ds = seal(ds, None, SealPolicy(verify=False), KEYS.public)
    for way in (unseal, open_frame):
        with pytest.raises(IntegrityFailure):
            way(ds, KEYS)


def test_an_object_without_a_seal():
    with pytest.raises(BadInput, match="no seal"):
        unseal(film(noise((8, 8), 8)), KEYS)


def test_a_random_block_never_gives_pixels():
    rng = np.random.default_rng(5)
    for _ in range(40):
        ds = duplicate(SEALED[Suite.AES256_GCM, "full"])
        element = int(rng.choice([WRAPPED, CHECK, MANIFEST]))
        block(ds)[element].value = rng.bytes(int(rng.integers(0, 3000)) // 2 * 2)
        refuse(ds)
