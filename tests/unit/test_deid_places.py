"""Beside the rows: what is recorded, private blocks, file meta, preamble, odd groups and VRs."""

from __future__ import annotations

import dataclasses
import itertools
import struct
from io import BytesIO

import pydicom
import pytest
from deid_objects import NAME, NUMBER, reread, sample, secrets_in, written
from pydicom import Dataset
from pydicom.dataelem import DataElement
from pydicom.uid import ImplicitVRLittleEndian

from leadapron.deid import MemoryVault, Profile, deidentify
from leadapron.deid.encode import to_bytes
from leadapron.deid.files import parse
from leadapron.deid.profile import OPTIONS

VAULT = MemoryVault(b"p" * 32)
HEADERS = dataclasses.replace(Profile.gateway(), clean_pixels=False)
FULL, MODIFIED = "retain_longitudinal_full_dates", "retain_longitudinal_modified_dates"
CID_7050 = {
    "clean_pixels": "113101", "clean_graphics": "113103", "clean_structured_content": "113104",
    "clean_descriptors": "113105", FULL: "113106", MODIFIED: "113107",
    "retain_patient_characteristics": "113108", "retain_device_identity": "113109",
    "retain_uids": "113110", "retain_safe_private": "113111",
    "retain_institution_identity": "113112",
}  # fmt: skip


def clean(ds: Dataset, profile: Profile = HEADERS) -> Dataset:
    return deidentify(reread(ds), profile, VAULT).require()


# what the object says was done (PS3.15 E.1.1, PS3.16 CID 7050)


def test_every_combination_of_options_is_recorded() -> None:
    flags = list(CID_7050)
    for size in range(len(flags) + 1):
        for chosen in itertools.combinations(flags, size):
            if {FULL, MODIFIED} <= set(chosen):
                continue
            profile = Profile(**dict.fromkeys(chosen, True))
            codes = {code for code, _ in profile.methods}
            assert codes == {"113100", *(CID_7050[c] for c in chosen)}


SOME = [(), *((o,) for o in OPTIONS), tuple(o for o in OPTIONS if o != FULL), ("clean_pixels",)]


@pytest.mark.parametrize("chosen", SOME, ids=lambda c: "+".join(c) or "basic")
@pytest.mark.parametrize("syntax", ["explicit", "implicit", "big"])
def test_the_object_carries_the_record(chosen: tuple[str, ...], syntax: str) -> None:
    ds = sample("MR_small_bigendian.dcm" if syntax == "big" else "MR_small.dcm")
    if syntax == "implicit":
        ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    out = reread(clean(ds, Profile(**dict.fromkeys(chosen, True))))
    items = out.DeidentificationMethodCodeSequence
    assert {i.CodeValue for i in items} == {"113100", *(CID_7050[c] for c in chosen)}
    assert {i.CodingSchemeDesignator for i in items} == {"DCM"}
    assert all(i.CodeMeaning.endswith(("Option", "Profile")) for i in items)
    assert out.PatientIdentityRemoved == "YES"
    assert out.DeidentificationMethod.startswith("LeadApron ")
    temporal = "UNMODIFIED" if FULL in chosen else "MODIFIED" if MODIFIED in chosen else "REMOVED"
    assert out.LongitudinalTemporalInformationModified == temporal


# private data (PS3.15 E.3.10)


def private(ds: Dataset) -> list[str]:
    return [str(e.tag) for e in ds if e.tag.is_private]


def with_block(
    group: int, block: int, creator: str, **elements: tuple[int, str, object]
) -> Dataset:
    ds = sample("CT_small.dcm")
    for tag in [e.tag for e in ds if e.tag.is_private]:
        del ds[tag]
    ds.add(DataElement(group << 16 | block, "LO", creator))
    for offset, vr, value in elements.values():
        ds.add(DataElement(group << 16 | block << 8 | offset, vr, value))
    return ds


def test_safe_private_values_stay_under_their_creator_in_any_block() -> None:
    for block in (0x10, 0x42, 0xFF):
        ds = with_block(0x0019, block, "GEMS_ACQU_01", a=(0x23, "DS", "1.5"))
        assert private(clean(ds)) == [f"(0019,{block:04X})", f"(0019,{block:02X}23)"]


@pytest.mark.parametrize(
    ("ds", "kept"),
    [
        (with_block(0x200D, 0x11, "Philips US Imaging DD 045", a=(0xF1, "LO", "C5-1")), 2),
        (with_block(0x0019, 0x10, "ACME", a=(0x23, "DS", "1.5")), 0),  # another's creator
        (with_block(0x0019, 0x10, " GEMS_ACQU_01 ", a=(0x23, "DS", "1.5")), 2),  # padding
        (with_block(0x0019, 0x10, "gems_acqu_01", a=(0x23, "DS", "1.5")), 0),  # another name
        (with_block(0x0019, 0x10, "GEMS_ACQU_01", a=(0x22, "DS", "1.5")), 0),  # not on the list
        (with_block(0x0021, 0x10, "GEMS_ACQU_01", a=(0x23, "DS", "1.5")), 0),  # another group
        (with_block(0x0019, 0x10, "GEMS_ACQU_01", a=(0x23, "UN", b"x" * 65)), 0),  # too long
        (with_block(0x0019, 0x10, "GEMS_ACQU_01", a=(0x23, "SQ", [Dataset()])), 0),  # a sequence
        (with_block(0x0019, 0x10, "GEMS_ACQU_01"), 0),  # nothing in the block
        (with_block(0x0019, 0x10, NAME, a=(0x23, "DS", "1.5")), 0),  # identity as a creator
    ],
)  # fmt: skip
def test_tricks_with_private_creators(ds: Dataset, kept: int) -> None:
    out = clean(ds)
    assert len(private(out)) == kept
    assert not secrets_in(written(out))


