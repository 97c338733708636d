"""The console's reading side: overview, worklist, views, cases, quarantine."""

from __future__ import annotations

from datetime import UTC, datetime

from fastapi import APIRouter, Query, Request

from leadapron.anatomy import contours
from leadapron.app.api.presenting import (
    access_rows,
    case_answer,
    coded_regions,
    moment_of,
    need_name,
    reason_texts,
    root_of,
    utc,
)
from leadapron.app.api.schemas import (
    Case,
    EdgeState,
    Identity,
    LedgerState,
    OpenedView,
    Overview,
    QuarantineItem,
    ViewRow,
    WorkItem,
)
from leadapron.app.api.security import Here, Reader
from leadapron.app.auth import Principal
from leadapron.app.instance import Instance
from leadapron.delivery import ViewRequest
from leadapron.edge import Gateway
from leadapron.model import Denied, Order, Region, RegionMap, Role
from leadapron.policy import default_model

router = APIRouter(tags=["console"])

WATCHERS = frozenset({Role.PRIVACY_OFFICER, Role.SECURITY, Role.AUDITOR})
OPERATORS = WATCHERS | {Role.PACS_ADMIN}
HOUR_MS = 3_600_000
_TOLD = frozenset({"name", "sex", "birth_date", "ledger_index"})
PARTS_OF_A_VIEW = frozenset({"metadata", "console-pixels"})
"""Channels of requests that belong to a view which was opened, and counted, before."""


def require(here: Instance, caller: Principal, roles: frozenset[Role]) -> None:
    """Raise Denied unless the caller has one of the roles."""
    if here.policy.recipient(caller.user).role not in roles:
        raise Denied(
            "your role does not open this page",
            remedy="ask the privacy officer",
            code="role-not-allowed",
        )


