"""`deidentify`: one data set in, a clean copy and its record out."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import lru_cache

from pydicom import Dataset, config
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import FileMetaDataset
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    AllTransferSyntaxes,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

import leadapron
from leadapron.deid import identity
from leadapron.deid.charsets import CharacterSet, character_set
from leadapron.deid.codestreams import trim_pixels
from leadapron.deid.devices import proven_clean
from leadapron.deid.documents import clean_documents, read_documents
from leadapron.deid.encode import sequence_bytes
from leadapron.deid.engine import Walk
from leadapron.deid.frames import syntax
from leadapron.deid.graphics import clean_overlays, clear_unused_bits, has_embedded
from leadapron.deid.kinds import unclean
from leadapron.deid.profile import Profile
from leadapron.deid.reading import Encoding, as_raw
from leadapron.deid.report import Reason, Report
from leadapron.deid.result import DeidResult
from leadapron.deid.rules import rules
from leadapron.deid.structured import clean_content
from leadapron.deid.sweep import Sweep
from leadapron.deid.table import EDITION, attribute_type
from leadapron.deid.values import Element, texts
from leadapron.deid.vault import FILM, PATIENT, Link, Vault
from leadapron.model import BadInput, LeadApronError

_METHOD_CODES = BaseTag(0x00120064)
_SYNTAX = BaseTag(0x00020010)
_META_HEAD: dict[BaseTag, Element] = {
    BaseTag(0x00020000): DataElement(0x00020000, "UL", 0),
    BaseTag(0x00020001): DataElement(0x00020001, "OB", b"\0\1"),
}
IMPLEMENTATION_CLASS_UID = "2.25.212345018743305519620946071215230391742"


def deidentify(ds: Dataset, profile: Profile | str, vault: Vault) -> DeidResult:
    """Return a de-identified copy of `ds` (PS3.15 Annex E) with its report.

    `ds` is not changed. `profile` is a Profile or the name of one (``basic``, ``gateway``).
    An object that cannot be proven clean comes back without a data set and with the reasons in
    `quarantine`; only a programming error raises.
    """
    chosen = Profile.of(profile)
    report = Report(profile=dict(_facts(chosen)), edition=EDITION)
    try:
        out = _deidentify(ds, chosen, vault, report)
    except LeadApronError as error:
        report.quarantine.append(Reason(error.slug, error.message))
    except Exception as error:  # a hostile object must not stop the gateway
        report.quarantine.append(Reason("unreadable", f"cannot be read: {type(error).__name__}"))
    if report.quarantine:
        return DeidResult(None, report, tuple(report.quarantine))
    return DeidResult(out, report)


def _deidentify(ds: Dataset, profile: Profile, vault: Vault, report: Report) -> Dataset:
    _check_syntax(ds)
    reason = unclean(ds)
    if reason is not None:
        report.quarantine.append(reason)
        return ds
    chars = character_set(ds)
    sop_class = _text(ds, identity.SOP_CLASS, chars)
    patient = _patient(ds, chars)
    pseudonym = vault.pseudonym(PATIENT, patient)
    days = vault.shift_days(patient) if profile.shift_dates else 0
    content = clean_content if profile.clean_structured_content else None
    walk = Walk(profile, vault, rules(profile, sop_class), pseudonym, days, content)
    out = walk.dataset(ds, chars=chars)
    parsed = read_documents(walk)
    sweep = Sweep(
        walk.known, walk.map_uid, lambda tag, parent: attribute_type(sop_class, parent, tag) == "1"
    )
    sweep.held, sweep.blobs = walk.held, walk.blobs
    report.sweep = sweep
    report.findings.extend(sweep.run())
    report.findings.extend(clean_documents(walk, sweep, parsed, sop_class))
    if walk.documents:
        out.BurnedInAnnotation = "NO"
    _mark(out, profile)
    _encode(ds, out, chars)
    walk.notes.extend(trim_pixels(out, syntax(out)))
    if "PixelData" in out and has_embedded(ds):
        clear_unused_bits(out, profile.max_pixels)
    if profile.clean_graphics:
        walk.notes.extend(clean_overlays(out))
    if profile.clean_pixels:
        _clean_pixels(out, ds, profile, report)
    if profile.recipients:
        _encrypt(out, ds, profile, report)
    walk.links.append(Link(PATIENT, patient, pseudonym, _details(ds, chars)))
    report.sop_class, report.patient = sop_class, pseudonym
    report.sop_instance = str(out.get("SOPInstanceUID", ""))
    vault.remember([*walk.links, Link(FILM, patient, report.sop_instance)])
    report.date_shifted = profile.shift_dates
    report.entries, report.notes = walk.entries, walk.notes
    report.character_set = "\\".join(chars.label)
    report.maps = [(link.kind, link.original, link.pseudonym) for link in walk.links]
    return out


def _check_syntax(ds: Dataset) -> None:
    """Refuse transfer syntaxes that nobody can read, private ones included (PS3.6 A)."""
    meta = getattr(ds, "file_meta", None)
    used = meta.get("TransferSyntaxUID") if meta is not None else None
    if used and UID(str(used)) not in AllTransferSyntaxes:
        raise BadInput(
            f"unknown transfer syntax {used}",
            remedy="let the sender use a standard transfer syntax",
            code="unknown-transfer-syntax",
        )


def _clean_pixels(out: Dataset, ds: Dataset, profile: Profile, report: Report) -> None:
    """Fill burned-in text; what is still readable afterwards quarantines the object."""
    from leadapron.deid.pixels import clean_pixels

    if proven_clean(ds, profile.clean_devices):
        report.pixels = {"examined": False, "because": "the device is proven clean and says so"}
        return
    done = clean_pixels(out, allowed=profile.allow_marks, max_pixels=profile.max_pixels)
    report.boxes = done.boxes
    report.pixels = {"examined": done.examined, "boxes": len(done.boxes)}
    report.quarantine.extend(done.left)
    report.patches = done.patches if profile.recipients else []
    if done.examined:
        out.BurnedInAnnotation = "NO"


def _encrypt(out: Dataset, ds: Dataset, profile: Profile, report: Report) -> None:
    from cryptography.x509 import load_pem_x509_certificate

    from leadapron.deid.reversible import add_encrypted_attributes

    recipients = [
        load_pem_x509_certificate(r) if isinstance(r, bytes) else r for r in profile.recipients
    ]
    add_encrypted_attributes(out, ds, recipients, patches=report.patches)
    report.patches = []
    report.notes.append(f"identity encrypted for {len(recipients)} recipients")


@lru_cache(maxsize=64)
def _facts(profile: Profile) -> dict[str, object]:
    facts = {k: sorted(v) if isinstance(v, frozenset) else v for k, v in asdict(profile).items()}
    return {**facts, "recipients": len(profile.recipients)}


def _text(ds: Dataset, tag: int, chars: CharacterSet) -> str:
    element = ds.get_item(tag) if tag in ds else None
    values = texts(element, chars) if element is not None and element.value else []
    return values[0] if values else ""


def _patient(ds: Dataset, chars: CharacterSet) -> str:
    """Return what tells this patient from others: the ID, or name and birth date, or the study."""
    number = _text(ds, identity.PATIENT_ID, chars)
    if number:
        return number
    name = _text(ds, identity.PATIENT_NAME, chars).strip("^ ")
    if name:
        return f"{name}|{_text(ds, identity.BIRTH_DATE, chars)}"
    study = _text(ds, identity.STUDY_UID, chars) or _text(ds, identity.INSTANCE_UID, chars)
    return f"study|{study}"


def _details(ds: Dataset, chars: CharacterSet) -> str:
    places = {
        "name": identity.PATIENT_NAME,
        "id": identity.PATIENT_ID,
        "issuer": identity.ISSUER,
        "birth_date": identity.BIRTH_DATE,
        "sex": identity.SEX,
    }
    found = {key: _text(ds, tag, chars) for key, tag in places.items()}
    return json.dumps({k: v for k, v in found.items() if v}, ensure_ascii=False)


def _mark(out: Dataset, profile: Profile) -> None:
    """Say in the object what was done (PS3.3 C.7.1.1, C.12.1; PS3.15 E.1.1)."""
    kept = profile.retain_longitudinal_full_dates
    temporal = "MODIFIED" if profile.shift_dates else "UNMODIFIED" if kept else "REMOVED"
    method = f"LeadApron {leadapron.__version__}, PS3.15 {EDITION}"
    implicit, little = encoding = out.original_encoding
    for tag, vr, value in (
        (BaseTag(0x00120062), "CS", "YES"),
        (BaseTag(0x00120063), "LO", method),
        (BaseTag(0x00280303), "CS", temporal),
    ):
        out[tag] = _element(tag, vr, value, encoding)
    if little is False:
        out.DeidentificationMethodCodeSequence = [Dataset(dict(c)) for c in _codes(profile)]
        return
    codes = _encoded_codes(profile, bool(implicit))
    out[_METHOD_CODES] = RawDataElement(
        _METHOD_CODES, "SQ", len(codes), codes, 0, bool(implicit), True
    )


def _element(tag: BaseTag, vr: str, value: str, encoding: Encoding) -> Element:
    raw = as_raw(tag, vr, value, encoding)
    return raw or DataElement(tag, vr, value, validation_mode=config.IGNORE)


@lru_cache(maxsize=64)
def _codes(profile: Profile) -> tuple[dict[BaseTag, DataElement], ...]:
    return tuple(
        {
            e.tag: e
            for e in (
                DataElement(0x00080100, "SH", value),
                DataElement(0x00080102, "SH", "DCM"),
                DataElement(0x00080104, "LO", meaning),
            )
        }
        for value, meaning in profile.methods
    )


@lru_cache(maxsize=64)
def _encoded_codes(profile: Profile, implicit: bool) -> bytes:
    return sequence_bytes([Dataset(dict(c)) for c in _codes(profile)], implicit)


def _encode(ds: Dataset, out: Dataset, chars: CharacterSet) -> None:
    """Give the copy a new file meta and the encoding of its raw elements; no preamble."""
    implicit, _ = ds.original_encoding
    old = getattr(ds, "file_meta", None)
    default = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    used = syntax(ds) if old is not None and "TransferSyntaxUID" in old else default
    if used == DeflatedExplicitVRLittleEndian:
        used = ExplicitVRLittleEndian  # few readers inflate; the content is the same
    facts = (
        ("UI", 0x00020002, _text(out, identity.SOP_CLASS, chars)),
        ("UI", 0x00020003, _text(out, identity.INSTANCE_UID, chars)),
        ("UI", 0x00020012, IMPLEMENTATION_CLASS_UID),
        ("SH", 0x00020013, "LEADAPRON"),
    )
    elements = (_element(BaseTag(tag), vr, value, (False, True)) for vr, tag, value in facts)
    meta = FileMetaDataset({**_META_HEAD, **{e.tag: e for e in elements}})
    meta[_SYNTAX] = DataElement(_SYNTAX, "UI", used, validation_mode=config.IGNORE)
    out.file_meta = meta
    out.preamble = bytes(128)
