"""The walk: every attribute of every nested data set meets its row of Table E.1-1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pydicom import Dataset
from pydicom.datadict import dictionary_has_tag, dictionary_keyword, dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from leadapron.deid import dates, identity, safe_private
from leadapron.deid.charsets import SPECIFIC_CHARACTER_SET, CharacterSet, character_set
from leadapron.deid.dummies import dummy
from leadapron.deid.known import KnownValues
from leadapron.deid.profile import Profile
from leadapron.deid.report import Entry
from leadapron.deid.sweep import FREE_TEXT, TEXT, Held
from leadapron.deid.table import Action, attribute_type, resolve, row_for
from leadapron.deid.vault import ACCESSION, PATIENT, UID, Link, Vault
from leadapron.model import Quarantined

Element = DataElement | RawDataElement
_WELL_KNOWN_UID = "1.2.840.10008."
_CLASS_UIDS = ("ClassUID", "ClassesInStudy", "CodingSchemeUID", "ContextUID", "ResourceUID",
               "TransferSyntaxUID", "SpecializationUID", "ClassesSupported")  # fmt: skip
_ELDEST = 89


@dataclass(frozen=True)
class Rule:
    """What one attribute gets, worked out once per profile, IOD and place."""

    action: Action
    code: str
    name: str


@lru_cache(maxsize=16384)
def rule_for(profile: Profile, sop_class: str, parent: int, tag: int, vr: str) -> Rule:
    """Return the rule of an attribute; attributes outside the table are kept and swept.

    Outside the table: unknown public attributes go, group lengths go, and dates, names and
    UIDs are treated like their kin in the table.
    """
    if tag & 0xFFFF == 0:
        return Rule(Action.REMOVE, "group length", "Group Length")
    row = row_for(tag)
    keyword = dictionary_keyword(tag) if dictionary_has_tag(tag) else ""
    if keyword and keyword in profile.remove:
        return Rule(Action.REMOVE, "profile", keyword)
    if row is not None:
        asked = row.asked(profile)
        action = resolve(asked, attribute_type(sop_class, parent, tag))
        return Rule(action, asked, keyword or row.name)
    if not keyword:
        return Rule(Action.REMOVE, "unknown attribute", "")
    return Rule(_kin(profile, keyword, vr), "K", keyword)


def _kin(profile: Profile, keyword: str, vr: str) -> Action:
    if vr in identity.DATE_VRS and not profile.retain_longitudinal_full_dates:
        return Action.CLEAN if profile.shift_dates else Action.DUMMY
    if vr == "PN":
        return Action.DUMMY
    if vr == "UI" and not profile.retain_uids and not keyword.endswith(_CLASS_UIDS):
        return Action.UID
    return Action.KEEP


@dataclass
class Walk:
    """The state of one object's walk: what was learned, what is held for the sweep."""

    profile: Profile
    vault: Vault
    sop_class: str
    patient: str
    days: int
    known: KnownValues = field(default_factory=KnownValues)
    held: list[Held] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    uids: dict[str, str] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    content: Callable[[Walk, Dataset, str, CharacterSet, int], Sequence] | None = None

    def dataset(
        self, src: Dataset, parent: int, path: str, outer: CharacterSet | None, depth: int
    ) -> Dataset:
        """Return the de-identified copy of one data set; `src` keeps every element."""
        if depth > self.profile.max_depth:
            raise Quarantined(
                f"sequences are nested deeper than {self.profile.max_depth}",
                remedy="inspect the object; raise max_depth if it is genuine",
                code="nesting",
            )
        chars = character_set(src, outer)
        out = Dataset()
        if chars.corrected:
            out.add_new(SPECIFIC_CHARACTER_SET, "CS", list(chars.label))
            self.notes.append(f"character set corrected to {chars.label[0]}")
        for tag in src.keys():  # noqa: SIM118 - iterating a Dataset decodes every element
            if tag == SPECIFIC_CHARACTER_SET and chars.corrected:
                continue
            self._element(src, out, tag, parent, path, chars, depth)
        self._private_creators(src, out)
        implicit, little = src.original_encoding
        if implicit is not None:
            out.set_original_encoding(implicit, little, list(chars.encodings))
        return out

    def _element(
        self,
        src: Dataset,
        out: Dataset,
        tag: BaseTag,
        parent: int,
        path: str,
        chars: CharacterSet,
        depth: int,
    ) -> None:
        element = src.get_item(tag)
        if element is None:
            return
        vr = _vr(element, tag)
        if vr == "SQ" and isinstance(element, RawDataElement):
            element = src[tag]
        rule = rule_for(self.profile, self.sop_class, parent, int(tag), vr)
        here = f"{path}{tag.group:04X}{tag.element:04X}"
        if tag.is_private:
            self._private(src, out, tag, element, here, rule, chars)
            return
        if rule.action is not Action.KEEP or tag in _ALWAYS_LEARN:
            self.learn(tag, vr, element, chars)
        step = _STEPS[rule.action]
        step(self, out, tag, vr, element, here, rule, chars, depth)

    # one method per action -------------------------------------------------------------

    def _remove(self, out: Dataset, tag: BaseTag, vr: str, element: Element, here: str,
                rule: Rule, chars: CharacterSet, depth: int) -> None:  # fmt: skip
        self.log(here, rule, element, None)

    def _zero(self, out: Dataset, tag: BaseTag, vr: str, element: Element, here: str,
              rule: Rule, chars: CharacterSet, depth: int) -> None:  # fmt: skip
        value = self._pseudonym(tag, element, chars)
        self._set(out, tag, vr, value, element, here, rule)

    def _dummy(self, out: Dataset, tag: BaseTag, vr: str, element: Element, here: str,
               rule: Rule, chars: CharacterSet, depth: int) -> None:  # fmt: skip
        if not element.value:
            self._copy(out, tag, vr, element, here, chars, depth)
            return
        if vr == "SQ":
            items = Sequence([_dummy_item(item, depth) for item in _items(element)])
            self._set(out, tag, vr, items, element, here, rule)
            return
        if vr == "UI":
            self._uid(out, tag, vr, element, here, rule, chars, depth)
            return
        value = self._pseudonym(tag, element, chars) or dummy(vr)
        self._set(out, tag, vr, value, element, here, rule)

    def _uid(self, out: Dataset, tag: BaseTag, vr: str, element: Element, here: str,
             rule: Rule, chars: CharacterSet, depth: int) -> None:  # fmt: skip
        if vr != "UI":
            self._copy(out, tag, vr, element, here, chars, depth)
            return
        values = texts(element, chars)
        mapped = [self.map_uid(v) for v in values]
        if mapped == values:
            out[tag] = element
            return
        self._set(out, tag, vr, mapped if len(mapped) > 1 else mapped[0], element, here, rule)

    def _clean(self, out: Dataset, tag: BaseTag, vr: str, element: Element, here: str,
               rule: Rule, chars: CharacterSet, depth: int) -> None:  # fmt: skip
        if vr in identity.DATE_VRS and element.value:
            moved = [dates.shift(v, self.days) if v else v for v in texts(element, chars)]
            good = [dummy(vr) if m is None else m for m in moved]
            value = good if len(good) > 1 else good[0]
            self._set(out, tag, vr, value, element, here, rule)
        elif vr == "UI":
            self._uid(out, tag, vr, element, here, rule, chars, depth)
        elif tag == CONTENT_SEQUENCE and self.content is not None:
            self.log(here, rule, element, None)
            out[tag] = DataElement(tag, "SQ", self.content(self, element, here, chars, depth))
        else:
            self._copy(out, tag, vr, element, here, chars, depth, logged=rule)

    def _copy(self, out: Dataset, tag: BaseTag, vr: str, element: Element, here: str,
              chars: CharacterSet, depth: int, *, logged: Rule | None = None) -> None:  # fmt: skip
        if vr == "SQ":
            items = _items(element)
            if tag == CONTENT_SEQUENCE and self.content is not None:
                out[tag] = DataElement(tag, "SQ", self.content(self, element, here, chars, depth))
                return
            inner = [
                self.dataset(item, int(tag), f"{here}[{i}].", chars, depth + 1)
                for i, item in enumerate(items)
            ]
            out[tag] = DataElement(tag, "SQ", Sequence(inner))
            return
        if tag == identity.AGE:
            element = _cap_age(element, chars)
        out[tag] = element
        if vr in TEXT and element.value:
            text = "\\".join(texts(element, chars))
            self.held.append(
                Held(out, int(tag), vr, text, here, vr in FREE_TEXT and tag not in CODES)
            )
        if logged is not None:
            self.log(here, logged, element, element.value)

    def _keep(self, out: Dataset, tag: BaseTag, vr: str, element: Element, here: str,
              rule: Rule, chars: CharacterSet, depth: int) -> None:  # fmt: skip
        self._copy(out, tag, vr, element, here, chars, depth)

    # helpers ---------------------------------------------------------------------------

    def _private(self, src: Dataset, out: Dataset, tag: BaseTag, element: Element, here: str,
                 rule: Rule, chars: CharacterSet) -> None:  # fmt: skip
        self.learn_private(element, chars)
        vr = element.VR or "UN"
        if rule.action is Action.CLEAN and vr != "SQ" and safe_private.is_safe(src, int(tag)):
            self._copy(out, tag, vr, element, here, chars, 0)
        elif not 0x10 <= tag.element <= 0xFF:
            self.log(here, Rule(Action.REMOVE, rule.code, "Private"), element, None)

    def _private_creators(self, src: Dataset, out: Dataset) -> None:
        kept = {t for t in out.keys() if t.is_private}  # noqa: SIM118
        for tag in {BaseTag(t.group << 16 | t.element >> 8) for t in kept}:
            name = safe_private.creator(src, tag)
            out[tag] = DataElement(tag, "LO", name)

    def _pseudonym(self, tag: BaseTag, element: Element, chars: CharacterSet) -> str:
        if tag in (identity.PATIENT_NAME, identity.PATIENT_ID):
            return self.patient
        if tag == identity.ACCESSION and element.value:
            original = texts(element, chars)[0].strip()
            pseudonym = self.vault.pseudonym(ACCESSION, original)
            self.links.append(Link(ACCESSION, original, pseudonym))
            return pseudonym
        return ""

    def map_uid(self, uid: str) -> str:
        """Return the UID's pseudonym; UIDs of the standard itself stay."""
        uid = uid.strip(" \0")
        if not uid or uid.startswith(_WELL_KNOWN_UID) or self.profile.retain_uids:
            return uid
        if uid not in self.uids:
            self.uids[uid] = self.vault.pseudonym(UID, uid)
            self.links.append(Link(UID, uid, self.uids[uid]))
        return self.uids[uid]

    def _set(self, out: Dataset, tag: BaseTag, vr: str, value: Any, element: Element, here: str,
             rule: Rule) -> None:  # fmt: skip
        out[tag] = DataElement(tag, vr, Sequence() if vr == "SQ" and not value else value)
        self.log(here, rule, element, value)

    def log(self, here: str, rule: Rule, element: Element, after: Any) -> None:
        """Record one action with keyed hashes of the value before and after."""
        mark = self.vault.fingerprint
        raw = element.value
        before = mark(raw if isinstance(raw, bytes) else str(raw).encode("utf-8", "replace"))
        changed = "" if after is None else mark(
            after if isinstance(after, bytes) else str(after).encode("utf-8", "replace")
        )  # fmt: skip
        self.entries.append(Entry(here, rule.name, rule.code, rule.action.value, before, changed))

    def learn(self, tag: int, vr: str, element: Element, chars: CharacterSet) -> None:
        """Take the identifying values of one element (and below) into the known values."""
        if vr == "SQ":
            for item in _items(element):
                self.learn_all(item, chars)
            return
        if not element.value or vr not in _LEARNABLE:
            return
        values = [v for v in texts(element, chars) if v]
        if vr == "PN":
            self.known.add_names(values)
        elif tag in identity.IDS:
            self.known.ids.update(values)
        elif tag in identity.PHRASES:
            self.known.phrases.update(values)
        elif vr in identity.DATE_VRS and not self.profile.retain_longitudinal_full_dates:
            self.known.dates.update(values)

    def learn_all(self, ds: Dataset, outer: CharacterSet, depth: int = 0) -> None:
        """Learn from every attribute of a data set that will not be copied."""
        chars = character_set(ds, outer)
        for tag in ds.keys():  # noqa: SIM118
            element = ds.get_item(tag)
            if element is None or depth > self.profile.max_depth:
                continue
            vr = _vr(element, tag)
            if vr == "SQ":
                for item in _items(ds[tag]):
                    self.learn_all(item, chars, depth + 1)
            else:
                self.learn(tag, vr, element, chars)

    def learn_private(self, element: Element, chars: CharacterSet) -> None:
        """Learn names and birth dates that vendors keep in private PN elements."""
        if element.VR == "PN" and element.value:
            self.known.add_names(v for v in texts(element, chars) if v)


