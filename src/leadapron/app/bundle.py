"""One signed archive with everything an intranet without a package index needs.

A tar with a fixed order, owner and time, so the same wheels and key give the same bytes:
`manifest.json` (SHA-256 of every file), `manifest.json.sig` (Ed25519 over the manifest's bytes,
RFC 8032), `requirements.txt` with hashes, `wheels/`, and the installer of `app/offline/`.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from leadapron import __version__
from leadapron.app.wheels import collect_wheels
from leadapron.model import BadInput, IntegrityFailure, NotFound, StorageFailure

FORMAT = "leadapron-bundle/1"
INSTALLER = ("install.sh", "install.py", "ed25519.py")
BLOCK = 1 << 20


@dataclass(frozen=True)
class Bundle:
    """A written archive: where it lies, its digest and what is in it."""

    path: Path
    public_key: Path
    sha256: str
    size: int
    wheels: int
    manifest: dict[str, Any]


def signing_key(path: Path) -> Ed25519PrivateKey:
    """Return the Ed25519 key in a PEM file (PKCS #8); a missing file is made, mode 0600."""
    if not path.exists():
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(pem)
            out.flush()
            os.fsync(out.fileno())
        return key
    try:
        loaded = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError):
        loaded = None
    if not isinstance(loaded, Ed25519PrivateKey):
        raise BadInput(
            f"{path} is not an unencrypted Ed25519 private key in PEM form",
            remedy="give another file; one that does not exist yet is created",
        )
    return loaded


