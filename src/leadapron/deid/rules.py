"""The rule of one attribute at one place, worked out once and remembered."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from pydicom.datadict import dictionary_has_tag, dictionary_keyword, dictionary_VR
from pydicom.valuerep import VR

from leadapron.deid.profile import Profile
from leadapron.deid.table import Action, attribute_type, resolve, row_for

DATE_VRS = frozenset({"DA", "DT"})
_VRS = frozenset(vr.value for vr in VR)
_PLAIN_TEXT = frozenset({"AE", "CS", "LO", "LT", "SH", "ST", "UC", "UR", "UT"})
_DECIDING = _PLAIN_TEXT | DATE_VRS | {"AS", "DS", "IS", "PN", "SQ", "TM", "UI"}
CLASS_UIDS = (
    "ClassUID",
    "ClassesInStudy",
    "ClassesSupported",
    "CodingSchemeUID",
    "ContextUID",
    "ResourceUID",
    "SpecializationUID",
    "TransferSyntaxUID",
)


_OVERLAY_DATA = 0x60003000
_NOT_OF_A_DATA_SET = frozenset({0x0002, 0xFFFE})
"""Groups of file heads and item tags (PS3.10 7.1, PS3.5 7.5)."""
_COMMAND = 0x0000


class Rule(NamedTuple):
    """What an attribute gets: the action, the code as printed in the row, its keyword.

    `vr` is the VR to read it with: the dictionary's where the object claims one that would hide
    a text, a date, a name, a UID or a sequence from the rules.
    """

    action: Action
    code: str
    name: str
    vr: str = "UN"


class Rules(dict[tuple[int, int, str], Rule]):
    """The rules of one profile and SOP Class by (parent, tag, VR), filled as they are asked."""

    def __init__(self, profile: Profile, sop_class: str) -> None:
        """Start empty."""
        super().__init__()
        self._profile, self._sop_class = profile, sop_class

    def __missing__(self, key: tuple[int, int, str]) -> Rule:
        """Work the rule out once."""
        parent, tag, claimed = key
        vr = true_vr(tag, claimed)
        found = rule_for(self._profile, self._sop_class, parent, tag, vr)
        self[key] = rule = found._replace(vr=vr)
        return rule


@lru_cache(maxsize=256)
def rules(profile: Profile, sop_class: str) -> Rules:
    """Return the shared rules of a profile and SOP Class."""
    return Rules(profile, sop_class)


def rule_for(profile: Profile, sop_class: str, parent: int, tag: int, vr: str) -> Rule:
    """Return the rule of an attribute; those outside the table are kept and swept.

    Outside the table: unknown public attributes and group lengths go; dates, names and UIDs
    are treated like their kin in the table.
    """
    if dropped := _dropped(parent, tag):
        return Rule(Action.REMOVE, dropped, "")
    row = row_for(tag)
    if row is None and 0x6000 <= tag >> 16 <= 0x60FF:
        row = row_for(_OVERLAY_DATA)  # an overlay's geometry goes where its bitmap goes
    keyword = dictionary_keyword(tag) if dictionary_has_tag(tag) else ""
    if keyword and keyword in profile.remove:
        return Rule(Action.REMOVE, "profile", keyword)
    if row is not None:
        asked = row.asked(profile)
        return Rule(
            resolve(asked, attribute_type(sop_class, parent, tag)), asked, keyword or row.name
        )
    if not keyword or tag >> 16 == _COMMAND or (vr not in _VRS and " or " not in vr):
        return Rule(Action.REMOVE, "unknown attribute", "")
    return Rule(_kin(profile, keyword, vr), "K", keyword)


def _dropped(parent: int, tag: int) -> str:
    """Return why an attribute goes whatever the profile says; empty if its row decides."""
    if tag & 0xFFFF == 0:
        return "group length"
    if tag >> 16 in _NOT_OF_A_DATA_SET:
        return "no element of a data set"
    return "nested overlay or curve" if parent and tag >> 24 in (0x50, 0x60) else ""


def _kin(profile: Profile, keyword: str, vr: str) -> Action:
    if vr in DATE_VRS and not profile.retain_longitudinal_full_dates:
        return Action.CLEAN if profile.shift_dates else Action.DUMMY
    if vr == "PN":
        return Action.DUMMY
    if vr == "UI" and not profile.retain_uids and not keyword.endswith(CLASS_UIDS):
        return Action.UID
    return Action.KEEP


def true_vr(tag: int, claimed: str) -> str:
    """Return the VR that decides about an attribute.

    A name in an OB, a sequence in a UN or a date in an LO must not escape the rules of its kind;
    between VRs of one kind (LO for SH, US for OW) the object's own word counts.
    """
    known = "UN" if tag >> 16 & 1 else public_vr(tag)
    if known in ("UN", claimed):
        return claimed or known
    if claimed == "UN" or claimed not in _VRS:
        return known
    if " or " in known:
        return claimed
    if claimed in _PLAIN_TEXT and known in _PLAIN_TEXT:
        return claimed
    return known if known in _DECIDING or claimed == "SQ" else claimed


@lru_cache(maxsize=8192)
def public_vr(tag: int) -> str:
    """Return the dictionary's VR of a public attribute; UN if it has none."""
    return dictionary_VR(tag) if dictionary_has_tag(tag) else "UN"
