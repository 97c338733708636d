"""What of a trace whom may be shown: no oracle for removing marks, no name before two people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leadapron.app.api.presenting import coded_regions, display_name, utc
from leadapron.app.api.trace_schemas import (
    Candidate,
    Copy,
    Decoys,
    Second,
    TracedFilm,
    TraceResult,
)
from leadapron.app.instance import Instance
from leadapron.delivery import ViewGrant
from leadapron.incident.record import INCONCLUSIVE, TRACED, Record
from leadapron.incident.traces import (
    CONFIRMED,
    HEATMAP,
    OVERLAY,
    REFUSED,
    THUMBNAIL,
    WAITING,
    StoredTrace,
    picture_name,
)
from leadapron.policy import dual_action

Grants = Mapping[str, ViewGrant]


def trace_answer(
    here: Instance,
    stored: StoredTrace,
    record: Record | None,
    user: str,
    *,
    key_holder: bool = False,
) -> TraceResult:
    """Return a trace as `user` may see it now.

    `key_holder`: the caller reads the keys folder, and with it could compute the ranking alone.
    `record` is None for an inconclusive trace outside of a case: nothing of it was kept.
    """
    shown = stored.state == CONFIRMED or key_holder or here.naming.may_decide(stored, user)
    grants = here.naming.grants(record) if record and shown else {}
    films = _films(here, stored, record, grants if shown else None) if record else []
    verdict = _verdict(stored, shown=shown and stored.state != REFUSED)
    views = [view for film in films for view in film.views]
    best = min(views, key=lambda v: (v.p_value or 0.0, -(v.z or 0.0)), default=None)
    first = films[0] if films else None
    base = f"trace/{stored.id}"
    final = stored.state == CONFIRMED or (stored.verdict == INCONCLUSIVE and stored.case_id)
    return TraceResult(
        id=stored.id,
        verdict=verdict,
        confirmed=stored.state == CONFIRMED,
        best=best,
        p_value=best.p_value if best else None,
        z=best.z if best else None,
        candidates=sum(f.candidates for f in films),
        sop_instance=first.sop_instance if first else None,
        film_score=first.film_score if first else None,
        films=films,
        second=_second(here, stored, user),
        case=stored.case_id,
        contained_at=stored.contained_at,
        contained_by=display_name(here, stored.contained_by) if stored.contained_by else "",
        overlay=f"{base}/overlay.png" if any(f.overlay for f in films) else None,
        picture=f"{base}/copy.jpg" if here.traces.has(stored.id, THUMBNAIL) else None,
        report=f"{base}/report.pdf" if final else None,
        evidence=f"{base}/evidence.json" if final else None,
        copied=_copy(stored, record),
        ranking=stored.ranking,
        at=stored.at,
        by=display_name(here, stored.recipient),
        purpose=stored.purpose,
        ledger_index=stored.ledger_index,
        elapsed_ms=stored.elapsed_ms,
    )


def _verdict(stored: StoredTrace, *, shown: bool) -> str:
    if stored.verdict != TRACED:
        return INCONCLUSIVE
    return TRACED if shown else stored.state or WAITING


def _copy(stored: StoredTrace, record: Record | None) -> Copy:
    frames = int(record.content["copy"]["frames"]) if record else 1
    return Copy(sha256=stored.copy_sha256, size=stored.copy_size, kind=stored.kind, frames=frames)


def _films(
    here: Instance, stored: StoredTrace, record: Record, grants: Grants | None
) -> list[TracedFilm]:
    made = [_film(here, stored, n, r, grants) for n, r in enumerate(record.results)]
    return sorted(made, key=lambda f: f.verdict == INCONCLUSIVE)


def _film(
    here: Instance, stored: StoredTrace, number: int, result: dict[str, Any], grants: Grants | None
) -> TracedFilm:
    picture, film = result["picture"], result["film"]
    traced = result["verdict"] == TRACED
    shown = traced and grants is not None
    base = f"trace/{stored.id}"
    kept = here.traces.has(stored.id, picture_name(number, OVERLAY))
    return TracedFilm(
        sop_instance=film["sop_instance"],
        frame=film["frame"],
        picture=picture["number"],
        at_ms=picture["at_ms"],
        box=picture["box"],
        whole=picture["box"] == [0, 0, picture["rows"], picture["columns"]],
        verdict=_verdict(stored, shown=shown) if traced else INCONCLUSIVE,
        film_score=float(film["matching_features"]),
        candidates=len(result["candidates"]),
        tried=result["tried"],
        threshold=result["threshold"],
        views=_views(here, result, grants) if grants else [],
        decoys=_decoys(result) if shown else None,
        overlay=f"{base}/{picture_name(number, OVERLAY)}" if kept else None,
        heatmap=f"{base}/{picture_name(number, HEATMAP)}" if kept and shown else None,
    )


def _views(here: Instance, result: dict[str, Any], grants: Grants) -> list[Candidate]:
    return [
        Candidate(
            view_id=grant.view_id,
            recipient=grant.recipient,
            recipient_display=display_name(here, grant.recipient),
            order=grant.order_id,
            regions=coded_regions(grant.regions),
            at=utc(grant.first_ms),
            ledger_index=grant.first_ledger_index,
            z=pointed["z"],
            p_value=pointed["p"],
        )
        for pointed in result["pointed"]
        if (grant := grants.get(pointed["view"])) is not None
    ]


def _decoys(result: dict[str, Any]) -> Decoys:
    z = [float(v) for v in result["decoys"]["z"]]
    count = max(len(z), 1)
    mean = sum(z) / count
    spread = (sum((v - mean) ** 2 for v in z) / count) ** 0.5
    return Decoys(
        count=len(z), mean=round(mean, 2), sd=round(spread, 2), max=max(z, default=0.0), z=z
    )


def _second(here: Instance, stored: StoredTrace, user: str) -> Second | None:
    if not stored.state:
        return None
    approval = here.naming.approval(stored)
    may_ask = here.policy.recipient(user).role in dual_action("accuse").request
    if approval is None:
        return Second(state="not-asked", may_ask=may_ask)
    return Second(
        approval=approval.id,
        state=stored.state if stored.state != WAITING else approval.state,
        asked_by=display_name(here, approval.requester),
        decided_by=display_name(here, approval.decided_by) if approval.decided_by else "",
        note=approval.note,
        expires_at=approval.expires_at,
        may_decide=here.naming.may_decide(stored, user),
    )