def public_pem(key: Ed25519PrivateKey) -> bytes:
    """Return the PEM `PUBLIC KEY` that installations check with."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _requirements(wheels: list[Path]) -> bytes:
    lines = []
    for wheel in wheels:
        name, version = wheel.name.split("-")[:2]
        lines.append(f"{name}=={version} --hash=sha256:{_digest(wheel)}\n")
    return "".join(lines).encode()


def _manifest(contents: dict[str, Path | bytes]) -> dict[str, Any]:
    def facts(content: Path | bytes) -> dict[str, Any]:
        if isinstance(content, Path):
            return {"sha256": _digest(content), "size": content.stat().st_size}
        return {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}

    return {
        "format": FORMAT,
        "version": __version__,
        "python": f"{sys.version_info[0]}.{sys.version_info[1]}",
        "platform": f"{sys.platform}-{os.uname().machine}",
        "files": {name: facts(contents[name]) for name in sorted(contents)},
    }


def _write_tar(target: Path, top: str, contents: dict[str, Path | bytes]) -> None:
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(contents):
            content = contents[name]
            info = tarfile.TarInfo(f"{top}/{name}")
            info.mode = 0o755 if name.endswith(".sh") else 0o644
            if isinstance(content, Path):
                info.size = content.stat().st_size
                with content.open("rb") as handle:
                    archive.addfile(info, handle)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))


def write_bundle(wheels: list[Path], key: Ed25519PrivateKey, target: Path) -> Bundle:
    """Sign and write one archive from wheels that are here; the name appears when it is whole.

    The public key is written beside it (`target` + ``.pub``).
    Raises StorageFailure if the disk refuses.
    """
    contents: dict[str, Path | bytes] = {f"wheels/{wheel.name}": wheel for wheel in wheels}
    contents["requirements.txt"] = _requirements(sorted(wheels))
    offline = files("leadapron.app.offline")
    contents |= {name: offline.joinpath(name).read_bytes() for name in INSTALLER}
    manifest = _manifest(contents)
    signed = (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode()
    contents |= {"manifest.json": signed, "manifest.json.sig": key.sign(signed)}
    top = f"leadapron-{manifest['version']}-{manifest['platform']}-py{manifest['python']}"
    beside = target.with_name(target.name + ".pub")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.partial")
        _write_tar(partial, top, contents)
        with partial.open("rb") as handle:
            os.fsync(handle.fileno())
        beside.write_bytes(public_pem(key))
        partial.replace(target)
    except OSError as error:
        raise StorageFailure(
            f"cannot write {target}: {error.strerror}", remedy="free space or choose another place"
        ) from error
    size = target.stat().st_size
    return Bundle(target, beside, _digest(target), size, len(wheels), manifest)


def build_bundle(
    target: Path | None,
    key_file: Path,
    find_links: Path | None,
    say: Callable[[str], None],
) -> Bundle:
    """Collect the pinned wheels of this platform and Python and write the signed archive.

    Args:
        target: the archive; default `leadapron-VERSION-PLATFORM-pyX.Y.tar` in the current folder.
        key_file: Ed25519 private key; created if missing.
        find_links: a folder of wheels to take instead of asking the package index.
        say: told what is going on, one line at a time.
    """
    key = signing_key(key_file)
    if target is None:
        python = f"{sys.version_info[0]}.{sys.version_info[1]}"
        name = f"leadapron-{__version__}-{sys.platform}-{os.uname().machine}-py{python}.tar"
        target = Path(name)
    with tempfile.TemporaryDirectory(prefix="leadapron-bundle-") as folder:
        wheels = collect_wheels(Path(folder), find_links, say)
        say(f"signing {len(wheels)} wheels")
        return write_bundle(wheels, key, target)


def _refuse(path: Path, why: str) -> IntegrityFailure:
    return IntegrityFailure(f"{path.name}: {why}", remedy="do not install it; get it again")


def _member_digest(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    handle = archive.extractfile(member)
    if handle is None:
        return ""
    digest = hashlib.sha256()
    while block := handle.read(BLOCK):
        digest.update(block)
    return digest.hexdigest()


def _signed_manifest(
    path: Path, small: dict[str, bytes], key: Ed25519PublicKey
) -> dict[str, dict[str, Any]]:
    try:
        key.verify(small["manifest.json.sig"], small["manifest.json"])
    except KeyError as error:
        raise _refuse(path, f"has no {error.args[0]}") from None
    except InvalidSignature:
        raise _refuse(path, "the signature is not by this public key") from None
    manifest: dict[str, Any] = json.loads(small["manifest.json"])
    if manifest.get("format") != FORMAT:
        raise _refuse(path, "unknown archive format")
    return manifest


def _read_members(path: Path) -> tuple[dict[str, str], dict[str, bytes]]:
    """Return each member's digest, and the manifest and signature themselves."""
    digests: dict[str, str] = {}
    small: dict[str, bytes] = {}
    tops = set()
    with tarfile.open(path, "r:") as archive:
        for member in archive:
            top, _, name = member.name.partition("/")
            tops.add(top)
            parts = name.split("/")
            if not member.isreg() or not name or {"", ".", ".."} & {top, *parts} or len(tops) > 1:
                raise _refuse(path, f"holds something that is no plain file: {member.name}")
            if name in digests or name in small:
                raise _refuse(path, f"holds {name} twice")
            if name in {"manifest.json", "manifest.json.sig"}:
                handle = archive.extractfile(member)
                small[name] = handle.read(4 * BLOCK) if handle else b""
            else:
                digests[name] = _member_digest(archive, member)
    return digests, small


def verify_bundle(path: Path, key_pem: bytes) -> dict[str, Any]:
    """Check an archive before it is unpacked: signature, every file's digest, nothing besides.

    Returns the manifest. Raises NotFound, BadInput (no archive, no key) or IntegrityFailure.
    """
    if not path.is_file():
        raise NotFound(f"there is no file {path}", remedy="check the path")
    try:
        key = load_pem_public_key(key_pem)
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise BadInput("the public key is not an Ed25519 key in PEM form", remedy="check the file")
    try:
        digests, small = _read_members(path)
    except tarfile.TarError:
        raise _refuse(path, "is not a complete tar archive") from None
    manifest = _signed_manifest(path, small, key)
    listed = {name: facts["sha256"] for name, facts in manifest["files"].items()}
    if strange := set(digests) ^ set(listed):
        raise _refuse(path, f"its files are not the ones that were signed: {min(strange)}")
    for name, digest in digests.items():
        if digest != listed[name]:
            raise _refuse(path, f"changed after it was signed: {name}")
    return manifest
