"""Prepare the environment of a checkout: exact versions, hashes checked, no root, no ensurepip.

Called by the launcher (`./leadapron`) with the standard library alone. Every package, uv and pip
included, is pinned with its SHA-256 in `constraints/`; the index it comes from is whatever pip or
uv is configured to use on this machine. Everything is printed to stderr: stdout is the command's.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import fetch_tool
from index_settings import installer_environment

EX_UNAVAILABLE = 69
CAUSES = (
    (
        ("certificate", "unknownissuer", "ssl"),
        "the package index's TLS certificate is not trusted here",
        "install ca-certificates, or point SSL_CERT_FILE at your organisation's CA bundle",
    ),
    (
        ("hashes", "hash mismatch", "do not match"),
        "a downloaded file does not have the pinned SHA-256",
        "do not install it; check the mirror or proxy that served it",
    ),
    (
        ("no space left", "disk quota"),
        "the disk is full",
        "free about 2 GB, or set LEADAPRON_VENV and UV_CACHE_DIR to a larger disk",
    ),
    (
        ("permission denied", "read-only file system"),
        "the environment's folder cannot be written",
        "set LEADAPRON_VENV to a folder of yours",
    ),
    (
        (
            "dns", "resolve", "connect", "timed out", "timeout", "unreachable", "error sending",
            "network", "proxy", "no matching distribution", "failed to fetch",
        ),
        "the package index cannot be reached",
        "check the network or HTTPS_PROXY, set PIP_INDEX_URL to your mirror, "
        "or install from an offline archive (docs/offline.md)",
    ),
)  # fmt: skip


class SetupError(Exception):
    """Why the environment could not be prepared, and what to do, in one line."""


def say(text: str) -> None:
    """Tell the person at the terminal what is going on."""
    print(f"leadapron: {text}", file=sys.stderr, flush=True)


def explain(output: str) -> str:
    """Turn an installer's last words into one line with a remedy."""
    lowered = output.lower()
    for signs, cause, remedy in CAUSES:
        if any(sign in lowered for sign in signs):
            return f"{cause}: {remedy}"
    return "the installer failed (its last words are above)"


def run(command: list[str], env: dict[str, str], cwd: Path) -> None:
    """Run an installer, showing what it prints, and explain its failure."""
    tail: list[str] = []
    with subprocess.Popen(
        command,
        env=env,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            tail = [*tail, line][-40:]
            if not line.startswith((" + ", " - ", " ~ ")):
                sys.stderr.write(line)
                sys.stderr.flush()
    if process.returncode:
        raise SetupError(explain("".join(tail)))


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Let one start at a time prepare the environment; the others wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another start is preparing the environment; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def works(venv: Path) -> bool:
    """Tell whether the environment's Python starts and the environment was not moved."""
    home = venv / ".leadapron-home"
    if home.exists() and home.read_text() != str(venv):
        return False
    probe = "import sys; sys.exit(sys.version_info < (3, 11))"
    try:
        done = subprocess.run(
            [venv / "bin" / "python", "-c", probe], capture_output=True, check=False
        )
    except OSError:
        return False
    return done.returncode == 0


def create(venv: Path) -> None:
    """Make an empty environment; never clear a folder that is not one."""
    if venv.exists() and any(venv.iterdir()) and not (venv / "pyvenv.cfg").exists():
        raise SetupError(f"{venv} is not a Python environment: empty it, or change LEADAPRON_VENV")
    say(f"making an environment for Python {sys.version.split()[0]} in {venv}")
    command = [sys.executable, "-m", "venv", "--without-pip", "--clear", str(venv)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SetupError(f"python -m venv failed: {explain(done.stdout + done.stderr)}")
    (venv / ".leadapron-home").write_text(str(venv))


def installer(root: Path, venv: Path, env: dict[str, str]) -> list[str]:
    """Return the start of an `install` command: uv where it runs, else the pinned pip."""
    pins = root / "constraints"
    python = venv / "bin" / "python"
    uv = fetch_tool.find_uv(venv)
    if uv is None:
        say("fetching uv")
        uv = fetch_tool.fetch_uv(pins / "uv.txt", venv, env)
    if uv is not None:
        return [str(uv), "pip", "install", "--python", str(python)]
    say("uv does not run here; using pip")
    pip = fetch_tool.fetch_wheel("pip", pins / "build.txt", venv, env)
    return [str(python), f"{pip}/pip", "install", "--disable-pip-version-check"]


def prepare(root: Path, venv: Path, purpose: str) -> None:
    """Install the pinned packages, then the checkout itself as an editable install."""
    env = installer_environment(os.environ, venv)
    locks = ["build.txt", "uv.txt", "test.txt" if purpose == "test" else "runtime.txt"]
    listed = [word for lock in locks for word in ("-r", str(root / "constraints" / lock))]
    with tempfile.TemporaryDirectory() as elsewhere:
        install = installer(root, venv, env)
        say("installing the pinned packages (about 350 MB to download the first time)")
        only_wheels = ["--require-hashes", "--only-binary", ":all:"]
        run([*install, *only_wheels, *listed], env, Path(elsewhere))
        own = ["--no-deps", "--no-index", "--no-build-isolation", "--editable", str(root)]
        run([*install, *own], env, Path(elsewhere))


def main(root: Path, venv: Path, purpose: str, stamp: str) -> None:
    """Prepare `venv` for `purpose` unless another start has just done so."""
    marker = venv / f".leadapron-{purpose}"
    with exclusive(venv.parent / f"{venv.name}.lock"):
        usable = works(venv)
        if usable and marker.exists() and marker.read_text().strip() == stamp:
            return
        if not usable:
            create(venv)
        for name in ("run", "test"):
            (venv / f".leadapron-{name}").unlink(missing_ok=True)
        began = time.monotonic()
        prepare(root, venv, purpose)
        for name in {"run", purpose}:
            (venv / f".leadapron-{name}").write_text(stamp + "\n")
        say(f"environment ready after {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4])
    except (SetupError, fetch_tool.FetchError) as error:
        say(str(error))
        sys.exit(EX_UNAVAILABLE)
    except OSError as error:
        say(f"{error.strerror or error} ({error.filename}): {explain(str(error))}")
        sys.exit(EX_UNAVAILABLE)
    except KeyboardInterrupt:
        say("stopped; the next start goes on from here")
        sys.exit(130)
