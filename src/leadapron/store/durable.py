"""Files that are on the disk when the call returns: fsync of the file and of its folder.

A rename without fsync of the folder may be forgotten by a power cut, and a file that was renamed
before its data reached the disk may come back empty; both happen on common file systems.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from leadapron.model import StorageFailure

TEMPORARY = ".tmp"

_REMEDIES = {
    errno.ENOSPC: "free disk space, then try again; nothing half-written is kept",
    errno.EDQUOT: "raise the disk quota of this user, then try again",
    errno.EFBIG: "raise the file size limit (ulimit -f) of this process",
    errno.EROFS: "mount the file system read-write",
    errno.EACCES: "give the user who runs LeadApron access to this folder",
    errno.EPERM: "give the user who runs LeadApron access to this folder",
    errno.EIO: "check the disk (dmesg, SMART) and restore from a copy if it fails",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}


def storage_failure(error: OSError, doing: str) -> StorageFailure:
    """Turn an OSError into the family's StorageFailure, with the remedy for its errno."""
    reason = os.strerror(error.errno) if error.errno else type(error).__name__
    remedy = _REMEDIES.get(error.errno or 0, "check the disk and the folder's permissions")
    return StorageFailure(f"{doing}: {reason}", remedy=remedy)


@contextmanager
def storage_errors(doing: str) -> Iterator[None]:
    """Raise StorageFailure instead of OSError; `doing` says what was tried, without secrets."""
    try:
        yield
    except OSError as error:
        raise storage_failure(error, doing) from error


def sync_data(descriptor: int) -> None:
    """Fsync a file's bytes and size; macOS knows only the full fsync."""
    getattr(os, "fdatasync", os.fsync)(descriptor)


def sync_folder(folder: Path) -> None:
    """Fsync a folder, so that names created, renamed or removed in it survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path, mode: int = 0o700) -> None:
    """Create `folder` and its missing parents durably; existing ones are left as they are."""
    missing = []
    current = folder
    while not current.is_dir():
        missing.append(current)
        current = current.parent
    for path in reversed(missing):
        path.mkdir(mode=mode, exist_ok=True)
        sync_folder(path.parent)


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write every byte of `data`: os.write may accept fewer than it was given."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def write_file(
    path: Path, data: bytes | memoryview, *, mode: int = 0o600, sync: bool = True
) -> None:
    """Create `path` with `data` and fsync it, not its folder; OSError if it exists."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        write_all(descriptor, data)
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def temporary_beside(path: Path) -> Path:
    """Return an unused name in the same folder, which ends in ``.tmp``."""
    return path.with_name(f"{path.name}.{secrets.token_hex(6)}{TEMPORARY}")


def replace_file(
    path: Path, data: bytes | memoryview, *, mode: int = 0o600, sync: bool = True
) -> None:
    """Give `path` the content `data` at once; readers see the old or the new bytes.

    It is durable unless `sync` is False, which is for what can be made again after a power cut.

    Raises:
        OSError: nothing was changed; the temporary file is gone.
    """
    temporary = temporary_beside(path)
    try:
        write_file(temporary, data, mode=mode, sync=sync)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if sync:
        sync_folder(path.parent)


def create_file(path: Path, data: bytes | memoryview, *, mode: int = 0o600) -> None:
    """Like `replace_file`, but FileExistsError if `path` is there, decided atomically."""
    temporary = temporary_beside(path)
    try:
        write_file(temporary, data, mode=mode)
        os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


@contextmanager
def temporary_file(path: Path) -> Iterator[BinaryIO]:
    """Create `path` (it ends in ``.tmp``), locked while in use; it is gone afterwards.

    Rename or link it inside the block to keep its content. `sweep` leaves a locked file alone,
    so a reader that opens the folder does not disturb a writer.
    """
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(path, flags, 0o600), "w+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield file
    finally:
        path.unlink(missing_ok=True)


def sync_file(file: BinaryIO) -> None:
    """Flush and fsync an open file."""
    file.flush()
    os.fsync(file.fileno())


def sweep(folder: Path) -> int:
    """Remove the temporary files of writers that died; return how many there were."""
    removed = 0
    for path in folder.glob(f"*{TEMPORARY}"):
        with suppress(FileNotFoundError, BlockingIOError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
            removed += 1
    return removed
