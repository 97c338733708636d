"""Fill the tables of docs/reference.md from the program itself: commands, settings, errors, HTTP.

Usage: python scripts/reference.py [--check]      (in the environment that the launcher made)
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "reference.md"


def commands(group: Any = None, prefix: str = "leadapron") -> Iterator[tuple[str, Any]]:
    """Yield every command's full name and its click object, in the order of the help."""
    if group is None:
        from typer.main import get_command

        from leadapron.app.cli.main import app

        group = get_command(app)
    for name, command in group.commands.items():
        full = f"{prefix} {name}"
        if hasattr(command, "commands"):
            yield from commands(command, full)
        else:
            yield full, command


def cli_table() -> str:
    """Return one section a command: usage, what it does, options."""
    parts = []
    for name, command in commands():
        arguments = [
            (p.metavar or p.name.upper()) if p.required else f"[{p.metavar or p.name.upper()}]"
            for p in command.params
            if p.param_type_name == "argument"
        ]
        options = [p for p in command.params if p.param_type_name == "option"]
        first = " ".join((command.help or "").split("\n\n")[0].split())
        parts.append(f"### `{' '.join([name, *arguments])}`\n\n{first}\n")
        rows = [
            f"| `{'`, `'.join(o.opts)}` | {o.help or ''}{' **Required.**' if o.required else ''} |"
            for o in options
            if o.name != "help"
        ]
        parts.append("\n".join(["| option | meaning |", "|---|---|", *rows]) + "\n")
    return "\n".join(parts)


def settings_table() -> str:
    """Return the settings with their environment variable, default and meaning."""
    from leadapron.app.settings import Settings

    rows = ["| `leadapron.toml` | environment | default | meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "see meaning" if field.default_factory else field.default
        if name == "data":
            default = "`$XDG_DATA_HOME/leadapron/default`"
        elif name != "keys":
            default = f"`{default}`"
        else:
            default = "see meaning"
        meaning = field.description or ""
        rows.append(f"| `{name}` | `LEADAPRON_{name.upper()}` | {default} | {meaning} |")
    return "\n".join(rows) + "\n"


def _error_classes() -> list[type]:
    import leadapron
    from leadapron.model import LeadApronError

    for found in pkgutil.walk_packages(leadapron.__path__, "leadapron."):
        if not any(word in found.name for word in (".training", ".offline", "__main__")):
            importlib.import_module(found.name)

    def below(error: type) -> Iterator[type]:
        yield error
        for child in error.__subclasses__():
            yield from below(child)

    distinct = {c.code: c for c in below(LeadApronError) if c.__module__.startswith("leadapron.")}
    return sorted(distinct.values(), key=lambda c: (c.exit_code, c.code))


def errors_table() -> str:
    """Return exit code, HTTP and DIMSE status of every error class."""
    rows = ["| exit code | `code` | HTTP | DIMSE | meaning |", "|---|---|---|---|---|"]
    rows.append("| 0 | | 200 | 0x0000 | Done, and everything was right. |")
    for error in _error_classes():
        meaning = (error.__doc__ or "").split("\n")[0]
        rows.append(
            f"| {error.exit_code} | `{error.code}` | {error.http} | 0x{error.dimse:04X} "
            f"| {meaning} |"
        )
    return "\n".join(rows) + "\n"


def http_table() -> str:
    """Return the HTTP resources from the OpenAPI document."""
    from leadapron.app.api.server import create_app

    rows = ["| method | path | what it does |", "|---|---|---|"]
    for path, methods in create_app().openapi()["paths"].items():
        for method, operation in methods.items():
            what = (operation.get("description") or operation.get("summary", "")).split("\n")[0]
            rows.append(f"| {method.upper()} | `{path}` | {what} |")
    return "\n".join(rows) + "\n"


TABLES: dict[str, Callable[[], str]] = {
    "cli": cli_table,
    "settings": settings_table,
    "errors": errors_table,
    "http": http_table,
}


def filled(text: str) -> str:
    """Return the page with every generated part made anew."""
    for name, table in TABLES.items():
        start, end = f"<!-- generated: {name} -->", f"<!-- end: {name} -->"
        pattern = re.compile(re.escape(start) + ".*?" + re.escape(end), re.DOTALL)
        made = f"{start}\n\n{table()}\n{end}"
        text, count = pattern.subn(lambda _match, made=made: made, text)
        if count != 1:
            raise SystemExit(f"{PAGE.name} needs one pair of {start} and {end}")
    return text


def main(arguments: list[str]) -> int:
    """Write or check the page; return the exit code."""
    text = filled(PAGE.read_text())
    if "--check" in arguments:
        return int(text != PAGE.read_text())
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
