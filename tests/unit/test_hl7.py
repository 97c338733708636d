"""HL7 v2 in bytes: what is read, what is refused, and what outside libraries make of it."""

from __future__ import annotations

import hl7 as python_hl7
import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message
from hypothesis import given
from hypothesis import strategies as st

from leadapron.edge.adt import Merge, Person, steps_of
from leadapron.edge.hl7 import Hl7Error, parse
from leadapron.edge.hl7_ack import accepted, refused


def message(
    *segments: str, event: str = "A08", charset: str = "UNICODE UTF-8", codec: str = "utf-8",
    facility: str = "H", **header: str,
) -> bytes:  # fmt: skip
    msh = [
        "MSH", "^~\\&", header.get("application", "HIS"), facility, "LEADAPRON", "RAD",
        "20260302101112", "", f"ADT^{event}", header.get("control", "4711"),
        header.get("processing", "P"), header.get("version", "2.5"), *[""] * 5, charset,
    ]  # fmt: skip
    return ("\r".join(["|".join(msh), *segments]) + "\r").encode(codec)


def steps(*segments: str, event: str = "A08", authority: str = "", **more: str):
    return steps_of(parse(message(*segments, event=event, **more)), authority)


PID = "PID|1||4711^^^H^MR||张^三||19700102|F"


def test_a_correction_says_who_is_who():
    assert steps(PID) == (Person("4711", "张^三", "19700102", "F"),)
    assert steps("PID|||4711||||197001|U") == (Person("4711", None, None, None),)
    assert steps('PID|||4711||""||""|""') == (Person("4711", None, "", ""),)


def test_a_merge_names_both_numbers():
    assert steps(PID, "MRG|0815^^^H^MR", event="A40") == (
        Merge("0815", Person("4711", "张^三", "19700102", "F")),
        Person("4711", "张^三", "19700102", "F"),
    )
    two = steps(PID, "PD1", "MRG|1", "PID|||9", "MRG|2~3", event="A40")
    assert [s.old for s in two if isinstance(s, Merge)] == ["1", "2", "3"]
    assert [s.number for s in two if isinstance(s, Person)] == ["4711", "9"]


@pytest.mark.parametrize("event", ["A18", "A34", "A40", "A47"])
def test_every_kind_of_merge(event):
    assert isinstance(steps(PID, "MRG|1", event=event)[0], Merge)


def test_the_imaging_departments_number_is_taken():
    many = "PID|||900^^^EMPI^PI~4711^^^H&1.2.3&ISO^MR~77^^^INS^NH"
    assert steps(many, authority="h")[0].number == "4711"
    assert steps(many, authority="1.2.3")[0].number == "4711"
    assert steps(many)[0].number == "4711", "MR goes before PI"
    assert steps("PID||4711^^^H")[0].number == "4711", "PID-2 of old versions"
    with pytest.raises(Hl7Error) as nobody:
        steps(many, authority="OTHER")
    assert nobody.value.slug == "hl7-no-number"
    with pytest.raises(Hl7Error) as several:
        steps("PID|||1^^^A^MR~2^^^B^MR")
    assert several.value.slug == "hl7-ambiguous-number"


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("Zhang^San", "Zhang^San"),
        ("Zhang^San^Q^Jr^Dr", "Zhang^San^Q^Dr^Jr"),
        ("Zhang^San^^^^^L^A~张^三^^^^^L^I", "Zhang^San=张^三"),
        ("Zhang^San~张^三", "Zhang^San=张^三"),
        ("张三", "张三"),
        ("张三~Old^Name^^^^^M", "张三"),
        ("O\\T\\Hara\\E\\^A", "O&Hara\\^A"),
        ("\\XE5BCA0\\^三", "张^三"),
        ('""', None),
    ],
)
def test_names_become_dicom_person_names(field, name):
    assert steps(f"PID|||1||{field}")[0].name == name


def test_gb18030_is_decoded_before_anything_is_split():
    """Bytes of these characters are HL7's separators: 7C, 5E, 7E, 5C, 26 is not possible."""
    tricky = "".join(
        next(
            char
            for lead in range(0x81, 0xA0)
            if (char := bytes([lead, trail]).decode("gb18030", "replace")).isprintable()
            and len(char) == 1
        )
        for trail in (0x7C, 0x5E, 0x7E, 0x5C)
    )
    person = f"PID|||4711||{tricky}^三||19700102|M"
    for charset in ("GB 18030-2000", "GB18030", "GBK"):
        raw = message(person, charset=charset, codec="gb18030", facility=f"医院{tricky}")
        read = parse(raw)
        assert read.sender == f"HIS|医院{tricky}"
        assert steps_of(read) == (Person("4711", f"{tricky}^三", "19700102", "M"),)
        ack = accepted(read)
        assert f"医院{tricky}" in ack.decode("gb18030")
        assert b"GB 18030-2000" in ack


def test_the_default_character_set_holds_where_none_is_named():
    raw = message(PID, charset="", codec="gb18030")
    assert steps_of(parse(raw, "gb18030"))[0].name == "张^三"
    with pytest.raises(Hl7Error) as wrong:
        parse(raw)
    assert wrong.value.slug == "hl7-charset" and wrong.value.ack == "AE"


