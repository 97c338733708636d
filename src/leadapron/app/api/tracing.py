"""Trace a leaked picture (泄露溯源), and let a second person confirm what it points to."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Path, Query, Response, UploadFile

from leadapron.app.api.approval_schemas import Note
from leadapron.app.api.console import WATCHERS, require
from leadapron.app.api.presenting import case_answer
from leadapron.app.api.schemas import Case
from leadapron.app.api.security import Here, Reader
from leadapron.app.api.trace_answers import trace_answer
from leadapron.app.api.trace_schemas import Ask, TraceResult
from leadapron.app.auth import Principal
from leadapron.app.instance import Instance
from leadapron.incident.naming import ACT
from leadapron.incident.record import TRACED
from leadapron.incident.traces import (
    CONFIRMED,
    HEATMAP,
    OVERLAY,
    RECORD,
    THUMBNAIL,
    StoredTrace,
    picture_name,
)
from leadapron.model import Denied, LeadApronError, NotFound
from leadapron.watermark.pictures import MOST_BYTES

router = APIRouter(tags=["trace"])

Number = Annotated[int, Path(ge=0, le=99, description="Which film of the trace, from 0.")]


@router.post("/trace")
def trace(
    here: Here,
    caller: Reader,
    file: UploadFile,
    purpose: Annotated[str, Form(min_length=1, max_length=500)],
    case: Annotated[str, Form(max_length=40)] = "",
) -> TraceResult:
    """Find the views that a leaked file came from, or say that it can't be told.

    What points to a view waits for a second person; one is asked for at once.
    """
    leaked = file.file.read(MOST_BYTES + 1)
    found = here.tracing.trace(leaked, caller.user, purpose, case or None)
    stored = ask_second(here, found.stored, caller.user)
    return trace_answer(here, stored, found.record, caller.user)


def ask_second(here: Instance, stored: StoredTrace, user: str) -> StoredTrace:
    """Ask for the second person where `user` may; else the result waits to be asked for."""
    if stored.verdict != TRACED:
        return stored
    try:
        return here.naming.ask(stored.id, user)
    except Denied:
        return stored


@router.get("/trace/{trace_id}")
def one_trace(trace_id: str, here: Here, caller: Reader) -> TraceResult:
    """A trace, as the caller may see it now."""
    return _answer(here, caller, _seen(here, caller, trace_id))


@router.get("/cases/{case_id}/traces")
def traces_of_case(case_id: str, here: Here, caller: Reader) -> list[TraceResult]:
    """The traces of a case, oldest first."""
    require(here, caller, WATCHERS)
    here.cases.get(case_id)
    found = [here.naming.settled(t.id) for t in here.traces.of_case(case_id)]
    return [_answer(here, caller, stored) for stored in found]


@router.post("/trace/{trace_id}/ask")
def ask(trace_id: str, body: Ask, here: Here, caller: Reader) -> TraceResult:
    """Ask for a second person, where nobody was asked or the request ran out."""
    _seen(here, caller, trace_id)
    stored = here.naming.ask(trace_id, caller.user, purpose=body.purpose, reason=body.reason)
    return _answer(here, caller, stored)


@router.post("/trace/{trace_id}/confirm")
def confirm(trace_id: str, body: Note, here: Here, caller: Reader) -> TraceResult:
    """Confirm a result as the second person; the view is named from now on."""
    return _answer(here, caller, here.naming.confirm(trace_id, caller.user, body.note))


@router.post("/trace/{trace_id}/refuse")
def refuse(trace_id: str, body: Note, here: Here, caller: Reader) -> TraceResult:
    """Decline a result as the second person; nobody is named, access is given back."""
    return _answer(here, caller, here.naming.refuse(trace_id, caller.user, body.note))


@router.post("/cases/{case_id}/contain")
def contain(case_id: str, here: Here, caller: Reader) -> Case:
    """Withdraw the access of whom the case's copies point to, before anybody is named."""
    return case_answer(here, here.containment.contain(case_id, caller.user))


