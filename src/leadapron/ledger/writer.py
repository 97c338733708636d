"""Appending to the folder so that a kill or a power cut at any point loses nothing acknowledged.

A commit is: append to the partial files in place and rename each to its new width; fsync the
entries; replace the checkpoint; remember it durably outside. The newest signed checkpoint is the
only authority: whatever lies beyond it was never acknowledged, and `recover` takes it off again.
Two waits for the disk a commit, because what follows from other bytes is not fsynced: partial hash
tiles are computed anew, and a checkpoint that a power cut took back is in the memory.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from leadapron.ledger.checkpoint import Checkpoint
from leadapron.ledger.folder import Snapshot, lock_for_writing, locked
from leadapron.ledger.memory import Memory, check_memory
from leadapron.ledger.signing import Signer, TreeHead
from leadapron.ledger.tiles import (
    CHECKPOINT,
    ENTRIES,
    WIDTH,
    TileReader,
    decode_bundle,
    encode_entry,
    expected_files,
    expected_folders,
    items_in,
    parse_path,
    rows,
    tile_path,
)
from leadapron.ledger.tree import EMPTY_ROOT, HASH_SIZE, Frontier, complete_root, leaf_hash, peaks
from leadapron.model import IntegrityFailure
from leadapron.store import durable

log = logging.getLogger(__name__)


@dataclass
class Edge:
    """The partial file of one row: its items' bytes so far, and how many they are."""

    data: bytearray = field(default_factory=bytearray)
    width: int = 0


