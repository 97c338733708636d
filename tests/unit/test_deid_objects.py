"""Objects that are no plain pictures: cleaned by rule, or quarantined with a named reason."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest
from deid_objects import (
    CDA,
    CHINESE,
    GIVEN,
    NAME,
    NUMBER,
    document,
    fresh,
    pdf,
    reread,
    sample,
    secrets_in,
    written,
)
from pydicom import Dataset

from leadapron.deid import MemoryVault, Profile, deidentify

KEY = b"k" * 32
HEADERS = dataclasses.replace(Profile.gateway(), clean_pixels=False)
V3 = "{urn:hl7-org:v3}"


def clean(ds: Dataset, profile: Profile = HEADERS) -> Dataset:
    return deidentify(reread(ds), profile, MemoryVault(KEY)).require()


def refusal(ds: Dataset, profile: Profile = HEADERS) -> str:
    result = deidentify(ds, profile, MemoryVault(KEY))
    assert result.dataset is None
    return result.quarantine[0].code


def cda(text: str, encoding: str = "utf-8") -> Dataset:
    return document(text.encode(encoding), "text/xml", 2)


def test_cda_loses_identity_and_keeps_its_findings() -> None:
    out = clean(cda(CDA))
    content = out.EncapsulatedDocument.rstrip(b"\0")
    assert not secrets_in(written(out))
    assert b"Lilac" not in content
    assert b"DOC-99881" not in content
    root = fromstring(content)
    words = " ".join(" ".join(root.itertext()).split())
    assert "lungs are clear" in words.replace("\n", " ")
    assert "Heart of normal size" in words
    assert root.find(f".//{V3}patient/{V3}name").text == out.PatientID
    assert root.find(f"{V3}code").get("displayName") == "Diagnostic imaging report"
    assert root.find(f"{V3}id").get("root").startswith("2.25.")
    assert root.find(f"{V3}effectiveTime").get("value")[:8] == out.StudyDate
    assert len(content) == out.EncapsulatedDocumentLength
    assert out.BurnedInAnnotation == "NO"


def test_cda_teaches_the_header_what_to_look_for() -> None:
    ds = cda(CDA.replace(f"<family>{NAME}</family>", "<family>Zweistein</family>"))
    ds.StudyDescription = "chest of Zweistein"
    assert "Zweistein" not in clean(ds).StudyDescription


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gb18030", "gbk"])
def test_cda_in_every_usual_encoding(encoding: str) -> None:
    text = CDA.replace('encoding="UTF-8"', f'encoding="{encoding}"')
    out = clean(cda(text, encoding))
    assert not secrets_in(written(out))
    assert "住院号" not in out.EncapsulatedDocument.decode().replace("住院号：", "")


def test_cda_under_the_basic_profile_is_blank() -> None:
    out = clean(cda(CDA), Profile.basic())
    assert fromstring(out.EncapsulatedDocument.rstrip(b"\0")).tag == f"{V3}ClinicalDocument"
    assert not secrets_in(written(out))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (CDA.replace("<text>", "<nonXMLBody><text mediaType='a'>AAAA</text></nonXMLBody><text>"),
         "document-attachment"),
        (CDA.replace("Findings", "QUJD" * 80), "document-attachment"),
        ("<!DOCTYPE a [<!ENTITY b 'Kaufman'>]>" + CDA.split("?>", 1)[1], "encapsulated-document"),
        (CDA.replace("ClinicalDocument", "Document"), "encapsulated-document"),
        (CDA[:600], "encapsulated-document"),
        (CDA.replace("<title>", "<a>" * 200 + "</a>" * 200 + "<title>", 1),
         "encapsulated-document"),
        (CDA.replace('encoding="UTF-8"', 'encoding="klingon"'), "encapsulated-document"),
    ],
)  # fmt: skip
def test_cda_that_hides_something_is_quarantined(text: str, code: str) -> None:
    assert refusal(cda(text)) == code


def text_of(content: bytes, tmp_path: Path) -> str:
    file = tmp_path / "out.pdf"
    file.write_bytes(content)
    done = subprocess.run(["pdftotext", str(file), "-"], capture_output=True, check=True)
    return done.stdout.decode().strip()


def read_page(content: bytes) -> str:
    from leadapron.deid.contrast import Picture
    from leadapron.deid.detector import find_text, read_text
    from leadapron.deid.pdf import pages

    gray = next(pages(content)).picture.min(axis=2)
    seen = Picture(gray, np.zeros(gray.shape, np.int8))
    return " ".join(read_text(seen, line)[0] for line in find_text(seen, 1600))


def test_pdf_is_drawn_anew_without_identity(tmp_path: Path) -> None:
    before = pdf()
    out = clean(document(before, "application/pdf", 1))
    content = out.EncapsulatedDocument
    assert not secrets_in(written(out))
    seen = read_page(content)
    assert NAME in read_page(before)
    for secret in (NAME, GIVEN, NUMBER, "Bailey", "Francis", "2013"):
        assert secret not in seen
    assert "pleural effusion" in seen
    assert "mediastinum" in seen
    try:
        assert text_of(content, tmp_path) == ""
    except FileNotFoundError:
        pytest.skip("pdftotext (poppler-utils) is not installed")


def test_pdf_comes_out_the_same_each_time() -> None:
    ds, vault = reread(document(pdf(), "application/pdf", 1)), MemoryVault(KEY)
    first, second = (deidentify(ds, HEADERS, vault).require() for _ in range(2))
    assert first.EncapsulatedDocument == second.EncapsulatedDocument


def test_pdf_under_the_basic_profile_is_blank() -> None:
    out = clean(document(pdf(), "application/pdf", 1), Profile.basic())
    assert read_page(out.EncapsulatedDocument) == ""


def test_a_scan_in_a_pdf_is_quarantined() -> None:
    from leadapron.deid.pdf import assemble, pages

    scan = assemble(
        [next(pages(pdf(f"{'a line about the chest and heart' + chr(10) * 2}" * 9))).picture]
    )
    assert refusal(document(scan, "application/pdf", 1)) == "scanned-document"


@pytest.mark.parametrize(
    "content",
    [b"%PDF-1.7\nnot really", pdf()[:700], b"%PDF-1.4\n" + b"[" * 100_000],
    ids=["empty", "cut", "nested"],
)
def test_a_damaged_pdf_is_quarantined(content: bytes) -> None:
    assert refusal(document(content, "application/pdf", 1)) == "encapsulated-document"


def test_a_lying_text_layer_does_not_help() -> None:
    """The letters shown are a name, the layer under them says something harmless."""
    lying = pdf().replace(b"/ToUnicode", b"/ToNothing")
    out = deidentify(document(lying, "application/pdf", 1), HEADERS, MemoryVault(KEY))
    if out.dataset is None:
        assert out.quarantine[0].code == "scanned-document"
    else:
        assert NAME not in read_page(out.dataset.EncapsulatedDocument)


# what cannot be cleaned


@pytest.mark.parametrize(
    ("ds", "code"),
    [
        (document(b"solid Kaufman", "model/stl", 3), "encapsulated-model"),
        (document(b"o Kaufman", "model/obj", 4), "encapsulated-model"),
        (document(b"newmtl Kaufman", "model/mtl", 5), "encapsulated-model"),
        (document(b"{\\rtf1 Kaufman}", "text/rtf", 1), "encapsulated-document"),
        (fresh("1.2.840.10008.5.1.4.1.1.66"), "raw-data"),
        (fresh("1.2.840.10008.5.1.4.1.1.9.4.1"), "audio"),
        (fresh("1.2.840.10008.1.3.10"), "media-directory"),
        (fresh("1.2.826.0.1.99.1", ICCProfile=b"\1\2Kaufman\3"), "unknown-sop-class"),
    ],
    ids=["stl", "obj", "mtl", "rtf", "raw", "voice", "dicomdir", "unknown"],
)
def test_kinds_that_no_rule_reaches(ds: Dataset, code: str) -> None:
    assert refusal(ds) == code


@pytest.mark.parametrize("syntax", ["4.100", "4.102", "4.107", "7.1"])
def test_video_is_quarantined(syntax: str) -> None:
    ds = fresh("1.2.840.10008.5.1.4.1.1.77.1.4.1", PixelData=b"\0\0")
    ds.file_meta.TransferSyntaxUID = f"1.2.840.10008.1.2.{syntax}"
    assert refusal(ds) == "video"


def test_an_unknown_class_of_plain_attributes_is_cleaned() -> None:
    out = clean(fresh("1.2.826.0.1.99.1", ImageComments=f"{NAME} {CHINESE}"))
    assert not secrets_in(written(out))


# reports, references, states, segments, curves, plans


def concept(value: str, meaning: str, scheme: str = "DCM") -> list[Dataset]:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return [code]


def item(kind: str, code: str = "121071", **values: object) -> Dataset:
    made = Dataset()
    made.RelationshipType, made.ValueType = "CONTAINS", kind
    made.ConceptNameCodeSequence = concept(code, "concept")
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def structured_report() -> Dataset:
    ds = sample("reportsi.dcm")
    deep = item("CONTAINER", ContentSequence=[
        item("TEXT", TextValue=f"nodule in {NAME}'s lung, tel 13812345678"),
        item("PNAME", "121008", PersonName="Bailey^Theresa"),
        item("DATE", "121120", Date="20130911"),
        item("UIDREF", "112227", UID="1.2.3.4.5.6.1"),
        item("CODE", ConceptCodeSequence=concept("1", f"finding of {NAME}", "99LOCAL")),
        item("IMAGE", ReferencedSOPSequence=[reference("1.2.3.4.5.6.1")]),
    ])  # fmt: skip
    ds.ContentSequence = [*ds.get("ContentSequence", []), deep]
    evidence, series = Dataset(), Dataset()
    series.SeriesInstanceUID, series.ReferencedSOPSequence = (
        "1.2.3.4.5.6.3",
        [reference("1.2.3.4.5.6.1")],
    )
    evidence.StudyInstanceUID, evidence.ReferencedSeriesSequence = "1.2.3.4.5.6.2", [series]
    ds.CurrentRequestedProcedureEvidenceSequence = [evidence]
    return ds


def reference(uid: str) -> Dataset:
    made = Dataset()
    made.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    made.ReferencedSOPInstanceUID = uid
    return made


def key_object() -> Dataset:
    return fresh(
        "1.2.840.10008.5.1.4.1.1.88.59", Modality="KO", ValueType="CONTAINER",
        ContinuityOfContent="SEPARATE", ConceptNameCodeSequence=concept("113000", "Of Interest"),
        ContentSequence=[
            item("TEXT", "113012", TextValue=f"for the case meeting about {GIVEN} {NAME}"),
            item("IMAGE", ReferencedSOPSequence=[reference("1.2.3.4.5.6.1")]),
        ],
    )  # fmt: skip


def presentation_state() -> Dataset:
    text, graphic, note = Dataset(), Dataset(), Dataset()
    text.UnformattedTextValue = f"{NAME} {GIVEN}, {CHINESE}, see nodule"
    text.BoundingBoxAnnotationUnits, text.AnchorPoint = "PIXEL", [1.0, 2.0]
    graphic.GraphicAnnotationUnits, graphic.GraphicType = "PIXEL", "POLYLINE"
    graphic.GraphicDimensions, graphic.NumberOfGraphicPoints = 2, 2
    graphic.GraphicData, graphic.GraphicFilled = [1.0, 1.0, 5.0, 5.0], "N"
    note.GraphicLayer, note.TextObjectSequence, note.GraphicObjectSequence = "A", [text], [graphic]
    note.ReferencedImageSequence = [reference("1.2.3.4.5.6.1")]
    layer = Dataset()
    layer.GraphicLayer, layer.GraphicLayerOrder = "A", 1
    layer.GraphicLayerDescription = f"marks of {NAME}"
    return fresh(
        "1.2.840.10008.5.1.4.1.1.11.1", Modality="PR", ContentLabel="A",
        ContentDescription=f"shows {NAME}", ContentCreatorName="Bailey^Theresa",
        PresentationCreationDate="20130911", PresentationCreationTime="101010",
        GraphicAnnotationSequence=[note], GraphicLayerSequence=[layer],
    )  # fmt: skip


def segmentation() -> Dataset:
    ds = sample("liver_1frame.dcm")
    ds.SegmentSequence[0].SegmentLabel = f"liver of {NAME}"
    ds.SegmentSequence[0].SegmentDescription = f"{CHINESE} {NUMBER}"
    ds.ContentCreatorName = "Bailey^Theresa"
    return ds


def waveform() -> Dataset:
    ds = sample("waveform_ecg.dcm")
    note = Dataset()
    note.UnformattedTextValue = f"ECG of {NAME}, {CHINESE}"
    ds.WaveformAnnotationSequence = [note]
    ds.WaveformSequence[0].MultiplexGroupLabel = NAME
    return ds


def plan() -> Dataset:
    ds = sample("rtplan.dcm")
    ds.RTPlanLabel, ds.RTPlanDescription = NAME[:16], f"plan for {GIVEN} {NAME}"
    ds.BeamSequence[0].BeamDescription = f"beam for {CHINESE}"
    return ds


OBJECTS = {
    "SR": structured_report,
    "KO": key_object,
    "PR": presentation_state,
    "SEG": segmentation,
    "ECG": waveform,
    "RT plan": plan,
    "RT dose": lambda: sample("rtdose.dcm"),
    "enhanced MR": lambda: sample("emri_small.dcm"),
    "enhanced CT": lambda: sample("eCT_Supplemental.dcm"),
    "overlays": lambda: sample("examples_overlay.dcm"),
    "multi-frame US": lambda: sample("examples_ybr_color.dcm"),
}
OPTIONS = {
    "gateway": HEADERS,
    "basic": Profile.basic(),
    "graphics": dataclasses.replace(HEADERS, clean_graphics=True),
    "descriptors only": Profile(clean_descriptors=True),
}


@pytest.mark.parametrize("profile", list(OPTIONS))
@pytest.mark.parametrize("kind", list(OBJECTS))
def test_other_objects_lose_identity_everywhere(kind: str, profile: str) -> None:
    out = clean(OBJECTS[kind](), OPTIONS[profile])
    assert not secrets_in(written(out))
    assert out.PatientIdentityRemoved == "YES"


def test_presentation_graphics_survive_their_option() -> None:
    note = clean(presentation_state(), OPTIONS["graphics"]).GraphicAnnotationSequence[0]
    assert note.GraphicObjectSequence[0].GraphicData == [1.0, 1.0, 5.0, 5.0]
    assert "see nodule" in note.TextObjectSequence[0].UnformattedTextValue


def test_references_follow_their_objects_in_reports() -> None:
    vault = MemoryVault(KEY)
    film = deidentify(reread(fresh("1.2.840.10008.5.1.4.1.1.1")), HEADERS, vault).require()
    for make in (key_object, presentation_state, structured_report):
        out = deidentify(reread(make()), HEADERS, vault).require()
        assert film.SOPInstanceUID in {
            str(e.value) for e in out.iterall() if e.keyword == "ReferencedSOPInstanceUID"
        }


def test_a_report_keeps_its_findings() -> None:
    out = clean(structured_report())
    texts = [str(e.value) for e in out.iterall() if e.keyword == "TextValue"]
    assert any(t.startswith("nodule in") for t in texts)


def test_the_samples_of_a_waveform_stay() -> None:
    """Groups 50xx and 60xx go wherever they stand; 5400, between them, is the curve itself."""
    ds = waveform()
    before = [bytes(group.WaveformData) for group in ds.WaveformSequence]
    out = clean(ds)
    assert [bytes(group.WaveformData) for group in out.WaveformSequence] == before
    assert out.WaveformSequence[0].WaveformBitsAllocated


def test_an_icon_goes_and_its_picture_with_it() -> None:
    icon = Dataset()
    icon.Rows = icon.Columns = 2
    icon.BitsAllocated, icon.PixelData = 8, b"\1\2\3\4"
    ds = sample("CT_small.dcm")
    ds.IconImageSequence = [icon]
    request = Dataset()
    request.IconImageSequence = [icon]
    ds.RequestAttributesSequence = [request]
    out = clean(ds)
    assert not [e for e in out.iterall() if e.keyword == "IconImageSequence"]


def test_text_in_a_binary_value_is_found() -> None:
    ds = sample("CT_small.dcm")
    ds.ICCProfile = b"\0\0\1desc\0for " + CHINESE.encode("gb18030") + b" and Kaufman\0\0"
    out = clean(ds)
    assert "ICCProfile" not in out
    ds.ICCProfile = bytes(range(64))
    assert "ICCProfile" in clean(ds)


def test_two_patients_documents_are_not_linked() -> None:
    other = cda(CDA.replace(NUMBER, "9900112233"))
    other.PatientID = "9900112233"
    assert clean(cda(CDA)).PatientID != clean(other).PatientID