@router.get("/trace/{trace_id}/copy.jpg")
def copied(trace_id: str, here: Here, caller: Reader) -> Response:
    """The leaked picture, small."""
    stored = _seen(here, caller, trace_id)
    return Response(here.traces.file(stored.id, THUMBNAIL), media_type="image/jpeg")


@router.get("/trace/{trace_id}/overlay.png")
def overlay(trace_id: str, here: Here, caller: Reader) -> Response:
    """The leaked picture laid over what its reader saw: of the first film that points."""
    stored = _seen(here, caller, trace_id)
    results = here.traces.record(stored).results if stored.verdict == TRACED else []
    first = next((n for n, r in enumerate(results) if r["pointed"]), 0)
    return _png(here, stored, picture_name(first, OVERLAY))


@router.get("/trace/{trace_id}/{number}/overlay.png")
def overlay_of(trace_id: str, number: Number, here: Here, caller: Reader) -> Response:
    """The leaked picture laid over what its reader saw, of one film of the trace."""
    stored = _seen(here, caller, trace_id)
    return _png(here, stored, picture_name(number, OVERLAY))


@router.get("/trace/{trace_id}/{number}/heatmap.png")
def heatmap_of(trace_id: str, number: Number, here: Here, caller: Reader) -> Response:
    """What is left between the picture and what its reader saw, of one film of the trace."""
    stored = _seen(here, caller, trace_id)
    _require_shown(here, caller, stored)
    return _png(here, stored, picture_name(number, HEATMAP))


@router.get("/trace/{trace_id}/report.pdf")
def report(
    trace_id: str, here: Here, caller: Reader, language: Annotated[str, Query()] = "zh-CN"
) -> Response:
    """The report as PDF/A-2b, in zh-CN or en; the same trace gives the same bytes."""
    stored = _seen(here, caller, trace_id)
    made = here.reports.pdf(stored.id, language, caller.user)
    return _download(made, "application/pdf", f"{stored.id}-{language}.pdf")


@router.get("/trace/{trace_id}/evidence.json")
def evidence(trace_id: str, here: Here, caller: Reader) -> Response:
    """Record and inclusion proofs, for an expert: `leadapron case check` reads it offline."""
    stored = _seen(here, caller, trace_id)
    made = here.reports.evidence(stored.id, caller.user)
    return _download(made, "application/json", f"{stored.id}-evidence.json")


def _download(data: bytes, kind: str, name: str) -> Response:
    disposition = f'attachment; filename="{name}"'
    return Response(data, media_type=kind, headers={"Content-Disposition": disposition})


def _answer(here: Instance, caller: Principal, stored: StoredTrace) -> TraceResult:
    record = here.traces.record(stored) if here.traces.has(stored.id, RECORD) else None
    here.naming.note_look(stored, caller.user)
    return trace_answer(here, stored, record, caller.user)


def _seen(here: Instance, caller: Principal, trace_id: str) -> StoredTrace:
    """Return a trace that the caller may know of: their own, or any for those who watch."""
    stored = here.traces.get(trace_id)
    if stored.recipient != caller.user:
        try:
            require(here, caller, WATCHERS)
        except LeadApronError:
            raise NotFound("no such trace of yours", remedy="trace the picture again") from None
    return here.naming.settled(trace_id)


def _require_shown(here: Instance, caller: Principal, stored: StoredTrace) -> None:
    if stored.state != CONFIRMED and not here.naming.may_decide(stored, caller.user):
        raise Denied(
            "this result waits for a second person",
            remedy=f"let one decide in the console, or with `leadapron approval` ({ACT})",
            code="second-person-missing",
        )


def _png(here: Instance, stored: StoredTrace, name: str) -> Response:
    return Response(here.traces.file(stored.id, name), media_type="image/png")
