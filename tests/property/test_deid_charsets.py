"""Character sets: read, cleaned and written without mojibake, also where the label is wrong."""

from __future__ import annotations

import dataclasses
import struct
import warnings
from io import BytesIO

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from leadapron.deid import MemoryVault, Profile, deidentify
from leadapron.deid.encode import to_bytes
from leadapron.deid.files import parse

VAULT = MemoryVault(b"c" * 32)
HEADERS = dataclasses.replace(Profile.gateway(), clean_pixels=False)
QUIET = settings(
    max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
CHINESE = st.text(
    st.sampled_from("胸部正位片双肺纹理清晰心影大小形态未见异常骨质复查右左上下叶结节"),
    min_size=2,
    max_size=12,
)
KOREAN = st.text(
    st.sampled_from("흉부정면영상폐문음영이상없음심장크기정상추적"), min_size=2, max_size=12
)
JAPANESE = st.text(st.sampled_from("胸部正面像肺野異常なし心陰影経過観察"), min_size=2, max_size=12)
WORDS = [
    "Thorax",
    "Übersicht",
    "Herzgröße",
    "äußerlich",
    "unauffällig",
    "Lungenödem",
    "für",
    "Façade",
    "Señor",
    "naïve",
    "søger",
    "År",
]
GERMAN = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join)

SETS = {
    "UTF-8": (["ISO_IR 192"], "张^三丰", CHINESE),
    "GB18030": (["GB18030"], "张^三丰", CHINESE),
    "GBK": (["GBK"], "张^三丰", CHINESE),
    "IR 58": (["", "ISO 2022 IR 58"], "Zhang^Sanfeng=张^三丰", CHINESE),
    "IR 149": (["", "ISO 2022 IR 149"], "Kim^Hijung=金^希中=김^희중", KOREAN),
    "IR 149 alone": (["ISO 2022 IR 149"], "Kim^Hijung=金^希中=김^희중", KOREAN),
    "IR 87": (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう", JAPANESE),
    "IR 87, 159": (["", "ISO 2022 IR 87", "ISO 2022 IR 159"], "Yamada^Tarou=山田^太郎", JAPANESE),
    "IR 13, 87": (["ISO 2022 IR 13", "ISO 2022 IR 87"], "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう", JAPANESE),  # noqa: E501
    "Latin 1": (["ISO_IR 100"], "Müller^Jörg", GERMAN),
}  # fmt: skip
SECRETS = (
    "张",
    "三丰",
    "山田",
    "太郎",
    "やまだ",
    "たろう",
    "김",
    "희중",
    "希中",
    "Müller",
    "Jörg",
    "ﾔﾏﾀﾞ",
)


def film(label: list[str] | None, name: str, text: str) -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    if label is not None:
        ds.SpecificCharacterSet = label
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    ds.PatientName, ds.PatientID = name, "77123456"
    ds.SeriesDescription = text[:30]
    who = name.rsplit("=", maxsplit=1)[-1].replace("^", "")
    ds.ImageComments = f"{text} {who}"
    inner = Dataset()
    inner.CodeMeaning, inner.CodeValue = text[:30], "1"
    ds.AnatomicRegionSequence = [inner]
    return ds


def received(ds: Dataset, *, implicit: bool = False) -> Dataset:
    if implicit:
        ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    buffer = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds.save_as(buffer, enforce_file_format=True)
    return parse(buffer.getvalue())


def delivered(ds: Dataset) -> Dataset:
    out = deidentify(ds, HEADERS, VAULT).require()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = pydicom.dcmread(BytesIO(to_bytes(out)))
        again.decode()
    return again


def squeezed(value: object) -> str:
    return "".join(str(value).split())


@pytest.mark.parametrize("name", list(SETS))
@QUIET
@given(data=st.data(), implicit=st.booleans())
def test_every_set_goes_through_whole(name: str, data: st.DataObject, implicit: bool) -> None:
    label, person, texts = SETS[name]
    text = data.draw(texts)
    out = delivered(received(film(label, person, text), implicit=implicit))
    assert squeezed(out.SeriesDescription) == squeezed(text[:30])
    assert squeezed(out.AnatomicRegionSequence[0].CodeMeaning) == squeezed(text[:30])
    comments = str(out.ImageComments)
    assert squeezed(comments) == squeezed(text)
    assert not [s for s in SECRETS if s in comments]


def mislabelled(codec: str, label: list[str] | None, person: str, text: str) -> Dataset:
    """Return a film whose bytes are of `codec`, whatever its label says."""
    ds = film(None, "A^B", "x")
    raw = {}
    for keyword, vr, value in (
        ("PatientName", b"PN", person),
        ("SeriesDescription", b"LO", text),
        ("ImageComments", b"LT", f"{text} {person.replace('^', '')}"),
    ):
        raw[keyword] = (vr, value.encode(codec))
        delattr(ds, keyword)
    if label is not None:
        ds.SpecificCharacterSet = label
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    data = buffer.getvalue()
    for keyword, (vr, value) in raw.items():
        tag = pydicom.datadict.tag_for_keyword(keyword)
        padded = value + b" " * (len(value) % 2)
        element = struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(padded)) + padded
        data = _placed(data, tag, element)
    return parse(data)


