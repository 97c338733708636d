"""What the log must say before an approval counts."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from leadapron.ledger import Ledger
from leadapron.model import Conflict, IntegrityFailure
from leadapron.policy.dual_control import DualAction
from leadapron.policy.tables import ApprovalRow

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def confirm(row: ApprovalRow, act: DualAction, ledger: Ledger, now: datetime) -> None:
    """Hold the row against the log: whoever writes to the database alone approves nothing.

    Raises:
        IntegrityFailure: request or consent are not in the log as the row says.
        Conflict: the log knows a use that leaves none.
    """
    parts = (
        ("approval.requested", row.requester, row.requested_index),
        ("approval.approved", row.decided_by, row.decided_index),
    )
    for kind, person, index in parts:
        entry = ledger.entry(index) if index is not None and 0 <= index < ledger.size else {}
        told = (entry.get("kind"), entry.get("recipient"), entry.get("approval"))
        if told != (kind, person, row.id) or entry.get("digest") != row.digest:
            raise IntegrityFailure(
                f"the log does not confirm approval {row.id}",
                remedy="make a new request; find out who wrote to the catalogue",
            )
    uses = [
        entry["at"]
        for entry in ledger.entries((row.decided_index or 0) + 1)
        if entry.get("kind") == "approval.used" and entry.get("approval") == row.id
    ]
    if uses and (not act.reuse or int(str(uses[0])) <= milliseconds(now - act.reuse)):
        raise Conflict(
            f"approval {row.id} was used before",
            remedy="make a new request",
            code="approval-used",
        )


def bound_digest(approval_id: str, words: str) -> str:
    """Return a digest of free text: the log may not hold a name that somebody typed."""
    return hashlib.sha256(f"{approval_id}\0{words.strip()}".encode()).hexdigest()


def milliseconds(moment: datetime) -> int:
    """Return whole milliseconds since 1970."""
    return (moment - _EPOCH) // _MILLISECOND


def moment(milliseconds: int) -> datetime:
    """Return the aware time of milliseconds since 1970."""
    return _EPOCH + milliseconds * _MILLISECOND
