"""Other spellings of a known identity: Wade-Giles, traditional characters, months by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opencc import OpenCC
from pypinyin import Style, pinyin
from test_deid_sweep import AFTER, BEFORE, GIVEN, QUIET, SURNAMES, bare, described

from leadapron.deid import patterns

TRADITIONAL = OpenCC("s2t")


@QUIET
@given(SURNAMES, GIVEN, st.booleans(), BEFORE, AFTER)
def test_traditional_and_simplified_characters(
    family: str, name: str, known: bool, a: str, b: str
) -> None:
    simple, older = family + name, TRADITIONAL.convert(f"{family} {name}").replace(" ", "")
    header, text = (older, simple) if known else (simple, older)
    left = described({"PatientName": f"{header[0]}^{header[1:]}"}, f"{a}{text}{b}")
    assert text not in left


@QUIET
@given(SURNAMES, GIVEN, st.sampled_from(("{0} {1}", "{1} {0}", "{0}, {1}")), BEFORE, AFTER)
def test_wade_giles(family: str, name: str, form: str, a: str, b: str) -> None:
    spelt = [s[0].replace("v", "u") for s in pinyin(family + name, style=Style.WADEGILES)]
    text = form.format(spelt[0].title(), "-".join(spelt[1:]).title())
    left = described({"PatientName": f"{family}^{name}"}, f"{a}{text}{b}")
    assert bare(text) not in bare(left)


@pytest.mark.parametrize(
    ("name", "text", "left"),
    [
        ("Gray^Dorian", "chest D. Gray lateral", "chest lateral"),
        ("Gray^Dorian", "gray matter, supine", "gray matter, supine"),
        ("Small^Anna", "a small lesion", "a small lesion"),
        ("Ng^Wai Ling", "thorax W. Ng portable", "thorax portable"),
        ("Ng^Wai Ling", "thorax for Ng portable", "thorax portable"),
        ("Young^Neil", "series for Mrs. YOUNG AP", "series for AP"),
    ],
)
def test_names_that_are_words_or_two_letters(name: str, text: str, left: str) -> None:
    assert " ".join(described({"PatientName": name}, text).split()) == left


@pytest.mark.parametrize("written", ["Nov 27", "27 nov", "November 27th", "27-NOV", "27Nov"])
def test_a_known_day_without_its_year(written: str) -> None:
    assert described({"StudyDate": "20191127"}, f"chest {written} supine") == "chest supine"
    assert described({"StudyDate": "20191128"}, f"chest {written} supine") != "chest supine"


def test_an_address_with_accents_takes_nothing_else_along() -> None:
    header = {"PatientAddress": "88 Rue de l'Abbé", "InstitutionName": "Klinikum Süd"}
    assert described(header, "axial 88 rue de l'Abbé scout Klinikum Süd") == "axial scout"


@QUIET
@given(st.from_regex(patterns.GENERIC))
def test_the_cheap_look_overlooks_nothing(text: str) -> None:
    assert patterns.generic(text)
