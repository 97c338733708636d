"""Every row of Table E.1-1 under every option, as `deidentify` writes it: at the top and nested."""

from __future__ import annotations

import itertools
import json
import os
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom import Dataset
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from leadapron.deid import MemoryVault, Profile, deidentify
from leadapron.deid.data.build import attribute_types
from leadapron.deid.profile import OPTIONS
from leadapron.deid.table import EDITION, editions, rows

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("LEADAPRON_TEST_DATA", ROOT.parent / "shared" / "data"))
PUBLISHED = DATA / "reference" / f"ps3.15_table_e.1-1_{EDITION}.json"
CR = "1.2.840.10008.5.1.4.1.1.1"
FULL, MODIFIED = "retain_longitudinal_full_dates", "retain_longitudinal_modified_dates"
HOLDER = "AnatomicRegionSequence"  # has no row: what stands in it is nested and stays
SPECIAL = {"PRIVATE": 0x00091001, "50xxxxxx": 0x50003000, "60xx3000": 0x60003000,
           "60xx4000": 0x60004000}  # fmt: skip
NOT_STORED = frozenset({0x0000, 0x0002})  # messages and file meta
VAULT = MemoryVault(b"r" * 32)


@lru_cache(maxsize=1)
def table() -> dict[str, tuple[str, dict[str, str]]]:
    """Return {tag: (basic, options)}: from the published facts, else from the shipped data."""
    if PUBLISHED.exists():
        rules = json.loads(PUBLISHED.read_text(encoding="utf-8"))["rules"]
        return {r["tag"]: (r["basic"], r["options"]) for r in rules}
    return {tag: (row.basic, row.options) for tag, row in rows().items()}


@lru_cache(maxsize=1)
def types() -> dict[str, str]:
    """Return the type of each attribute in the CR IOD, worked out anew from the standard's data."""
    found = attribute_types(set(table()))
    return found["iods"][found["sop_classes"][CR]]


def number(tag: str) -> int:
    return SPECIAL.get(tag) or int(tag, 16)


def vr_of(tag: int) -> str:
    if not dictionary_has_tag(tag):
        return "LO" if tag == 0x00091001 else "OW"
    vr = dictionary_VR(tag)
    return "OW" if vr.endswith("OW") else vr.split(" ", maxsplit=1)[0]


def letters(tag: int) -> str:
    return "Zq" + f"{tag:08X}".translate(str.maketrans("0123456789ABCDEF", "bcdfghjklmnpqrst"))


def value(tag: int, vr: str) -> object:
    inner = Dataset()
    inner.CodeMeaning = letters(tag).upper()
    inner.ReferencedSOPInstanceUID = f"1.2.826.0.1.77.{int(tag)}"
    if tag == 0x60003000:
        return bytes(512)
    fixed = {
        "AS": "045Y", "CS": letters(tag).upper(), "DA": "20130911", "DS": "1.5",
        "DT": "20130911101112", "FD": 1.5, "FL": 1.5, "IS": "7", "OB": b"\1\2", "OW": b"\1\2\3\4",
        "SL": 7, "SQ": [inner], "SS": 7, "TM": "101112", "UI": f"1.2.826.0.1.99.{int(tag)}",
        "UL": 7, "UR": f"urn:{letters(tag).lower()}", "US": 7, "UN": b"\1\2",
    }  # fmt: skip
    return fixed.get(vr, letters(tag))


def full_object() -> Dataset:
    """Return an object with an element for every row, at the top and in a sequence's item."""
    inner = Dataset()
    for tag in map(number, table()):
        if tag != 0x00091001 and tag >> 16 not in NOT_STORED:
            vr = vr_of(tag)
            inner.add(DataElement(tag, vr, value(tag, vr)))
    ds = Dataset()
    for element in inner:
        ds.add(DataElement(element.tag, element.VR, value(element.tag, element.VR)))
    for holder in (inner, ds):
        block = holder.private_block(0x0009, "ACME 1.0", create=True)
        block.add_new(0x01, "LO", letters(0x00091001))
    ds.add(DataElement(0x60000010, "US", 64))
    ds.add(DataElement(0x60000011, "US", 64))
    ds.SOPClassUID, ds.SpecificCharacterSet = CR, "ISO_IR 100"
    setattr(ds, HOLDER, [inner])
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = CR
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return pydicom.dcmread(BytesIO(buffer.getvalue()))


@lru_cache(maxsize=1)
def source() -> bytes:
    buffer = BytesIO()
    full_object().save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def received() -> Dataset:
    """Return the object as read from a file, with the message's own attributes."""
    ds = pydicom.dcmread(BytesIO(source()))
    for tag in (t for t in map(number, table()) if t >> 16 == 0):
        ds.add(DataElement(tag, vr_of(tag), value(tag, vr_of(tag))))
    return ds


def printed(tag: str, options: tuple[str, ...]) -> str:
    basic, by_option = table()[tag]
    named = {by_option[o] for o in options if o in by_option}
    return "K" if "K" in named else "C" if "C" in named else basic


def wanted(tag: str, code: str, *, nested: bool) -> str:
    """Return the single action: compound codes choose by the attribute's type (PS3.15 E.1.1)."""
    if "U*" in code:
        return "U"
    kind = "3" if nested else types().get(tag, "3")
    order = {"1": "DZX", "1C": "DZX", "2": "ZDX", "2C": "ZDX"}.get(kind, "XZD")
    return next(a for a in order if a in code) if "/" in code else code


PSEUDONYMS = {"00100010", "00100020", "00080050"}


