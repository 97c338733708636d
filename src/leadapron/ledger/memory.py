"""What keeps a rolled-back log from looking fresh: the last checkpoint, remembered elsewhere.

The file lies outside the log's folder, beside the keys. An older copy of the log is intact in
itself; only a memory that did not travel with it can tell that entries are gone.
"""

from __future__ import annotations

from pathlib import Path

from leadapron.ledger.checkpoint import Checkpoint
from leadapron.ledger.signing import TreeHead
from leadapron.ledger.tiles import TileReader
from leadapron.ledger.tree import EMPTY_ROOT, range_root
from leadapron.model import IntegrityFailure
from leadapron.store import durable


class Memory:
    """The last checkpoint seen of one log."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> TreeHead | None:
        """Return the remembered tree head, None if nothing was remembered yet.

        Raises:
            IntegrityFailure: the file is damaged.
            StorageFailure: it cannot be read.
        """
        with durable.storage_errors(f"cannot read {self.path}"):
            try:
                return Checkpoint.parse(self.path.read_bytes()).head
            except FileNotFoundError:
                return None

    def store(self, checkpoint: Checkpoint) -> None:
        """Remember the checkpoint durably; OSError if the file cannot be written."""
        durable.make_folder(self.path.parent)
        durable.replace_file(self.path, checkpoint.to_bytes())


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
