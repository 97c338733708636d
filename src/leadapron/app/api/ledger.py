"""The log as a person reads it, and its verification."""

from __future__ import annotations

import time

from fastapi import APIRouter, Query

from leadapron.app.api.console import OPERATORS, require
from leadapron.app.api.presenting import utc
from leadapron.app.api.schemas import LedgerEntry, LedgerPage, LedgerVerification
from leadapron.app.api.security import Here, Reader

router = APIRouter(tags=["ledger"])


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
    entries = list(enumerate(here.ledger.entries(start, stop), start))
    return LedgerPage(
        size=size,
        root=here.ledger.root.hex(),
        checkpoint=here.ledger.checkpoint(),
        entries=[
            LedgerEntry(
                index=index,
                at=utc(entry["at"]),
                kind=entry["kind"],
                summary={k: v for k, v in entry.items() if k not in {"at", "kind"}},
                leaf_hash=here.ledger.leaf_hash(index).hex(),
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
        root=report.root.hex(),
        problems=list(report.problems),
        elapsed_ms=round((time.perf_counter() - start) * 1000),
    )
