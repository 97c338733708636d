"""Verify an unpacked offline archive and install it: standard library only, no network.

Every release gets a folder of its own below `PREFIX/releases`; `PREFIX/current` is a symbolic link
that one rename switches, so a start sees the old release or the new one and nothing between.
"""

from __future__ import annotations

import argparse
import base64
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from ed25519 import verify

FORMAT = "leadapron-bundle/1"
SPKI_PREFIX = bytes.fromhex("302a300506032b6570032100")
"""DER of SubjectPublicKeyInfo before an Ed25519 key (RFC 8410 section 4)."""
MARKER = ".complete"
EX_DATAERR, EX_UNAVAILABLE = 65, 69


class InstallError(Exception):
    """Why nothing was installed; the release that runs is untouched."""


def public_key(pem: str) -> bytes:
    """Return the 32 key bytes of a PEM `PUBLIC KEY`."""
    body = "".join(line for line in pem.splitlines() if not line.startswith("-----"))
    try:
        der = base64.b64decode(body, validate=True)
    except ValueError:
        der = b""
    if not der.startswith(SPKI_PREFIX) or len(der) != len(SPKI_PREFIX) + 32:
        raise InstallError("the public key is not an Ed25519 key in PEM form")
    return der[len(SPKI_PREFIX) :]


def check_files(folder: Path, manifest: dict[str, Any]) -> None:
    """Hash every file below `folder`; anything missing, changed or unlisted is refused."""
    listed = manifest["files"]
    present = {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()} - {
        "manifest.json",
        "manifest.json.sig",
    }
    if strangers := present - set(listed):
        raise InstallError(f"not in the signed manifest: {min(strangers)}")
    for name, facts in listed.items():
        path = folder / name
        if path.is_symlink() or not path.is_file():
            raise InstallError(f"missing: {name}")
        with path.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
        if digest != facts["sha256"]:
            raise InstallError(f"changed after it was signed: {name}")


def verified(folder: Path, key_pem: str) -> dict[str, Any]:
    """Return the manifest of an unpacked archive whose signature and every file are right."""
    signed = (folder / "manifest.json").read_bytes()
    signature = (folder / "manifest.json.sig").read_bytes()
    if not verify(public_key(key_pem), signed, signature):
        raise InstallError("the signature is not by this public key: do not install this archive")
    manifest: dict[str, Any] = json.loads(signed)
    if manifest.get("format") != FORMAT:
        raise InstallError(f"unknown archive format {manifest.get('format')}")
    check_files(folder, manifest)
    return manifest


def numbers(version: str) -> tuple[int, ...]:
    """Return a version's leading numbers, for comparing releases."""
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def check_host(manifest: dict[str, Any]) -> None:
    """Refuse an archive made for another processor, system or Python."""
    here = f"{sys.platform}-{os.uname().machine}"
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if (manifest["platform"], manifest["python"]) != (here, python):
        raise InstallError(
            f"this archive is for {manifest['platform']} and Python {manifest['python']}; "
            f"here are {here} and Python {python}"
        )


def build_release(folder: Path, release: Path) -> None:
    """Make the release's environment from the archive's wheels alone, and try it."""
    if release.exists():
        shutil.rmtree(release)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(release)], check=True)
    python = release / "bin" / "python"
    pip = next((folder / "wheels").glob("pip-*.whl"))
    env = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    command = [str(python), "-I", f"{pip}/pip", "--isolated", "install", "--no-index", "--no-deps"]
    command += ["--find-links", str(folder / "wheels"), "--require-hashes", "--no-compile"]
    command += ["--quiet", "--disable-pip-version-check", "-r", str(folder / "requirements.txt")]
    subprocess.run(command, check=True, env=env)
    subprocess.run([release / "bin" / "leadapron", "--help"], check=True, stdout=subprocess.DEVNULL)
    (release / MARKER).touch()
    os.sync()


def point(link: Path, target: Path) -> None:
    """Make `link` point to `target` in one rename."""
    fresh = link.with_name(f".{link.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(os.path.relpath(target, link.parent))
    fresh.replace(link)


def activate(prefix: Path, release: Path) -> None:
    """Switch `current` to the release, remember the one before, drop older ones."""
    current = prefix / "current"
    if current.is_symlink() and current.resolve() != release.resolve():
        point(prefix / "previous", current.resolve())
    point(current, release)
    (prefix / "bin").mkdir(exist_ok=True)
    point(prefix / "bin" / "leadapron", prefix / "current" / "bin" / "leadapron")
    keep = {link.resolve() for link in (current, prefix / "previous") if link.is_symlink()}
    for old in (prefix / "releases").iterdir():
        if old.resolve() not in keep:
            shutil.rmtree(old)


def rollback(prefix: Path) -> str:
    """Exchange `current` and `previous`; return the release that runs now."""
    previous = prefix / "previous"
    if not previous.is_symlink() or not (previous.resolve() / MARKER).exists():
        raise InstallError("there is no release to go back to")
    activate(prefix, previous.resolve())
    return (prefix / "current").resolve().name


def trusted_key(prefix: Path, given: Path | None) -> str:
    """Return the key to check with: the one given, else the first installation's."""
    stored = prefix / "trusted-key.pem"
    if given is None and not stored.exists():
        raise InstallError(
            "say whose signature counts: --public-key FILE, got by another way than this archive"
        )
    return (given or stored).read_text()


def install(folder: Path, prefix: Path, key: Path | None, allow_downgrade: bool) -> str:
    """Verify `folder` and install it below `prefix`; return the release's name."""
    pem = trusted_key(prefix, key)
    manifest = verified(folder, pem)
    check_host(manifest)
    digest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    release = prefix / "releases" / f"{manifest['version']}-{digest[:12]}"
    current = prefix / "current"
    if current.is_symlink() and not allow_downgrade:
        running = current.resolve().name.split("-")[0]
        if numbers(manifest["version"]) < numbers(running):
            raise InstallError(f"{running} runs and is newer: --allow-downgrade if you mean it")
    release.parent.mkdir(parents=True, exist_ok=True)
    if not (release / MARKER).exists():
        build_release(folder, release)
    (prefix / "trusted-key.pem").write_text(pem)
    activate(prefix, release)
    return release.name


def default_prefix() -> Path:
    """Return `/opt/leadapron` for root, else a folder in the person's home."""
    return Path("/opt/leadapron") if os.geteuid() == 0 else Path.home() / ".local/share/leadapron"


def main() -> int:
    """Read the command line, install, say where it is."""
    parser = argparse.ArgumentParser(prog="install.sh", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--prefix", type=Path, default=default_prefix())
    parser.add_argument("--public-key", type=Path, help="PEM file of the signer's Ed25519 key")
    parser.add_argument("--allow-downgrade", action="store_true")
    parser.add_argument("--rollback", action="store_true")
    options = parser.parse_args()
    prefix: Path = options.prefix.resolve()
    try:
        prefix.mkdir(parents=True, exist_ok=True)
        with (prefix / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if options.rollback:
                name = rollback(prefix)
            else:
                folder = Path(__file__).resolve().parent
                name = install(folder, prefix, options.public_key, options.allow_downgrade)
    except InstallError as error:
        print(f"install: {error}", file=sys.stderr)
        return EX_DATAERR
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"install: nothing was changed: {error}", file=sys.stderr)
        return EX_UNAVAILABLE
    print(f"install: {name} is current; run {prefix / 'bin' / 'leadapron'}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
