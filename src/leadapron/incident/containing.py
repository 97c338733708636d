"""Contain before anybody is named: the clock runs, and a second person may be asleep.

The views that a copy points to are revoked and their recipients' breakers opened, without saying
whose they are. Whoever is refused a view then learns why; the person who contains does not learn
who it was. If the second person declines the result, all of it is lifted.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from leadapron.delivery import Delivery, ViewGrant
from leadapron.incident.case import Case
from leadapron.incident.record import Record
from leadapron.incident.store import CaseStore, milliseconds
from leadapron.incident.traces import CONFIRMED, WAITING, StoredTrace, TraceStore
from leadapron.ledger import Ledger
from leadapron.model import Conflict, Denied, Role
from leadapron.policy import PolicyStore
from leadapron.policy.breaker import CLOSED, OPEN

STEP = "contain"
MAY_CONTAIN = frozenset({Role.PRIVACY_OFFICER, Role.SECURITY})


class Containment:
    """Withdraws access for a case, and gives it back."""

    def __init__(
        self,
        traces: TraceStore,
        cases: CaseStore,
        policy: PolicyStore,
        delivery: Delivery,
        ledger: Ledger,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._traces = traces
        self._cases = cases
        self._policy = policy
        self._delivery = delivery
        self._ledger = ledger
        self._clock = clock

    def contain(self, case_id: str, by: str) -> Case:
        """Revoke what the case's traces point to; the number of views is logged, not which.

        Raises Denied for other roles, Conflict when nothing is left to contain.
        """
        if self._policy.recipient(by).role not in MAY_CONTAIN:
            raise Denied(
                "your role does not contain incidents",
                remedy="ask the privacy officer or the security team",
                code="role-not-allowed",
            )
        self._cases.require_open(case_id)
        due = [t for t in self._traces.of_case(case_id) if _is_open(t)]
        if not due:
            raise Conflict(
                f"case {case_id} has no result whose access is still open",
                remedy="nothing to do: it was contained, or no copy points to a view",
                code="nothing-to-contain",
            )
        for trace in due:
            self._contain(case_id, trace, by)
        note = "views revoked, breakers of their recipients opened: " + ", ".join(t.id for t in due)
        return self._cases.mark_step(case_id, STEP, by=by, note=note)

    def lift(self, trace: StoredTrace, by: str) -> None:
        """Give back what `contain` withdrew for a trace that was not confirmed."""
        if trace.contained_at is None or trace.case_id is None:
            return
        entry = {"kind": "case.containment-lifted", "case": trace.case_id, "trace": trace.id}
        self._ledger.append(entry | {"recipient": by})
        mine = {r.target for r in self._policy.revocations() if r.reason == _reason(trace)}
        opened = {b.scope for b in self._policy.breakers() if b.reason == _reason(trace)}
        for grant in self._targets(trace):
            if grant.view_id in mine:
                self._policy.restore("view", grant.view_id)
            if grant.recipient in opened:
                self._policy.set_breaker(grant.recipient, CLOSED, _reason(trace))

    def _contain(self, case_id: str, trace: StoredTrace, by: str) -> None:
        targets = self._targets(trace)
        self._ledger.append(
            {
                "kind": "case.contained",
                "case": case_id,
                "trace": trace.id,
                "recipient": by,
                "ranking": trace.ranking,
                "views": len(targets),
            }
        )
        stopped = {b.scope for b in self._policy.breakers()}
        for grant in targets:
            self._policy.revoke("view", grant.view_id, _reason(trace), case_id)
            if grant.recipient not in stopped:
                self._policy.set_breaker(grant.recipient, OPEN, _reason(trace))
        now = milliseconds(self._clock())
        self._traces.step(trace, contained_ms=now, contained_by=by)

    def _targets(self, trace: StoredTrace) -> list[ViewGrant]:
        return list(pointed_grants(self._traces.record(trace), self._delivery).values())


def pointed_grants(record: Record, delivery: Delivery) -> dict[str, ViewGrant]:
    """Return the grants of the views that a record points to, by view id."""
    wanted = {p["view"] for p in record.pointed}
    films = {r["film"]["sop_instance"] for r in record.results if r["pointed"]}
    return {
        grant.view_id: grant
        for sop in sorted(films)
        for grant in delivery.views_of(sop)
        if grant.view_id in wanted
    }


def _is_open(trace: StoredTrace) -> bool:
    return trace.state in (WAITING, CONFIRMED) and trace.contained_at is None


def _reason(trace: StoredTrace) -> str:
    return f"leak, {trace.case_id}, {trace.id}"