CONTENT_SEQUENCE = 0x0040A730
CODES = frozenset({0x00080100, 0x00080102, 0x00080103, 0x00080119})
_LEARNABLE = TEXT | {"DA", "DT"}
_ALWAYS_LEARN = frozenset({identity.PATIENT_NAME, identity.PATIENT_ID})
_STEPS: dict[Action, Any] = {
    Action.REMOVE: Walk._remove,
    Action.ZERO: Walk._zero,
    Action.DUMMY: Walk._dummy,
    Action.UID: Walk._uid,
    Action.CLEAN: Walk._clean,
    Action.KEEP: Walk._keep,
}


@lru_cache(maxsize=8192)
def _dictionary_vr(tag: int) -> str:
    return dictionary_VR(tag) if dictionary_has_tag(tag) else "UN"


def _vr(element: Element, tag: BaseTag) -> str:
    vr = element.VR
    if vr is None or (vr == "UN" and not tag.is_private):
        return _dictionary_vr(int(tag))
    return vr


def _items(element: Element) -> list[Dataset]:
    return list(element.value or ())


def texts(element: Element, chars: CharacterSet) -> list[str]:
    """Return the element's values as text, without padding."""
    value = element.value
    if isinstance(value, bytes):
        return [v.strip(" \0") for v in chars.decode(value).split("\\")]
    if value is None:
        return []
    if isinstance(value, str) or not hasattr(value, "__iter__") or element.VR == "PN":
        many = value if hasattr(value, "__iter__") and not isinstance(value, str) else [value]
        if element.VR == "PN" and not isinstance(many, (list, tuple)) and not _is_multi(many):
            many = [value]
        return [str(v).strip(" \0") for v in many]
    return [str(v).strip(" \0") for v in value]


def _is_multi(value: Any) -> bool:
    return type(value).__name__ == "MultiValue"


def _cap_age(element: Element, chars: CharacterSet) -> Element:
    """Ages above 89 years identify (45 CFR 164.514): they become 90."""
    text = "".join(texts(element, chars))
    if text[:3].isdigit() and text.endswith("Y") and int(text[:3]) > _ELDEST:
        return DataElement(identity.AGE, "AS", "090Y")
    return element


def _dummy_item(item: Dataset, depth: int) -> Dataset:
    """Return an item of the same structure with every value a dummy; classes of UIDs stay."""
    out = Dataset()
    for element in item:
        if element.tag.is_private or element.tag.element == 0:
            continue
        if element.VR == "SQ":
            if depth < 64:
                inner = [_dummy_item(i, depth + 1) for i in element.value]
                out[element.tag] = DataElement(element.tag, "SQ", Sequence(inner))
            continue
        keep = element.keyword.endswith(_CLASS_UIDS) or element.VR == "CS" or not element.value
        value = element.value if keep else dummy(element.VR)
        if element.VR == "UI" and not keep:
            value = "2.25.0"
        out[element.tag] = DataElement(element.tag, element.VR, value)
    return out