def _placed(data: bytes, tag: int, element: bytes) -> bytes:
    """Put an element before the first of the file's that has a greater tag."""
    ds = pydicom.dcmread(BytesIO(data))
    later = [t for t in sorted(ds.keys()) if t > tag]
    if not later:
        return data + element
    place = data.index(struct.pack("<HH", later[0].group, later[0].element), 132)
    return data[:place] + element + data[place:]


def replaced(ds: Dataset, tag: int, vr: bytes, value: bytes) -> Dataset:
    """Return the film with the bytes of one element exchanged."""
    data = to_bytes(ds)
    padded = value + b" " * (len(value) % 2)
    at = data.index(struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr))
    size = struct.unpack("<H", data[at + 6 : at + 8])[0]
    element = struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(padded)) + padded
    return parse(data[:at] + element + data[at + 8 + size :])


WRONG = [
    ("gb18030", ["ISO_IR 100"]), ("gb18030", None), ("gb18030", [""]), ("gb18030", ["ISO_IR 192"]),
    ("gb18030", ["", "ISO 2022 IR 58"]), ("gb18030", ["ISO_IR 6"]), ("gb18030", ["ISO_IR 13"]),
    ("utf-8", ["ISO_IR 100"]), ("utf-8", None), ("utf-8", ["GB18030"]), ("utf-8", ["GBK"]),
    ("utf-8", ["", "ISO 2022 IR 58"]), ("utf-8", ["ISO_IR 101"]), ("gb18030", ["KLINGON"]),
]  # fmt: skip


@pytest.mark.parametrize(("codec", "label"), WRONG, ids=str)
@QUIET
@given(text=CHINESE.filter(lambda t: len(t) >= 4))
def test_a_wrong_or_missing_label_is_found(codec: str, label: list[str] | None, text: str) -> None:
    out = delivered(mislabelled(codec, label, "张^三丰", text))
    assert out.SpecificCharacterSet == ("ISO_IR 192" if codec == "utf-8" else "GB18030")
    assert out.SeriesDescription == text
    assert squeezed(out.ImageComments) == squeezed(text)


@QUIET
@given(text=GERMAN)
def test_latin_letters_with_accents_keep_their_label(text: str) -> None:
    out = delivered(received(film(["ISO_IR 100"], "Müller^Jörg", text)))
    assert out.SpecificCharacterSet == "ISO_IR 100"
    assert squeezed(out.SeriesDescription) == squeezed(text[:30])


@pytest.mark.parametrize("other", ["gb18030", "utf-8", "utf-16-le", "euc_kr"])
@pytest.mark.parametrize(
    "label", [["ISO_IR 192"], ["GB18030"], ["ISO_IR 100"], ["", "ISO 2022 IR 87"]]
)
def test_one_value_in_another_encoding_leaks_nothing(other: str, label: list[str]) -> None:
    person, base = ("김^희중", "film") if other == "euc_kr" else ("张^三丰", "film")
    ds = film(["ISO_IR 192"], person, base)
    ds.ImageComments = "x"
    ds = replaced(received(ds), 0x00080005, b"CS", "\\".join(label).encode())
    value = f"film of {person.replace('^', '')}".encode(other)
    out = deidentify(replaced(ds, 0x0008103E, b"LO", value), HEADERS, VAULT)
    written = to_bytes(out.require())
    for codec in ("utf-8", "gb18030", "utf-16-le", "euc_kr"):
        for part in person.split("^"):
            try:
                secret = part.encode(codec)
            except UnicodeEncodeError:
                continue
            assert len(secret) < 3 or secret not in written


def test_nested_data_sets_may_have_a_set_of_their_own() -> None:
    ds = film(["ISO_IR 192"], "张^三丰", "胸部正位")
    ds.AnatomicRegionSequence[0].SpecificCharacterSet = "GB18030"
    again = delivered(received(ds))
    assert again.AnatomicRegionSequence[0].CodeMeaning == "胸部正位"
    assert again.SeriesDescription == "胸部正位"


def test_escape_sequences_hide_no_name() -> None:
    """The name with an escape sequence in its middle that changes nothing."""
    ds = film(["", "ISO 2022 IR 58"], "Zhang^Sanfeng=张^三丰", "胸部正位")
    ds.ImageComments = "x"
    ds.PatientName = "Zhang^Sanfeng=张^三丰"
    escape = b"\x1b$)A"
    value = b"film " + escape + "张".encode("gb2312") + escape + "三丰".encode("gb2312") + b" "
    out = delivered(replaced(received(ds), 0x00204000, b"LT", value))
    assert not [s for s in SECRETS if s in str(out.ImageComments)]
    assert "三丰".encode("gb2312") not in to_bytes(out)


def test_an_unlabelled_item_below_a_plain_header_is_labelled() -> None:
    ds = received(film(["ISO_IR 100"], "Zhang^Sanfeng", "chest"))
    data = to_bytes(ds)
    before = struct.pack("<HH2sH", 0x0008, 0x0104, b"LO", 6) + b"chest "
    after = struct.pack("<HH2sH", 0x0008, 0x0104, b"LO", 6) + "胸部片".encode("gb18030")
    assert data.count(before) == 1
    out = delivered(parse(data.replace(before, after)))
    assert out.AnatomicRegionSequence[0].CodeMeaning == "胸部片"
    assert out.SpecificCharacterSet == "ISO_IR 100"