class Writer:
    """The only writer of one log. Not safe for threads: `Ledger` serialises the calls."""

    def __init__(
        self, folder: Path, signer: Signer | None, origin: str, memory: Memory | None
    ) -> None:
        """Create or recover the log, and hold its writer lock until `close`.

        Raises:
            IntegrityFailure: the log is damaged, foreign or rolled back.
            Unavailable: another process writes it.
            StorageFailure: the disk refuses.
        """
        self.folder = folder
        self._signer = signer
        self._origin = origin
        self._memory = memory
        self._unsynced_files: set[Path] = set()
        self._unsynced_folders: set[Path] = set()
        with durable.storage_errors(f"cannot open the log at {folder}"):
            durable.make_folder(folder / "tile")
            self._lock = lock_for_writing(folder)
            try:
                self.recover()
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Release the writer lock."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def recover(self) -> None:
        """Bring the folder to the state of its checkpoint, and the edges into memory.

        Raises:
            IntegrityFailure: what the checkpoint covers is not there unharmed.
            OSError: the disk refuses; nothing covered by the checkpoint was touched.
        """
        with locked(self.folder, exclusive=True):
            durable.sweep(self.folder)
            snapshot = Snapshot(self.folder)
            snapshot.walk()
            remembered = self._memory.load() if self._memory else None
            self._load_checkpoint(snapshot, remembered)
            self._load_edges(snapshot)
            self._settle(snapshot)
            if self._memory:
                self._check_memory(remembered)

    def commit(self, entries: list[bytes]) -> list[bytes]:
        """Append entries durably, sign and remember the new tree head; return the leaf hashes.

        Raises:
            OSError: something was not written; call `recover` before the next commit.
        """
        hashes = [leaf_hash(entry) for entry in entries]
        with locked(self.folder, exclusive=True):
            self._extend(ENTRIES, [encode_entry(entry) for entry in entries])
            self._extend(0, hashes)
            self._sync()
            for leaf in hashes:
                self._frontier.push(leaf)
            size = self._frontier.size
            self._publish(TreeHead(self._origin, size, self._frontier.root()))
        return hashes

    def _publish(self, head: TreeHead) -> None:
        checkpoint = Checkpoint.sign(head, self._signer, int(time.time()))
        self._store(checkpoint)
        if self._memory:
            self._memory.store(checkpoint)
        self.checkpoint = checkpoint

    def _store(self, checkpoint: Checkpoint) -> None:
        """Replace the checkpoint file; it need not be durable if the memory will be."""
        durable.replace_file(
            self.folder / CHECKPOINT, checkpoint.to_bytes(), sync=self._memory is None
        )

    def _sync(self) -> None:
        """Wait until what the commit wrote, and the names of it, are on the disk."""
        for path in self._unsynced_files:
            _fsync(path)
        for path in self._unsynced_folders:
            durable.sync_folder(path)
        self._unsynced_files.clear()
        self._unsynced_folders.clear()

    def _extend(self, row: int, items: list[bytes]) -> None:
        """Add items to a row; a tile that becomes full passes its root to the level above."""
        position = 0
        while position < len(items):
            edge = self._edges.setdefault(row, Edge())
            index = self._full.get(row, 0)
            part = items[position : position + WIDTH - edge.width]
            position += len(part)
            self._grow(row, index, edge, b"".join(part), len(part))
            if edge.width == WIDTH:
                self._full[row] = index + 1
                self._edges[row] = Edge()
                if row != ENTRIES:
                    root = complete_root(_hashes(edge.data))
                    self._extend(row + 1, [root])

    def _grow(self, row: int, index: int, edge: Edge, data: bytes, count: int) -> None:
        """Append to one partial file and rename it to its new width."""
        width = edge.width + count
        target = self.folder / tile_path(row, index, width)
        source = self.folder / tile_path(row, index, edge.width) if edge.width else target
        if not edge.width:
            durable.make_folder(target.parent)
        _append(source, len(edge.data), data)
        if source != target:
            source.rename(target)
        if width == WIDTH and edge.width:
            source.parent.rmdir()
        if row == ENTRIES or width == WIDTH:
            self._unsynced_files.add(target)
        if width == WIDTH or not edge.width:
            self._unsynced_folders.add(target.parent)
        self._unsynced_folders.discard(source.parent if width == WIDTH else Path())
        edge.data += data
        edge.width = width

    def _load_checkpoint(self, snapshot: Snapshot, remembered: Checkpoint | None) -> None:
        """Take the newest checkpoint; the file's may be older than the memory's after a cut."""
        note = (self.folder / CHECKPOINT).read_bytes() if CHECKPOINT in snapshot.files else b""
        if note.strip(b"\0"):
            stored = Checkpoint.parse(note)
            self._check_checkpoint(stored)
        elif remembered is None and not snapshot.files - {CHECKPOINT}:
            self._publish(TreeHead(self._origin, 0, EMPTY_ROOT))
            return
        elif remembered is None or (remembered.head.size and not snapshot.files):
            raise IntegrityFailure(
                f"the log at {self.folder} has no checkpoint",
                remedy="it was deleted: restore the log from a copy",
            )
        else:
            stored = remembered
        newer = remembered and remembered.head.size > stored.head.size
        self.checkpoint = remembered if remembered and newer else stored
        self._check_checkpoint(self.checkpoint)

    def _check_checkpoint(self, checkpoint: Checkpoint) -> None:
        verifiers = self._signer.verifiers if self._signer else ()
        problems = checkpoint.problems(verifiers, strict=not verifiers)
        if checkpoint.head.origin != self._origin:
            problems.append(f"the log is {checkpoint.head.origin}, not {self._origin}")
        if problems:
            raise IntegrityFailure(
                "; ".join(problems), remedy="use the keys folder this log was written with"
            )

    def _check_memory(self, remembered: Checkpoint | None) -> None:
        check_memory(remembered.head if remembered else None, self.checkpoint.head, self.folder)
        if self._memory and (remembered is None or remembered.head != self.checkpoint.head):
            self._memory.store(self.checkpoint)

    def _load_edges(self, snapshot: Snapshot) -> None:
        """Compute the right edge from entries and full tiles, and check it against the root."""
        size = self.checkpoint.head.size
        reader = TileReader(self.folder, size)
        self._full = {row: items_in(row, size) // WIDTH for row in (ENTRIES, *rows(size))}
        self._edges = {row: Edge() for row in rows(size)}
        bundle = self._newest_entries(snapshot, size)
        entries, used = decode_bundle(bundle, size % WIDTH)
        self._edges[ENTRIES] = Edge(bytearray(bundle[:used]), len(entries))
        self.last_entry = entries[-1] if entries else self._last_full_entry(reader, size)
        roots: list[bytes] = []
        for level in reversed([row for row in rows(size) if row != ENTRIES]):
            hashes = self._edge_hashes(level, reader, entries)
            self._edges[level] = Edge(bytearray(b"".join(hashes)), len(hashes))
            roots += peaks(hashes)
        self._frontier = Frontier(size, roots)
        short = len(entries) != size % WIDTH
        if short or self._frontier.root() != self.checkpoint.head.root:
            raise IntegrityFailure(
                f"the log's files do not hold the {size} entries of the last checkpoint",
                remedy="it was rolled back or damaged: run `leadapron ledger verify` to see where; "
                "restore the newest copy, and keep this one as evidence",
            )

    def _newest_entries(self, snapshot: Snapshot, size: int) -> bytes:
        """Return the bundle that the checkpoint cuts, whatever width a dead commit gave it."""
        index, width = divmod(size, WIDTH)
        if not width:
            return b""
        for candidate in range(width, WIDTH + 1):
            name = tile_path(ENTRIES, index, candidate)
            if name in snapshot.files:
                return (self.folder / name).read_bytes()
        # A rename of a commit that was acknowledged may be lost to a power cut, its bytes are not.
        for candidate in range(width - 1, 0, -1):
            name = tile_path(ENTRIES, index, candidate)
            if name in snapshot.files:
                return (self.folder / name).read_bytes()
        return b""

    def _edge_hashes(self, level: int, reader: TileReader, entries: list[bytes]) -> list[bytes]:
        if level == 0:
            return [leaf_hash(entry) for entry in entries]
        size = self.checkpoint.head.size
        start = items_in(level, size) // WIDTH * WIDTH
        children = range(start, items_in(level, size))
        return [complete_root(reader.hashes(level - 1, child)) for child in children]

    @staticmethod
    def _last_full_entry(reader: TileReader, size: int) -> bytes | None:
        return reader.entries(size // WIDTH - 1)[-1] if size else None

    def _settle(self, snapshot: Snapshot) -> None:
        """Give the folder exactly the files of the checkpoint where a dead commit left others."""
        size = self.checkpoint.head.size
        expected = {path for path, *_ in expected_files(size)} | {CHECKPOINT}
        if (self.folder / CHECKPOINT).read_bytes() != self.checkpoint.to_bytes():
            self._store(self.checkpoint)
        for row, edge in self._edges.items():
            path = tile_path(row, self._full[row], edge.width)
            if edge.width:
                self._restore(snapshot, row, path, bytes(edge.data))
        for path in sorted(snapshot.files - expected):
            if self._is_leftover(path):
                log.warning("removed %s, left by an unfinished append", path)
                (self.folder / path).unlink()
        keep = expected_folders(expected)
        for name in sorted(snapshot.folders - keep, key=len, reverse=True):
            if not any((self.folder / name).iterdir()):
                (self.folder / name).rmdir()

    def _restore(self, snapshot: Snapshot, row: int, path: str, data: bytes) -> None:
        """Make `path` hold `data`; a file that a dead commit grew is cut, which needs no space."""
        target = self.folder / path
        for width in range(1, WIDTH + 1):
            name = tile_path(row, self._full[row], width)
            if name in snapshot.files and (self.folder / name).read_bytes().startswith(data):
                _cut(self.folder / name, len(data))
                if name != path:
                    durable.make_folder(target.parent)
                    (self.folder / name).rename(target)
                    durable.sync_folder(target.parent)
                    snapshot.files.remove(name)
                return
        durable.make_folder(target.parent)
        durable.replace_file(target, data)

    def _is_leftover(self, path: str) -> bool:
        """Tell whether an unfinished append may have left this file: it lies at or past an edge."""
        parsed = parse_path(path)
        return parsed is not None and parsed[1] >= self._full.get(parsed[0], 0)


def _append(path: Path, expected: int, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    if not expected:
        flags |= os.O_EXCL
    descriptor = os.open(path, flags, 0o600)
    try:
        if os.fstat(descriptor).st_size != expected:
            raise IntegrityFailure(
                f"the log's file {path.name} changed under the writer",
                remedy="stop the service and run `leadapron ledger verify`",
            )
        durable.write_all(descriptor, data)
    finally:
        os.close(descriptor)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        durable.sync_data(descriptor)
    finally:
        os.close(descriptor)


def _cut(path: Path, size: int) -> None:
    with path.open("r+b") as file:
        if file.seek(0, os.SEEK_END) > size:
            file.truncate(size)
            os.fsync(file.fileno())


def _hashes(data: bytearray) -> list[bytes]:
    return [bytes(data[i : i + HASH_SIZE]) for i in range(0, len(data), HASH_SIZE)]
