"""The walk: every attribute of every nested data set meets its row of Table E.1-1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydicom import Dataset
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.uid import UID_dictionary

from leadapron.deid import dates, identity, safe_private
from leadapron.deid.charsets import SPECIFIC_CHARACTER_SET, CharacterSet, character_set
from leadapron.deid.dummies import dummy
from leadapron.deid.known import KnownValues
from leadapron.deid.profile import Profile
from leadapron.deid.reading import as_raw, as_vr, cap_age, check_items, readable, whole
from leadapron.deid.report import Entry
from leadapron.deid.rules import DATE_VRS, Rule, Rules, true_vr
from leadapron.deid.sweep import BINARY, FREE_TEXT, NUMBERS, TEXT, Blob, Held
from leadapron.deid.table import Action
from leadapron.deid.values import Element, as_bytes, dummy_item, items, possible_texts, texts
from leadapron.deid.vault import ACCESSION, UID, Link, Vault
from leadapron.model import Quarantined

CONTENT_SEQUENCE = 0x0040A730
ENCAPSULATED_DOCUMENT = 0x00420011
_CODES = frozenset({0x00080100, 0x00080102, 0x00080103, 0x00080119})
_ALWAYS_LEARN = frozenset({identity.PATIENT_NAME, identity.PATIENT_ID})
_LEARNABLE = TEXT | DATE_VRS
_ODD_GROUP = 0x10000
_PIXEL_GROUP = 0x7FE0


@dataclass(slots=True)
class Place:
    """Where the walk is: one data set being read and the copy being filled."""

    src: Dataset
    out: dict[BaseTag, Element]
    chars: CharacterSet
    parent: int
    path: str
    depth: int


@dataclass(slots=True)
class Walk:
    """The state of one object's walk: what was learned, what is held for the sweep.

    `content` cleans SR content trees; without it they are walked like any sequence.
    """

    profile: Profile
    vault: Vault
    rules: Rules
    patient: str
    days: int
    content: Callable[[Walk, list[Dataset], Place], Sequence] | None = None
    known: KnownValues = field(default_factory=KnownValues)
    held: list[Held] = field(default_factory=list)
    blobs: list[Blob] = field(default_factory=list)
    documents: list[Blob] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    uids: dict[str, str] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def dataset(
        self,
        src: Dataset,
        parent: int = 0,
        path: str = "",
        outer: CharacterSet | None = None,
        depth: int = 0,
        chars: CharacterSet | None = None,
    ) -> Dataset:
        """Return the de-identified copy of one data set; `src` keeps every element.

        `chars` is its character set where the caller knows it already.
        """
        if depth > self.profile.max_depth:
            raise Quarantined(
                f"sequences are nested deeper than {self.profile.max_depth}",
                remedy="inspect the object; raise max_depth if it is genuine",
                code="nesting",
            )
        chars = chars or character_set(src, outer)
        place = Place(src, {}, chars, parent, path, depth)
        if chars.corrected:
            self.notes.append(f"character set corrected to {chars.label[0]}")
        step = self._element
        for tag, element in list(src.items()):
            step(place, tag, element)
        if chars.corrected:
            label = DataElement(SPECIFIC_CHARACTER_SET, "CS", list(chars.label))
            place.out[label.tag] = label
        self._keep_creators(place)
        out = Dataset(place.out)
        implicit, little = src.original_encoding
        if implicit is not None:
            out.set_original_encoding(implicit, little, list(chars.encodings))
        return out

    def _element(self, place: Place, tag: BaseTag, element: Element) -> None:
        if isinstance(element, RawDataElement) and (
            element.value is None or len(element.value) != element.length
        ):
            element = whole(place.src, element)
        rule = self.rules[place.parent, int(tag), element.VR or ""]
        if tag & _ODD_GROUP:
            self._private(place, tag, element, rule)
            return
        vr = rule.vr
        if vr != element.VR and element.VR is not None:
            element = as_vr(element, vr, place.chars)
        elif vr == "SQ" and isinstance(element, RawDataElement):
            check_items(element)
            element = place.src[tag]
        if rule.action is not Action.KEEP or tag in _ALWAYS_LEARN:
            self.learn(tag, vr, element, place.chars)
        _STEPS[rule.action](self, place, tag, vr, element, rule)

    def _remove(self, place: Place, tag: BaseTag, _vr: str, element: Element, rule: Rule) -> None:
        self._log(place, tag, rule, element, None)

    def _zero(self, place: Place, tag: BaseTag, vr: str, element: Element, rule: Rule) -> None:
        empty: Any = Sequence() if vr == "SQ" else ""
        value = self._pseudonym(tag, element, place.chars) or empty
        self._set(place, tag, vr, value, element, rule)

    def _dummy(self, place: Place, tag: BaseTag, vr: str, element: Element, rule: Rule) -> None:
        if not element.value:
            place.out[tag] = element
        elif tag == ENCAPSULATED_DOCUMENT:
            place.out[tag] = element
            here = f"{place.path}{tag:08X}"
            self.documents.append(Blob(place.out, tag, here, place.parent, rule.code))
        elif vr == "UI":
            self._uid(place, tag, vr, element, rule)
        elif vr == "SQ":
            dummies = Sequence([dummy_item(item, self.map_uid) for item in items(element)])
            self._set(place, tag, vr, dummies, element, rule)
        else:
            value = self._pseudonym(tag, element, place.chars) or dummy(vr)
            self._set(place, tag, vr, value, element, rule)

    def _uid(self, place: Place, tag: BaseTag, vr: str, element: Element, rule: Rule) -> None:
        if vr != "UI":
            self._keep(place, tag, vr, element, rule)
            self._log(place, tag, rule, element, place.out[tag].value)
            return
        values = texts(element, place.chars)
        mapped = [self._uid_pseudonym(v) for v in values]
        if mapped == values:
            place.out[tag] = element
        else:
            self._set(place, tag, vr, mapped if len(mapped) > 1 else mapped[0], element, rule)

    def _clean(self, place: Place, tag: BaseTag, vr: str, element: Element, rule: Rule) -> None:
        if vr in DATE_VRS and element.value:
            moved = [dates.shift(v, self.days) if v else v for v in texts(element, place.chars)]
            good = [dummy(vr) if m is None else m for m in moved]
            self._set(place, tag, vr, good if len(good) > 1 else good[0], element, rule)
        elif vr == "UI":
            self._uid(place, tag, vr, element, rule)
        else:
            self._keep(place, tag, vr, element, rule)
            self._log(place, tag, rule, element, element.value)

    def _keep(self, place: Place, tag: BaseTag, vr: str, element: Element, _rule: Rule) -> None:
        if vr == "SQ":
            place.out[tag] = DataElement(tag, "SQ", self._sequence(place, tag, element))
            return
        if vr == "AS" and tag == identity.AGE:
            element = cap_age(element, place.chars)
        place.out[tag] = element
        if vr in BINARY and isinstance(element.value, bytes) and tag >> 16 != _PIXEL_GROUP:
            here = f"{place.path}{tag:08X}"
            self.blobs.append(Blob(place.out, tag, here, place.parent))
        elif vr in NUMBERS:
            value = element.value
            if not isinstance(value, bytes):
                value = "\\".join(texts(element, place.chars)).encode("ascii", "replace")
            if not NUMBERS[vr].fullmatch(value):
                self._not_a_number(place, tag, vr, element)
        elif vr in TEXT and element.value:
            text = "\\".join(texts(element, place.chars))
            free = vr in FREE_TEXT and tag not in _CODES
            here = f"{place.path}{tag:08X}"
            self.held.append(Held(place.out, tag, vr, text, here, place.parent, free, element))

    def _not_a_number(self, place: Place, tag: BaseTag, vr: str, element: Element) -> None:
        """Replace letters where a number belongs: no rule reads them, and a person would."""
        place.out[tag] = DataElement(tag, vr, dummy(vr))
        rule = Rule(Action.DUMMY, "not a number", "", vr)
        self._log(place, tag, rule, element, dummy(vr))

    def _sequence(self, place: Place, tag: BaseTag, element: Element) -> Sequence:
        if tag == CONTENT_SEQUENCE and self.content is not None:
            return self.content(self, items(element), place)
        here = f"{place.path}{tag:08X}"
        return Sequence(
            [
                self.dataset(item, int(tag), f"{here}[{i}].", place.chars, place.depth + 1)
                for i, item in enumerate(items(element))
            ]
        )

    def _private(self, place: Place, tag: BaseTag, element: Element, rule: Rule) -> None:
        if element.VR == "PN" and element.value:
            self.known.add_names(texts(element, place.chars))
        vr = element.VR or "UN"
        if rule.action is Action.CLEAN and safe_private.is_safe(place.src, int(tag), element):
            self._keep(place, tag, vr, element, rule)
            if vr == "UN" and isinstance(element.value, bytes) and readable(element.value):
                text = place.chars.decode(element.value).strip(" \0")
                here = f"{place.path}{tag:08X}"
                self.held.append(Held(place.out, tag, "LO", text, here, 0, True, element))
        elif not 0x10 <= tag & 0xFFFF <= 0xFF:
            self._log(place, tag, rule, element, None)

    def _keep_creators(self, place: Place) -> None:
        """Keep the creators of the private blocks that still hold something."""
        used = {t.group << 16 | t.element >> 8 for t in place.out if t & _ODD_GROUP}
        for creator in used:
            element = DataElement(creator, "LO", safe_private.creator(place.src, creator))
            place.out[element.tag] = element

    def _pseudonym(self, tag: BaseTag, element: Element, chars: CharacterSet) -> str:
        if tag in (identity.PATIENT_NAME, identity.PATIENT_ID):
            return self.patient
        if tag == identity.ACCESSION and element.value:
            original = texts(element, chars)[0]
            pseudonym = self.vault.pseudonym(ACCESSION, original)
            self.links.append(Link(ACCESSION, original, pseudonym))
            return pseudonym
        return ""

    def map_uid(self, uid: str) -> str:
        """Return the UID's pseudonym, or the UID itself where the profile retains UIDs."""
        return uid if self.profile.retain_uids else self._uid_pseudonym(uid)

    def _uid_pseudonym(self, uid: str) -> str:
        """Return the UID's pseudonym; UIDs of the standard itself stay (PS3.6 A)."""
        if not uid or uid in UID_dictionary:
            return uid
        if uid not in self.uids:
            self.uids[uid] = self.vault.pseudonym(UID, uid)
            self.links.append(Link(UID, uid, self.uids[uid]))
        return self.uids[uid]

    def _set(
        self, place: Place, tag: BaseTag, vr: str, value: Any, element: Element, rule: Rule
    ) -> None:
        raw = as_raw(tag, vr, value, place.src.original_encoding)
        place.out[tag] = raw or DataElement(tag, vr.split(" ", maxsplit=1)[0], value)
        self._log(place, tag, rule, element, value)

    def _log(self, place: Place, tag: BaseTag, rule: Rule, element: Element, after: Any) -> None:
        before = self.vault.fingerprint(as_bytes(element.value))
        if after is element.value:
            changed = before
        else:
            changed = "" if after is None else self.vault.fingerprint(as_bytes(after))
        here = f"{place.path}{tag:08X}"
        self.entries.append(Entry(here, rule.name, rule.code, rule.action, before, changed))

    def learn(self, tag: int, vr: str, element: Element, chars: CharacterSet) -> None:
        """Take the identifying values of one element (and below) into the known values."""
        if vr == "SQ":
            for item in items(element):
                self.learn_all(item, chars)
            return
        if not element.value or vr not in _LEARNABLE:
            return
        if vr == "PN":
            self.known.add_names(possible_texts(element, chars))
        elif tag in identity.IDS:
            self.known.ids.update(texts(element, chars))
        elif tag in identity.PHRASES:
            self.known.phrases.update(possible_texts(element, chars))
        elif vr in DATE_VRS and not self.profile.retain_longitudinal_full_dates:
            self.known.dates.update(texts(element, chars))

    def learn_all(self, ds: Dataset, outer: CharacterSet, depth: int = 0) -> None:
        """Learn from every attribute of a data set that will not be copied."""
        if depth > self.profile.max_depth:
            return
        chars = character_set(ds, outer)
        for tag, element in list(ds.items()):
            vr = true_vr(int(tag), element.VR or "")
            if vr == "SQ":
                for item in items(ds[tag]) if element.VR in (None, "SQ") else ():
                    self.learn_all(item, chars, depth + 1)
            else:
                self.learn(int(tag), vr, element, chars)


_STEPS: dict[Action, Callable[[Walk, Place, BaseTag, str, Element, Rule], None]] = {
    Action.REMOVE: Walk._remove,
    Action.ZERO: Walk._zero,
    Action.DUMMY: Walk._dummy,
    Action.UID: Walk._uid,
    Action.CLEAN: Walk._clean,
    Action.KEEP: Walk._keep,
}
