"""The KeyStore port and its driver for one machine: named secrets, one file each."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from pathlib import Path
from typing import Protocol, runtime_checkable

from leadapron.model import BadInput, Conflict, NotFound, StorageFailure
from leadapron.store import durable

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SUFFIX = ".key"
_LARGEST = 1 << 20


@runtime_checkable
class KeyStore(Protocol):
    """Named secrets that never lie beside the data they open."""

    def get(self, name: str) -> bytes:
        """Return the secret; NotFound if there is none of that name."""
        ...

    def create(self, name: str, size: int = 32) -> bytes:
        """Return the secret, made of `size` random bytes if there is none yet."""
        ...

    def put(self, name: str, secret: bytes) -> None:
        """Store `secret` under `name`, durably, in place of an older one."""
        ...

    def delete(self, name: str) -> None:
        """Remove a secret durably; what only it opens is lost. NotFound if there is none."""
        ...

    def names(self) -> list[str]:
        """Return the names, sorted; names may be logged, secrets never."""
        ...


class FileKeyStore:
    """Secrets as files of mode 0600 in a folder of mode 0700.

    It protects against a stolen data folder, not against root on the running machine; a hardware
    module is another driver of the same port.
    """

    def __init__(self, path: str | os.PathLike[str], *, data_dir: Path | str | None = None) -> None:
        """Open or create the folder.

        Raises:
            StorageFailure: `path` lies below `data_dir`, others may read it, or it cannot be made.
        """
        self.path = Path(path).absolute()
        if data_dir is not None and self.is_below(data_dir):
            raise StorageFailure(
                f"the keys folder {self.path} lies inside the data folder",
                remedy="choose a folder elsewhere with --keys: a stolen data folder "
                "must open nothing",
                code="keys-below-data",
            )
        with durable.storage_errors(f"cannot create the keys folder {self.path}"):
            durable.make_folder(self.path)
        _refuse_readable_by_others(self.path, "700")

    def __repr__(self) -> str:
        return f"FileKeyStore({str(self.path)!r})"

    def is_below(self, data_dir: Path | str) -> bool:
        """Tell whether the keys would travel with a copy of `data_dir` (symlinks resolved)."""
        return self.path.resolve().is_relative_to(Path(data_dir).resolve())

    def get(self, name: str) -> bytes:
        """Return the secret.

        Raises:
            NotFound: there is none of that name.
            StorageFailure: it cannot be read, or users other than the owner could read it.
        """
        path = self._file(name)
        with durable.storage_errors(f"cannot read the key '{name}'"):
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            except FileNotFoundError:
                raise NotFound(
                    f"there is no key '{name}' in {self.path}",
                    remedy="point --keys at the folder that was used when the data was written",
                ) from None
            with os.fdopen(descriptor, "rb") as file:
                _refuse_readable_by_others(path, "600", os.fstat(file.fileno()))
                return file.read(_LARGEST)

    def create(self, name: str, size: int = 32) -> bytes:
        """Return the secret; if there is none, first store `size` random bytes durably.

        Two processes that call this at once get the same secret.

        Raises:
            Conflict: there is one of another size.
            StorageFailure: it cannot be written or read.
        """
        secret = self.add(name, secrets.token_bytes(size))
        if len(secret) != size:
            raise Conflict(
                f"the key '{name}' has {len(secret)} bytes, {size} were asked for",
                remedy="use another key name, or move the old key away if nothing needs it",
            )
        return secret

    def add(self, name: str, secret: bytes) -> bytes:
        """Store `secret` unless the name is taken; return the one that is stored now."""
        path = self._file(name)
        if not path.exists():
            doing = f"cannot store the key '{name}'"
            with durable.storage_errors(doing), contextlib.suppress(FileExistsError):
                durable.create_file(path, secret)
        return self.get(name)

    def put(self, name: str, secret: bytes) -> None:
        """Store `secret` under `name` durably and atomically, in place of an older one."""
        path = self._file(name)
        with durable.storage_errors(f"cannot store the key '{name}'"):
            durable.replace_file(path, secret)

    def delete(self, name: str) -> None:
        """Remove a secret durably; what only it opens is lost. NotFound if there is none."""
        with durable.storage_errors(f"cannot remove the key '{name}'"):
            try:
                self._file(name).unlink()
            except FileNotFoundError:
                raise NotFound(
                    f"there is no key '{name}' in {self.path}", remedy="list the keys"
                ) from None
            durable.sync_folder(self.path)

    def names(self) -> list[str]:
        """Return the names of all secrets, sorted."""
        with durable.storage_errors(f"cannot list the keys folder {self.path}"):
            found = [path.name.removesuffix(_SUFFIX) for path in self.path.glob(f"*{_SUFFIX}")]
        return sorted(name for name in found if _NAME.fullmatch(name))

    def _file(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise BadInput(
                "a key name has a character that is not allowed",
                remedy="use a-z, 0-9, '.', '_' and '-', at most 64, first a letter or digit",
            )
        return self.path / f"{name}{_SUFFIX}"


def _refuse_readable_by_others(path: Path, mode: str, status: os.stat_result | None = None) -> None:
    status = status or path.stat()
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise StorageFailure(
            f"users other than the owner may open {path}",
            remedy=f"chmod {mode} '{path}', and replace the keys if somebody else was logged in",
            code="keys-readable",
        )
    if status.st_uid not in {os.geteuid(), 0}:
        raise StorageFailure(
            f"{path} belongs to another user",
            remedy=f"chown it to the user who runs LeadApron: chown {os.geteuid()} '{path}'",
            code="keys-readable",
        )
