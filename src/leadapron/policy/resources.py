"""The packaged policy data, read once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

_ROOT = files("leadapron.policy")


def text(name: str) -> str:
    """Return a packaged file as text."""
    return _ROOT.joinpath(name).read_text(encoding="utf-8")


def data(name: str) -> Any:
    """Return a packaged JSON file's value."""
    return json.loads(text(name))


def cedar_files() -> Iterator[tuple[str, str]]:
    """Yield (name, text) of every packaged policy file, in name order."""
    folder = _ROOT.joinpath("cedar")
    for item in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if item.name.endswith(".cedar"):
            yield item.name, item.read_text(encoding="utf-8")
