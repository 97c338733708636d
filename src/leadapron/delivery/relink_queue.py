"""What changes whose pseudonym is whose, durable before it is promised, made in order, once."""

from __future__ import annotations

import fcntl
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from leadapron.delivery.relinking import Origin, Relinked, Relinking
from leadapron.ledger import Ledger
from leadapron.model import LeadApronError, StorageFailure, Unavailable
from leadapron.store.encrypted_folder import EncryptedFolder, Item

log = structlog.get_logger(__name__)

MESSAGE, ACT = "hl7", "act"
RETRY_S = 10.0


@dataclass
class Outcome:
    """What became of a queued item: made, waiting for a disk or database, or set aside."""

    done: Relinked | None = None
    error: LeadApronError | None = None


@dataclass
class Job:
    """One queued item as it is applied; `apply` raises for what cannot be made."""

    item: Item
    body: bytes
    outcome: Outcome = field(default_factory=Outcome)


class RelinkQueue:
    """An encrypted folder of messages and approved acts; one process at a time works on it.

    What cannot be made goes to quarantine with its reason; what only has to wait (disk, database,
    log) stays first in line, and everything behind it too.
    """

    def __init__(
        self,
        relinking: Relinking,
        ledger: Ledger,
        spool: EncryptedFolder,
        quarantine: EncryptedFolder,
        lock_file: Path,
    ) -> None:
        self.relinking = relinking
        self._ledger = ledger
        self._spool = spool
        self._quarantine = quarantine
        self._lock_file = lock_file
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._messages: Any = None

    def handle_messages(self, apply: Any) -> None:
        """Say who makes the items of kind MESSAGE: ``apply(body, meta) -> Relinked``."""
        self._messages = apply

    def put(self, kind: str, body: bytes, meta: Mapping[str, str]) -> Outcome:
        """Keep an item durably, then make everything that is in line; return what became of it.

        Raises StorageFailure when it cannot be kept: nothing was promised.
        """
        name = f"{kind}-{time.time_ns():020d}-{secrets.token_hex(6)}"
        self._spool.write(name, body, {"kind": kind, **meta})
        outcome = self.drain().get(name, Outcome())
        aside = _set_aside_name(kind, body)
        if outcome == Outcome() and name not in self._spool and aside in self._quarantine:
            # Another process made it in the meantime, and could not.
            told = self._quarantine.item(aside).meta
            error = LeadApronError(told["message"], remedy=told["remedy"], code=told["code"])
            return Outcome(error=error)
        return outcome

    def release(self, name: str) -> None:
        """Put an item of the quarantine back in line, behind what is there."""
        item = self._quarantine.item(name)
        body = self._quarantine.read(name)
        kind, sender = str(item.meta["kind"]), str(item.meta.get("sender", ""))
        line = f"{kind}-{time.time_ns():020d}-{secrets.token_hex(6)}"
        self._spool.write(line, body, {"kind": kind, "sender": sender})
        self._quarantine.delete(name)

    def act(self, act: Mapping[str, Any]) -> Relinked:
        """Make one approved act; raise what it raises, Unavailable when it has to wait."""
        outcome = self.put(ACT, json.dumps(dict(act), ensure_ascii=False).encode(), {})
        if outcome.error is not None:
            raise outcome.error
        if outcome.done is None:
            raise Unavailable(
                "the change is kept but could not be made yet",
                remedy="it is made by itself as soon as log and database can write",
                code="relink-waiting",
            )
        return outcome.done

    def drain(self) -> dict[str, Outcome]:
        """Make what is in line, oldest first; return the outcomes by item."""
        outcomes: dict[str, Outcome] = {}
        with self._alone():
            for item in sorted(self._spool.list(), key=lambda i: i.name.partition("-")[2]):
                try:
                    outcomes[item.name] = self._make(item)
                except (Unavailable, StorageFailure) as error:
                    log.warning("relink.waiting", item=item.name, code=error.slug)
                    break
        return outcomes

    def start(self) -> None:
        """Make what an earlier run left, and what is put back from quarantine."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="relinks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish the item in hand."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                if len(self._spool):
                    self.drain()
            except LeadApronError as error:
                log.warning("relink.waiting", code=error.slug)
            self._stop.wait(RETRY_S)

    def _make(self, item: Item) -> Outcome:
        body = self._spool.read(item.name)
        try:
            kind = str(item.meta.get("kind"))
            done = self._messages(body, item.meta) if kind == MESSAGE else self._act(body)
        except (Unavailable, StorageFailure):
            raise
        except LeadApronError as error:
            return self._set_aside(item, body, error)
        except Exception as error:
            log.error("relink.failed", item=item.name, error=type(error).__name__)
            return self._set_aside(item, body, _unexpected(error))
        self._spool.delete(item.name)
        return Outcome(done)

    def _set_aside(self, item: Item, body: bytes, error: LeadApronError) -> Outcome:
        sender = str(item.meta.get("sender", ""))
        name = _set_aside_name(str(item.meta.get("kind")), body)
        self._ledger.append(
            {"kind": "relink.quarantined", "item": name, "sender": sender, "code": error.slug}
        )
        meta = {**item.meta, **error.as_dict(), "calling_ae": sender}
        self._quarantine.write(name, body, meta)
        self._spool.delete(item.name)
        log.warning("relink.quarantined", item=item.name, code=error.slug)
        return Outcome(error=error)

    def _act(self, body: bytes) -> Relinked:
        act = json.loads(body)
        origin = Origin(act["by"], {"approval": act["approval"], "second": act["second"]})
        make = self.relinking
        if act["act"] == "move":
            return make.move(act["study"], act["was"], act["patient"], act["order"], origin)
        if act["act"] == "merge":
            return make.merge(make.number_of(act["old"]), make.number_of(act["onto"]), origin)
        return make.unmerge(act["old"], act["onto"], origin)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the queue among threads and processes; the kernel drops it with the process."""
        with self._lock, self._lock_file.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _set_aside_name(kind: str, body: bytes) -> str:
    """Name an item of the quarantine by its content: a message sent again lies there once."""
    return f"{kind}-{hashlib.sha256(body).hexdigest()[:24]}"


def _unexpected(error: Exception) -> LeadApronError:
    return LeadApronError(
        f"the change could not be made ({type(error).__name__})",
        remedy="keep it in quarantine and report the failure",
        code="relink-failure",
    )
