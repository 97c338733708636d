"""One file in, one file out, all or nothing."""

from __future__ import annotations

import hashlib
import os
import secrets
import warnings
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom import Dataset
from pydicom.errors import InvalidDicomError

from leadapron.deid.api import deidentify
from leadapron.deid.encode import to_bytes
from leadapron.deid.filenames import clean_path
from leadapron.deid.profile import Profile
from leadapron.deid.report import Report
from leadapron.deid.vault import Vault
from leadapron.model import BadInput, Quarantined, StorageFailure

MAX_FILE_BYTES = 4 << 30
MAX_INFLATED = 1 << 29
_DEFLATED, _EXPLICIT = b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.1"
_META_LENGTH = b"\2\0\0\0"
_SYNTAX = b"\2\0\x10\0UI\x16\0" + _DEFLATED


@dataclass(frozen=True)
class FileResult:
    """What became of one file: where it was written and the object's report."""

    source: Path
    path: Path
    report: Report


def deidentify_file(
    src: Path,
    dst: Path,
    profile: Profile | str,
    vault: Vault,
    *,
    max_bytes: int = MAX_FILE_BYTES,
    base: Path | None = None,
    digests: bool = True,
    durable: bool = True,
) -> FileResult:
    """De-identify the DICOM file `src` into `dst`, atomically and (`durable`) flushed to disk.

    Nothing appears at `dst` unless it is complete. Raises BadInput (no DICOM, truncated),
    Quarantined (cannot be proven clean; the reason's slug is the error's), StorageFailure.
    Untouched pixels keep their transfer syntax; filled pictures become native, never lossy.
    With `base`, the parts of `dst` below that folder were taken from the input's own path: those
    that identify the patient are renamed (the result's `path` says how).
    `digests` puts SHA-256 of the file before and after into the report.
    """
    data = _read(src, max_bytes)
    result = deidentify(parse(data), profile, vault)
    content = _encoded(result.require())
    if digests:
        result.report.digests = {
            "sha256_before": hashlib.sha256(data).hexdigest(),
            "sha256_after": hashlib.sha256(content).hexdigest(),
        }
    if base is not None:
        dst = clean_path(dst, base, result.report, vault)
    write_atomic(dst, content, durable=durable)
    return FileResult(src, dst, result.report)


def _read(src: Path, max_bytes: int) -> bytes:
    try:
        size = src.stat().st_size
        if size > max_bytes:
            raise BadInput(
                f"the file has {size} bytes, more than {max_bytes}",
                remedy="raise the limit if the object is genuine",
                code="too-large",
            )
        return src.read_bytes()
    except OSError as error:
        raise BadInput(
            f"the file cannot be read: {error.strerror}", remedy="check the path and permissions"
        ) from error


def inflated(data: bytes, most: int = MAX_INFLATED) -> bytes:
    """Return a deflated file (PS3.5 A.5) as Explicit VR Little Endian, others unchanged.

    BadInput (``too-large``) if it inflates to more than `most` bytes, ``truncated`` if damaged.
    """
    if data[132:136] != _META_LENGTH:
        return data
    start = 144 + int.from_bytes(data[140:144], "little")
    head, place = data[:start], data[:start].find(_SYNTAX) + len(_SYNTAX) - len(_DEFLATED)
    if _SYNTAX not in head:
        return data
    opener = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        body = opener.decompress(data[start:], most)
    except zlib.error as error:
        raise BadInput(
            "the deflated data set is damaged",
            remedy="ask the sender for an intact copy",
            code="truncated",
        ) from error
    if opener.unconsumed_tail:
        raise BadInput(
            f"the deflated data set inflates to more than {most} bytes",
            remedy="ask the sender for an uncompressed copy if the object is genuine",
            code="too-large",
        )
    plain = _EXPLICIT.ljust(len(_DEFLATED), b"\0")
    return head[:place] + plain + head[place + len(_DEFLATED) :] + body


def parse(data: bytes) -> Dataset:
    """Return the data set of a DICOM file's bytes; BadInput if it is none or is cut off."""
    data = inflated(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ds = pydicom.dcmread(BytesIO(data), force=False)
    except InvalidDicomError as error:
        raise BadInput(
            "this is not a DICOM file", remedy="send DICOM Part 10 files", code="not-dicom"
        ) from error
    except Exception as error:
        raise BadInput(
            f"the file is damaged or cut off ({type(error).__name__})",
            remedy="ask the sender for an intact copy",
            code="truncated",
        ) from error
    if not len(ds) or "SOPClassUID" not in ds:
        raise BadInput(
            "the file holds no DICOM object", remedy="ask the sender for it", code="no-object"
        )
    return ds


def _encoded(ds: Dataset) -> bytes:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return to_bytes(ds)
    except Exception as error:
        raise Quarantined(
            f"the object cannot be written again ({type(error).__name__})",
            remedy="inspect the object: one of its values is not valid for its VR",
            code="unwritable",
        ) from error


def write_atomic(dst: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file so that it is there whole or not at all; if `durable`, after a power cut too."""
    part = dst.parent / f".part-{os.getpid()}-{secrets.token_hex(8)}"
    try:
        _write_new(part, content, durable=durable)
        part.replace(dst)
        if durable:
            _sync_folder(dst.parent)
    except OSError as error:
        raise StorageFailure(
            f"the file cannot be written: {error.strerror}",
            remedy="free space or choose another folder",
        ) from error


def _write_new(path: Path, content: bytes, *, durable: bool) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        handle = os.open(path, flags, 0o600)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, flags, 0o600)
    try:
        with os.fdopen(handle, "wb", buffering=0) as file:
            rest = memoryview(content)
            while rest:
                rest = rest[file.write(rest) :]
            if durable:
                os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
