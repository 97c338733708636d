"""Cases in the database."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from leadapron.incident.case import Case, CaseStep
from leadapron.incident.playbook import (
    Impact,
    Step,
    playbook,
    response_level,
    statutory_level,
)
from leadapron.incident.tables import CaseRow, CaseStepRow
from leadapron.model import Conflict, NotFound

if TYPE_CHECKING:
    from leadapron.store.database import Database

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class CaseStore:
    """Opens cases and records what was done. It never marks a step by itself."""

    def __init__(
        self, database: Database, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """`clock` gives the aware time of openings, steps and closings."""
        self._database = database
        self._clock = clock

    def open_case(
        self,
        *,
        title_en: str,
        title_zh: str,
        persons: int = 1,
        sensitivity: str = "pseudonymous",
        insider: bool = False,
        sop_instance: str | None = None,
        view_id: str | None = None,
        recipient: str | None = None,
    ) -> Case:
        """Open a case with its level and the playbook's steps; the clock starts now.

        Raises:
            BadInput: an unknown sensitivity or a negative number of persons.
        """
        impact = Impact(persons, sensitivity, insider)
        now = self._clock()
        row = CaseRow(
            id=f"C{now:%Y%m%d}-{secrets.token_hex(3)}",
            level=response_level(impact).code,
            title_en=title_en,
            title_zh=title_zh,
            opened_ms=milliseconds(now),
            closing_note="",
            persons=impact.persons,
            sensitivity=impact.sensitivity,
            insider=impact.insider,
            sop_instance=sop_instance,
            view_id=view_id,
            recipient=recipient,
        )
        with self._database.session() as session:
            session.add(row)
            session.flush()
            _add_steps(session, row, playbook().steps_for(impact))
            session.flush()
            return _case(row, _steps(session, row.id))

    def get(self, case_id: str) -> Case:
        """Return a case; NotFound if there is none."""
        with self._database.session(read_only=True) as session:
            row = _existing(session, case_id)
            return _case(row, _steps(session, case_id))

    def list(self) -> list[Case]:
        """Return all cases, latest first."""
        query = select(CaseRow).order_by(CaseRow.opened_ms.desc(), CaseRow.id)
        with self._database.session(read_only=True) as session:
            return [_case(row, _steps(session, row.id)) for row in session.scalars(query).all()]

    def mark_step(self, case_id: str, code: str, *, by: str = "", note: str = "") -> Case:
        """Record that a step was done now, by whom. A step done before keeps its first time.

        Raises:
            NotFound: no such case, or no such step in it.
            Conflict: the case is closed.
        """
        with self._database.session() as session:
            row = _open(session, case_id)
            step = session.get(CaseStepRow, (case_id, code))
            if step is None:
                raise NotFound(f"case {case_id} has no step '{code}'", remedy="see its steps")
            if step.done_ms is None:
                step.done_ms = milliseconds(self._clock())
                step.done_by, step.note = by, note
            session.flush()
            return _case(row, _steps(session, case_id))

    def assess(
        self, case_id: str, *, persons: int, sensitivity: str, insider: bool = False
    ) -> Case:
        """Set the impact anew: the level follows, and steps that now apply are added.

        No step is taken away: what was once due stays on record.
        """
        impact = Impact(persons, sensitivity, insider)
        with self._database.session() as session:
            row = _open(session, case_id)
            row.persons, row.sensitivity, row.insider = persons, sensitivity, insider
            row.level = response_level(impact).code
            known = {step.code for step in _steps(session, case_id)}
            wanted = playbook().steps_for(impact)
            _add_steps(session, row, [step for step in wanted if step.code not in known])
            session.flush()
            return _case(row, _steps(session, case_id))

    def point(self, case_id: str, *, sop_instance: str, view_id: str, recipient: str) -> Case:
        """Name the view that the copy came from: after two people wanted it, never before."""
        with self._database.session() as session:
            row = _open(session, case_id)
            row.sop_instance, row.view_id, row.recipient = sop_instance, view_id, recipient
            session.flush()
            return _case(row, _steps(session, case_id))

    def require_open(self, case_id: str) -> None:
        """Raise NotFound or Conflict unless the case is there and open."""
        with self._database.session(read_only=True) as session:
            _open(session, case_id)

    def close(self, case_id: str, note: str = "") -> Case:
        """Close a case.

        Raises:
            Conflict: it is closed already, or steps of the first two hours are not done.
        """
        with self._database.session() as session:
            row = _open(session, case_id)
            steps = _steps(session, case_id)
            due = milliseconds(moment(row.opened_ms) + playbook().clock)
            missing = [s.code for s in steps if s.done_ms is None and s.due_ms <= due]
            if missing:
                raise Conflict(
                    f"case {case_id} has open steps: {', '.join(missing)}",
                    remedy="do them and mark them, with a note where one was waived",
                    code="steps-open",
                )
            row.closed_ms, row.closing_note = milliseconds(self._clock()), note
            session.flush()
            return _case(row, steps)


def _add_steps(session: Session, row: CaseRow, steps: Iterable[Step]) -> None:
    opened = moment(row.opened_ms)
    session.add_all(
        CaseStepRow(
            case_id=row.id,
            code=step.code,
            en=step.en,
            zh=step.zh,
            basis=",".join(step.basis),
            due_ms=milliseconds(opened + step.due),
            done_by="",
            note="",
        )
        for step in steps
    )


def _existing(session: Session, case_id: str) -> CaseRow:
    row = session.get(CaseRow, case_id)
    if row is None:
        raise NotFound(f"no case {case_id}", remedy="check the case number")
    return row


def _open(session: Session, case_id: str) -> CaseRow:
    row = _existing(session, case_id)
    if row.closed_ms is not None:
        raise Conflict(f"case {case_id} is closed", remedy="open a new case", code="case-closed")
    return row


def _steps(session: Session, case_id: str) -> list[CaseStepRow]:
    places = {step.code: place for place, step in enumerate(playbook().steps)}
    query = select(CaseStepRow).where(CaseStepRow.case_id == case_id)
    return sorted(
        session.scalars(query), key=lambda s: (s.due_ms, places.get(s.code, len(places)), s.code)
    )


def _case(row: CaseRow, steps: Iterable[CaseStepRow]) -> Case:
    return Case(
        id=row.id,
        level=row.level,
        statutory=statutory_level(Impact(row.persons, row.sensitivity, row.insider)).code,
        title_en=row.title_en,
        title_zh=row.title_zh,
        opened_at=moment(row.opened_ms),
        persons=row.persons,
        sensitivity=row.sensitivity,
        insider=row.insider,
        closed_at=None if row.closed_ms is None else moment(row.closed_ms),
        closing_note=row.closing_note,
        sop_instance=row.sop_instance,
        view_id=row.view_id,
        recipient=row.recipient,
        steps=tuple(_case_step(step) for step in steps),
    )


def _case_step(row: CaseStepRow) -> CaseStep:
    return CaseStep(
        code=row.code,
        en=row.en,
        zh=row.zh,
        due_at=moment(row.due_ms),
        basis=tuple(key for key in row.basis.split(",") if key),
        done_at=None if row.done_ms is None else moment(row.done_ms),
        done_by=row.done_by,
        note=row.note,
    )


def milliseconds(moment: datetime) -> int:
    """Return whole milliseconds since 1970."""
    return (moment - _EPOCH) // _MILLISECOND


def moment(milliseconds: int) -> datetime:
    """Return the aware time of milliseconds since 1970."""
    return _EPOCH + milliseconds * _MILLISECOND
