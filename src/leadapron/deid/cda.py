"""HL7 CDA documents (Encapsulated CDA, PS3.3 A.45.2): cleaned element by element, then swept.

Names, addresses, telecoms and identifiers are masked wherever they stand (HL7 null flavor MSK);
times follow the date rule; all text that remains, narrative and attributes, is searched for what
is known of the patient and for the general patterns, also across inline markup.
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from xml.etree.ElementTree import Element, register_namespace, tostring

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from leadapron.deid.known import KnownValues
from leadapron.deid.sweep import Sweep
from leadapron.model import BadInput

HL7 = "urn:hl7-org:v3"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
_MASKED = frozenset({
    "addr", "telecom", "birthTime", "deceasedTime", "maritalStatusCode",
    "religiousAffiliationCode", "raceCode", "ethnicGroupCode", "languageCode", "desc",
    "signatureText", "thumbnail", "certificateText",
})  # fmt: skip
_NAMES = frozenset({"name", "family", "given", "prefix", "suffix"})
_PERSONS = frozenset({
    "patient", "assignedPerson", "guardianPerson", "associatedPerson", "relatedPerson",
    "maintainingPerson", "informationRecipient", "personalRelationship", "subject",
    "assignedAuthor", "playingEntity",
})  # fmt: skip
_TIMES = frozenset({
    "effectiveTime", "time", "low", "high", "center", "birthTime", "existenceTime",
})  # fmt: skip
_TIME_TYPES = ("TS", "IVL_TS", "PIVL_TS", "EIVL_TS", "SXCM_TS", "IVXB_TS")
_DROPPED = frozenset({"extension", "assigningAuthorityName", f"{{{XSI}}}schemaLocation"})
_INLINE = frozenset({
    "content", "sub", "sup", "linkHtml", "footnoteRef", "br", "caption",
})  # fmt: skip
_ATTACHED = frozenset({"nonXMLBody", "observationMedia"})
_TIME = re.compile(r"\d{4}(?:\d{2}){0,5}(?:\.\d+)?(?:[+-]\d{4})?")
_ENCODING = re.compile(rb"""<\?xml[^>]{0,100}?encoding\s*=\s*["']([A-Za-z0-9._\-]{1,40})["']""")
_DECLARATION = re.compile(r"^\s*<\?xml[^>]{0,200}\?>")
_OID = re.compile(r"[0-9.]{1,64}|[0-9A-Fa-f-]{36}")
_BINARY_TEXT = re.compile(r"[A-Za-z0-9+/]{200,}")
MAX_DEPTH, MAX_ELEMENTS = 100, 200_000
MINIMAL = (
    f'<?xml version="1.0" encoding="UTF-8"?>\n<ClinicalDocument xmlns="{HL7}">'
    '<typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/><id nullFlavor="MSK"/>'
    '<code nullFlavor="MSK"/><effectiveTime nullFlavor="MSK"/></ClinicalDocument>'
).encode()
"""What stands for a document whose content may not stay (code D)."""


@dataclass
class Rewriting:
    """How identity is replaced: the patient's pseudonym, mapped UIDs, moved times."""

    pseudonym: str
    map_uid: Callable[[str], str]
    move: Callable[[str], str | None]
    keep_sex: bool


class Cda:
    """One parsed document: `learn` from it first, then `clean` it."""

    def __init__(self, data: bytes) -> None:
        """Parse; BadInput with a named reason if it is no CDA, or hostile."""
        self.root = _parse(data)
        if self.root.tag != f"{{{HL7}}}ClinicalDocument":
            raise _refused("its root element is no HL7 ClinicalDocument")
        attached = {_local(e) for e in self.root.iter()} & _ATTACHED
        if attached:
            raise BadInput(
                f"the CDA document carries an attachment ({', '.join(sorted(attached))})",
                remedy="send the attachment as an object of its own",
                code="document-attachment",
            )

    def learn(self, known: KnownValues) -> None:
        """Take names, identifiers, addresses and numbers out of the structured elements."""
        for parent in self.root.iter():
            for element in parent:
                _LEARN.get(_local(element), _nothing)(element, parent, known)

    def clean(self, how: Rewriting, sweep: Sweep) -> tuple[bytes, list[str]]:
        """Return the cleaned document in UTF-8 and the kinds of findings in its text."""
        _Cleaner(how).walk(self.root, in_patient=False)
        kinds = _sweep_text(self.root, sweep) + _sweep_attributes(self.root, sweep)
        register_namespace("", HL7)
        register_namespace("xsi", XSI)
        body: bytes = tostring(self.root, encoding="UTF-8", xml_declaration=True)
        return body, list(dict.fromkeys(kinds))


def _parse(data: bytes) -> Element:
    try:
        root: Element = ElementTree.fromstring(_decode(data), forbid_dtd=True)
    except DefusedXmlException as error:
        raise _refused("it declares a document type or entities") from error
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        raise _refused("it is no well-formed XML") from error
    open_ends: list[tuple[Element, int]] = [(root, 1)]
    count = 0
    while open_ends:
        element, depth = open_ends.pop()
        count += 1
        if depth > MAX_DEPTH or count > MAX_ELEMENTS:
            raise _refused("it is nested too deeply or has too many elements")
        open_ends.extend((child, depth + 1) for child in element)
    return root


def _decode(data: bytes) -> str:
    data = data.rstrip(b"\0") if not data.startswith((codecs.BOM_UTF16_LE, b"<\0")) else data
    found = _ENCODING.search(data[:300])
    named = found.group(1).decode("ascii") if found else "utf-8"
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        named = "utf-16"
    elif data.startswith(codecs.BOM_UTF8):
        named = "utf-8-sig"
    try:
        text = data.decode("gb18030" if named.lower() in ("gbk", "gb2312") else named)
    except (UnicodeDecodeError, LookupError) as error:
        raise _refused("its bytes are not of the encoding that it declares") from error
    return _DECLARATION.sub("", text.rstrip("\0 "), count=1)


def _refused(why: str) -> BadInput:
    return BadInput(
        f"the CDA document cannot be cleaned: {why}",
        remedy="ask the sender for a plain CDA Release 2 document",
        code="encapsulated-document",
    )


def _local(element: Element) -> str:
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _words(element: Element) -> str:
    return " ".join(" ".join(element.itertext()).split())


def _nothing(_element: Element, _parent: Element, _known: KnownValues) -> None:
    return


def _learn_name(element: Element, parent: Element, known: KnownValues) -> None:
    parts = {n: " ".join(_words(e) for e in element if _local(e) == n) for n in _NAMES}
    if parts["family"] or parts["given"]:
        known.add_names([f"{parts['family']}^{parts['given']}"])
    elif _words(element):
        if _local(parent) in _PERSONS or "erson" in _local(parent):
            known.add_names([_words(element)])
        else:
            known.phrases.add(_words(element))


def _learn_id(element: Element, _parent: Element, known: KnownValues) -> None:
    if extension := element.get("extension", "").strip():
        known.ids.add(extension)


def _learn_telecom(element: Element, _parent: Element, known: KnownValues) -> None:
    if value := element.get("value", "").partition(":")[2] or element.get("value", ""):
        known.ids.add(value.strip())


def _learn_address(element: Element, _parent: Element, known: KnownValues) -> None:
    lines = [_words(e) for e in element if _local(e) in ("streetAddressLine", "streetName")]
    known.phrases.update(line for line in [*lines, _words(element)] if line)


def _learn_birth(element: Element, _parent: Element, known: KnownValues) -> None:
    known.dates.add(element.get("value", ""))


_LEARN: dict[str, Callable[[Element, Element, KnownValues], None]] = {
    "name": _learn_name,
    "id": _learn_id,
    "telecom": _learn_telecom,
    "addr": _learn_address,
    "birthTime": _learn_birth,
}


@dataclass
class _Cleaner:
    how: Rewriting

    def walk(self, element: Element, *, in_patient: bool) -> None:
        name = _local(element)
        in_patient = in_patient or name == "patientRole"
        for key in [k for k in element.attrib if k in _DROPPED]:
            if not (key == "extension" and name in ("typeId", "templateId")):
                del element.attrib[key]
        if name == "name":
            _mask(element, self.how.pseudonym if in_patient else "")
        elif name in _MASKED or (name == "administrativeGenderCode" and not self.how.keep_sex):
            _mask(element, "")
        elif name in ("id", "setId"):
            self._identifier(element)
        elif name in _TIMES or element.get(f"{{{XSI}}}type", "").split(":")[-1] in _TIME_TYPES:
            self._time(element)
        elif name == "reference" and not element.get("value", "#").startswith("#"):
            del element.attrib["value"]
        for child in element:
            self.walk(child, in_patient=in_patient)

    def _identifier(self, element: Element) -> None:
        root = element.get("root", "")
        if root:
            element.set("root", self.how.map_uid(root))

    def _time(self, element: Element) -> None:
        value = element.get("value")
        if value is None:
            return
        moved = self.how.move(value) if _TIME.fullmatch(value) else None
        if moved is None:
            del element.attrib["value"]
            element.set("nullFlavor", "MSK")
        else:
            element.set("value", moved)


def _mask(element: Element, text: str) -> None:
    tail = element.tail
    element.clear()
    element.tail = tail
    if text:
        element.text = text
    else:
        element.set("nullFlavor", "MSK")


def _pieces(element: Element) -> Iterator[tuple[Any, str, str]]:
    """Yield (holder, 'text' or 'tail', what divides it from the piece before)."""
    gap = "" if _local(element) in _INLINE else "\n"
    yield element, "text", gap
    for child in element:
        yield from _pieces(child)
        yield child, "tail", "" if _local(child) in _INLINE else "\n"


def _sweep_text(root: Element, sweep: Sweep) -> list[str]:
    holders: list[tuple[Any, str, int, int]] = []
    parts: list[str] = []
    place = 0
    for holder, which, gap in _pieces(root):
        text = getattr(holder, which) or ""
        if _BINARY_TEXT.search(text):
            raise BadInput(
                "the CDA document carries encoded binary content",
                remedy="send the attachment as an object of its own",
                code="document-attachment",
            )
        if text:
            holders.append((holder, which, place + len(gap), place + len(gap) + len(text)))
            parts.append(gap + text)
            place += len(gap) + len(text)
    whole = "".join(parts)
    spans = sweep.spans(whole)
    starts, ends = [a for a, _, _ in spans], [b for _, b, _ in spans]
    for holder, which, start, end in holders:
        first = bisect_right(ends, start)
        last = bisect_left(starts, end)
        cut = [(a, b) for a, b, _ in spans[first:last]]
        if cut:
            edges = [start, *(x for a, b in cut for x in (max(a, start), min(b, end))), end]
            kept = [whole[a:b] for a, b in list(pairwise(edges))[::2]]
            setattr(holder, which, "".join(kept))
    return [kind for _, _, kind in spans]


def _sweep_attributes(root: Element, sweep: Sweep) -> list[str]:
    kinds: list[str] = []
    if sweep.spans(" ".join({_local(e) for e in root.iter()})):
        raise _refused("the name of an element identifies the patient")
    for element in root.iter():
        name = _local(element)
        for key, value in list(element.attrib.items()):
            oid = key in ("root", "codeSystem") and _OID.fullmatch(value)
            if oid or (key == "value" and name in _TIMES):
                continue
            spans = sweep.spans(value)
            if spans:
                del element.attrib[key]
                kinds.extend(kind for _, _, kind in spans)
    return kinds
