"""What the API speaks about identities outside care, and repairs of whose film is whose."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from leadapron.delivery.identities import MOST

Pseudonym = Field(max_length=64, description="A patient's pseudonym.")
Why = Field(max_length=2000, description="In words, without a name; 10 characters or more.")


class ReidentificationRequest(BaseModel):
    """Whom to re-identify, and why; needs a second person's consent."""

    pseudonyms: list[str] = Field(min_length=1, max_length=MOST)
    purpose: str = Field(max_length=64, description="One of /approvals/actions.")
    reason: str = Why


class KnownIdentity(BaseModel):
    """What stands behind one pseudonym: of a patient, an accession or a UID."""

    pseudonym: str
    kind: str
    original: str
    name: str
    sex: str
    birth_date: str
    ledger_index: int


class NamedPatient(BaseModel):
    """A patient by the number that modalities send as Patient ID; kept in the vault if new."""

    number: str = Field(min_length=1, max_length=64)
    name: str | None = Field(default=None, max_length=200, description="As in DICOM (PS3.5 6.2).")
    birth_date: str | None = Field(default=None, pattern=r"^(\d{8})?$")
    sex: Literal["M", "F", "O"] | None = None


class MoveRequest(BaseModel):
    """A study was filed under the wrong patient: give it to `patient`, or to `identity`."""

    study: str = Field(max_length=64)
    patient: str = Field(default="", max_length=64)
    identity: NamedPatient | None = None
    order: str = Field(default="", max_length=64, description="The order that it belongs to.")
    reason: str = Why


class MergeRequest(BaseModel):
    """Two pseudonyms are one patient: `old` is given up for `onto`."""

    old: str = Pseudonym
    onto: str = Pseudonym
    reason: str = Why


class UnmergeRequest(BaseModel):
    """The merge of `old` was wrong."""

    old: str = Pseudonym
    reason: str = Why


class RepairResult(BaseModel):
    """What a repair did. `views`: views given of its films before; some may have been wrong."""

    changed: bool
    films: list[str]
    views: int


class MergedPatient(BaseModel):
    """One merge in force."""

    old: str
    onto: str
    at_ms: int
    ledger_index: int
