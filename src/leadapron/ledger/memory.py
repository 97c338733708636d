"""What keeps a rolled-back log from looking fresh: the last checkpoint, remembered elsewhere.

The file lies outside the log's folder, beside the keys. An older copy of the log is intact in
itself; only a memory that did not travel with it can tell that entries are gone.

It has two slots of 16 KiB that are written in turn, in place, each a line of length and SHA-256
and then the checkpoint: one fdatasync a commit, and a torn write leaves the other slot.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from leadapron.ledger.checkpoint import Checkpoint
from leadapron.ledger.signing import TreeHead
from leadapron.ledger.tiles import TileReader
from leadapron.ledger.tree import EMPTY_ROOT, range_root
from leadapron.model import IntegrityFailure, StorageFailure
from leadapron.store import durable

_SLOT = 16 * 1024
_MAGIC = b"leadapron-seen-1"


class Memory:
    """The last checkpoint seen of one log."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> Checkpoint | None:
        """Return the remembered checkpoint, None if nothing was remembered yet.

        Raises:
            IntegrityFailure: the file is damaged.
            StorageFailure: it cannot be read.
        """
        slots = self._slots()
        if slots is None:
            return None
        found = [checkpoint for checkpoint in slots if checkpoint]
        if not found:
            raise IntegrityFailure(
                "the memory of the log's last checkpoint is damaged",
                remedy="restore the keys folder from its copy",
            )
        return max(found, key=lambda checkpoint: checkpoint.head.size)

    def store(self, checkpoint: Checkpoint) -> None:
        """Remember the checkpoint durably.

        Raises:
            OSError: the file cannot be written; the older memory is still there.
            StorageFailure: the checkpoint carries too many signatures for a slot.
        """
        record = _record(checkpoint)
        slots = self._slots()
        if slots is None or not any(slots):
            durable.make_folder(self.path.parent)
            durable.replace_file(self.path, record.ljust(2 * _SLOT, b"\0"))
            return
        first, second = (slot.head.size if slot else -1 for slot in slots)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_NOFOLLOW)
        try:
            written = os.pwrite(descriptor, record, 0 if first < second else _SLOT)
            if written != len(record):
                raise OSError(f"{written} of {len(record)} bytes written")
            durable.sync_data(descriptor)
        finally:
            os.close(descriptor)

    def _slots(self) -> list[Checkpoint | None] | None:
        with durable.storage_errors(f"cannot read {self.path}"):
            try:
                data = self.path.read_bytes()
            except FileNotFoundError:
                return None
        return [_slot(data[start : start + _SLOT]) for start in (0, _SLOT)]


def _record(checkpoint: Checkpoint) -> bytes:
    note = checkpoint.to_bytes()
    digest = hashlib.sha256(note).hexdigest()
    record = b"%s %d %s\n%s" % (_MAGIC, len(note), digest.encode(), note)
    if len(record) > _SLOT:
        raise StorageFailure(
            "the checkpoint is too large to remember", remedy="use fewer witnesses"
        )
    return record


def _slot(data: bytes) -> Checkpoint | None:
    """Return the checkpoint of one slot, None if it is empty or was torn."""
    try:
        line, _, rest = data.partition(b"\n")
        magic, length, digest = line.split(b" ")
        note = rest[: int(length)]
        if magic != _MAGIC or hashlib.sha256(note).hexdigest().encode() != digest:
            return None
        return Checkpoint.parse(note)
    except (ValueError, IntegrityFailure):
        return None


def contradiction(remembered: TreeHead, head: TreeHead, root_then: bytes | None) -> str | None:
    """Return how the log contradicts the memory; `root_then` is the log's root at that size."""
    if remembered.origin != head.origin:
        return f"the last checkpoint seen is of another log, {remembered.origin}"
    if remembered.size > head.size:
        return (
            f"the log was rolled back: it has {head.size} entries, "
            f"{remembered.size} were seen before"
        )
    if root_then != remembered.root:
        return f"the first {remembered.size} entries are not the ones seen before"
    return None


def check_memory(remembered: TreeHead | None, head: TreeHead, folder: Path) -> None:
    """Raise IntegrityFailure if the log at `folder` contradicts its memory, or has lost it."""
    if remembered is None:
        if head.size:
            raise IntegrityFailure(
                "the memory of the log's last checkpoint is missing",
                remedy="restore the keys folder; without it nobody can tell whether entries "
                "were taken off the end",
            )
        return
    root_then = None
    if remembered.size <= head.size:
        reader = TileReader(folder, head.size)
        root_then = range_root(reader.subtree, 0, remembered.size) if head.size else EMPTY_ROOT
    problem = contradiction(remembered, head, root_then)
    if problem:
        raise IntegrityFailure(
            problem, remedy="restore the newest copy of the log, and keep this one as evidence"
        )
