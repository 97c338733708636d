"""The log as a person reads it, and its verification."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Query

from leadapron.app.api.console import OPERATORS, require
from leadapron.app.api.presenting import log_entries, moment_of, root_of
from leadapron.app.api.schemas import LedgerEntry, LedgerPage, LedgerVerification
from leadapron.app.api.security import Here, Operator, Reader
from leadapron.ledger import leaf_hash

router = APIRouter(tags=["ledger"])


@router.post("/ledger/entries", include_in_schema=False)
def append(here: Here, _caller: Operator, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Append for a command that runs beside this process."""
    return [receipt.as_dict() for receipt in here.ledger.append_many(entries)]


@router.get("/ledger")
def page(
    here: Here,
    caller: Reader,
    before: int | None = Query(default=None, ge=0),
    limit: int = Query(default=50, ge=1, le=500),
) -> LedgerPage:
    """Return entries below index `before`, newest first."""
    require(here, caller, OPERATORS)
    size = here.ledger.size
    stop = size if before is None else min(before, size)
    start = max(0, stop - limit)
    entries = log_entries(here, start, stop)
    return LedgerPage(
        size=size,
        root=root_of(here),
        checkpoint=here.ledger.checkpoint(),
        entries=[
            LedgerEntry(
                index=index,
                at=moment_of(entry),
                kind=entry["kind"],
                summary={k: v for k, v in entry.items() if k not in {"at", "kind"}},
                leaf_hash=leaf_hash(here.ledger.raw(index)).hex(),
            )
            for index, entry in reversed(entries)
        ],
    )


@router.post("/ledger/verify")
def verify(here: Here, caller: Reader) -> LedgerVerification:
    """Read and recompute every byte of the log."""
    require(here, caller, OPERATORS)
    start = time.perf_counter()
    report = here.ledger.fsck()
    return LedgerVerification(
        intact=report.intact,
        size=report.size,
        root=report.root.hex() if report.root else "",
        problems=list(report.problems),
        elapsed_ms=round((time.perf_counter() - start) * 1000),
    )
