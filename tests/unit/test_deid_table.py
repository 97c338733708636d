"""Every row of Table E.1-1 under every option, against the published facts."""

from __future__ import annotations

import itertools

import pytest

from leadapron.deid.profile import OPTIONS, Profile
from leadapron.deid.table import Action, actions, attribute_type, resolve, row_for, rows
from leadapron.model import BadInput

FULL, MODIFIED = "retain_longitudinal_full_dates", "retain_longitudinal_modified_dates"


def test_edition_has_657_rows_and_ten_options() -> None:
    assert len(rows()) == 657
    assert len(OPTIONS) == 10
    assert {o for r in rows().values() for o in r.options} == set(OPTIONS)


@pytest.mark.parametrize("option", [None, *OPTIONS])
def test_every_row_follows_the_table(option: str | None) -> None:
    profile = Profile(**({option: True} if option else {}))
    applied = actions(profile, "1.2.840.10008.5.1.4.1.1.1")
    for tag, row in rows().items():
        printed = row.options.get(option or "", row.basic)
        allowed = {"U"} if "U*" in printed else set(printed.split("/"))
        assert applied[tag].value in allowed, (tag, row.name, printed)


def test_options_combine_and_keeping_wins_over_cleaning() -> None:
    for a, b in itertools.combinations(OPTIONS, 2):
        if {a, b} == {FULL, MODIFIED}:
            continue
        profile = Profile(**{a: True, b: True})
        for row in rows().values():
            named = {row.options.get(a), row.options.get(b)} - {None}
            expected = "K" if "K" in named else "C" if "C" in named else row.basic
            assert row.asked(profile) == expected


def test_two_date_options_contradict() -> None:
    with pytest.raises(BadInput):
        Profile(**{FULL: True, MODIFIED: True})


@pytest.mark.parametrize(
    ("code", "kind", "action"),
    [
        ("X/Z/D", "1", Action.DUMMY),
        ("X/Z/D", "2", Action.ZERO),
        ("X/Z/D", "3", Action.REMOVE),
        ("X/D", "2", Action.DUMMY),
        ("Z/D", "1", Action.DUMMY),
        ("X/Z", "1C", Action.ZERO),
        ("X/Z/U*", "3", Action.UID),
        ("X", "1", Action.REMOVE),
    ],
)
def test_compound_codes_choose_by_attribute_type(code: str, kind: str, action: Action) -> None:
    assert resolve(code, kind) is action


def test_repeating_groups_and_private_have_rows() -> None:
    for tag in (0x60023000, 0x50100010, 0x00091001):
        row = row_for(tag)
        assert row is not None
        assert row.basic == "X"


def test_unknown_iods_count_as_strict() -> None:
    assert attribute_type("1.2.3", 0, 0x00080020) == "1"
    assert attribute_type("1.2.840.10008.5.1.4.1.1.1", 0, 0x00080020) == "2"
