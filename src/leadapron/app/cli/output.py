"""How every command speaks: JSON alone on stdout, progress and logs on stderr."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from leadapron.model import LeadApronError


def configure_logs(verbose: bool) -> None:
    """Send structured logs to stderr: warnings, or everything when `verbose`."""
    level = logging.INFO if verbose else logging.WARNING
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, force=True)
    for noisy in ("pydicom", "pynetdicom", "RapidOCR", "httpx2"):
        logging.getLogger(noisy).setLevel(logging.ERROR)


def emit(result: dict[str, Any], as_json: bool, text: str) -> None:
    """Print the result: JSON for programs, `text` for people."""
    print(json.dumps(result, ensure_ascii=False, default=str) if as_json else text)


@contextmanager
def reporting(as_json: bool) -> Iterator[None]:
    """Turn an expected failure into its exit code; its words go to stderr (and to JSON)."""
    try:
        yield
    except LeadApronError as error:
        if as_json:
            print(json.dumps({"ok": False, "error": error.as_dict()}, ensure_ascii=False))
        print(error.diagnostics(), file=sys.stderr)
        raise SystemExit(error.exit_code) from error


@contextmanager
def progress(title: str, total: int | None) -> Iterator[Any]:
    """Show a bar on stderr; yields a function that advances it by one with a label."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[label]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=total, label="")

        def advance(label: str = "", *, step: int = 1) -> None:
            bar.update(task, advance=step, label=label)

        yield advance
