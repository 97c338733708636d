"""An invariant that anyone may check: every grant has its entry in the log."""

from __future__ import annotations

from sqlalchemy import select

from leadapron.delivery.tables import ViewRow
from leadapron.ledger import Ledger
from leadapron.model import LeadApronError
from leadapron.store.database import Database


def views_without_entry(database: Database, ledger: Ledger) -> list[str]:
    """Return what is wrong with grants whose ledger entry is absent or names another view."""
    with database.session(read_only=True) as session:
        rows = [(r.view_id, r.first_ledger_index) for r in session.scalars(select(ViewRow))]
    wrong = []
    for view_id, index in rows:
        try:
            logged = ledger.entry(index).get("view")
        except LeadApronError:
            logged = None
        if logged != view_id:
            wrong.append(f"views: {view_id} has no entry at index {index} of the log")
    return wrong