def test_a_block_borrows_no_creator_from_elsewhere() -> None:
    ds = with_block(0x0019, 0x10, "GEMS_ACQU_01", a=(0x23, "DS", "1.5"))
    ds.add(DataElement(0x00191123, "DS", "2.5"))  # block 11 has no creator
    inner = Dataset()
    inner.add(DataElement(0x00191023, "DS", "3.5"))  # the creator is outside this item
    inner.CodeMeaning = "item"
    ds.AnatomicRegionSequence = [inner]
    out = clean(ds)
    assert private(out) == ["(0019,0010)", "(0019,1023)"]
    assert private(out.AnatomicRegionSequence[0]) == []


def test_two_creators_of_one_block_keep_nothing_unsafe() -> None:
    data = written(with_block(0x0019, 0x10, "ACME", a=(0x23, "LO", NAME)))
    creator = struct.pack("<HH2sH", 0x0019, 0x0010, b"LO", 12) + b"GEMS_ACQU_01"
    at = data.index(struct.pack("<HH2sH", 0x0019, 0x0010, b"LO", 4))
    for place in (at, at + 12):  # the safe name before and after the true one
        twice = data[:place] + creator + data[place:]
        out = deidentify(parse(twice), HEADERS, VAULT).require()
        assert not secrets_in(written(out))


def test_a_name_in_a_safe_private_text_is_swept() -> None:
    ds = with_block(0x0019, 0x10, "GEMS_ACQU_01", a=(0x9E, "LO", f"efgre3d {NAME}"))
    assert clean(ds)[0x0019109E].value == "efgre3d"


def test_private_data_go_without_the_option() -> None:
    ds = with_block(0x0019, 0x10, "GEMS_ACQU_01", a=(0x23, "DS", "1.5"))
    assert private(clean(ds, Profile.basic())) == []


# around the data set


def test_file_meta_preamble_and_group_lengths_are_new() -> None:
    ds = reread(sample("CT_small.dcm"))
    ds.preamble = b"II*\0" + NAME.encode() + bytes(117)
    meta = ds.file_meta
    meta.SourceApplicationEntityTitle = NAME
    meta.SendingApplicationEntityTitle = meta.ReceivingApplicationEntityTitle = NAME
    meta.ImplementationVersionName = NAME
    meta.PrivateInformationCreatorUID = "1.2.3"
    meta.PrivateInformation = NAME.encode() + b"\0"
    ds.add(DataElement(0x00080000, "UL", 4))
    ds.add(DataElement(0x00100000, "UL", 1_784_510_000))
    out = deidentify(ds, HEADERS, VAULT).require()
    data = to_bytes(out)
    assert data[:132] == bytes(128) + b"DICM"
    assert not secrets_in(data)
    assert {str(t) for t in out.file_meta.keys()} == {  # noqa: SIM118
        f"(0002,{e})" for e in ("0000", "0001", "0002", "0003", "0010", "0012", "0013")
    }
    assert not [t for t in out.keys() if t.element == 0]  # noqa: SIM118


@pytest.mark.parametrize("profile", [Profile.basic(), HEADERS], ids=["basic", "gateway"])
def test_curves_and_overlays_of_every_group_go(profile: Profile) -> None:
    ds = sample("CT_small.dcm")
    for group in (*range(0x5000, 0x5020, 2), *range(0x6000, 0x6020, 2)):
        ds.add(DataElement(group << 16 | 0x3000, "OW", NAME.encode() + b"\0"))
        ds.add(DataElement(group << 16 | 0x0022, "LO", NAME))
    ds.add(DataElement(0x50000005, "US", 2))
    ds.add(DataElement(0x60000010, "US", 8))
    out = clean(ds, profile)
    assert not [t for t in out.keys() if 0x5000 <= t.group <= 0x60FF]  # noqa: SIM118


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    long = vr in (b"OB", b"OW", b"UN", b"SQ", b"UT", b"UC", b"OF")
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    return (
        head
        + (struct.pack("<HL", 0, len(value)) if long else struct.pack("<H", len(value)))
        + value
    )


def spliced(*extra: bytes) -> Dataset:
    """Return a film with raw elements put where their tags belong."""
    ds = sample("CT_small.dcm")
    data = written(ds)
    at = data.index(struct.pack("<HH2s", 0x0010, 0x0010, b"PN"))
    return parse(data[:at] + b"".join(extra) + data[at:])


NAMED = f"{NAME} {NUMBER}".encode() + b" "


