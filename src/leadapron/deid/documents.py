"""Encapsulated documents (0042,0011): cleaned by their kind, replaced by a dummy, or refused."""

from __future__ import annotations

from typing import Any

from pydicom.dataelem import DataElement

from leadapron.deid import dates, identity
from leadapron.deid.cda import MINIMAL, Cda, Rewriting
from leadapron.deid.engine import Walk
from leadapron.deid.report import Entry
from leadapron.deid.rules import rule_for
from leadapron.deid.sweep import Blob, Sweep
from leadapron.deid.table import Action
from leadapron.model import BadInput

SOP_CLASSES = "1.2.840.10008.5.1.4.1.1.104."
LENGTH = 0x00420015
DUMMY = b"\0\0"


def is_document(sop_class: str) -> bool:
    """Return whether the object is nothing but a document."""
    return sop_class.startswith(SOP_CLASSES)


def read_documents(walk: Walk) -> dict[int, Cda]:
    """Parse the CDA documents of an object and let the known values learn from them."""
    if not walk.profile.clean_descriptors:
        return {}
    found = {}
    for index, blob in enumerate(walk.documents):
        data = _data(blob)
        if _is_xml(data):
            found[index] = Cda(data)
            found[index].learn(walk.known)
    return found


def clean_documents(
    walk: Walk, sweep: Sweep, parsed: dict[int, Cda], sop_class: str
) -> list[tuple[str, str]]:
    """Replace every document of the object by its clean form; return (path, kind) findings.

    Without the Clean Descriptors Option the table's D is a blank document of the same kind.
    """
    findings: list[tuple[str, str]] = []
    for index, blob in enumerate(walk.documents):
        data = _data(blob)
        if walk.profile.clean_descriptors:
            clean, kinds = _cleaned(walk, sweep, data, parsed.get(index), sop_class)
        else:
            clean, kinds = _dummy(data, sop_class), []
        findings.extend((blob.path, kind) for kind in kinds)
        _replace(walk, blob, data, clean)
    return findings


def _cleaned(
    walk: Walk, sweep: Sweep, data: bytes, cda: Cda | None, sop_class: str
) -> tuple[bytes, list[str]]:
    if cda is not None:
        return cda.clean(_rewriting(walk, sweep, sop_class), sweep)
    if _is_pdf(data):
        from leadapron.deid.pdf import clean_pdf

        return clean_pdf(data, sweep)
    return _unknown(sop_class), ["document-removed"]


def _rewriting(walk: Walk, sweep: Sweep, sop_class: str) -> Rewriting:
    profile = walk.profile

    def move(value: str) -> str | None:
        if profile.retain_longitudinal_full_dates:
            return value
        return dates.shift(value, walk.days) if profile.shift_dates else None

    sex = rule_for(profile, sop_class, 0, identity.SEX, "CS").action is Action.KEEP
    return Rewriting(walk.patient, sweep.map_uid, move, keep_sex=sex)


def _dummy(data: bytes, sop_class: str) -> bytes:
    if _is_xml(data):
        return MINIMAL
    if _is_pdf(data):
        from leadapron.deid.pdf import blank

        return blank()
    return _unknown(sop_class)


def _unknown(sop_class: str) -> bytes:
    if is_document(sop_class):
        raise BadInput(
            "the document inside the object is neither PDF nor CDA",
            remedy="look at the document and release or delete it",
            code="encapsulated-document",
        )
    return DUMMY


def _replace(walk: Walk, blob: Blob, data: bytes, clean: bytes) -> None:
    holder: dict[Any, Any] = blob.holder
    padded = clean + b"\0" * (len(clean) % 2)
    holder[blob.tag] = DataElement(blob.tag, "OB", padded)
    if LENGTH in holder:
        length = DataElement(LENGTH, "UL", len(clean))
        holder[length.tag] = length
    before, after = walk.vault.fingerprint(data), walk.vault.fingerprint(clean)
    walk.entries.append(
        Entry(blob.path, "EncapsulatedDocument", blob.code, Action.DUMMY.value, before, after)
    )


def _data(blob: Blob) -> bytes:
    value: Any = blob.holder[blob.tag].value
    return bytes(value or b"")


def _is_pdf(data: bytes) -> bool:
    return b"%PDF-" in data[:1024]


def _is_xml(data: bytes) -> bool:
    start = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    return start.startswith((b"<", b"\xff\xfe<", b"\xfe\xff\0<"))
