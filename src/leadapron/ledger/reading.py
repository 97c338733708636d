"""Reading a log and proving what is in it; needs no key and disturbs no writer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

from leadapron.ledger import canonical, fsck, tree
from leadapron.ledger.canonical import JSON
from leadapron.ledger.checkpoint import Checkpoint
from leadapron.ledger.folder import locked
from leadapron.ledger.fsck import FsckReport
from leadapron.ledger.signing import TreeHead
from leadapron.ledger.tiles import CHECKPOINT, WIDTH, TileReader
from leadapron.ledger.tree import ConsistencyProof, InclusionProof, leaf_hash
from leadapron.model import IntegrityFailure
from leadapron.store import durable

T = TypeVar("T")


class LogReader:
    """The reading half of `Ledger`; any number of processes may read."""

    def __init__(self, path: Path, vkeys: tuple[str, ...], seen: Path | None) -> None:
        """Take the folder, the public keys and the file of the last checkpoint for `fsck`."""
        self.path = path
        self.vkeys = vkeys
        self._seen = seen

    @property
    def size(self) -> int:
        """How many entries the newest checkpoint covers."""
        return self._head().size

    def __len__(self) -> int:
        return self.size

    def checkpoint(self) -> str:
        """Return the newest checkpoint: a C2SP signed note."""
        return self._read_checkpoint().to_bytes().decode()

    def entry(self, index: int) -> dict[str, JSON]:
        """Return one entry, checked against its hash; BadInput if there is none."""
        return canonical.load(self.raw(index))

    def raw(self, index: int) -> bytes:
        """Return the exact bytes that were hashed; BadInput, IntegrityFailure."""

        def read() -> bytes:
            tree.check_range(index, self.size)
            return self._bundle(index // WIDTH)[index % WIDTH]

        return self._consistently(read)

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[dict[str, JSON]]:
        """Yield entries `start` to `stop` (the size, by default), each checked against its hash.

        What is appended meanwhile is not yielded.
        """
        end = min(self.size, stop) if stop is not None else self.size
        position = max(start, 0)
        while position < end:
            index, offset = divmod(position, WIDTH)
            bundle = self._consistently(partial(self._bundle, index))
            part = bundle[offset : min(WIDTH, end - index * WIDTH)]
            yield from map(canonical.load, part)
            position += len(part)

    def prove(self, index: int) -> InclusionProof:
        """Return the proof that entry `index` is in the newest checkpoint's tree."""
        return self.prove_with_checkpoint(index)[0]

    def prove_with_checkpoint(self, index: int) -> tuple[InclusionProof, Checkpoint]:
        """Return the proof together with the checkpoint that it leads to."""

        def read() -> tuple[InclusionProof, Checkpoint]:
            checkpoint = self._read_checkpoint()
            return _prove(self.path, checkpoint.head, index), checkpoint

        return self._consistently(read)

    def prove_consistency(self, old: int, new: int | None = None) -> ConsistencyProof:
        """Return the proof that the tree of size `new` (the newest) only added to that of `old`."""

        def read() -> ConsistencyProof:
            head = self._head()
            newer = head.size if new is None else new
            tree.check_range(newer, head.size + 1)
            tree.check_range(old, newer + 1)
            return _prove_consistency(self.path, head, old, newer)

        return self._consistently(read)

    def fsck(self) -> FsckReport:
        """Check the whole log from its bytes; see `leadapron.ledger.verify`."""
        if not self.vkeys and not is_signed(self.path):
            return fsck.verify_unsigned(self.path, self._seen)
        return fsck.verify(self.path, self.vkeys, self._seen)

    def _consistently(self, read: Callable[[], T]) -> T:
        """Read without a lock, so that readers never hold up an append; all reads are checked.

        A commit that runs meanwhile may show as damage: then once more, and at last locked.
        """
        for _ in range(3):
            try:
                return read()
            except IntegrityFailure:
                continue
        with locked(self.path, exclusive=False):
            return read()

    def _bundle(self, index: int) -> list[bytes]:
        reader = TileReader(self.path, self.size)
        entries = reader.entries(index)
        if [leaf_hash(entry) for entry in entries] != reader.hashes(0, index):
            raise IntegrityFailure(
                f"entries from {index * WIDTH} on are not what their hashes say",
                remedy="run `leadapron ledger verify`; restore the log from a copy",
            )
        return entries

    def _read_checkpoint(self) -> Checkpoint:
        with durable.storage_errors("cannot read the log"):
            return Checkpoint.parse((self.path / CHECKPOINT).read_bytes())

    def _head(self) -> TreeHead:
        return self._read_checkpoint().head


def is_signed(folder: Path) -> bool:
    """Tell whether the log's checkpoint carries any signature; False if there is no log."""
    try:
        return bool(Checkpoint.parse((folder / CHECKPOINT).read_bytes()).signatures)
    except FileNotFoundError:
        return False


def _prove(folder: Path, head: TreeHead, index: int) -> InclusionProof:
    """Return the inclusion proof of `index` under one tree head, checked before it is given out."""
    tree.check_range(index, head.size)
    reader = TileReader(folder, head.size)
    leaf = reader.hashes(0, index // WIDTH)[index % WIDTH]
    path = tuple(tree.inclusion_path(reader.subtree, index, head.size))
    proof = InclusionProof(index, leaf, head.size, head.root, path)
    if not proof.verify():
        raise _unprovable()
    return proof


def _prove_consistency(folder: Path, head: TreeHead, old: int, new: int) -> ConsistencyProof:
    subtree = TileReader(folder, head.size).subtree
    proof = ConsistencyProof(
        old,
        new,
        tree.range_root(subtree, 0, old),
        tree.range_root(subtree, 0, new),
        tuple(tree.consistency_path(subtree, old, new)),
    )
    if not proof.verify() or (new == head.size and proof.new_root != head.root):
        raise _unprovable()
    return proof


def _unprovable() -> IntegrityFailure:
    return IntegrityFailure(
        "the log's tiles do not match its checkpoint",
        remedy="run `leadapron ledger verify`; restore the log from a copy",
    )
