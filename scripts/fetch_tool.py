"""Fetch one pinned wheel (uv or pip) with whatever this machine has, and check its SHA-256.

No index is named here. In this order: a configured index, read with the standard library; the pip
that Python brings along or that is installed; the pip wheel that Debian keeps for its venvs; that
same wheel from Debian's own signed archive, which needs neither root nor an installed package.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from index_settings import index_url

OLDEST_UV = (0, 6)
DEBIAN_WHEELS = Path("/usr/share/python-wheels")
REMEDY = (
    "nothing here can fetch the installer, and the distribution's archive did not answer: check "
    "the network or HTTPS_PROXY, set PIP_INDEX_URL to your package index or mirror, "
    "or sudo apt-get install python3-venv"
)
Pip = list[str]


class FetchError(Exception):
    """The wheel cannot be had, or is not the one that was pinned."""


def pinned(name: str, lock: Path) -> tuple[str, set[str]]:
    """Return the version of `name` and its allowed SHA-256 digests (hex) from a hashed lock."""
    entry = re.search(rf"^{name}==(\S+)(.*?)(?=^\S|\Z)", lock.read_text(), re.DOTALL | re.MULTILINE)
    if entry is None:
        raise FetchError(f"{lock} does not pin {name}: run scripts/lock.sh")
    return entry[1], set(re.findall(r"--hash=sha256:([0-9a-f]{64})", entry[2]))


def find_uv(venv: Path) -> Path | None:
    """Return a uv that is here already: the environment's own, or a recent one on the path."""
    for place in (venv / "bin" / "uv", shutil.which("uv")):
        if place is not None and (version := _uv_version(Path(place))) and version >= OLDEST_UV:
            return Path(place)
    return None


