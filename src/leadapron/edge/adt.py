"""What ADT messages say about who is who: corrections (A08, A31) and merges (A40 and kin)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from leadapron.edge.hl7 import Hl7Error, Message, Segment

CORRECTIONS = frozenset({"A08", "A31"})
MERGES = frozenset({"A18", "A34", "A40", "A47"})
"""A18, A34 and A40 merge patients, A47 changes a number; all put MRG-1 into PID-3 (3.3.18 ff.)."""

_OWN_NUMBER = ("MR", "PI", "PT")
_SEXES = {"M": "M", "F": "F", "O": "O", "A": "O"}
_NULL = '""'
_IDEOGRAPHIC = re.compile(r"[⺀-鿿豈-﫿가-힣\U00020000-\U0003ffff]")


@dataclass(frozen=True)
class Person:
    """What a message says about a patient; None: nothing, "": that there is none (any more)."""

    number: str
    name: str | None = None
    birth_date: str | None = None
    sex: str | None = None


@dataclass(frozen=True)
class Merge:
    """The number `old` is given up; its patient is `onto`."""

    old: str
    onto: Person


Step = Merge | Person


def steps_of(message: Message, authority: str = "") -> tuple[Step, ...]:
    """Return what an ADT message asks for, in its order.

    `authority` names whose numbers the modalities put into Patient ID (CX.4); empty: a patient
    may have one number only, or one of type MR, PI or PT.

    Raises Hl7Error: another message or event, or one that does not say clearly who is meant.
    """
    kind, event = message.event
    if kind != "ADT":
        raise Hl7Error("only ADT messages are taken", number=200, ack="AR", code="hl7-type")
    if event not in CORRECTIONS | MERGES:
        raise Hl7Error(
            "this ADT event is not taken",
            number=201,
            ack="AR",
            remedy=f"send only {', '.join(sorted(CORRECTIONS | MERGES))}",
            code="hl7-event",
        )
    steps: list[Step] = []
    for patient, merged in _groups(message):
        person = _person(patient, authority)
        if merged is None and event in MERGES:
            raise Hl7Error("a PID without an MRG in a merge", number=100, code="hl7-structure")
        for old in _numbers(merged, (1,), authority) if merged else []:
            steps.append(Merge(old, person))
        steps.append(person)
    return tuple(steps)


def _groups(message: Message) -> list[tuple[Segment, Segment | None]]:
    found: list[tuple[Segment, Segment | None]] = []
    for segment in message.segments[1:]:
        if segment.name == "MSH":
            raise Hl7Error("two messages in one frame", number=100, ack="AR", code="hl7-structure")
        if segment.name == "PID":
            found.append((segment, None))
        elif segment.name == "MRG":
            if not found or found[-1][1] is not None:
                raise Hl7Error("an MRG without a PID of its own", number=100, code="hl7-structure")
            found[-1] = (found[-1][0], segment)
    if not found:
        raise Hl7Error("the message has no PID", number=100, code="hl7-structure")
    return found


def _person(patient: Segment, authority: str) -> Person:
    numbers = _numbers(patient, (3, 2), authority)
    if len(numbers) > 1:
        raise Hl7Error(
            "PID-3 gives several numbers for one patient",
            number=204,
            remedy="set hl7_authority to the assigning authority of the imaging numbers",
            code="hl7-ambiguous-number",
        )
    return Person(numbers[0], _name(patient), _birth_date(patient), _sex(patient))


def _numbers(segment: Segment, fields: tuple[int, ...], authority: str) -> list[str]:
    """Return the patient numbers (CX) of the first of `fields` that holds any, each once."""
    for field in fields:
        found = [r for r in segment.repetitions(field) if r[0][0].strip() not in {"", _NULL}]
        if found:
            chosen = _of_authority(found, authority)
            numbers = list(dict.fromkeys(r[0][0].strip() for r in chosen))
            for number in numbers:
                _check_number(segment, number)
            if numbers:
                return numbers
    raise Hl7Error(
        f"the segment {segment.name} gives no patient number of the imaging department",
        number=204,
        remedy="send it in PID-3 and MRG-1, and compare hl7_authority with CX.4",
        code="hl7-no-number",
    )


def _of_authority(found: list[list[list[str]]], authority: str) -> list[list[list[str]]]:
    if authority:
        wanted = authority.casefold()
        return [r for r in found if len(r) > 3 and wanted in {s.strip().casefold() for s in r[3]}]
    if len(found) == 1:
        return found
    for kind in _OWN_NUMBER:
        typed = [r for r in found if len(r) > 4 and r[4][0].strip().upper() == kind]
        if typed:
            return typed
    return found


def _check_number(segment: Segment, number: str) -> None:
    # PS3.5 6.2, LO: what a modality could have put into Patient ID.
    if len(number) > 64 or "\\" in number or any(ord(c) < 0x20 for c in number):
        raise Hl7Error(f"a number in {segment.name} cannot be a Patient ID", number=102)


def _name(patient: Segment) -> str | None:
    """Return PID-5 as a DICOM person name: alphabetic=ideographic=phonetic (PS3.5 6.2.1)."""
    groups = ["", "", ""]
    for repetition in patient.repetitions(5):
        parts = [" ".join(c[0].split()) for c in repetition] + [""] * 8
        family, given, middle, suffix, prefix = parts[:5]
        if parts[6] not in {"", "L", "D"} or family == _NULL:
            continue
        name = "^".join((family, given, middle, prefix, suffix)).rstrip("^")
        group = {"A": 0, "I": 1, "P": 2}.get(parts[7])
        if group is None:
            group = 1 if groups[0] and _IDEOGRAPHIC.search(name) else 0
        groups[group] = groups[group] or name
    joined = "=".join(g.replace("=", " ") for g in groups).rstrip("=")
    return joined or None


def _birth_date(patient: Segment) -> str | None:
    text = patient.text(7)
    if text == _NULL:
        return ""
    if len(text) < 8:
        return None
    try:
        date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        raise Hl7Error("PID-7 is no date", number=102, code="hl7-birth-date") from None
    return text[:8]


def _sex(patient: Segment) -> str | None:
    text = patient.text(8).upper()
    return "" if text == _NULL else _SEXES.get(text)
