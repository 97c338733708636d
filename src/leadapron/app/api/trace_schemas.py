"""What the API speaks about traces (泄露溯源).

==============================  ======  ==================================================
path                            method  answer
==============================  ======  ==================================================
/trace                          POST    multipart ``file`` + ``purpose`` (+ ``case``) → TraceResult
/trace/{id}                     GET     TraceResult as the caller may see it now
/trace/{id}/ask                 POST    Ask → TraceResult: ask for a second person
/trace/{id}/confirm, /refuse    POST    Note → TraceResult: the second person's answer
/trace/{id}/copy.jpg            GET     the leaked picture, small
/trace/{id}/{n}/overlay.png     GET     the picture laid over what its reader saw
/trace/{id}/{n}/heatmap.png     GET     what is left over
/trace/{id}/report.pdf          GET     the report (?language=zh-CN or en)
/trace/{id}/evidence.json       GET     record and inclusion proofs, for an expert
/cases/{id}/traces              GET     list[TraceResult]
/cases/{id}/contain             POST    Case: withdraw access before anybody is named
==============================  ======  ==================================================
"""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from leadapron.app.api.schemas import Coded


class Candidate(BaseModel):
    """One view that the copy points to. It names a view event, not the person who leaked it."""

    view_id: str
    recipient: str
    recipient_display: str
    order: str
    regions: list[Coded]
    at: datetime
    ledger_index: int
    z: float | None = None
    p_value: float | None = None


class Decoys(BaseModel):
    """Invented views that were measured like the real ones."""

    count: int
    mean: float
    sd: float
    max: float
    z: list[float]


class TracedFilm(BaseModel):
    """One film that was tried in one picture of the copy.

    `box` is the part of the picture: top, left, bottom, right. `views`, `z`, `p_value` and
    `decoys` are there once two people want the views named, and for the second person.
    """

    sop_instance: str
    frame: int
    picture: int
    at_ms: int
    box: list[int]
    whole: bool = Field(description="whether `box` is the whole picture")
    verdict: str = Field(description="traced, waiting, refused or inconclusive")
    film_score: float = Field(
        description="agreeing feature pairs; from 50 on the film counts as found"
    )
    candidates: int
    tried: int = Field(description="N: candidates × leak chains × films tried")
    threshold: float = Field(description="the z from which p = N·exp(−z²/2) ≤ 1e-6")
    views: list[Candidate] = []
    decoys: Decoys | None = None
    overlay: str | None = None
    heatmap: str | None = None


class Second(BaseModel):
    """The second person's part (双人审批)."""

    approval: str | None = None
    state: str = Field(description="not-asked, pending, confirmed or refused")
    asked_by: str = ""
    decided_by: str = ""
    note: str = ""
    expires_at: datetime | None = None
    may_ask: bool = False
    may_decide: bool = False


class Copy(BaseModel):
    """What was submitted."""

    sha256: str
    size: int
    kind: str = Field(description="picture, pages, animation, dicom or video")
    frames: int


class TraceResult(BaseModel):
    """The trace of one file.

    `verdict`: ``traced`` (已指向调阅), ``waiting`` (a result waits for a second person),
    ``refused`` (the second person declined) or ``inconclusive`` (证据不足). `best`, `p_value`
    and `z` are there only when the caller may see them; z is never told outside of a case.
    """

    id: str
    verdict: str
    confirmed: bool
    best: Candidate | None = None
    p_value: float | None = None
    z: float | None = None
    candidates: int
    sop_instance: str | None = None
    film_score: float | None = None
    films: list[TracedFilm] = []
    second: Second | None = None
    case: str | None = None
    contained_at: datetime | None = None
    contained_by: str = ""
    overlay: str | None = None
    picture: str | None = None
    report: str | None = None
    evidence: str | None = None
    copied: Copy
    ranking: str = Field(description="SHA-256 of the record that the second person confirms")
    at: datetime
    by: str
    purpose: str
    ledger_index: int
    elapsed_ms: int


class Ask(BaseModel):
    """Why a result should be named. An empty reason repeats the trace's purpose."""

    purpose: str = "breach_investigation"
    reason: str = Field(default="", max_length=2000)
