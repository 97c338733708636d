"""What was done to one object, row by row, without repeating what was removed."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from leadapron.deid.sweep import Sweep


class Entry(NamedTuple):
    """One action: where, which row of the table asked, keyed hashes before and after."""

    path: str
    name: str
    row: str
    action: str
    before: str
    after: str


class Box(NamedTuple):
    """One filled rectangle: half-open pixel columns x0..x1 and rows y0..y1 of a frame."""

    frame: int
    x0: int
    y0: int
    x1: int
    y1: int


@dataclass(frozen=True)
class Reason:
    """Why an object is in quarantine: a stable slug and a sentence."""

    code: str
    message: str


@dataclass
class Report:
    """The record of one object. It may leave the hospital: it holds pseudonyms only.

    Attributes:
        entries: actions in data set order. Hashes are keyed: a short value cannot be guessed.
        findings: sweep hits, as (path, what kind); never the text.
        boxes: filled rectangles of burned-in text.
        maps: (kind, original, pseudonym). Identifying: written only by `patient_csv` and
            `uid_csv`, never part of `as_dict`.
        sweep: finds this object's known values in what stands beside it, such as a file name.
            Identifying: never part of `as_dict`.
        patches: the samples under the filled boxes, to be encrypted or dropped; never written.
    """

    profile: dict[str, Any] = field(default_factory=dict)
    edition: str = ""
    sop_class: str = ""
    sop_instance: str = ""
    patient: str = ""
    date_shifted: bool = False
    character_set: str = ""
    entries: list[Entry] = field(default_factory=list)
    findings: list[tuple[str, str]] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    pixels: dict[str, Any] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    quarantine: list[Reason] = field(default_factory=list)
    maps: list[tuple[str, str, str]] = field(default_factory=list)
    patches: list[Any] = field(default_factory=list)
    sweep: Sweep | None = field(default=None, repr=False)

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values; no original value is in them."""
        return {
            "profile": self.profile,
            "edition": self.edition,
            "sop_class": self.sop_class,
            "sop_instance": self.sop_instance,
            "patient": self.patient,
            "date_shifted": self.date_shifted,
            "character_set": self.character_set,
            "actions": dict(Counter(e.action for e in self.entries)),
            "entries": [e._asdict() for e in self.entries],
            "findings": [{"path": p, "kind": k} for p, k in self.findings],
            "boxes": [b._asdict() for b in self.boxes],
            "pixels": self.pixels,
            "digests": self.digests,
            "notes": self.notes,
            "quarantine": [{"code": r.code, "message": r.message} for r in self.quarantine],
        }


def patient_csv(reports: Iterable[Report]) -> str:
    """Return the patient map as MIDI-B's scorer reads it: ``id_old,id_new``."""
    return _csv(("id_old", "id_new"), reports, "patient")


def uid_csv(reports: Iterable[Report]) -> str:
    """Return the UID map as MIDI-B's scorer reads it: ``id_old,id_new``."""
    return _csv(("id_old", "id_new"), reports, "uid")


def _csv(header: tuple[str, str], reports: Iterable[Report], kind: str) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(sorted({m[1:] for r in reports for m in r.maps if m[0] == kind}))
    return out.getvalue()