@pytest.mark.parametrize(
    "vr", [b"OB", b"OW", b"UN", b"SH", b"DS", b"IS", b"TM", b"AS", b"ZZ", b"AT"]
)
def test_a_name_in_a_wrong_vr_does_not_pass(vr: bytes) -> None:
    for tag in (0x00081030, 0x0008103E, 0x00080070, 0x00081040):  # descriptions, a maker, a ward
        ds = spliced(element(tag, vr, NAMED))
        result = deidentify(ds, HEADERS, VAULT)
        if result.dataset is not None:
            assert not secrets_in(to_bytes(result.dataset))


@pytest.mark.parametrize("vr", b"DS IS TM AS DA US FL OB UN".split())
def test_a_name_where_a_number_belongs_does_not_pass(vr: bytes) -> None:
    for tag in (0x00080060, 0x00080008, 0x00080032, 0x00082142, 0x00082122, 0x00081198, 0x00084000):
        result = deidentify(spliced(element(tag, vr, NAMED)), HEADERS, VAULT)
        if result.dataset is not None:
            assert not secrets_in(to_bytes(result.dataset))


@pytest.mark.parametrize("uid", [NAMED, b"1.2.840.10008." + NAMED, NUMBER.encode() + b".1 x"])
@pytest.mark.parametrize("tag", [0x00080016, 0x00081150, 0x00080018, 0x0020000D, 0x0008010C])
def test_a_name_in_a_uid_does_not_pass(tag: int, uid: bytes) -> None:
    ds = sample("CT_small.dcm")
    if tag in ds:
        del ds[tag]
    data = written(ds)
    at = data.index(struct.pack("<HH2s", 0x0008, 0x0020, b"DA"))
    result = deidentify(parse(data[:at] + element(tag, b"UI", uid) + data[at:]), HEADERS, VAULT)
    if tag == 0x00080016:
        assert result.quarantine[0].code == "unknown-sop-class"
    else:
        assert not secrets_in(to_bytes(result.require()))


@pytest.mark.parametrize("value", ["20200102" + NAME, "20200102-20200103", f"{NAME} 2020"])
@pytest.mark.parametrize("kept", [True, False])
def test_what_is_no_date_does_not_pass_for_one(value: str, kept: bool) -> None:
    profile = dataclasses.replace(
        HEADERS,
        retain_longitudinal_full_dates=kept,
        retain_longitudinal_modified_dates=not kept,
    )
    for tag, vr in ((0x00080021, b"DA"), (0x0008002A, b"DT"), (0x0040A121, b"DA")):
        ds = spliced(element(tag, vr, value.encode() + b" " * (len(value) % 2)))
        data = to_bytes(deidentify(ds, profile, VAULT).require())
        assert NAME.encode() not in data
        assert kept or b"20200103" not in data


def test_an_item_tag_outside_a_sequence_goes() -> None:
    stray = struct.pack("<HHL", 0xFFFE, 0xE000, len(NAMED)) + NAMED
    inner = struct.pack("<HHL", 0xFFFE, 0xE000, len(stray)) + stray
    result = deidentify(spliced(element(0x00082218, b"SQ", inner)), HEADERS, VAULT)
    assert result.dataset is None or not secrets_in(to_bytes(result.dataset))


def test_unknown_attributes_go() -> None:
    out = deidentify(spliced(element(0x00085432, b"LO", NAMED)), HEADERS, VAULT).require()
    assert 0x00085432 not in out


def test_a_sequence_in_un_is_read_and_cleaned() -> None:
    inner = struct.pack("<HHL", 0x0008, 0x0100, 4) + b"T-D3"
    inner += struct.pack("<HHL", 0x0008, 0x0104, len(NAMED)) + NAMED
    item = struct.pack("<HHL", 0xFFFE, 0xE000, len(inner)) + inner
    ds = spliced(element(0x00082218, b"UN", item))
    out = deidentify(ds, HEADERS, VAULT).require()
    assert out.AnatomicRegionSequence[0].CodeValue == "T-D3"
    assert not secrets_in(to_bytes(out))
    again = pydicom.dcmread(BytesIO(to_bytes(out)))
    assert again.AnatomicRegionSequence[0].CodeValue == "T-D3"


@pytest.mark.parametrize("vr", [b"OB", b"LO", b"UN"])
def test_a_sequence_that_is_none_is_quarantined(vr: bytes) -> None:
    result = deidentify(spliced(element(0x00082218, vr, NAMED)), HEADERS, VAULT)
    assert result.dataset is None
    assert result.quarantine[0].code in ("wrong-vr", "truncated")


def test_text_that_claims_to_be_a_sequence_is_quarantined() -> None:
    result = deidentify(spliced(element(0x00081030, b"SQ", NAMED)), HEADERS, VAULT)
    assert result.dataset is None


def test_people_with_common_words_as_names_break_no_structure() -> None:
    ds = sample("CT_small.dcm")
    ds.PatientName = "Original^Axial"
    ds.StudyDescription = "Original Axial, chest"
    out = clean(ds)
    assert "Axial" not in out.StudyDescription
    assert out.Modality == "CT"
