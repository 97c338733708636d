"""The log as the rest of the system sees it: append, read, prove, check."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from leadapron.ledger import canonical
from leadapron.ledger.canonical import AT, JSON
from leadapron.ledger.memory import Memory
from leadapron.ledger.reading import LogReader, is_signed
from leadapron.ledger.signing import DEFAULT_NAME, Signer, check_name, parse_vkeys
from leadapron.ledger.writer import Writer
from leadapron.model import Conflict, LeadApronError, StorageFailure, Unavailable
from leadapron.store import durable

log = logging.getLogger(__name__)

_GATHER_SECONDS = 0.0003


@dataclass(frozen=True)
class Receipt:
    """That an entry is durably in the log: where, its hash, and the tree that first held it."""

    index: int
    leaf_hash: bytes
    tree_size: int
    root: bytes
    at_ms: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values; hashes in hexadecimal."""
        return {
            "index": self.index,
            "leaf_hash": self.leaf_hash.hex(),
            "tree_size": self.tree_size,
            "root": self.root.hex(),
            "at_ms": self.at_ms,
        }


@dataclass
class _Request:
    """Entries of one caller that wait for the next commit."""

    entries: list[dict[str, JSON]]
    receipts: list[Receipt] = field(default_factory=list)
    error: LeadApronError | None = None
    done: bool = False


class Ledger(LogReader):
    """The tamper-evident log (存证日志) in one folder, in the layout of C2SP tlog-tiles.

    One process writes, with any number of threads; any number of processes read and verify.
    """

    def __init__(
        self,
        path: Path,
        writer: Writer | None,
        vkeys: tuple[str, ...],
        seen: Path | None,
    ) -> None:
        """Use `Ledger.open`."""
        super().__init__(path, vkeys, seen)
        self._writer = writer
        self._queue: list[_Request] = []
        self._turn = threading.Condition()
        self._leading = False
        self._crowded = False
        self._stale = False
        self._last_ms = _last_time(writer)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        signer: Signer | None = None,
        *,
        origin: str | None = None,
        seen: str | os.PathLike[str] | None = None,
        vkeys: str | Iterable[str] = (),
    ) -> Ledger:
        """Open the log at `path`; create it if there is none; finish what a crash cut short.

        Args:
            path: the log's folder; nothing else may lie in it.
            signer: the log's keys. Without them a signed log is opened for reading, and a new
                or unsigned one for writing without signatures, which is for experiments only.
            origin: the log's name; the signer's by default.
            seen: file that remembers the last checkpoint, outside `path`, best beside the keys.
            vkeys: public keys for `fsck` where there is no signer.

        Raises:
            IntegrityFailure: the newest part is damaged, the log was rolled back or is foreign.
            Unavailable: another process writes this log.
            StorageFailure: the disk refuses.
        """
        folder = Path(path).absolute()
        remembered = Path(seen).absolute() if seen else None
        if remembered and remembered.is_relative_to(folder):
            raise Conflict(
                "the memory of the last checkpoint would lie inside the log",
                remedy="keep it in the keys folder",
            )
        keys = signer.vkeys if signer else tuple(v.vkey for v in parse_vkeys(vkeys))
        if signer is None and is_signed(folder):
            return cls(folder, None, keys, remembered)
        if signer is None:
            log.warning("the log at %s is not signed: for experiments only", folder)
        name = check_name(origin or (signer.name if signer else DEFAULT_NAME))
        if signer and signer.name != name:
            raise Conflict(
                f"the signer's name is {signer.name}, not {name}", remedy="leave out the origin"
            )
        memory = Memory(remembered) if remembered else None
        return cls(folder, Writer(folder, signer, name, memory), keys, remembered)

    def close(self) -> None:
        """Wait for the running commit, then let another process write."""
        with self._turn:
            self._turn.wait_for(lambda: not self._leading)
            if self._writer:
                self._writer.close()
            self._writer = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, entry: Mapping[str, JSON]) -> Receipt:
        """Append one entry; when this returns, it survives a power cut. See `append_many`."""
        return self.append_many([entry])[0]

    def append_many(self, entries: Iterable[Mapping[str, JSON]]) -> list[Receipt]:
        """Append entries in order, all or none; concurrent callers share one commit.

        The log adds `at`, milliseconds since the epoch, which never runs backwards.

        Raises:
            BadInput: a value JSON cannot carry exactly, a key `at`, or more than 65535 bytes.
            StorageFailure: nothing was promised; what depends on the entry must not happen.
            IntegrityFailure: the log was changed under the writer.
            Unavailable: the log is open for reading only, or closed.
        """
        request = _Request([canonical.checked(entry) for entry in entries])
        if not request.entries:
            return []
        self._submit(request)
        if request.error:
            raise request.error
        return request.receipts

    def _submit(self, request: _Request) -> None:
        """Wait until the request is committed, by this thread or by one that leads a batch."""
        with self._turn:
            self._queue.append(request)
            self._turn.wait_for(lambda: request.done or not self._leading)
            if request.done:
                return
            self._leading = True
        batch: list[_Request] = []
        try:
            if self._crowded:
                # Those whose entries the last commit took are about to come back: one fsync more.
                time.sleep(_GATHER_SECONDS)
            with self._turn:
                batch, self._queue = self._queue, []
            self._commit(batch)
        finally:
            with self._turn:
                _fail_unfinished(batch or [request])
                self._leading = False
                self._crowded = len(batch) > 1
                self._turn.notify_all()

    def _commit(self, batch: list[_Request]) -> None:
        """Commit every waiting request at once; each gets its receipts or the same error."""
        try:
            if self._writer is None:
                raise Unavailable(
                    "the log is not open for writing", remedy="open it with the log's signer"
                )
            with durable.storage_errors("cannot write to the log"):
                self._write(self._writer, batch)
        except LeadApronError as error:
            for request in batch:
                request.error = error

    def _write(self, writer: Writer, batch: list[_Request]) -> None:
        if self._stale:
            writer.recover()
            self._last_ms = _last_time(writer)
            self._stale = False
        at_ms = max(self._last_ms, time.time_ns() // 1_000_000)
        entries = [canonical.encode(entry | {AT: at_ms}) for r in batch for entry in r.entries]
        first = writer.checkpoint.head.size
        try:
            hashes = writer.commit(entries)
        except BaseException:
            self._stale = True
            self._undo(writer)
            raise
        self._last_ms = at_ms
        head = writer.checkpoint.head
        receipts = [
            Receipt(first + i, leaf, head.size, head.root, at_ms) for i, leaf in enumerate(hashes)
        ]
        for request in batch:
            count = len(request.entries)
            request.receipts, receipts = receipts[:count], receipts[count:]

    def _undo(self, writer: Writer) -> None:
        """Take a failed commit off the folder at once; if that fails too, the next append does."""
        try:
            writer.recover()
            self._last_ms = _last_time(writer)
            self._stale = False
        except (OSError, LeadApronError):
            log.exception("an append failed and could not be undone; appends stay refused")


def _fail_unfinished(batch: list[_Request]) -> None:
    """Let nobody wait for, or take as logged, what a leader left behind."""
    for request in batch:
        request.done = True
        if not request.receipts and not request.error:
            request.error = StorageFailure(
                "the log failed unexpectedly", remedy="see the service's own log"
            )


def _last_time(writer: Writer | None) -> int:
    if writer is None or writer.last_entry is None:
        return 0
    at_ms = canonical.load(writer.last_entry)[AT]
    return at_ms if isinstance(at_ms, int) else 0
