"""Collect the wheels of an offline archive: every pinned dependency, pip, and LeadApron itself."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import re
import subprocess
import sys
import tempfile
import venv
import zipfile
from collections.abc import Callable
from importlib.metadata import Distribution, distribution
from importlib.resources import files
from pathlib import Path

from leadapron.model import NotFound, Unavailable

LOCKS = ("runtime.txt", "build.txt")
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip entry can carry: repacked wheels must not depend on the clock."""


def checkout() -> Path | None:
    """Return the checkout this program runs from, or None where it was installed from a wheel."""
    root = Path(__file__).resolve().parents[3]
    inside = (root / "pyproject.toml").is_file() and (root / "constraints").is_dir()
    return root if inside else None


def lock_text(name: str) -> str:
    """Return a hashed requirements file: the checkout's, else the copy inside the wheel."""
    root = checkout()
    if root is not None:
        return (root / "constraints" / name).read_text()
    copy = files("leadapron.app.offline").joinpath(name)
    if not copy.is_file():
        raise NotFound(
            f"this installation carries no {name}", remedy="build the archive from a checkout"
        )
    return copy.read_text()


def _only(text: str, package: str) -> str:
    """Return the entry of one package of a hashed requirements file."""
    entry = re.search(rf"^{package}==.*?(?=^\S|\Z)", text, re.DOTALL | re.MULTILINE)
    if entry is None:
        raise NotFound(f"the lock does not pin {package}", remedy="run scripts/lock.sh")
    return entry[0]


def _pip(scratch: Path) -> list[str]:
    """Return a pip command: this environment's, else one in an environment made for it."""
    own = [sys.executable, "-m", "pip"]
    if subprocess.run([*own, "--version"], capture_output=True, check=False).returncode == 0:
        return own
    try:
        venv.create(scratch / "pip", with_pip=True)
    except (OSError, subprocess.CalledProcessError):
        raise Unavailable(
            "there is no pip to collect the wheels with",
            remedy="run this from a checkout as ./leadapron bundle, or install pip beside it",
        ) from None
    return [str(scratch / "pip" / "bin" / "python"), "-m", "pip"]


def download(requirements: str, target: Path, find_links: Path | None) -> None:
    """Put the wheels of a hashed requirements text for this platform into `target`."""
    with tempfile.TemporaryDirectory() as scratch:
        listed = Path(scratch) / "requirements.txt"
        listed.write_text(requirements)
        command = [*_pip(Path(scratch)), "download", "--no-deps", "--only-binary", ":all:"]
        command += ["--require-hashes", "--disable-pip-version-check", "--quiet"]
        command += ["--dest", str(target), "-r", str(listed)]
        if find_links is not None:
            command += ["--no-index", "--find-links", str(find_links)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise Unavailable(
            f"a pinned wheel could not be had: {last}",
            remedy="check the network or PIP_INDEX_URL, or give a folder with --find-links",
        )


def _built(root: Path, target: Path) -> None:
    env = os.environ | {"SOURCE_DATE_EPOCH": "315532800"}
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable(
            "LeadApron's own wheel could not be built",
            remedy="start through ./leadapron, which brings the build tool along",
        )


def _record_line(name: str, data: bytes) -> tuple[str, str, str]:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return name, f"sha256={digest}", str(len(data))


def repack(installed: Distribution, target: Path) -> Path:
    """Rebuild the wheel of an installed distribution from its files (binary wheel format, 1.0)."""
    kept: dict[str, bytes] = {}
    info = ""
    made_by_installer = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"}
    for entry in installed.files or ():
        inside = ".." not in entry.parts and not entry.is_absolute()
        if not inside or "__pycache__" in entry.parts:
            continue
        if entry.parts[0].endswith(".dist-info"):
            info = entry.parts[0]
            if entry.name in made_by_installer:
                continue
        kept[entry.as_posix()] = Path(str(entry.locate())).read_bytes()
    record = io.StringIO()
    rows = [_record_line(name, data) for name, data in sorted(kept.items())]
    csv.writer(record, lineterminator="\n").writerows([*rows, (f"{info}/RECORD", "", "")])
    kept[f"{info}/RECORD"] = record.getvalue().encode()
    tag = re.search(r"^Tag: (\S+)", kept[f"{info}/WHEEL"].decode(), re.MULTILINE)
    stem = info.removesuffix(".dist-info")
    wheel = target / f"{stem}-{tag[1] if tag else 'py3-none-any'}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(kept.items()):
            archive.writestr(zipfile.ZipInfo(name, EPOCH), data, zipfile.ZIP_DEFLATED)
    return wheel


def collect_wheels(target: Path, find_links: Path | None, say: Callable[[str], None]) -> list[Path]:
    """Fill `target` with every wheel an installation needs and return them sorted by name."""
    say("collecting the pinned wheels (about 350 MB)")
    runtime, build = (lock_text(name) for name in LOCKS)
    download(f"{runtime}\n{_only(build, 'pip')}", target, find_links)
    root = checkout()
    if root is not None:
        say("building LeadApron's own wheel")
        _built(root, target)
    else:
        say("repacking LeadApron's own wheel")
        repack(distribution("leadapron"), target)
    return sorted(target.glob("*.whl"))
