"""A folder whose files are encrypted at rest: the spool and the quarantine.

A stolen copy tells how many files there are and how large they are, nothing else: file names are
keyed hashes, times of modification are blanked, names and metadata lie inside the ciphertext.

File format, version 1 (integers big-endian)::

    "LAEF\\x01"  salt[32]  u32 length  header ciphertext  chunk ciphertexts of 1 MiB + 16 ...

The file's key is HKDF-SHA256(folder key, salt). Each part is AES-256-GCM with the nonce
``u88 counter || u8 last``; counter 0 is the header (AAD: the keyed hash that names the file), and
counters from 1 are the data (AAD: the item's name). The flag `last` makes a cut tail show.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import struct
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from leadapron.model import BadInput, Conflict, IntegrityFailure, NotFound
from leadapron.store import durable

_MAGIC = b"LAEF\x01"
_SALT = 32
_TAG = 16
_CHUNK = 1 << 20
_FIRST = struct.Struct(f">{len(_MAGIC)}s{_SALT}sI")
_LARGEST_HEADER = 1 << 20
_HEADER_NONCE = bytes(12)


@dataclass(frozen=True)
class Item:
    """One encrypted file: its name, plaintext size in bytes, metadata, time of writing."""

    name: str
    size: int
    at_ms: int
    meta: Mapping[str, Any] = field(default_factory=dict)


class EncryptedFolder:
    """Named byte strings with metadata, encrypted and durable, one file each.

    Safe for several threads and processes; what a crash left half-written is removed at open.
    """

    def __init__(self, path: str | os.PathLike[str], key: bytes) -> None:
        """Open or create the folder `path`; `key` has 32 bytes and is kept elsewhere.

        Raises:
            BadInput: the key has another size.
            StorageFailure: the folder cannot be made or read.
        """
        if len(key) != 32:
            raise BadInput("the folder key must have 32 bytes", remedy="use KeyStore.create(name)")
        self.path = Path(path).absolute()
        self._key = key
        self._name_key = _derive(key, b"", b"leadapron encrypted folder names v1")
        with durable.storage_errors(f"cannot open the folder {self.path}"):
            durable.make_folder(self.path)
            durable.sweep(self.path)

    def write(
        self,
        name: str,
        data: bytes | BinaryIO | Iterable[bytes],
        meta: Mapping[str, Any] | None = None,
        *,
        overwrite: bool = True,
    ) -> Item:
        """Encrypt `data` (bytes, a binary file or an iterable of bytes) durably under `name`.

        `meta` holds plain JSON values. An older item of that name is replaced atomically.

        Raises:
            Conflict: the name is taken and `overwrite` is False.
            StorageFailure: it cannot be written; nothing changed.
        """
        path = self._file(name)
        header = _dump_header(name, meta or {})
        temporary = durable.temporary_beside(path)
        with durable.storage_errors(f"cannot write to {self.path}"):
            with durable.temporary_file(temporary) as file:
                self._encrypt(file, path.name, name, header, data)
                file.flush()
                os.utime(file.fileno(), (0, 0))
                os.fsync(file.fileno())
                _publish(temporary, path, overwrite)
            durable.sync_folder(self.path)
        return self.item(name)

    def read(self, name: str) -> bytes:
        """Return the decrypted bytes.

        Raises:
            NotFound: there is no item of that name.
            IntegrityFailure: the file was changed, cut or written under another key.
        """
        return b"".join(self.stream(name))

    def stream(self, name: str) -> Iterator[bytes]:
        """Yield the decrypted bytes in parts of at most 1 MiB; errors as in `read`.

        A cut file shows only at its end: act on the bytes after the last part came.
        """
        with self._open(self._file(name)) as file:
            cipher, _ = self._read_header(file, self._file(name).name)
            yield from _decrypt_chunks(file, cipher, name.encode())

    def item(self, name: str) -> Item:
        """Return name, size, time and metadata without reading the data; errors as in `read`."""
        return self._item(self._file(name))

    def list(self) -> list[Item]:
        """Return the items that can be read, oldest first; see `damaged` for the others."""
        items = []
        for path in self._paths():
            with contextlib.suppress(IntegrityFailure, NotFound):
                items.append(self._item(path))
        return sorted(items, key=lambda item: (item.at_ms, item.name))

    def damaged(self) -> Sequence[str]:
        """Decrypt everything; return the file names that are changed, cut or foreign, sorted."""
        bad = []
        for path in self._paths():
            try:
                for _ in self.stream(self._item(path).name):
                    pass
            except IntegrityFailure:
                bad.append(path.name)
            except NotFound:
                continue
        return bad

    def delete(self, name: str) -> None:
        """Remove the item durably; NotFound if there is none."""
        with durable.storage_errors(f"cannot remove an item of {self.path}"):
            try:
                self._file(name).unlink()
            except FileNotFoundError:
                raise _not_found() from None
            durable.sync_folder(self.path)

    def __contains__(self, name: str) -> bool:
        return self._file(name).exists()

    def __len__(self) -> int:
        return len(self._paths())

    def _file(self, name: str) -> Path:
        if not name or len(name.encode()) > 1024:
            raise BadInput("an item's name has 1 to 1024 bytes", remedy="use a UID or a short name")
        return self.path / self._keyed_hash(name)

    def _keyed_hash(self, name: str) -> str:
        return hmac.new(self._name_key, name.encode(), hashlib.sha256).hexdigest()[:40]

    def _paths(self) -> Sequence[Path]:
        with durable.storage_errors(f"cannot list {self.path}"):
            return sorted(p for p in self.path.iterdir() if p.suffix != durable.TEMPORARY)

    def _open(self, path: Path) -> BinaryIO:
        with durable.storage_errors(f"cannot read from {self.path}"):
            try:
                return path.open("rb")
            except FileNotFoundError:
                raise _not_found() from None

    def _item(self, path: Path) -> Item:
        with self._open(path) as file:
            _, header = self._read_header(file, path.name)
            size = os.fstat(file.fileno()).st_size - file.tell()
        chunks = max(1, -(-size // (_CHUNK + _TAG)))
        return Item(header["name"], size - chunks * _TAG, header["at_ms"], header["meta"])

    def _encrypt(
        self,
        file: BinaryIO,
        file_name: str,
        name: str,
        header: bytes,
        data: bytes | BinaryIO | Iterable[bytes],
    ) -> None:
        salt = secrets.token_bytes(_SALT)
        cipher = AESGCM(_derive(self._key, salt, b"leadapron encrypted file v1"))
        sealed = cipher.encrypt(_HEADER_NONCE, header, file_name.encode())
        file.write(_FIRST.pack(_MAGIC, salt, len(sealed)) + sealed)
        for counter, (part, last) in enumerate(_chunks(data), start=1):
            file.write(cipher.encrypt(_nonce(counter, last), part, name.encode()))

    def _read_header(self, file: BinaryIO, file_name: str) -> tuple[AESGCM, dict[str, Any]]:
        first = file.read(_FIRST.size)
        if len(first) != _FIRST.size:
            raise _damaged()
        magic, salt, length = _FIRST.unpack(first)
        if magic != _MAGIC or length > _LARGEST_HEADER + _TAG:
            raise _damaged()
        cipher = AESGCM(_derive(self._key, salt, b"leadapron encrypted file v1"))
        header = json.loads(_open_part(cipher, _HEADER_NONCE, file.read(length), file_name))
        if self._keyed_hash(header["name"]) != file_name:
            raise _damaged()
        return cipher, header


def _derive(key: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt or None, info).derive(key)


def _nonce(counter: int, last: bool) -> bytes:
    return counter.to_bytes(11, "big") + bytes([last])


def _publish(temporary: Path, path: Path, overwrite: bool) -> None:
    if overwrite:
        temporary.replace(path)
        return
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise Conflict(
            "an item of that name is already stored", remedy="delete it first, or use another name"
        ) from None


def _dump_header(name: str, meta: Mapping[str, Any]) -> bytes:
    try:
        header = json.dumps(
            {"name": name, "at_ms": time.time_ns() // 1_000_000, "meta": dict(meta)},
            ensure_ascii=False,
            allow_nan=False,
        ).encode()
    except (TypeError, ValueError):
        raise BadInput("the metadata are not plain JSON values", remedy="convert them") from None
    if len(header) > _LARGEST_HEADER:
        raise BadInput("the metadata exceed 1 MiB", remedy="store them as an item of their own")
    return header


def _chunks(data: bytes | BinaryIO | Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Cut `data` into parts of exactly `_CHUNK` bytes; only the last is shorter, or empty."""
    buffer = bytearray()
    for part in _parts(data):
        buffer += part
        while len(buffer) > _CHUNK:
            yield bytes(buffer[:_CHUNK]), False
            del buffer[:_CHUNK]
    yield bytes(buffer), True


