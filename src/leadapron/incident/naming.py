"""A result names nobody until two people want it (双人审批).

The first person learns that a view stands out and on which film, and can contain at once. The
second sees everything the verdict rests on and confirms the SHA-256 of the record. Then the case
says 已指向调阅 and names the view event.
"""

from __future__ import annotations

import json
import threading
from typing import Any

from leadapron.delivery import Delivery, ViewGrant
from leadapron.incident.containing import Containment, pointed_grants
from leadapron.incident.record import Record
from leadapron.incident.store import CaseStore
from leadapron.incident.traces import (
    CONFIRMED,
    LEDGER,
    REFUSED,
    WAITING,
    StoredTrace,
    TraceStore,
)
from leadapron.ledger import JSON, Ledger, evidence
from leadapron.model import Conflict, Denied, IntegrityFailure, NotFound
from leadapron.policy import Approval, Approvals

ACT = "accuse"
PURPOSE = "breach_investigation"
STEP = "locate"
_TRACE, _CONFIRMED = "trace", "confirmed"
_ATTEMPTS = 20


class Naming:
    """Asks for the second person, and acts on the answer."""

    def __init__(
        self,
        traces: TraceStore,
        cases: CaseStore,
        approvals: Approvals,
        delivery: Delivery,
        ledger: Ledger,
        containment: Containment,
    ) -> None:
        self._traces = traces
        self._cases = cases
        self._approvals = approvals
        self._delivery = delivery
        self._ledger = ledger
        self._containment = containment
        self._settling = threading.Lock()
        self._looks: set[tuple[str, str]] = set()

    def ask(
        self, trace_id: str, by: str, *, purpose: str = PURPOSE, reason: str = ""
    ) -> StoredTrace:
        """Ask a second person to confirm the result of a trace.

        Raises Conflict when it does not wait, or somebody has asked; Denied when `by` may not.
        """
        trace = self.settled(trace_id)
        if trace.state != WAITING:
            raise Conflict(
                f"trace {trace_id} does not wait for a second person",
                remedy="look at its case",
                code=f"trace-{trace.state or trace.verdict}",
            )
        if trace.approval_id:
            raise Conflict(
                f"the result of trace {trace_id} waits already, as {trace.approval_id}",
                remedy="let a second person decide",
                code="trace-asked",
            )
        words = reason.strip() or f"{trace.id}: {trace.purpose}"
        asked = self._approvals.request(
            ACT, by, purpose=purpose, reason=words, content=_content(trace)
        )
        return self._traces.step(trace, approval_id=asked.id)

    def confirm(self, trace_id: str, by: str, note: str = "") -> StoredTrace:
        """Confirm a result as the second person; the view is named from now on.

        Raises what `Approvals.approve` raises, and Denied for a person whom the result names.
        """
        trace = self._asked(trace_id)
        self._not_about(trace, by)
        self._approvals.approve(trace.approval_id, by, note)
        return self.settled(trace_id)

    def refuse(self, trace_id: str, by: str, note: str = "") -> StoredTrace:
        """Decline as the second person: nothing is named, and the containment is lifted."""
        trace = self._asked(trace_id)
        self._not_about(trace, by)
        self._approvals.refuse(trace.approval_id, by, note)
        return self.settled(trace_id)

    def settled(self, trace_id: str) -> StoredTrace:
        """Return a trace as its approval now has it: an answer takes effect at the next look."""
        with self._settling:
            trace = self._traces.get(trace_id)
            if trace.state != WAITING or not trace.approval_id:
                return trace
            approval = self._approvals.get(trace.approval_id)
            # "used" is what a crash leaves between the approval's use and the naming.
            if approval.state in ("approved", "used"):
                return self._confirmed(trace, approval)
            if approval.state == "refused":
                self._containment.lift(trace, approval.decided_by)
                return self._traces.step(trace, state=REFUSED)
            if approval.state in ("expired", "withdrawn"):
                return self._traces.step(trace, approval_id="")
            return trace

    def approval(self, trace: StoredTrace) -> Approval | None:
        """Return the request that a trace waits on or was decided by."""
        return self._approvals.get(trace.approval_id) if trace.approval_id else None

    def may_decide(self, trace: StoredTrace, person: str) -> bool:
        """Tell whether `person` can be the second person, and so may see everything now."""
        approval = self.approval(trace)
        waits = trace.state == WAITING and approval is not None and approval.state == "pending"
        return (
            waits
            and approval is not None
            and self._approvals.may_decide(approval, person)
            and person not in self._recipients(trace)
        )

    def note_look(self, trace: StoredTrace, person: str) -> None:
        """Log that a possible second person saw an unconfirmed result; once while we run."""
        look = trace.id, person
        if trace.state == WAITING and look not in self._looks and self.may_decide(trace, person):
            self._ledger.append({"kind": "trace.seen", "trace": trace.id, "recipient": person})
            self._looks.add(look)

    def grants(self, record: Record) -> dict[str, ViewGrant]:
        """Return the grants of the views that a record points to."""
        return pointed_grants(record, self._delivery)

    def _asked(self, trace_id: str) -> StoredTrace:
        trace = self.settled(trace_id)
        if trace.state != WAITING or not trace.approval_id:
            raise Conflict(
                f"no one asks for a second person on trace {trace_id}",
                remedy="a privacy officer asks first",
                code=f"trace-{trace.state or 'not-asked'}",
            )
        return trace

    def _recipients(self, trace: StoredTrace) -> set[str]:
        return {g.recipient for g in self.grants(self._traces.record(trace)).values()}

    def _not_about(self, trace: StoredTrace, person: str) -> None:
        if person in self._recipients(trace):
            raise Denied(
                "nobody decides on a result about themselves",
                remedy="ask another person with the role to decide",
                code="own-result",
            )

    def _confirmed(self, trace: StoredTrace, approval: Approval) -> StoredTrace:
        record = self._traces.record(trace)
        grants = self.grants(record)
        self._require_committed(record, grants)
        if approval.decided_by in {g.recipient for g in grants.values()}:
            return self._traces.step(trace, approval_id="")
        if approval.state == "approved":
            try:
                self._approvals.use(approval.id, approval.requester, ACT, _content(trace))
            except (Denied, Conflict):
                # One of the two may no longer take part: somebody has to ask anew.
                return self._traces.step(trace, approval_id="")
        receipt = self._ledger.append(
            {
                "kind": "trace.confirmed",
                "trace": trace.id,
                "case": trace.case_id or "",
                "ranking": trace.ranking,
                "approval": approval.id,
                "recipient": approval.decided_by,
                "first": approval.requester,
                "views": [p["view"] for p in record.pointed],
            }
        )
        done = self._traces.step(trace, state=CONFIRMED, confirmed_index=receipt.index)
        self._keep_evidence(done, record, grants)
        self._name_in_case(done, record, grants, approval)
        return done

    def _require_committed(self, record: Record, grants: dict[str, ViewGrant]) -> None:
        """Hold each view against the log: the commitment came before the view, and is the same."""
        for pointed in record.pointed:
            grant = grants.get(pointed["view"])
            entry = self._entry(grant.first_ledger_index) if grant else {}
            told = (entry.get("kind"), entry.get("view"), entry.get("mark"))
            if grant is None or told != ("view", grant.view_id, grant.key_digest):
                raise IntegrityFailure(
                    f"the log does not confirm the view {pointed['view']}",
                    remedy="run `leadapron fsck`; find out who wrote to the catalogue",
                )

    def _entry(self, index: int) -> dict[str, JSON]:
        return self._ledger.entry(index) if 0 <= index < self._ledger.size else {}

    def _keep_evidence(
        self, trace: StoredTrace, record: Record, grants: dict[str, ViewGrant]
    ) -> None:
        """Keep the proofs of the log's entries, all under one checkpoint, for the report."""
        indices = {p["view"]: grants[p["view"]].first_ledger_index for p in record.pointed}
        indices |= {_TRACE: trace.ledger_index, _CONFIRMED: trace.confirmed_index or 0}
        made = self._proofs(indices)
        packages = {"trace": made.pop(_TRACE), "confirmed": made.pop(_CONFIRMED), "views": made}
        data = json.dumps(packages, ensure_ascii=False, sort_keys=True, indent=1)
        self._traces.keep(trace.id, {LEDGER: data.encode()})

    def _proofs(self, indices: dict[str, int]) -> dict[str, Any]:
        """Return a package for each entry; again when the log grew between two of them."""
        made: dict[str, Any] = {}
        for _ in range(_ATTEMPTS):
            made = {name: evidence(self._ledger, index) for name, index in indices.items()}
            if len({package["checkpoint"] for package in made.values()}) == 1:
                break
        return made

    def _name_in_case(
        self,
        trace: StoredTrace,
        record: Record,
        grants: dict[str, ViewGrant],
        approval: Approval,
    ) -> None:
        if trace.case_id is None:
            return
        case = self._cases.get(trace.case_id)
        if case.closed_at is not None:
            return
        if case.view_id is None:
            grant = grants[record.pointed[0]["view"]]
            self._cases.point(
                case.id,
                sop_instance=grant.sop_instance,
                view_id=grant.view_id,
                recipient=grant.recipient,
            )
        note = f"{trace.id}, {approval.id}"
        self._cases.mark_step(case.id, STEP, by=approval.decided_by, note=note)


def _content(trace: StoredTrace) -> dict[str, JSON]:
    """Return what the second person consents to: exactly this record, in this case."""
    if trace.case_id is None:
        raise NotFound(f"trace {trace.id} belongs to no case", remedy="trace the copy again")
    return {"trace": trace.id, "case": trace.case_id, "ranking": trace.ranking}
