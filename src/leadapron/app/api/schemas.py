"""What the console's API speaks: one pydantic model per answer.

Paths (all under ``/api``, JSON, cookie session ``leadapron`` + header ``X-CSRF`` on writes):

==========================  ======  =================================================
path                        method  answer
==========================  ======  =================================================
/session                    GET     Session (401 Problem when nobody is signed in)
/session                    POST    SignIn → Session
/session/link               POST    LinkSignIn → Session (one-time link of the demo)
/session                    DELETE  204
/overview                   GET     Overview
/worklist                   GET     list[WorkItem]
/films/{sop_instance}/view  POST    OpenedView (ledgered before the answer)
/films/{sop_instance}/identity  POST  Identity (reader with an active order; ledgered)
/views                      GET     list[ViewRow] (newest first; ?limit=)
/trace                      POST    multipart ``file`` + ``purpose`` (+ ``case``) → TraceResult
/trace/{id}…                        see trace_schemas
/cases                      GET     list[Case]
/cases/{id}                 GET     Case
/ledger                     GET     LedgerPage (?before=&limit=)
/ledger/verify              POST    LedgerVerification
/quarantine                 GET     list[QuarantineItem]
==========================  ======  =================================================

Errors are ``Problem`` with the error family's HTTP status. Pixels come only from DICOMweb:
``/dicom-web/studies/{s}/series/{e}/instances/{i}/frames/1`` and ``…/metadata`` with the same
cookie; a view must be allowed by policy there too, whatever the console did before.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field


class Problem(BaseModel):
    """An error: stable code, sentence, remedy."""

    code: str
    message: str
    remedy: str = ""
    reasons: list[ReasonText] = []


class ReasonText(BaseModel):
    """A reason slug with its sentence in both languages."""

    code: str
    en: str
    zh: str


class Coded(BaseModel):
    """A coded name in both languages."""

    code: str
    en: str
    zh: str


class SignIn(BaseModel):
    """Name and password."""

    user: str
    password: str


class LinkSignIn(BaseModel):
    """The one-time token that the demo prints behind ``#link=``."""

    token: str


class Session(BaseModel):
    """Who is signed in. `csrf` goes back in the header X-CSRF on every write."""

    user: str
    display: str
    role: str
    csrf: str


class EdgeState(BaseModel):
    """The gateway's counters. Times are UTC."""

    ae_title: str
    port: int
    spooled: int
    processed: int
    quarantined: int
    last_received_at: datetime | None = None
    p50_ms: float | None = None


class LedgerState(BaseModel):
    """Where the log stands."""

    size: int
    root: str
    checkpoint_at: datetime | None = None


class Overview(BaseModel):
    """The first screen: is everything flowing, is anything wrong?"""

    now: datetime
    films: int
    patients: int
    views_today: int
    refused_today: int
    edge: EdgeState
    ledger: LedgerState
    breaker: str = Field(description="closed, open or half-open")
    open_cases: list[Case] = []
    views_by_hour: list[int] = Field(default=[], description="24 counts, oldest first")


class WorkItem(BaseModel):
    """One order of the signed-in reader with its film. Everything is pseudonymous."""

    order: str
    accession: str
    patient: str
    need: Coded
    regions: list[Coded]
    status: str
    valid_until: datetime
    study_instance: str
    series_instance: str
    sop_instance: str
    modality: str
    study_date: str
    received_at: datetime
    rows: int
    columns: int


class OpenedView(BaseModel):
    """A granted view. Outlines are closed polylines in pixel coordinates (column, row)."""

    view_id: str
    order: str
    study_instance: str
    series_instance: str
    sop_instance: str
    rows: int
    columns: int
    regions: list[Coded]
    outlines: dict[str, list[list[tuple[float, float]]]]
    background: str
    psnr_db: float
    ledger_index: int
    at: datetime
    reasons: list[ReasonText]


class Identity(BaseModel):
    """A patient's name beside, never in, the image."""

    patient: str
    name: str
    sex: str
    birth_date: str
    ledger_index: int


class ViewRow(BaseModel):
    """One access, allowed or refused, from the ledger's view of the world."""

    ledger_index: int
    at: datetime
    recipient: str
    recipient_display: str
    sop_instance: str
    order: str
    regions: list[Coded]
    allowed: bool
    view_id: str = ""
    channel: str
    reasons: list[ReasonText]


class CaseStep(BaseModel):
    """One step of the playbook with its time."""

    code: str
    en: str
    zh: str
    due_at: datetime
    done_at: datetime | None = None


class Case(BaseModel):
    """A case (安全事件) and its clock. `due_at` is two hours after `opened_at`."""

    id: str
    level: str
    title_en: str
    title_zh: str
    opened_at: datetime
    due_at: datetime
    closed_at: datetime | None = None
    sop_instance: str | None = None
    view_id: str | None = None
    recipient_display: str | None = None
    waiting: int = Field(default=0, description="results that wait for a second person")
    steps: list[CaseStep] = []


class LedgerEntry(BaseModel):
    """One leaf, as a person reads it."""

    index: int
    at: datetime
    kind: str
    summary: dict[str, object]
    leaf_hash: str


class LedgerPage(BaseModel):
    """A page of the log, newest first."""

    size: int
    root: str
    checkpoint: str
    entries: list[LedgerEntry]


class LedgerVerification(BaseModel):
    """What an independent pass over all bytes found."""

    intact: bool
    size: int
    root: str
    problems: list[str]
    elapsed_ms: int


class QuarantineItem(BaseModel):
    """One object that waits for a person. No identity, only why and what to do."""

    id: str
    received_at: datetime
    calling_ae: str
    code: str
    message: str
    remedy: str
    size: int
