"""Pseudonyms of patients that were merged: which one is current, and which ones led to it.

Orders and films keep the pseudonym they came with; who reads them resolves it here. So a merge
rewrites nothing, and undoing it leaves nothing behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from leadapron.model import Conflict, IntegrityFailure, NotFound
from leadapron.policy.tables import AliasRow

if TYPE_CHECKING:
    from leadapron.store.database import Database


@dataclass(frozen=True)
class Current:
    """The pseudonym that holds now, and by how many days dates move to stand under it."""

    patient: str
    days: int


@dataclass(frozen=True)
class Alias:
    """One merge: `old` became `onto`; `ledger_index` is the entry that says by whom."""

    old: str
    onto: str
    days: int
    at_ms: int
    ledger_index: int


def resolve(session: Session, patient: str) -> Current:
    """Return the current pseudonym of a patient; itself when nothing was merged."""
    seen, days = [patient], 0
    while (row := session.get(AliasRow, seen[-1])) is not None:
        if row.onto in seen:
            raise IntegrityFailure(
                "the merges of a patient have no end", remedy="restore the catalogue's backup"
            )
        seen.append(row.onto)
        days += row.days
    return Current(seen[-1], days)


def family(session: Session, patient: str) -> frozenset[str]:
    """Return every pseudonym that stands for the same patient, `patient` among them."""
    found = [resolve(session, patient).patient]
    for member in found:
        found += session.scalars(select(AliasRow.old).where(AliasRow.onto == member))
    return frozenset(found)


class Aliases:
    """The merges, as the catalogue knows them: pseudonyms only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def resolve(self, patient: str) -> Current:
        """Return the current pseudonym of a patient."""
        with self._database.session(read_only=True) as session:
            return resolve(session, patient)

    def family(self, patient: str) -> frozenset[str]:
        """Return every pseudonym that stands for the same patient."""
        with self._database.session(read_only=True) as session:
            return family(session, patient)

    def list(self) -> list[Alias]:
        """Return all merges, latest first."""
        query = select(AliasRow).order_by(AliasRow.at_ms.desc(), AliasRow.old)
        with self._database.session(read_only=True) as session:
            return [
                Alias(row.old, row.onto, row.days, row.at_ms, row.ledger_index)
                for row in session.scalars(query)
            ]

    def add(self, alias: Alias) -> None:
        """Keep a merge; the same one again changes nothing.

        Raises Conflict for a circle, or when `old` became another one before.
        """
        with self._database.session() as session:
            known = session.get(AliasRow, alias.old)
            if known is not None and known.onto == alias.onto:
                return
            if known is not None or resolve(session, alias.onto).patient == alias.old:
                raise Conflict(
                    "these pseudonyms cannot be merged: a circle, or merged before",
                    remedy="undo the earlier merge first, if it was wrong",
                    code="already-merged" if known is not None else "merge-cycle",
                )
            session.add(AliasRow(**vars(alias)))

    def remove(self, old: str) -> None:
        """Take a merge back; nothing happens if there is none."""
        with self._database.session() as session:
            row = session.get(AliasRow, old)
            if row is not None:
                session.delete(row)

    def get(self, old: str) -> Alias:
        """Return the merge of `old`; NotFound if there is none."""
        with self._database.session(read_only=True) as session:
            row = session.get(AliasRow, old)
        if row is None:
            raise NotFound(f"{old[:64]} was not merged", remedy="check the pseudonym")
        return Alias(row.old, row.onto, row.days, row.at_ms, row.ledger_index)