def _uv_version(uv: Path) -> tuple[int, ...] | None:
    try:
        done = subprocess.run([uv, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    found = re.match(r"uv (\d+)\.(\d+)", done.stdout)
    return (int(found[1]), int(found[2])) if found and done.returncode == 0 else None


def fetch_uv(lock: Path, venv: Path, env: dict[str, str]) -> Path | None:
    """Put the pinned uv into `venv`; None where there is no uv for this machine."""
    try:
        wheel = fetch_wheel("uv", lock, venv, env)
    except NoWheelError:
        return None
    target = venv / "bin" / "uv"
    with zipfile.ZipFile(wheel) as archive:
        member = next(n for n in archive.namelist() if n.endswith(".data/scripts/uv"))
        partial = target.with_suffix(".partial")
        partial.write_bytes(archive.read(member))
    partial.chmod(0o755)
    partial.replace(target)
    shutil.rmtree(wheel.parent)
    return target if _uv_version(target) else None


class NoWheelError(FetchError):
    """The index has no wheel of the pinned version for this machine."""


def fetch_wheel(name: str, lock: Path, venv: Path, env: dict[str, str]) -> Path:
    """Download the pinned wheel of `name` into `venv` and check its SHA-256."""
    version, digests = pinned(name, lock)
    target = venv / ".tools"
    target.mkdir(exist_ok=True)
    wheel = _from_configured_index(name, version, digests, target, env) or _with_pip(
        f"{name}=={version}", target, venv, env
    )
    if hashlib.sha256(wheel.read_bytes()).hexdigest() not in digests:
        wheel.unlink()
        raise FetchError(f"{wheel.name} does not have the pinned SHA-256: check your mirror")
    return wheel


def _machine_tags() -> Callable[[str], bool]:
    machine = os.uname().machine
    if sys.platform == "darwin":
        return lambda filename: "macosx" in filename and machine in filename
    libc = "manylinux" if os.confstr("CS_GNU_LIBC_VERSION") else "musllinux"
    return lambda filename: libc in filename and filename.endswith(f"{machine}.whl")


def _from_configured_index(
    name: str, version: str, digests: set[str], target: Path, env: dict[str, str]
) -> Path | None:
    """Read the Simple API (PEP 503/691) of an index that this machine's owner chose."""
    chosen = index_url(env)
    if chosen is None:
        return None
    page = f"{chosen.rstrip('/')}/{name}/"
    try:
        links = list(_links(page))
        fits = _machine_tags() if name == "uv" else (lambda filename: filename.endswith(".whl"))
        for url in links:
            filename = urllib.parse.unquote(urllib.parse.urlsplit(url).path.rsplit("/", 1)[-1])
            if filename.startswith(f"{name}-{version}-") and fits(filename):
                data = _get(url)[0]
                if hashlib.sha256(data).hexdigest() in digests:
                    (target / filename).write_bytes(data)
                    return target / filename
    except (OSError, ValueError):
        return None
    return None


def _get(url: str) -> tuple[bytes, str]:
    accept = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"
    if urllib.parse.urlsplit(url).scheme not in {"https", "http"}:
        raise ValueError(url)
    request = urllib.request.Request(url, headers={"Accept": accept})  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return answer.read(), answer.headers.get_content_type()


def _links(page: str) -> Iterator[str]:
    body, kind = _get(page)
    if kind.endswith("json"):
        found: Iterable[str] = (entry["url"] for entry in json.loads(body)["files"])
    else:
        found = re.findall(r"""href\s*=\s*["']([^"'#]+)""", body.decode())
    return (urllib.parse.urljoin(page, link) for link in found)


def _with_pip(requirement: str, target: Path, venv: Path, env: dict[str, str]) -> Path:
    said = ""
    for pip in _pips(venv):
        with tempfile.TemporaryDirectory(dir=target) as fresh:
            command = [*pip, "download", "--no-deps", "--only-binary", ":all:", "--dest", fresh]
            done = subprocess.run(
                [*command, "--disable-pip-version-check", requirement],
                env=env,
                cwd=fresh,
                capture_output=True,
                text=True,
                check=False,
            )
            if wheels := list(Path(fresh).glob("*.whl")):
                return wheels[0].replace(target / wheels[0].name)
        said = done.stderr or done.stdout
        if "from versions: " in said and "from versions: none" not in said:
            raise NoWheelError(f"no wheel of {requirement} for this machine")
    raise FetchError(_unreachable(said) if said else REMEDY)


def _unreachable(said: str) -> str:
    if "certificate" in said.lower():
        return (
            "the package index's TLS certificate is not trusted here: "
            "install ca-certificates, or point SSL_CERT_FILE at your organisation's CA bundle"
        )
    return (
        "the package index cannot be reached: check the network or HTTPS_PROXY, set PIP_INDEX_URL "
        "to your mirror, or install from an offline archive (docs/offline.md)"
    )


def _pips(venv: Path) -> Iterator[Pip]:
    python = str(venv / "bin" / "python")
    if _answers([sys.executable, "-m", "pip"]):
        yield [sys.executable, "-m", "pip"]
    if (
        subprocess.run([python, "-m", "ensurepip"], capture_output=True, check=False).returncode
        == 0
    ):
        yield [python, "-m", "pip"]
    for wheel in sorted(DEBIAN_WHEELS.glob("pip-*.whl"), reverse=True):
        yield [python, f"{wheel}/pip"]
    if (wheel_from_debian := _debian_pip(venv / ".tools")) is not None:
        yield [python, f"{wheel_from_debian}/pip"]


def _answers(pip: Pip) -> bool:
    return subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode == 0


def _debian_pip(folder: Path) -> Path | None:
    """Unpack python3-pip-whl from the distribution's archive; apt checks its signature."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return None
    state = folder / "apt"
    (state / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (state / "cache" / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    own = ["-o", f"Dir::State::lists={state}/lists", "-o", f"Dir::Cache={state}/cache"]
    try:
        for command in (["update"], ["download", "python3-pip-whl"]):
            subprocess.run(
                ["apt-get", "-qq", *own, *command], cwd=state, check=True, capture_output=True
            )
        package = next(state.glob("python3-pip-whl_*.deb"))
        subprocess.run(["dpkg-deb", "-x", package, state / "unpacked"], check=True)
    except (subprocess.CalledProcessError, StopIteration):
        return None
    found = (state / "unpacked").glob("usr/share/python-wheels/pip-*.whl")
    return next(found, None)
