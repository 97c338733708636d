"""Two-person approval (双人审批): what one person asks for, another one must want too.

Ask → approve or refuse → use, each in the log before it takes effect. An approval is bound to the
SHA-256 of the canonical JSON of exactly what will be done, and to the person who asked.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import CursorResult, select, update

from leadapron.ledger import JSON, Ledger
from leadapron.ledger.canonical import dump, load
from leadapron.model import BadInput, Conflict, Denied, IntegrityFailure, LeadApronError, NotFound
from leadapron.policy.approval_log import bound_digest, confirm, milliseconds, moment
from leadapron.policy.dual_control import (
    APPROVED,
    EXPIRED,
    LARGEST_CONTENT,
    PENDING,
    REFUSED,
    USED,
    WITHDRAWN,
    Approval,
    DualAction,
    content_digest,
    dual_action,
)
from leadapron.policy.store import PolicyStore
from leadapron.policy.tables import ApprovalRow

if TYPE_CHECKING:
    from leadapron.store.database import Database

SHORTEST_REASON, LONGEST_REASON = 10, 2000


class Approvals:
    """Requests, decisions and uses. Each step is claimed in the database, logged, then made.

    The claim is what makes one use one use among processes. A crash between claim and step
    leaves a request that nobody can use.
    """

    def __init__(
        self,
        database: Database,
        policy: PolicyStore,
        ledger: Ledger,
        *,
        has_account: Callable[[str], bool] = lambda _person: True,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`has_account` tells whether a person can sign in: a name alone is no second person."""
        self._database = database
        self._policy = policy
        self._ledger = ledger
        self._has_account = has_account
        self._clock = clock

    def request(
        self, action: str, by: str, *, purpose: str, reason: str, content: Mapping[str, JSON]
    ) -> Approval:
        """Ask for a second person's consent to exactly `content`.

        Raises:
            NotFound: no such act.
            BadInput: a purpose that is not on its list, a reason too short, content not JSON.
            Denied: `by` may not ask for it (ledgered).
        """
        act = dual_action(action)
        act.purpose(purpose)
        words = _checked_reason(reason)
        text = dump(content, LARGEST_CONTENT).decode()
        now = self._clock()
        approval_id = f"A{now:%Y%m%d}-{secrets.token_hex(5)}"
        self._authorise(by, act, "request", approval_id)
        entry = {
            "kind": "approval.requested",
            "approval": approval_id,
            "recipient": by,
            "action": action,
            "purpose": purpose,
            "digest": hashlib.sha256(text.encode()).hexdigest(),
            "reason": bound_digest(approval_id, words),
        }
        receipt = self._ledger.append(entry)
        row = ApprovalRow(
            id=approval_id,
            action=action,
            purpose=purpose,
            reason=words,
            content=text,
            digest=entry["digest"],
            requester=by,
            requested_ms=milliseconds(now),
            requested_index=receipt.index,
            expires_ms=milliseconds(now + act.decide_within),
            state=PENDING,
            claim="",
            decided_by="",
            note="",
            uses=0,
        )
        with self._database.session() as session:
            session.add(row)
        return self._approval(row)

    def approve(self, approval_id: str, by: str, note: str = "") -> Approval:
        """Consent, as another person than the one who asked; usable from now on for a while.

        Raises:
            NotFound: no such request.
            Denied: `by` asked for it, or has not the role (ledgered).
            Conflict: it is not waiting (any more), or somebody else is deciding right now.
        """
        row = self._deciding(approval_id, by, PENDING)
        act = dual_action(row.action)
        with self._claimed(row, PENDING) as claim:
            index = self._log(row, by, "approval.approved", note=bound_digest(row.id, note))
            now = self._clock()
            expires = milliseconds(now + act.use_within)
            self._finish(claim, row, APPROVED, by, note, index, expires)
        return self.get(approval_id)

    def refuse(self, approval_id: str, by: str, note: str = "") -> Approval:
        """Decline; also an approval that was not used yet. Raises what `approve` raises."""
        row = self._deciding(approval_id, by, PENDING, APPROVED)
        with self._claimed(row, row.state) as claim:
            index = self._log(row, by, "approval.refused", note=bound_digest(row.id, note))
            self._finish(claim, row, REFUSED, by, note, index, row.expires_ms)
        return self.get(approval_id)

    def withdraw(self, approval_id: str, by: str) -> Approval:
        """Take one's own request back, before it was used. Raises Denied for another's."""
        row = self._row(approval_id)
        if row.requester != by:
            self._deny(row.id, by, "not-your-request")
        self._require(row, PENDING, APPROVED)
        with self._claimed(row, row.state) as claim:
            self._log(row, by, "approval.withdrawn")
            self._step(claim, row, state=WITHDRAWN)
        return self.get(approval_id)

    def use(self, approval_id: str, by: str, action: str, content: Mapping[str, JSON]) -> Approval:
        """Spend an approval; what it was for may happen once this has returned.

        Raises:
            NotFound: no such request.
            Denied: another act, other content, another person, or one of the two people has
                lost account or role (ledgered).
            Conflict: not approved, expired, or used up; or being used right now.
            IntegrityFailure: the log does not confirm what the database says.
        """
        row = self._row(approval_id)
        if row.requester != by:
            self._deny(row.id, by, "not-your-request")
        if row.action != action or row.digest != content_digest(content):
            self._deny(row.id, by, "not-what-was-approved")
        act = dual_action(row.action)
        again = row.expires_ms > milliseconds(self._clock()) and act.reuse > timedelta()
        self._require(row, *((APPROVED, USED) if again else (APPROVED,)))
        self._authorise(row.requester, act, "request", row.id)
        self._authorise(row.decided_by, act, "approve", row.id)
        with self._claimed(row, row.state) as claim:
            confirm(row, act, self._ledger, self._clock())
            self._log(row, by, "approval.used", second=row.decided_by)
            changes: dict[str, Any] = {"state": USED, "uses": row.uses + 1}
            if row.used_ms is None:
                now = self._clock()
                changes |= {"used_ms": milliseconds(now)}
                changes |= {"expires_ms": milliseconds(now + act.reuse)}
            self._step(claim, row, **changes)
        return self.get(approval_id)

    def get(self, approval_id: str) -> Approval:
        """Return one request; NotFound if there is none."""
        return self._approval(self._row(approval_id))

    def list(self, states: frozenset[str] | None = None, limit: int = 500) -> list[Approval]:
        """Return requests, newest first; `states` keeps some (as they stand now)."""
        query = select(ApprovalRow).order_by(ApprovalRow.requested_ms.desc(), ApprovalRow.id)
        if states is not None:
            stored = states | ({PENDING, APPROVED} if EXPIRED in states else frozenset())
            query = query.where(ApprovalRow.state.in_(stored))
        with self._database.session(read_only=True) as session:
            rows = session.scalars(query.limit(limit)).all()
        known = [self._approval(row) for row in rows]
        return [a for a in known if states is None or a.state in states]

    def require_requester(self, person: str, action: str) -> None:
        """Raise Denied (ledgered) unless `person` may ask for this act."""
        self._authorise(person, dual_action(action), "request", "")

    def may_decide(self, approval: Approval, person: str) -> bool:
        """Tell whether `person` could be the second person of this request."""
        act = dual_action(approval.action)
        return person != approval.requester and not self._obstacle(person, act.approve)

    def _row(self, approval_id: str) -> ApprovalRow:
        with self._database.session(read_only=True) as session:
            row = session.get(ApprovalRow, approval_id)
        if row is None:
            raise NotFound(f"no approval {approval_id[:40]}", remedy="check its number")
        if hashlib.sha256(row.content.encode()).hexdigest() != row.digest:
            raise IntegrityFailure(
                f"the content of approval {row.id} was changed",
                remedy="make a new request; find out who wrote to the catalogue",
            )
        return row

    def _deciding(self, approval_id: str, by: str, *states: str) -> ApprovalRow:
        row = self._row(approval_id)
        if row.requester == by:
            self._deny(row.id, by, "own-request")
        self._authorise(by, dual_action(row.action), "approve", row.id)
        self._require(row, *states)
        return row

    def _require(self, row: ApprovalRow, *states: str) -> None:
        state = self._state(row)
        if state not in states:
            raise Conflict(
                f"approval {row.id} is {state}",
                remedy="make a new request" if state != PENDING else "a second person decides",
                code=f"approval-{state}",
            )

    def _authorise(self, person: str, act: DualAction, part: str, approval_id: str) -> None:
        roles = act.request if part == "request" else act.approve
        obstacle = self._obstacle(person, roles)
        if obstacle:
            self._deny(approval_id, person, obstacle)

    def _obstacle(self, person: str, roles: frozenset[Any]) -> str:
        try:
            recipient = self._policy.recipient(person)
        except NotFound:
            return "unknown-recipient"
        if not recipient.active or not self._has_account(person):
            return "recipient-inactive"
        return "" if recipient.role in roles else "role-not-permitted"

    def _deny(self, approval_id: str, person: str, code: str) -> None:
        self._ledger.append(
            {
                "kind": "approval.denied",
                "approval": approval_id,
                "recipient": person[:64],
                "reasons": [code],
            }
        )
        raise Denied(_DENIALS[code][0], remedy=_DENIALS[code][1], code=code)

    def _log(self, row: ApprovalRow, by: str, kind: str, **more: str) -> int:
        entry = {
            "kind": kind,
            "approval": row.id,
            "recipient": by,
            "action": row.action,
            "purpose": row.purpose,
            "digest": row.digest,
        }
        return self._ledger.append(entry | more).index

    @contextmanager
    def _claimed(self, row: ApprovalRow, state: str) -> Iterator[str]:
        """Hold the row while a step is logged; give it back when the log refuses."""
        claim = secrets.token_hex(16)
        free = update(ApprovalRow).where(
            ApprovalRow.id == row.id,
            ApprovalRow.state == state,
            ApprovalRow.claim == "",
            ApprovalRow.uses == row.uses,
            ApprovalRow.expires_ms > milliseconds(self._clock()),
        )
        self._changed(free.values(claim=claim), row)
        try:
            yield claim
        except LeadApronError:
            held = update(ApprovalRow).where(ApprovalRow.id == row.id, ApprovalRow.claim == claim)
            self._changed(held.values(claim=""), row)
            raise

    def _finish(
        self, claim: str, row: ApprovalRow, state: str, by: str, note: str, index: int, expires: int
    ) -> None:
        self._step(
            claim,
            row,
            state=state,
            decided_by=by,
            decided_ms=milliseconds(self._clock()),
            decided_index=index,
            note=note.strip()[:LONGEST_REASON],
            expires_ms=expires,
        )

    def _step(self, claim: str, row: ApprovalRow, **values: Any) -> None:
        held = update(ApprovalRow).where(ApprovalRow.id == row.id, ApprovalRow.claim == claim)
        self._changed(held.values(claim="", **values), row)

    def _changed(self, statement: Any, row: ApprovalRow) -> None:
        with self._database.session() as session:
            result = session.execute(statement)
            changed = isinstance(result, CursorResult) and result.rowcount == 1
        if not changed:
            raise Conflict(
                f"approval {row.id} was changed by somebody else at the same time",
                remedy="look at it again; if it stays like this, make a new request",
                code="approval-busy",
            )

    def _state(self, row: ApprovalRow) -> str:
        waiting = row.state in (PENDING, APPROVED)
        over = row.expires_ms <= milliseconds(self._clock())
        return EXPIRED if waiting and over else row.state

    def _approval(self, row: ApprovalRow) -> Approval:
        return Approval(
            id=row.id,
            action=row.action,
            purpose=row.purpose,
            reason=row.reason,
            content=load(row.content.encode()),
            digest=row.digest,
            requester=row.requester,
            requested_at=moment(row.requested_ms),
            expires_at=moment(row.expires_ms),
            state=self._state(row),
            decided_by=row.decided_by,
            decided_at=None if row.decided_ms is None else moment(row.decided_ms),
            note=row.note,
            used_at=None if row.used_ms is None else moment(row.used_ms),
            uses=row.uses,
            ledger_index=row.requested_index,
        )


_DENIALS = {
    "own-request": (
        "nobody is the second person of their own request",
        "ask a colleague with the role to decide",
    ),
    "not-your-request": (
        "an approval serves the person who asked for it",
        "let that person use or withdraw it, or make a request of your own",
    ),
    "not-what-was-approved": (
        "this is not what was approved: act or content differ",
        "do exactly what was approved, or make a new request",
    ),
    "role-not-permitted": (
        "your role takes no such part in a two-person approval",
        "docs/policy.md lists who asks and who decides",
    ),
    "recipient-inactive": (
        "an account of this approval is disabled, revoked or cannot sign in",
        "ask the PACS administrator whether the account should be active",
    ),
    "unknown-recipient": (
        "nobody is registered under this name",
        "ask the PACS administrator to register the person",
    ),
}


def _checked_reason(reason: str) -> str:
    words = reason.strip()
    if not SHORTEST_REASON <= len(words) <= LONGEST_REASON:
        raise BadInput(
            f"a reason takes {SHORTEST_REASON} to {LONGEST_REASON} characters",
            remedy="write why this has to be done, without the patient's name",
            code="reason-missing",
        )
    return words