def check(tag: str, action: str, before: Dataset, after: Dataset, days: int) -> str | None:
    """Return what is wrong with one attribute, None if it is as the action says."""
    at = number(tag)
    old, new = before.get(at), after.get(at)
    if action == "X":
        return None if new is None else f"still there: {new.value!r}"
    if new is None:
        return "gone"
    empty = new.value in ("", None, b"") or (new.VR in ("SQ", "PN") and not new.value)
    shown = f"{old.value!r} became {new.value!r}"
    if action == "Z":
        fine = empty or (tag in PSEUDONYMS and new.value != old.value)
    elif action == "D":
        fine = not empty and new.value != old.value
    elif action == "U" and old.VR == "UI":
        fine = new.value == VAULT.pseudonym("uid", str(old.value))
    elif action == "U":
        mapped = VAULT.pseudonym("uid", str(old.value[0].ReferencedSOPInstanceUID))
        fine = new.value[0].ReferencedSOPInstanceUID in (
            mapped,
            old.value[0].ReferencedSOPInstanceUID,
        )
    elif action == "C" and old.VR in ("DA", "DT"):
        fine = str(new.value) != str(old.value) and str(new.value)[8:] == str(old.value)[8:]
    else:
        same = old.VR == "SQ" or str(new.value) == str(old.value)
        fine = same or (action == "C" and len(str(new.value)) <= len(str(old.value)))
    return None if fine else shown


COMBINATIONS = [
    (), *((o,) for o in OPTIONS),
    *(c for c in itertools.combinations(OPTIONS, 2) if set(c) != {FULL, MODIFIED}),
    tuple(o for o in OPTIONS if o != FULL), tuple(o for o in OPTIONS if o != MODIFIED),
]  # fmt: skip


@pytest.mark.parametrize("options", COMBINATIONS, ids=lambda o: "+".join(o) or "basic")
def test_every_row_is_done_at_the_top_and_nested(options: tuple[str, ...]) -> None:
    ds = received()
    out = deidentify(ds, Profile(**dict.fromkeys(options, True)), VAULT).require()
    inner_before, inner_after = ds[HOLDER].value[0], out[HOLDER].value[0]
    wrong = {}
    for tag in table():
        code = printed(tag, options)
        if tag in ("PRIVATE", "60xx3000"):
            code = "X" if tag == "PRIVATE" else code
        if number(tag) >> 16 == 0x0002:
            assert out.file_meta[number(tag)].value == out.SOPInstanceUID
            continue
        for nested, before, after in ((False, ds, out), (True, inner_before, inner_after)):
            action = wanted(tag, code, nested=nested)
            if nested and number(tag) >> 16 == 0:
                continue
            if nested and tag.startswith(("50", "60xx")):
                action = "X"  # no renderer shows them there, and no rule could clean them
            problem = check(tag, action, before, after, 0)
            if problem:
                wrong[f"{tag}{' nested' if nested else ''} {code}→{action}"] = problem
    assert not wrong


def test_the_report_names_the_row_of_each_action() -> None:
    ds = received()
    entries = deidentify(ds, Profile.basic(), VAULT).report.entries
    by_path = {e.path: e for e in entries}
    for tag, (basic, _) in table().items():
        if tag in SPECIAL or basic == "K" or number(tag) >> 16 in NOT_STORED:
            continue
        for path in (tag, f"00082218[0].{tag}"):
            entry = by_path.get(path)
            assert entry is not None, path
            assert entry.row == basic
            assert entry.before
            assert (entry.after == "") == (entry.action == "X")


def test_the_shipped_table_is_the_published_one() -> None:
    if not PUBLISHED.exists():
        pytest.skip(f"{PUBLISHED.name} is not here (LEADAPRON_TEST_DATA)")
    shipped = {tag: (row.basic, row.options) for tag, row in rows().items()}
    assert shipped == table()


# other editions

ADDED = {"before-2023e": 197, "2023e": 47, "2024b": 36, "2026c": 1}
DEVICE, KEPT, MADE_CLEAN = "retain_device_identity", {"retain_device_identity": "K"}, "C"
BASIC = {
    "before-2023e": {
        "00100020": ("Z", "Z/D"),
        "30060009": ("X/D", "Z"),
        "30100077": ("D", "X/D"),
        "300A00B2": ("X", "X/Z"),
    },
    "2023e": {"00100020": ("Z", "Z/D")},
}
CHANGED_OPTIONS = {
    "before-2023e": {
        "00081120": ({"retain_uids": "X"}, {"retain_uids": "K"}),
        "00203401": ({}, KEPT),
        "00321021": (KEPT, {DEVICE: MADE_CLEAN}),
        "00321033": ({}, {"clean_descriptors": "C"}),
        "00400001": (KEPT, {DEVICE: MADE_CLEAN}),
        "00400241": (KEPT, {DEVICE: MADE_CLEAN}),
    },
}


@pytest.mark.parametrize("edition", list(ADDED))
def test_an_earlier_edition_differs_only_where_documented(edition: str) -> None:
    now, then = rows(), rows(edition)
    assert set(then) < set(now)
    assert len(now) - len(then) == ADDED[edition]
    basic = {t: (r.basic, now[t].basic) for t, r in then.items() if r.basic != now[t].basic}
    both = {tag: (row.options, now[tag].options) for tag, row in then.items()}
    assert basic == BASIC.get(edition, {})
    changed = {tag: pair for tag, pair in both.items() if pair[0] != pair[1]}
    assert changed == CHANGED_OPTIONS.get(edition, {})


def test_editions_are_listed_and_others_are_unknown() -> None:
    assert editions() == (*ADDED, EDITION)
    with pytest.raises(KeyError):
        rows("1999a")
