"""The BlobStore port and its driver for one machine: durable objects in a local folder."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, runtime_checkable

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore

from leadapron.model import BadInput, Conflict, IntegrityFailure, NotFound, StorageFailure
from leadapron.store import durable

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=-]*(/[A-Za-z0-9][A-Za-z0-9._=-]*)*")
_DIGESTS = ".sha256"
_STAGING = ".staging"


@dataclass(frozen=True)
class BlobInfo:
    """One stored object: key, size in bytes, hexadecimal SHA-256, time it was stored (UTC)."""

    key: str
    size: int
    sha256: str
    stored_at: datetime


@runtime_checkable
class BlobStore(Protocol):
    """Objects by key; what was acknowledged survives a power cut."""

    def put(self, key: str, data: bytes, *, overwrite: bool = False) -> BlobInfo:
        """Store `data`; Conflict if the key holds other bytes and `overwrite` is False."""
        ...

    def get(self, key: str) -> bytes:
        """Return the bytes, checked against their digest; NotFound, IntegrityFailure."""
        ...

    def head(self, key: str) -> BlobInfo:
        """Return size, digest and time without reading the object; NotFound."""
        ...

    def delete(self, key: str) -> None:
        """Remove the object durably; NotFound."""
        ...

    def list(self, prefix: str = "") -> Iterator[BlobInfo]:
        """Yield the objects whose key starts with the folder `prefix`, in no order."""
        ...


class LocalBlobStore:
    """Objects as plain files below one folder, each with its SHA-256 in a sidecar.

    One process writes at a time, with any number of threads; any number of processes read.
    `obstore` reads and renames; every acknowledged byte is fsynced, which its LocalStore omits.
    Do not use an instance after fork (obstore's threads do not survive it).
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open or create the folder, and drop uploads that a crash left unfinished."""
        self.path = Path(path).absolute()
        self._lock = threading.Lock()
        with durable.storage_errors(f"cannot open the object folder {self.path}"):
            durable.make_folder(self.path / _STAGING)
            durable.make_folder(self.path / _DIGESTS)
            durable.sweep(self.path / _STAGING)
        self._store = LocalStore(self.path)

    def put(self, key: str, data: bytes, *, overwrite: bool = False) -> BlobInfo:
        """Store `data` durably; storing the same bytes again is no error.

        Raises:
            Conflict: the key holds other bytes and `overwrite` is False.
            StorageFailure: it cannot be written; what was there is still there.
        """
        self._check(key)
        digest = hashlib.sha256(data).hexdigest()
        with _failures(f"cannot store the object {key}"):
            staged = f"{_STAGING}/{secrets.token_hex(12)}{durable.TEMPORARY}"
            with durable.temporary_file(self.path / staged) as file:
                file.write(data)
                durable.sync_file(file)
                with self._lock:
                    self._commit(key, staged, digest, overwrite)
        return self.head(key)

    def get(self, key: str) -> bytes:
        """Return the bytes, checked against their digest.

        Raises:
            NotFound: no object has that key.
            IntegrityFailure: the bytes on the disk are not the ones that were stored.
        """
        self._check(key)
        # A second look: between the two reads a writer may have replaced object and digest.
        for _ in range(2):
            known = self._digests(key)
            with _failures(f"cannot read the object {key}"):
                data = bytes(obstore.get(self._store, key).bytes())
            if hashlib.sha256(data).hexdigest() in known:
                return data
        raise IntegrityFailure(
            f"the object {key} is not what was stored",
            remedy="restore it from a copy, then run fsck; check the disk",
        )

    def head(self, key: str) -> BlobInfo:
        """Return size, digest and time without reading the object; NotFound if there is none."""
        self._check(key)
        with _failures(f"cannot find the object {key}"):
            meta = obstore.head(self._store, key)
        return BlobInfo(key, meta["size"], (self._digests(key) or [""])[0], meta["last_modified"])

    def delete(self, key: str) -> None:
        """Remove the object durably; NotFound if there is none."""
        self._check(key)
        with self._lock, _failures(f"cannot delete the object {key}"):
            path = self.path / key
            path.unlink()
            durable.sync_folder(path.parent)
            self._digest_file(key).unlink(missing_ok=True)

    def list(self, prefix: str = "") -> Iterator[BlobInfo]:
        """Yield the objects below the folder `prefix` (whole path segments), in no order."""
        if prefix:
            self._check(prefix.rstrip("/"))
        with _failures("cannot list the objects"):
            for batch in obstore.list(self._store, prefix.rstrip("/") or None):
                for meta in batch:
                    key = meta["path"]
                    if _KEY.fullmatch(key):
                        digest = (self._digests(key) or [""])[0]
                        yield BlobInfo(key, meta["size"], digest, meta["last_modified"])

    def damaged(self, prefix: str = "") -> Sequence[str]:
        """Read everything; return the keys whose bytes are not the ones stored, sorted."""
        bad = []
        for info in self.list(prefix):
            try:
                self.get(info.key)
            except IntegrityFailure:
                bad.append(info.key)
            except NotFound:
                continue
        return sorted(bad)

    def _commit(self, key: str, staged: str, digest: str, overwrite: bool) -> None:
        path = self.path / key
        known = self._digests(key) if path.exists() else []
        stored = hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None
        if stored is not None and not overwrite and stored != digest and digest not in known:
            raise Conflict(
                f"another object is already stored as {key}",
                remedy="compare the two objects; the stored one was kept",
            )
        if stored != digest:
            durable.make_folder(path.parent)
            # While the object is being replaced both digests are valid: no crash can part them.
            self._write_digests(key, [digest, *known])
            obstore.rename(self._store, staged, key, overwrite=stored is not None)
            durable.sync_folder(path.parent)
        if self._digests(key) != [digest]:
            self._write_digests(key, [digest])

    def _digest_file(self, key: str) -> Path:
        return self.path / _DIGESTS / f"{key}.sha256"

    def _digests(self, key: str) -> Sequence[str]:
        try:
            return self._digest_file(key).read_text("ascii", errors="replace").split()
        except FileNotFoundError:
            return []

    def _write_digests(self, key: str, digests: Iterable[str]) -> None:
        path = self._digest_file(key)
        durable.make_folder(path.parent)
        durable.replace_file(path, "".join(f"{d}\n" for d in dict.fromkeys(digests)).encode())

    @staticmethod
    def _check(key: str) -> None:
        if len(key) > 512 or not _KEY.fullmatch(key) or ".." in key or ".sha256" in key:
            raise BadInput(
                "an object key has a character or a form that is not allowed",
                remedy="use letters, digits, '.', '_', '=', '-' and single '/', no '..'",
            )


@contextmanager
def _failures(doing: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise NotFound(f"{doing}: there is none", remedy="list the objects") from None
    except OSError as error:
        raise durable.storage_failure(error, doing) from error
    except BaseError as error:
        reason = str(error).partition("\n")[0]
        raise StorageFailure(
            f"{doing}: {reason}", remedy="check free space and permissions of the object folder"
        ) from error
