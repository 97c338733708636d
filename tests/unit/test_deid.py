"""De-identification of one object: what goes, what stays, what is recorded."""

from __future__ import annotations

import copy
import dataclasses
import json
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

from leadapron.deid import MemoryVault, Profile, deidentify, patient_csv, uid_csv
from leadapron.deid.files import deidentify_file
from leadapron.model import BadInput, Quarantined

KEY = b"k" * 32
HEADERS = dataclasses.replace(Profile.gateway(), clean_pixels=False)


def film(**changes: object) -> Dataset:
    """Return a small CR object full of identity, as read from a file."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.SourceApplicationEntityTitle = "CR_WARD_7"
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = ComputedRadiographyImageStorage
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = "1.2.3.4.5.6.1"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.3.4.5.6.2", "1.2.3.4.5.6.3"
    ds.PatientName, ds.PatientID = "Kaufman^Scott=张^三丰", "6774825273"
    ds.PatientBirthDate, ds.PatientSex, ds.PatientAge = "19430722", "M", "093Y"
    ds.StudyDate, ds.StudyTime, ds.AccessionNumber = "20130911", "162658", "E801911"
    ds.ContentDate, ds.ContentTime = "20130911", "162659"
    ds.InstitutionName, ds.ReferringPhysicianName = "Francis Medical Center", "Bailey^Theresa"
    ds.Modality, ds.Manufacturer = "CR", "TOSHIBA"
    ds.StudyDescription = "XR CHEST AP for Scott Kaufman"
    ds.PatientComments = "张三丰 住院号：A123456 电话13812345678 2013年9月11日"
    ds.BodyPartExamined = "CHEST"
    inner = Dataset()
    inner.ReferencedSOPClassUID = ds.SOPClassUID
    inner.ReferencedSOPInstanceUID = ds.SOPInstanceUID
    ds.ReferencedImageSequence = [inner]
    request = Dataset()
    request.RequestedProcedureDescription = "AP, 6774825273, Dr. Bailey"
    request.RequestedProcedureID = "RP77123"
    ds.RequestAttributesSequence = [request]
    block = ds.private_block(0x0009, "ACME 1.0", create=True)
    block.add_new(0x01, "LO", "KAUFMAN SCOTT")
    ds.Rows, ds.Columns, ds.SamplesPerPixel = 4, 4, 1
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.PhotometricInterpretation, ds.PixelData = "MONOCHROME2", bytes(range(16))
    for keyword, value in changes.items():
        setattr(ds, keyword, value)
    return reread(ds)


def reread(ds: Dataset) -> Dataset:
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return pydicom.dcmread(BytesIO(buffer.getvalue()))


def written(ds: Dataset) -> bytes:
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def test_no_known_value_is_left_anywhere() -> None:
    result = deidentify(film(), HEADERS, MemoryVault(KEY))
    content = written(result.require()).lower()
    for value in (
        b"kaufman", b"scott", b"6774825273", b"19430722", b"20130911", b"e801911", b"francis",
        b"bailey", b"theresa", b"a123456", b"13812345678", b"rp77123", b"cr_ward_7", b"1.2.3.4.5",
        "张".encode(), "三丰".encode(), "9月11日".encode(),
    ):  # fmt: skip
        assert value not in content, value


def test_what_a_reader_needs_stays() -> None:
    out = deidentify(film(), HEADERS, MemoryVault(KEY)).require()
    assert out.StudyDescription.startswith("XR CHEST AP")
    assert (out.PatientSex, out.BodyPartExamined, out.Manufacturer) == ("M", "CHEST", "TOSHIBA")
    assert out.PatientAge == "090Y"
    assert out.PixelData == bytes(range(16))


def test_the_input_is_not_changed() -> None:
    ds = film()
    before = written(copy.deepcopy(ds))
    deidentify(ds, HEADERS, MemoryVault(KEY))
    assert written(ds) == before


def test_uids_stay_consistent_and_are_keyed() -> None:
    ds = film()
    out = deidentify(ds, HEADERS, MemoryVault(KEY)).require()
    other = deidentify(ds, HEADERS, MemoryVault(b"o" * 32)).require()
    again = deidentify(ds, HEADERS, MemoryVault(KEY)).require()
    reference = out.ReferencedImageSequence[0].ReferencedSOPInstanceUID
    assert reference == out.SOPInstanceUID == out.file_meta.MediaStorageSOPInstanceUID
    assert out.SOPInstanceUID.startswith("2.25.")
    assert written(out) == written(again)
    assert other.SOPInstanceUID != out.SOPInstanceUID
    assert other.PatientID != out.PatientID


def test_dates_move_by_one_shift_per_patient() -> None:
    vault = MemoryVault(KEY)
    out = deidentify(film(), HEADERS, vault).require()
    later = deidentify(film(StudyDate="20130921"), HEADERS, vault).require()
    assert out.StudyDate != "20130911"
    assert int(later.StudyDate) - int(out.StudyDate) in (10, 10 + 69, 10 + 70, 10 + 71, 10 + 72)
    assert out.StudyTime == "162658"
    assert out.LongitudinalTemporalInformationModified == "MODIFIED"


def test_the_object_says_what_was_done() -> None:
    out = deidentify(film(), "basic", MemoryVault(KEY)).require()
    assert out.PatientIdentityRemoved == "YES"
    assert out.DeidentificationMethodCodeSequence[0].CodeValue == "113100"
    assert out.LongitudinalTemporalInformationModified == "REMOVED"
    assert out.preamble == bytes(128)
    assert "SourceApplicationEntityTitle" not in out.file_meta


def test_basic_profile_zeroes_and_removes() -> None:
    out = deidentify(film(), "basic", MemoryVault(KEY)).require()
    assert not out.PatientSex
    assert not out.StudyDate
    assert "PatientAge" not in out
    assert "StudyDescription" not in out
    assert not [e for e in out if e.tag.is_private]


def test_report_is_plain_and_identity_free() -> None:
    report = deidentify(film(), HEADERS, MemoryVault(KEY)).report
    text = json.dumps(report.as_dict(), ensure_ascii=False).lower()
    assert "kaufman" not in text
    assert "6774825273" not in text
    assert ("00081030", "known-value") in report.findings
    assert patient_csv([report]).splitlines()[0] == "id_old,id_new"
    assert f"6774825273,{report.patient}" in patient_csv([report])
    assert "1.2.3.4.5.6.1,2.25." in uid_csv([report])


def test_vault_reverses_and_merges() -> None:
    vault = MemoryVault(KEY)
    first = deidentify(film(), HEADERS, vault)
    assert vault.original("patient", first.report.patient).original == "6774825273"
    vault.relink("patient", "TEMP-1", "6774825273")
    merged = deidentify(film(PatientID="TEMP-1"), HEADERS, vault)
    assert merged.report.patient == first.report.patient


@pytest.mark.parametrize("codec", ["gbk", "utf-8"])
def test_wrong_character_set_label_is_found(codec: str) -> None:
    wrong = "胸部正位 张三丰 放射科".encode(codec).decode("latin-1")
    ds = film(SpecificCharacterSet="ISO_IR 100", PatientName="Li^Si", PatientComments=wrong)
    ds["PatientName"].value = "李^四".encode(codec).decode("latin-1")
    out = deidentify(reread(ds), HEADERS, MemoryVault(KEY)).require()
    assert out.SpecificCharacterSet == ("GB18030" if codec == "gbk" else "ISO_IR 192")
    assert "胸部正位" in pydicom.dcmread(BytesIO(written(out))).PatientComments


def test_safe_private_needs_its_own_creator() -> None:
    ds = film()
    ds.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x39, "IS", "1000")
    ds.private_block(0x0045, "ACME 1.0", create=True).add_new(0x01, "SS", 4)
    out = deidentify(reread(ds), HEADERS, MemoryVault(KEY)).require()
    assert [f"{e.tag}" for e in out if e.tag.is_private] == ["(0043,0010)", "(0043,1039)"]


def test_documents_are_quarantined_by_name() -> None:
    ds = film(SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1")
    result = deidentify(ds, HEADERS, MemoryVault(KEY))
    assert result.dataset is None
    assert result.quarantine[0].code == "encapsulated-document"
    with pytest.raises(Quarantined):
        result.require()


def test_hundred_levels_are_quarantined() -> None:
    ds = inner = Dataset()
    for _ in range(100):
        deeper = Dataset()
        inner.RequestAttributesSequence = [deeper]
        inner = deeper
    ds.SOPClassUID, ds.SOPInstanceUID = ComputedRadiographyImageStorage, "1.2.3"
    assert deidentify(ds, HEADERS, MemoryVault(KEY)).quarantine[0].code == "nesting"


def test_absurd_dimensions_are_refused_before_decoding() -> None:
    ds = film(Rows=65535, Columns=65535, NumberOfFrames="65535")
    result = deidentify(ds, "gateway", MemoryVault(KEY))
    assert result.quarantine[0].code == "dimensions"


def test_files_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    source, target = tmp_path / "in.dcm", tmp_path / "out" / "in.dcm"
    source.write_bytes(written(film()))
    result = deidentify_file(source, target, HEADERS, MemoryVault(KEY))
    assert pydicom.dcmread(target).PatientID == result.report.patient
    assert set(result.report.digests) == {"sha256_before", "sha256_after"}
    for bad in (b"", b"hello", source.read_bytes()[:200]):
        source.write_bytes(bad)
        with pytest.raises(BadInput):
            deidentify_file(source, tmp_path / "no.dcm", HEADERS, MemoryVault(KEY))
    assert not (tmp_path / "no.dcm").exists()


def test_polyglot_preamble_is_cleared(tmp_path: Path) -> None:
    source, target = tmp_path / "in.dcm", tmp_path / "out.dcm"
    source.write_bytes(b"MZ" + b"evil" * 31 + b"\0\0" + written(film())[128:])
    deidentify_file(source, target, HEADERS, MemoryVault(KEY))
    assert target.read_bytes()[:132] == bytes(128) + b"DICM"


def test_text_in_a_safe_private_value_without_vr_is_swept() -> None:
    ds = film()
    block = ds.private_block(0x0019, "GEMS_ACQU_01", create=True)
    block.add_new(0x9E, "UN", b"efgre3d KAUFMAN ")
    out = deidentify(reread(ds), HEADERS, MemoryVault(KEY)).require()
    assert b"kaufman" not in written(out).lower()
    assert b"efgre3d" in written(out)


def test_sr_content_follows_its_concepts() -> None:
    def item(code: str, kind: str, **values: object) -> Dataset:
        made, name = Dataset(), Dataset()
        name.CodeValue, name.CodingSchemeDesignator, name.CodeMeaning = code, "DCM", "concept"
        made.ConceptNameCodeSequence, made.ValueType = [name], kind
        for keyword, value in values.items():
            setattr(made, keyword, value)
        return made

    ds = film(
        ContentSequence=[
            item("121022", "TEXT", TextValue="E801911"),
            item("121029", "PNAME", PersonName="Kaufman^Scott"),
            item("121071", "TEXT", TextValue="Nodule in Kaufman's left lung"),
            item("121033", "TEXT", TextValue="70"),
        ]
    )
    out = deidentify(ds, HEADERS, MemoryVault(KEY)).require()
    codes = [i.ConceptNameCodeSequence[0].CodeValue for i in out.ContentSequence]
    assert "121022" not in codes
    finding = out.ContentSequence[codes.index("121071")]
    assert "Nodule in" in finding.TextValue
    assert b"kaufman" not in written(out).lower()
