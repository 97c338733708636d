"""Traces in the database, and what they found in an encrypted folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import CursorResult, select, update

from leadapron.incident.record import Record
from leadapron.incident.store import moment
from leadapron.incident.tables import TraceRow
from leadapron.model import Conflict, IntegrityFailure, NotFound
from leadapron.store.encrypted_folder import EncryptedFolder

if TYPE_CHECKING:
    from leadapron.store.database import Database

WAITING, CONFIRMED, REFUSED = "waiting", "confirmed", "refused"
COPY, RECORD, THUMBNAIL, LEDGER = "copy", "record.json", "thumbnail.jpg", "ledger.json"
OVERLAY, HEATMAP = "overlay.png", "heatmap.png"


@dataclass(frozen=True)
class StoredTrace:
    """One trace as the catalogue knows it.

    `state` is empty for an inconclusive trace; else ``waiting`` for a second person,
    ``confirmed`` or ``refused``. `ranking` is the SHA-256 of its record.
    """

    id: str
    case_id: str | None
    recipient: str
    purpose: str
    at: datetime
    copy_sha256: str
    copy_size: int
    kind: str
    verdict: str
    state: str
    ranking: str
    ledger_index: int
    elapsed_ms: int
    approval_id: str
    confirmed_index: int | None
    contained_at: datetime | None
    contained_by: str


class TraceStore:
    """Reads and writes traces; `evidence` keeps copies, records and pictures."""

    def __init__(self, database: Database, evidence: EncryptedFolder) -> None:
        self._database = database
        self._evidence = evidence

    def add(self, **values: Any) -> StoredTrace:
        """Keep a new trace."""
        row = TraceRow(
            approval_id="", confirmed_index=None, contained_ms=None, contained_by="", **values
        )
        with self._database.session() as session:
            session.add(row)
            session.flush()
            return _trace(row)

    def get(self, trace_id: str) -> StoredTrace:
        """Return a trace; NotFound if there is none."""
        with self._database.session(read_only=True) as session:
            row = session.get(TraceRow, trace_id)
            if row is None:
                raise NotFound(f"no trace {trace_id[:40]}", remedy="trace the copy again")
            return _trace(row)

    def of_case(self, case_id: str) -> list[StoredTrace]:
        """Return the traces of a case, oldest first."""
        query = select(TraceRow).where(TraceRow.case_id == case_id).order_by(TraceRow.at_ms)
        with self._database.session(read_only=True) as session:
            return [_trace(row) for row in session.scalars(query)]

    def list(self, limit: int = 200) -> list[StoredTrace]:
        """Return traces, newest first."""
        query = select(TraceRow).order_by(TraceRow.at_ms.desc(), TraceRow.id).limit(limit)
        with self._database.session(read_only=True) as session:
            return [_trace(row) for row in session.scalars(query)]

    def step(self, trace: StoredTrace, **values: Any) -> StoredTrace:
        """Change a trace that is still as `trace` says; Conflict when somebody was faster."""
        changed = update(TraceRow).where(
            TraceRow.id == trace.id,
            TraceRow.state == trace.state,
            TraceRow.approval_id == trace.approval_id,
        )
        with self._database.session() as session:
            result = session.execute(changed.values(**values))
            if not (isinstance(result, CursorResult) and result.rowcount == 1):
                raise Conflict(
                    f"trace {trace.id} was changed by somebody else at the same time",
                    remedy="look at it again",
                    code="trace-busy",
                )
        return self.get(trace.id)

    def keep(self, trace_id: str, files: Mapping[str, bytes]) -> None:
        """Keep files of a trace durably; a name that is taken is replaced."""
        for name, data in files.items():
            self._evidence.write(f"{trace_id}/{name}", data)

    def file(self, trace_id: str, name: str) -> bytes:
        """Return a file of a trace; NotFound if it has none of that name."""
        return self._evidence.read(f"{trace_id}/{name}")

    def has(self, trace_id: str, name: str) -> bool:
        """Tell whether a trace has a file."""
        return f"{trace_id}/{name}" in self._evidence

    def record(self, trace: StoredTrace) -> Record:
        """Return a trace's record; IntegrityFailure if it is not the one that was logged."""
        record = Record.read(self.file(trace.id, RECORD))
        if record.digest != trace.ranking:
            raise IntegrityFailure(
                f"the record of trace {trace.id} is not the one that the log knows",
                remedy="trace the copy again; find out who wrote to the evidence folder",
            )
        return record

    def ledger_evidence(self, trace_id: str) -> dict[str, Any]:
        """Return the evidence packages that were kept with a trace, by what they prove."""
        if not self.has(trace_id, LEDGER):
            return {}
        kept: dict[str, Any] = json.loads(self.file(trace_id, LEDGER))
        return kept


def picture_name(result: int, what: str) -> str:
    """Name a picture of one result of a trace."""
    return f"{result}/{what}"


def _trace(row: TraceRow) -> StoredTrace:
    return StoredTrace(
        id=row.id,
        case_id=row.case_id,
        recipient=row.recipient,
        purpose=row.purpose,
        at=moment(row.at_ms),
        copy_sha256=row.copy_sha256,
        copy_size=row.copy_size,
        kind=row.kind,
        verdict=row.verdict,
        state=row.state,
        ranking=row.ranking,
        ledger_index=row.ledger_index,
        elapsed_ms=row.elapsed_ms,
        approval_id=row.approval_id,
        confirmed_index=row.confirmed_index,
        contained_at=None if row.contained_ms is None else moment(row.contained_ms),
        contained_by=row.contained_by,
    )
