"""Run every check of a checkout: ruff, mypy, import-linter, pytest. pytest comes last.

`./leadapron test [pytest arguments]`. A check that fails does not stop the ones after it.
Exit code: pytest's own, or 1 if only another check failed.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHECKS = (
    ("ruff check", ["ruff", "check", "--quiet"]),
    ("ruff format", ["ruff", "format", "--check", "--quiet"]),
    ("mypy", ["mypy", "--no-error-summary"]),
    ("import-linter", ["lint-imports", "--no-cache"]),
)
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
SEED = os.environ.get("PYTHONHASHSEED") or str(secrets.randbelow(2**32))
"""One order of sets for all workers, another at every run; printed, so a run can be repeated."""


def run(command: list[str], **environment: str) -> int:
    """Run a tool of this environment in the checkout and return its exit code."""
    tool = Path(sys.executable).parent / command[0]
    env = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"} | environment
    return subprocess.run([tool, *command[1:]], cwd=ROOT, env=env, check=False).returncode


def pytest_command(arguments: list[str], cores: int) -> list[str]:
    """Return pytest's command: two workers where there are two cores and nobody said otherwise."""
    chosen = any(word.startswith(("-n", "--numprocesses", "--pdb", "-p")) for word in arguments)
    workers = [] if chosen or cores < 2 else ["-n", "2", "--dist", "loadfile"]
    return ["pytest", *workers, *arguments]


def run_pytest(arguments: list[str]) -> int:
    """Run pytest in parallel; one after the other if its workers did not find the same tests."""
    env = os.environ | ONE_THREAD | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": SEED}
    command = pytest_command(arguments, os.cpu_count() or 1)
    colour = ["--color=yes"] if sys.stdout.isatty() else []
    tool = Path(sys.executable).parent / command[0]
    tail = b""
    with subprocess.Popen(
        [tool, *colour, *command[1:]], cwd=ROOT, env=env, stdout=subprocess.PIPE
    ) as process:
        while chunk := process.stdout.read1(65536):  # type: ignore[union-attr]
            sys.stdout.buffer.write(chunk)
            sys.stdout.flush()
            tail = (tail + chunk)[-400_000:]
    if process.returncode and b"Different tests were collected" in tail:
        print("== pytest again, without workers: a test's name is not the same everywhere")
        return run(["pytest", "-n", "0", *arguments], **ONE_THREAD, PYTHONHASHSEED=SEED)
    return process.returncode


def main(arguments: list[str]) -> int:
    """Run the checks, then pytest; name what failed, and return the exit code."""
    failed = []
    for name, command in CHECKS:
        print(f"== {name}", flush=True)
        if run(command) != 0:
            failed.append(name)
    print(f"== pytest (PYTHONHASHSEED={SEED})", flush=True)
    code = run_pytest(arguments)
    if failed:
        print(f"leadapron test: failed as well: {', '.join(failed)}", file=sys.stderr)
    return code or bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