@pytest.mark.parametrize(
    ("charset", "codec"),
    [("UNICODE UTF-8", "gb18030"), ("ASCII", "utf-8"), ("ISO IR87", "utf-8"), ("", "utf-16")],
)
def test_a_character_set_that_is_not_what_it_says_is_refused(charset, codec):
    with pytest.raises(Hl7Error):
        parse(message(PID, charset=charset, codec=codec))


@pytest.mark.parametrize(
    ("segments", "event", "ack", "number"),
    [
        ([PID], "A01", "AR", 201),
        ([], "A08", "AE", 100),
        (["MRG|1"], "A40", "AE", 100),
        ([PID], "A40", "AE", 100),
        ([PID, "MRG|1", "MRG|2"], "A40", "AE", 100),
        ([PID, "MRG|"], "A40", "AE", 204),
        (["PID|||"], "A08", "AE", 204),
        (['PID|||""'], "A08", "AE", 204),
        (["PID|||1||||19701302"], "A08", "AE", 102),
        (["PID|||a\\E\\b"], "A08", "AE", 102),
        (["PID|||" + "1" * 65], "A08", "AE", 102),
        (["PID|||1||x\\Z1\\y"], "A08", "AE", 102),
        (["PID|||1||x\\F"], "A08", "AE", 102),
        (["PID|||1||\\XFF\\"], "A08", "AE", 102),
        ([PID, "MSH|^~\\&|X"], "A08", "AR", 100),
        (["pid|||1"], "A08", "AR", 100),
        (["PID|||1\x00"], "A08", "AR", 102),
        (["PID" + "|" * 300], "A08", "AR", 100),
        (["ZZZ|1"] * 600, "A08", "AR", 102),
    ],
)
def test_bad_messages_are_told_where_not_what(segments, event, ack, number):
    with pytest.raises(Hl7Error) as caught:
        steps(*segments, event=event)
    assert (caught.value.ack, caught.value.number) == (ack, number)
    assert "张" not in caught.value.diagnostics()


@pytest.mark.parametrize(
    "raw", [b"", b"MSH", b"MSH|^~\\&", b"BHS|^~\\&|", b"MSH||||||||", b"MSHaaaaaaaa", b"\xff" * 90]
)
def test_what_is_no_message_is_refused(raw):
    with pytest.raises(Hl7Error):
        steps_of(parse(raw))


def test_acknowledgements_hold_before_a_strict_validator():
    for version in ("2.3", "2.4", "2.5", "2.6"):
        read = parse(message(PID, version=version))
        error = Hl7Error("a | and ^ and \\ in it", number=204, remedy="none")
        for ack, code in ((accepted(read), "AA"), (refused(read, error), "AE")):
            # The validator knows no structure ACK in 2.3: there it judges fields only.
            level = VALIDATION_LEVEL.TOLERANT if version == "2.3" else VALIDATION_LEVEL.STRICT
            judged = parse_message(ack.decode(), validation_level=level)
            assert version == "2.3" or judged.validate()
            assert judged.msa.msa_1.value == code and judged.msa.msa_2.value == "4711"
            assert judged.msh.msh_5.value == "HIS" and judged.msh.msh_3.value == "LEADAPRON"
            assert python_hl7.parse(ack.decode()).segment("MSA")(1)[0] == code
    assert b"MSA|AR|" in refused(None, Hl7Error("no", number=100, ack="AR"))


text = st.text(
    st.characters(codec="gb18030", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cn", "Co")),
    max_size=12,
)
ESCAPES = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "~": "\\R\\", "&": "\\T\\"}


def escaped(value: str) -> str:
    return "".join(ESCAPES.get(c, c) for c in value)


@given(family=text, given_name=text, codec=st.sampled_from(["utf-8", "gb18030"]))
def test_any_text_comes_through_as_other_libraries_read_it(family, given_name, codec):
    charset = {"utf-8": "UNICODE UTF-8", "gb18030": "GB 18030-2000"}[codec]
    raw = message(
        f"PID|||1||{escaped(family)}^{escaped(given_name)}||19700102", charset=charset, codec=codec
    )
    pid = parse(raw).segments[1]
    mine = [c[0] for c in pid.repetitions(5)[0]] if pid.raw(5) else ["", ""]
    assert mine == [family, given_name]
    theirs = python_hl7.parse(raw.decode(codec)).segment("PID")
    if family.strip() and given_name.strip():
        assert [theirs.extract_field(1, 5, 1, n) for n in (1, 2)] == mine


@given(st.binary(max_size=300))
def test_no_bytes_crash_the_reader(raw):
    for head in (b"", b"MSH|^~\\&|", b"MSH|^~\\&|A|B|C|D|1||ADT^A40|7|P|2.5\rPID|||1||"):
        try:
            steps_of(parse(head + raw))
        except Hl7Error as error:
            assert refused(None, error).startswith(b"MSH|")
