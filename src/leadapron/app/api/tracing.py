"""Trace a leaked picture (泄露溯源)."""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated

import cv2
from fastapi import APIRouter, Form, Response, UploadFile

from leadapron.app.api.presenting import coded_regions, display_name, utc
from leadapron.app.api.schemas import Candidate, TraceResult
from leadapron.app.api.security import Here, Reader
from leadapron.app.instance import Instance
from leadapron.delivery import ViewGrant
from leadapron.incident.tracing import Trace
from leadapron.model import NotFound

router = APIRouter(tags=["trace"])

KEPT_OVERLAYS = 20
MAX_PICTURE = 64 << 20
_overlays: OrderedDict[str, tuple[str, bytes]] = OrderedDict()


@router.post("/trace")
def trace(
    here: Here,
    caller: Reader,
    file: UploadFile,
    purpose: Annotated[str, Form(min_length=1, max_length=500)],
) -> TraceResult:
    """Name the view that a leaked picture came from, or say that it can't be told."""
    found = here.tracing.trace(file.file.read(MAX_PICTURE + 1), caller.user, purpose)
    return trace_answer(here, found, caller.user)


@router.get("/trace/{trace_id}/overlay.png")
def overlay(trace_id: str, caller: Reader) -> Response:
    """The leaked picture laid over the film, for the person who traced it."""
    user, png = _overlays.get(trace_id, ("", b""))
    if user != caller.user:
        raise NotFound("no such trace of yours", remedy="trace the picture again")
    return Response(png, media_type="image/png")


def trace_answer(here: Instance, found: Trace, user: str) -> TraceResult:
    """Return the API's answer; z shows only when a case was opened (no oracle for removal)."""
    if found.overlay is not None:
        _, png = cv2.imencode(".png", found.overlay[..., ::-1])
        _overlays[found.id] = (user, png.tobytes())
        while len(_overlays) > KEPT_OVERLAYS:
            _overlays.popitem(last=False)
    z = found.grants[0][1] if found.grants and found.case else None
    return TraceResult(
        id=found.id,
        verdict=found.verdict,
        best=_candidate(here, found.best, z) if found.best else None,
        p_value=found.p_value,
        z=z,
        candidates=len(found.grants),
        sop_instance=found.film.sop_instance if found.film else None,
        film_score=float(found.inliers),
        case=found.case.id if found.case else None,
        overlay=f"trace/{found.id}/overlay.png" if found.overlay is not None else None,
        ledger_index=found.ledger_index,
        elapsed_ms=found.elapsed_ms,
    )


def _candidate(here: Instance, grant: ViewGrant, z: float | None) -> Candidate:
    return Candidate(
        view_id=grant.view_id,
        recipient=grant.recipient,
        recipient_display=display_name(here, grant.recipient),
        order=grant.order_id,
        regions=coded_regions(grant.regions),
        at=utc(grant.first_ms),
        ledger_index=grant.first_ledger_index,
        z=z,
    )
