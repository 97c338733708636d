"""What the catalogue knows of one sealed film."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Film:
    """One sealed SOP Instance; identifiers are pseudonyms, times milliseconds since 1970 UTC.

    `source_digest` is a keyed digest of what the modality sent, made by the edge: the same
    film sent twice is recognised although each sealing differs.

    `patient` is the patient's current pseudonym, whatever merges and corrections came after the
    film. The stored object is never rewritten: delivery relabels its copies, and moves their
    dates by `shift_days`. `sent_as` is the pseudonym of the number that the film was sent under;
    `sent_days` moves the object's dates to that one.
    """

    sop_instance: str
    sop_class: str
    study_instance: str
    series_instance: str
    patient: str
    accession: str
    modality: str
    study_date: str
    study_description: str
    rows: int
    columns: int
    frames: int
    transfer_syntax: str
    size: int
    sha256: str
    source_digest: str
    blob: str
    tier: str
    received_ms: int
    sent_as: str = ""
    sent_days: int = 0
    shift_days: int = 0
