"""Keyed pseudonyms: the same for all who share the key, nothing in common without it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ComputedRadiographyImageStorage, ExplicitVRLittleEndian

from leadapron.deid import MemoryVault, Profile, deidentify

KEY, OTHER = bytes(range(32)), bytes(range(32, 64))
PROFILE = replace(Profile.gateway(), clean_pixels=False)
KINDS = ("patient", "accession", "uid", "identifier")

values = st.text(min_size=1, max_size=64)
uids = st.lists(st.integers(0, 10**9), min_size=1, max_size=6).map(
    lambda parts: "1.2." + ".".join(str(p) for p in parts)
)
days = st.dates(date(1960, 1, 1), date(2026, 1, 1))

# What a sequence of the standard may hold, so that references stand at any depth.
SEQUENCES = (
    "ReferencedImageSequence", "SourceImageSequence", "ReferencedStudySequence",
    "ReferencedSeriesSequence", "ReferencedInstanceSequence", "DerivationImageSequence",
)  # fmt: skip
REFERENCES = ("ReferencedSOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")


@st.composite
def items(draw, known: list[str], depth: int = 3) -> Dataset:
    item = Dataset()
    for keyword in draw(st.lists(st.sampled_from(REFERENCES), min_size=1, unique=True)):
        setattr(item, keyword, draw(st.sampled_from(known)))
    if draw(st.booleans()):
        moment = draw(days).strftime("%Y%m%d")
        item.ContentDate, item.AcquisitionDateTime = moment, moment + "123456.789+0800"
    if depth:
        for keyword in draw(st.lists(st.sampled_from(SEQUENCES), max_size=2, unique=True)):
            setattr(item, keyword, draw(st.lists(items(known, depth - 1), min_size=1, max_size=2)))
    return item


@st.composite
def films(draw) -> Dataset:
    known = draw(st.lists(uids, min_size=3, max_size=6, unique=True))
    ds = draw(items(known))
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = ComputedRadiographyImageStorage
    ds.SOPInstanceUID, ds.SeriesInstanceUID, ds.StudyInstanceUID = known[:3]
    ds.PatientID, ds.PatientName, ds.PatientBirthDate = "6774825273", "ZHANG^SAN", "19700102"
    ds.AccessionNumber, ds.Modality = "A123456", "CR"
    ds.StudyDate = ds.ContentDate = draw(days).strftime("%Y%m%d")
    ds.remove_private_tags()
    return ds


def walked(ds: Dataset, path: str = "") -> dict[str, str]:
    """Return every UID and date of a data set by its path."""
    found = {}
    for element in ds:
        here = f"{path}/{element.keyword}"
        if element.VR == "SQ":
            for place, item in enumerate(element.value):
                found |= walked(item, f"{here}[{place}]")
        elif element.VR in {"UI", "DA", "DT"} and element.value:
            found[here] = str(element.value)
    return found


def cleaned(ds: Dataset, key: bytes = KEY) -> Dataset:
    return deidentify(ds, PROFILE, MemoryVault(key)).require()


@given(values)
def test_another_key_shares_nothing(value):
    one, other = MemoryVault(KEY), MemoryVault(OTHER)
    for kind in KINDS:
        mine, theirs = one.pseudonym(kind, value), other.pseudonym(kind, value)
        assert mine == MemoryVault(KEY).pseudonym(kind, value) != theirs
        mine, theirs = (p.removeprefix("2.25.") if kind == "uid" else p[2:] for p in (mine, theirs))
        longest = 11 if kind == "uid" else 6  # chance: about 1e-9 of digits, 1e-7 of letters
        shared = {mine[i : i + longest] for i in range(len(mine) - longest + 1)}
        assert not any(part in theirs for part in shared)


@given(st.lists(values, min_size=2, max_size=40, unique=True))
def test_different_values_never_meet(several):
    vault = MemoryVault(KEY)
    for kind in KINDS:
        assert len({vault.pseudonym(kind, value) for value in several}) == len(several)


@given(values)
def test_pseudonyms_are_values_that_dicom_takes(value):
    vault = MemoryVault(KEY)
    assert re.fullmatch(r"LA[A-Z2-7]{12}", vault.pseudonym("patient", value))
    assert len(vault.pseudonym("accession", value)) <= 16
    uid = vault.pseudonym("uid", value)
    assert UID(uid).is_valid and len(uid) <= 64 and uid.startswith("2.25.")
    number = int(uid.removeprefix("2.25."))
    assert 0 < number < 1 << 128, "the decimal form of a UUID (PS3.5 B.2)"
    assert number >> 76 & 0xF == 8 and number >> 62 & 3 == 2, "version 8, variant of RFC 9562"
    assert -3650 <= vault.shift_days(value) <= -30


def test_all_processes_that_share_the_key_agree():
    asked = ["张三", "6774825273", "1.2.840.10008.5", "é", "\udcff"]
    code = (
        "import json, sys; from leadapron.deid import MemoryVault; "
        "key, asked = json.loads(sys.argv[1]); vault = MemoryVault(bytes.fromhex(key)); "
        "print(json.dumps([[vault.pseudonym(k, v) for k in ('patient', 'accession', 'uid')]"
        " + [vault.shift_days(v)] for v in asked]))"
    )

    def elsewhere(seed: str) -> list:
        done = subprocess.run(
            [sys.executable, "-c", code, json.dumps([KEY.hex(), asked])],
            env=os.environ | {"PYTHONHASHSEED": seed, "LC_ALL": "C"},
            capture_output=True,
            check=True,
        )
        return json.loads(done.stdout)

    vault = MemoryVault(KEY)
    mine = [
        [vault.pseudonym(k, v) for k in ("patient", "accession", "uid")] + [vault.shift_days(v)]
        for v in asked
    ]
    assert elsewhere("1") == elsewhere("2") == mine


@settings(deadline=None, max_examples=60)
@given(films())
def test_two_gateways_with_one_key_make_the_same_object(ds):
    assert cleaned(ds) == cleaned(ds)


@settings(deadline=None, max_examples=60)
@given(films())
def test_references_stay_consistent_at_every_depth(ds):
    before, after = walked(ds), walked(cleaned(ds))
    mapped: dict[str, set[str]] = {}
    for path, value in before.items():
        if path.endswith("UID") and path in after:
            mapped.setdefault(value, set()).add(after[path])
    assert {str(ds.SOPInstanceUID), str(ds.StudyInstanceUID)} <= set(mapped)
    assert all(len(new) == 1 for new in mapped.values()), "one UID, one pseudonym"
    made = [next(iter(new)) for old, new in mapped.items() if not old.startswith("1.2.840.10008.")]
    assert len(set(made)) == len(made), "two UIDs, two pseudonyms"
    vault = MemoryVault(KEY)
    for old, new in mapped.items():
        if not old.startswith("1.2.840.10008."):
            assert new == {vault.pseudonym("uid", old)}
    left = set(after.values()) & set(mapped)
    assert all(old.startswith("1.2.840.10008.") for old in left)


@settings(deadline=None, max_examples=60)
@given(films(), films())
def test_all_dates_of_a_patient_move_by_one_shift(first, second):
    shift = timedelta(days=MemoryVault(KEY).shift_days("6774825273"))
    for ds in (first, second):
        before, after = walked(ds), walked(cleaned(ds))
        dated = [p for p in before if "Date" in p and "Birth" not in p and p in after]
        assert "/StudyDate" in dated
        for path in dated:
            moved = date.fromisoformat(before[path][:8]) + shift
            assert after[path] == moved.strftime("%Y%m%d") + before[path][8:]


@given(days, st.integers(0, 4000), values)
def test_order_and_intervals_are_kept(start, apart, patient):
    from leadapron.deid.dates import shift

    moved = MemoryVault(KEY).shift_days(patient)
    one = shift(start.strftime("%Y%m%d"), moved)
    two = shift((start + timedelta(days=apart)).strftime("%Y%m%d"), moved)
    assert date.fromisoformat(two) - date.fromisoformat(one) == timedelta(days=apart)
