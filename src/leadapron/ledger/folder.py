"""The log's folder on disk: its locks and its listing.

Locks are taken on the folders themselves (flock of a directory), so no lock file lies among the
bytes that verification covers: on ``tile/`` by the one writer process for as long as it lives, on
the log's folder by the writer for each commit (exclusive) and by readers for a snapshot (shared).
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from leadapron.ledger.tiles import CHECKPOINT, LARGEST_ENTRY, WIDTH, parse_path
from leadapron.model import IntegrityFailure, StorageFailure, Unavailable
from leadapron.store import durable

_LOCK_SECONDS = 10.0
_POLL_SECONDS = 0.002
# More than any file of a log can hold: a planted giant must not fill the memory.
_LARGEST_FILE = WIDTH * (LARGEST_ENTRY + 2) + 1


@contextmanager
def locked(folder: Path, *, exclusive: bool) -> Iterator[None]:
    """Hold the folder's commit lock; StorageFailure if another process keeps it too long."""
    descriptor = open_folder(folder)
    try:
        _wait_for(descriptor, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH, folder)
        yield
    finally:
        os.close(descriptor)


def open_folder(folder: Path) -> int:
    """Return a descriptor of the folder; IntegrityFailure if there is none."""
    try:
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        raise IntegrityFailure(
            f"there is no log at {folder}",
            remedy="check --data; if it is right, the log was deleted: restore it from a copy",
        ) from None
    except OSError as error:
        raise durable.storage_failure(error, f"cannot open the log at {folder}") from error


def lock_for_writing(folder: Path) -> int:
    """Become the only writer for as long as the returned descriptor is open.

    Raises:
        Unavailable: another process, or another Ledger of this one, writes this log.
    """
    descriptor = open_folder(folder / "tile")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise Unavailable(
            f"another process is writing the log at {folder}",
            remedy="stop it, or open the log without a signer to read",
        ) from None
    return descriptor


def _wait_for(descriptor: int, kind: int, folder: Path) -> None:
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise StorageFailure(
                    f"the log at {folder} stays locked by another process",
                    remedy="find and stop it: lsof +D on that folder",
                ) from None
            time.sleep(_POLL_SECONDS)


@dataclass
class Snapshot:
    """One consistent look at the folder: names of all files, bytes of those that still change."""

    folder: Path
    files: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    odd: set[str] = field(default_factory=set)
    changing: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def take(cls, folder: Path) -> Snapshot:
        """Look under the shared lock; a log that is being appended to gives a valid state.

        Raises:
            IntegrityFailure: there is no such folder.
            StorageFailure: it cannot be read.
        """
        result = cls(folder)
        with locked(folder, exclusive=False), durable.storage_errors("cannot list the log"):
            result.walk()
            result.read_changing()
        return result

    def walk(self) -> None:
        """List everything below the log's folder."""
        pending = [""]
        while pending:
            below = pending.pop()
            with os.scandir(self.folder / below) as items:
                for item in items:
                    name = f"{below}/{item.name}" if below else item.name
                    if item.is_dir(follow_symlinks=False):
                        self.folders.add(name)
                        pending.append(name)
                    elif item.is_file(follow_symlinks=False):
                        self.files.add(name)
                    else:
                        self.odd.add(name)

    def read_changing(self) -> None:
        """Keep the bytes of the checkpoint and of the partial files."""
        for name in self.files:
            parsed = parse_path(name)
            if name == CHECKPOINT or (parsed and parsed[2] < WIDTH):
                with (self.folder / name).open("rb") as file:
                    self.changing[name] = file.read(_LARGEST_FILE)

    def read(self, name: str) -> bytes:
        """Return a file's bytes as of the snapshot; full files never change."""
        if name in self.changing:
            return self.changing[name]
        with (self.folder / name).open("rb") as file:
            return file.read(_LARGEST_FILE)
