"""From the packages' values to the console's answers."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from leadapron.app.api.schemas import Case, CaseStep, Coded, ReasonText, ViewRow
from leadapron.app.instance import Instance
from leadapron.incident.case import Case as StoredCase
from leadapron.incident.traces import WAITING
from leadapron.model import LeadApronError, Reason, Region
from leadapron.policy import default_model
from leadapron.policy.reasons import known, reason

ACCESS_KINDS = frozenset({"view", "view.refused"})
_FIELDS = ("case", "count", "need", "order", "policy", "regions")
SCAN_LIMIT, SCAN_STEP = 20_000, 256


def utc(milliseconds: int) -> datetime:
    """Return a moment in milliseconds since 1970 as an aware datetime."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def root_of(here: Instance) -> str:
    """Return the newest root hash in hexadecimal: line 3 of the checkpoint is its base64."""
    return base64.b64decode(here.ledger.checkpoint().splitlines()[2]).hex()


def moment_of(entry: Mapping[str, Any]) -> datetime:
    """Return when the log took an entry."""
    return utc(int(entry["at"]))


def log_entries(here: Instance, start: int, stop: int) -> list[tuple[int, dict[str, Any]]]:
    """Return (index, entry) of the log, oldest first."""
    return list(enumerate(here.ledger.entries(start, stop), start))


def coded_regions(regions: Iterable[Region]) -> list[Coded]:
    """Return regions with their names, in the vocabulary's order."""
    wanted = set(regions)
    return [Coded(code=r.value, en=r.coded.meaning, zh=r.coded.zh) for r in Region if r in wanted]


def need_name(need: str) -> Coded:
    """Return a diagnostic need with its names."""
    found = default_model().get(need)
    return Coded(code=need, en=found.en, zh=found.zh)


def reason_texts(reasons: Iterable[Reason]) -> list[ReasonText]:
    """Return reasons as the API speaks them."""
    return [ReasonText(code=r.code, en=r.en, zh=r.zh) for r in reasons]


def display_name(here: Instance, recipient: str) -> str:
    """Return a recipient's display name, or the id when it is gone."""
    try:
        return here.policy.recipient(recipient).display or recipient
    except LeadApronError:
        return recipient


def access_rows(
    here: Instance, *, limit: int | None = None, since_ms: int | None = None
) -> list[ViewRow]:
    """Return accesses from the log, newest first; scans at most SCAN_LIMIT entries."""
    rows: list[ViewRow] = []
    stop = here.ledger.size
    oldest = max(0, stop - SCAN_LIMIT)
    while stop > oldest and (limit is None or len(rows) < limit):
        start = max(oldest, stop - SCAN_STEP)
        for index, entry in reversed(log_entries(here, start, stop)):
            if since_ms is not None and entry["at"] < since_ms:
                return rows
            if entry["kind"] in ACCESS_KINDS:
                rows.append(_access(here, index, entry))
        stop = start
    return rows[:limit]


def _access(here: Instance, index: int, entry: dict[str, Any]) -> ViewRow:
    return ViewRow(
        ledger_index=index,
        at=moment_of(entry),
        recipient=entry["recipient"],
        recipient_display=display_name(here, entry["recipient"]),
        sop_instance=entry["sop"],
        order=entry.get("order", ""),
        regions=coded_regions(Region(r) for r in entry.get("regions", [])),
        allowed=entry["kind"] == "view",
        view_id=entry.get("view", ""),
        channel=entry["channel"],
        reasons=[_explained(code) for code in entry.get("reasons", [])],
    )


def case_answer(here: Instance, case: StoredCase) -> Case:
    """Return a case with its steps and the recipient's display name."""
    return Case(
        id=case.id,
        level=case.level,
        title_en=case.title_en,
        title_zh=case.title_zh,
        opened_at=case.opened_at,
        due_at=case.due_at,
        closed_at=case.closed_at,
        sop_instance=case.sop_instance,
        view_id=case.view_id,
        recipient_display=display_name(here, case.recipient) if case.recipient else None,
        waiting=sum(t.state == WAITING for t in here.traces.of_case(case.id)),
        steps=[
            CaseStep(code=s.code, en=s.en, zh=s.zh, due_at=s.due_at, done_at=s.done_at)
            for s in case.steps
        ],
    )


def _explained(code: str) -> ReasonText:
    """Return a ledgered reason in words; the log keeps codes, not their fields."""
    if not known(code):
        return ReasonText(code=code, en=code, zh=code)
    fields: dict[str, Any] = dict.fromkeys(_FIELDS, "…")
    words = reason(code, **fields)
    return ReasonText(code=code, en=words.en, zh=words.zh)