def _parts(data: bytes | BinaryIO | Iterable[bytes]) -> Iterable[bytes | memoryview]:
    if isinstance(data, (bytes, bytearray, memoryview)):
        view = memoryview(data).cast("B")
        return (view[start : start + _CHUNK] for start in range(0, len(view), _CHUNK))
    if hasattr(data, "read"):
        return iter(lambda: data.read(_CHUNK), b"")
    return data


def _decrypt_chunks(file: BinaryIO, cipher: AESGCM, name: bytes) -> Iterator[bytes]:
    counter = 1
    part = file.read(_CHUNK + _TAG)
    while True:
        following = file.read(_CHUNK + _TAG)
        yield _open_part(cipher, _nonce(counter, not following), part, name)
        if not following:
            return
        part = following
        counter += 1


def _open_part(cipher: AESGCM, nonce: bytes, part: bytes, aad: bytes | str) -> bytes:
    try:
        return cipher.decrypt(nonce, part, aad.encode() if isinstance(aad, str) else aad)
    except (InvalidTag, ValueError):
        raise _damaged() from None


def _damaged() -> IntegrityFailure:
    return IntegrityFailure(
        "an encrypted file was changed, cut, or written under another key",
        remedy="check that --keys is the folder this data was written with; else restore the file",
    )


def _not_found() -> NotFound:
    return NotFound("there is no item of that name", remedy="list the folder's items")