@router.get("/overview")
def overview(request: Request, here: Here, caller: Reader) -> Overview:
    """Is everything flowing, is anything wrong?"""
    require(here, caller, OPERATORS)
    now = datetime.now(UTC)
    films, patients = here.archive.counts()
    since = int(now.timestamp() * 1000) - 24 * HOUR_MS
    rows = [r for r in access_rows(here, since_ms=since) if r.channel not in PARTS_OF_A_VIEW]
    today = [r for r in rows if r.at.astimezone().date() == now.astimezone().date()]
    hours = [0] * 24
    for row in rows:
        if row.allowed:
            hours[23 - min(23, int((now - row.at).total_seconds() // 3600))] += 1
    return Overview(
        now=now,
        films=films,
        patients=patients,
        views_today=sum(r.allowed for r in today),
        refused_today=sum(not r.allowed for r in today),
        edge=_edge_state(request, here),
        ledger=LedgerState(
            size=here.ledger.size,
            root=root_of(here),
            checkpoint_at=moment_of(here.ledger.entry(here.ledger.size - 1))
            if here.ledger.size
            else None,
        ),
        breaker=here.policy.breaker(),
        open_cases=[case_answer(here, c) for c in here.cases.list() if c.closed_at is None],
        views_by_hour=hours,
    )


def _edge_state(request: Request, here: Instance) -> EdgeState:
    gateway: Gateway | None = request.app.state.gateway
    counters = gateway.counters if gateway else None
    received = counters.last_received_ms if counters else None
    return EdgeState(
        ae_title=here.settings.ae_title,
        port=getattr(request.app.state, "dimse_port", here.settings.dimse_port),
        spooled=len(here.spool),
        processed=counters.processed if counters else 0,
        quarantined=len(here.quarantine),
        last_received_at=utc(received) if received else None,
        p50_ms=round(counters.p50_ms, 1) if counters and counters.p50_ms else None,
    )


@router.get("/worklist")
def worklist(here: Here, caller: Reader) -> list[WorkItem]:
    """The reader's orders with their films, newest first."""
    orders = list(here.policy.orders_of(caller.user))
    try:
        films = here.searching.search(caller.user, {}, channel="worklist") if orders else []
    except Denied:
        films = []
    items = []
    for film in films:
        available, in_domain = here.originals.regions(film)
        for order in orders:
            if order.patient == film.patient and order.study in {"", film.study_instance}:
                items.append(
                    WorkItem(
                        order=order.id,
                        accession=film.accession,
                        patient=film.patient,
                        need=need_name(order.need),
                        regions=coded_regions(_granted(order.need, available, in_domain)),
                        status=_status(order),
                        valid_until=order.valid_until,
                        study_instance=film.study_instance,
                        series_instance=film.series_instance,
                        sop_instance=film.sop_instance,
                        modality=film.modality,
                        study_date=film.study_date,
                        received_at=utc(film.received_ms),
                        rows=film.rows,
                        columns=film.columns,
                    )
                )
    return items


def _granted(need: str, available: frozenset[Region], in_domain: bool) -> frozenset[Region]:
    model = default_model()
    return model.grant(model.get(need), available, in_domain=in_domain).regions


def _status(order: Order) -> str:
    return "expired" if order.valid_until < datetime.now(UTC) else order.status


@router.post("/films/{sop_instance}/view")
def open_film(sop_instance: str, here: Here, caller: Reader) -> OpenedView:
    """Open a view: decided, ledgered and marked before this answers."""
    view = here.delivery.open_view(ViewRequest(caller.user, sop_instance, channel="console"))
    film = here.archive.get(sop_instance)
    masks = dict(view.opened.region_masks)
    region_map = RegionMap((film.rows, film.columns), masks, dict.fromkeys(masks, 1.0))
    outlines = {
        region.value: [[(float(x), float(y)) for x, y in line] for line in lines]
        for region in region_map.regions
        if (lines := contours(region_map, region))
    }
    return OpenedView(
        view_id=view.event.view_id,
        order=view.event.order,
        study_instance=film.study_instance,
        series_instance=film.series_instance,
        sop_instance=sop_instance,
        rows=film.rows,
        columns=film.columns,
        regions=coded_regions(view.event.regions),
        outlines=outlines,
        background=view.decision.obligations.background,
        psnr_db=view.decision.obligations.psnr_db,
        ledger_index=view.event.ledger_index,
        at=view.event.at,
        reasons=reason_texts(view.decision.reasons),
    )


@router.post("/films/{sop_instance}/identity")
def identity(sop_instance: str, here: Here, caller: Reader) -> Identity:
    """The patient's name for a reader with an active order; beside, never in, the image."""
    found = here.identities.beside(caller.user, sop_instance)
    return Identity(patient=found.pseudonym, **{k: v for k, v in vars(found).items() if k in _TOLD})


@router.get("/views")
def views(
    here: Here, caller: Reader, limit: int = Query(default=100, ge=1, le=1000)
) -> list[ViewRow]:
    """Accesses, allowed and refused, newest first."""
    require(here, caller, WATCHERS)
    return access_rows(here, limit=limit)


@router.get("/cases")
def cases(here: Here, caller: Reader) -> list[Case]:
    """All cases, newest first."""
    require(here, caller, WATCHERS)
    return [case_answer(here, case) for case in here.cases.list()]


@router.get("/cases/{case_id}")
def case(case_id: str, here: Here, caller: Reader) -> Case:
    """One case with its clock and steps."""
    require(here, caller, WATCHERS)
    return case_answer(here, here.cases.get(case_id))


@router.get("/quarantine")
def quarantine(here: Here, caller: Reader) -> list[QuarantineItem]:
    """What waits for a person, and why."""
    require(here, caller, OPERATORS)
    return [
        QuarantineItem(
            id=item.name,
            received_at=utc(item.at_ms),
            calling_ae=str(item.meta.get("calling_ae", "")),
            code=str(item.meta.get("code", "")),
            message=str(item.meta.get("message", "")),
            remedy=str(item.meta.get("remedy", "")),
            size=item.size,
        )
        for item in here.quarantine.list()
    ]
