"""Whose film it is now: merges and moved studies over the label that the film came with."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from leadapron.archive.film import Film
from leadapron.archive.tables import StudyMoveRow
from leadapron.deid.dates import shift
from leadapron.policy.aliases import Current, resolve


@dataclass(frozen=True)
class StudyMove:
    """A study given to another patient; `days` moves dates from those of `was`."""

    study_instance: str
    was: str
    patient: str
    days: int
    at_ms: int
    ledger_index: int


def placed(session: Session, film: Film, *, dated: bool) -> Film:
    """Return the film under its current patient; `dated` tells whether its dates were shifted.

    The study's date moves along, so that searches meet what delivery will say.
    """
    current = _current(session, film)
    days = film.sent_days + current.days if dated else 0
    date = shift(film.study_date, days - film.shift_days) if film.study_date else ""
    return replace(
        film, patient=current.patient, shift_days=days, study_date=date or film.study_date
    )


def _current(session: Session, film: Film) -> Current:
    sent = resolve(session, film.sent_as or film.patient)
    move = session.get(StudyMoveRow, film.study_instance)
    if move is None:
        return sent
    was = resolve(session, move.was)
    if was.patient != sent.patient:
        return sent
    now = resolve(session, move.patient)
    return Current(now.patient, sent.days - was.days + move.days + now.days)
