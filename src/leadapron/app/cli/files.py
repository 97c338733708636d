"""Commands for files: protect, deidentify, unseal. No server needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from leadapron.model import BadInput, LeadApronError
from leadapron.store import durable

Work = Callable[[Path, Path], dict[str, Any]]
"""Reads the first file, writes the second atomically, returns what to report of it."""


def pairs(source: Path, target: Path) -> list[tuple[Path, Path]]:
    """Return (input, output) files: a file gives one, a folder all below it, names kept.

    A file's output is `target` itself when that has a suffix and is no folder, else a file of
    the input's name in the folder `target`.
    """
    if not source.exists():
        raise BadInput(f"{source} does not exist", remedy="check the path", code="no-input")
    if source.is_file():
        as_file = target.suffix != "" and not target.is_dir()
        return [(source, target if as_file else target / source.name)]
    if target.resolve() == source.resolve() or source.resolve() in target.resolve().parents:
        raise BadInput(
            f"the output folder {target} lies in the input folder",
            remedy="choose an output folder elsewhere: originals are never overwritten",
        )
    files = sorted(p for p in source.rglob("*") if p.is_file())
    if not files:
        raise BadInput(f"{source} holds no files", remedy="check the path", code="no-input")
    return [(p, target / p.relative_to(source)) for p in files]


def run_all(
    jobs: Iterable[tuple[Path, Path]], work: Work, advance: Callable[[str], None]
) -> dict[str, Any]:
    """Work through files; one that fails is reported and leaves no output.

    Returns {"ok", "done", "failed", "files": [{"input", "output", "ok", …}]}.
    """
    files = [_one(source, target, work, advance) for source, target in jobs]
    failed = sum(not f["ok"] for f in files)
    return {"ok": failed == 0, "done": len(files) - failed, "failed": failed, "files": files}


def _one(source: Path, target: Path, work: Work, advance: Callable[[str], None]) -> dict[str, Any]:
    entry: dict[str, Any] = {"input": str(source)}
    try:
        if source.resolve() == target.resolve():
            raise BadInput("input and output are the same file", remedy="choose another output")
        entry |= {"ok": True, "output": str(target), **work(source, target)}
    except LeadApronError as error:
        entry |= {"ok": False, "error": error.as_dict()}
    advance(source.name[:40])
    return entry


def read_file(path: Path) -> bytes:
    """Return a file's bytes; BadInput names it when it can't be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"cannot read {path.name} ({error.strerror})", remedy="check it") from error


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file (0600) that is there whole or not at all; StorageFailure names it."""
    with durable.storage_errors(f"cannot write {path.name}"):
        durable.make_folder(path.parent, mode=0o755)
        durable.replace_file(path, data)


def summary_lines(result: dict[str, Any]) -> Iterator[str]:
    """Say what happened, for a person."""
    for file in result["files"]:
        if not file["ok"]:
            yield f"✗ {file['input']}\n  {file['error']['message']}\n  → {file['error']['remedy']}"
    yield f"{result['done']} done, {result['failed']} failed"
