"""How many pictures may be traced in an hour, by one person and by all.

Whoever wants to remove a mark needs somebody to ask whether it is still there. A hospital needs a
few dozen answers in a bad hour; guessing a mark of 100,000 chips away takes as many.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from leadapron.incident.tables import TraceSpendingRow
from leadapron.ledger import Ledger
from leadapron.model import LeadApronError

if TYPE_CHECKING:
    from leadapron.store.database import Database

WINDOW_MS = 3_600_000


class TooMany(LeadApronError):
    """So many in so short a time that the next one has to wait."""

    code = "too-many-traces"
    http = 429
    dimse = 0xA700
    exit_code = 75

    def __init__(self, message: str, *, remedy: str, retry_after_s: int) -> None:
        super().__init__(message, remedy=remedy)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True)
class Limits:
    """Pictures an hour: of one person, and of the whole instance."""

    person: int = 120
    instance: int = 360


class Allowance:
    """Counts in the database, so that a restart or a second process forgets nothing."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        limits: Limits,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._limits = limits
        self._clock = clock

    def spend(self, person: str, pictures: int = 1) -> None:
        """Count pictures before they are traced; TooMany (ledgered) when the hour is spent."""
        now = int(self._clock().timestamp() * 1000)
        with self._database.session() as session:
            session.execute(
                delete(TraceSpendingRow).where(TraceSpendingRow.at_ms <= now - WINDOW_MS)
            )
            scope = self._exceeded(session, person, pictures)
            if scope is None:
                session.add(TraceSpendingRow(recipient=person, at_ms=now, pictures=pictures))
                return
            free_at = self._free_at(session, person if scope == "person" else "")
        self._refuse(person, scope, pictures, max(1, -(-(free_at - now) // 1000)))

    def _exceeded(self, session: Session, person: str, pictures: int) -> str | None:
        total = func.coalesce(func.sum(TraceSpendingRow.pictures), 0)
        everybody = int(session.scalar(select(total)) or 0)
        own = select(total).where(_by(person))
        if int(session.scalar(own) or 0) + pictures > self._limits.person:
            return "person"
        return "instance" if everybody + pictures > self._limits.instance else None

    def _free_at(self, session: Session, person: str) -> int:
        """Return when the oldest of what was counted falls out of the hour."""
        oldest = select(func.min(TraceSpendingRow.at_ms))
        if person:
            oldest = oldest.where(_by(person))
        return int(session.scalar(oldest) or 0) + WINDOW_MS

    def _refuse(self, person: str, scope: str, pictures: int, wait_s: int) -> None:
        most = self._limits.person if scope == "person" else self._limits.instance
        self._ledger.append(
            {
                "kind": "trace.limited",
                "recipient": person,
                "scope": scope,
                "limit": most,
                "pictures": pictures,
            }
        )
        who = "you" if scope == "person" else "all of this hospital"
        again = (self._clock() + timedelta(seconds=wait_s)).astimezone()
        raise TooMany(
            f"at most {most} pictures an hour are traced for {who}; this hour's are spent",
            remedy=f"go on after {again:%H:%M:%S} ({-(-wait_s // 60)} min); the settings "
            "trace_per_hour and trace_per_hour_all say how many, and every hit is in the ledger",
            retry_after_s=wait_s,
        )


def _by(person: str) -> ColumnElement[bool]:
    return TraceSpendingRow.recipient == person
