"""The console that the wheel ships is whole."""

from __future__ import annotations

import re
from pathlib import Path

STATIC = Path(__file__).parents[2] / "src" / "leadapron" / "app" / "static"


def test_the_built_console_is_small_and_whole():
    files = [path for path in STATIC.rglob("*") if path.is_file()]
    assert STATIC / "index.html" in files
    assert sum(path.stat().st_size for path in files) < 6_000_000
    assert not [path for path in files if path.suffix == ".map"]
    for name in re.findall(
        r'(?:src|href)="\./([^"]+)"', (STATIC / "index.html").read_text("utf-8")
    ):
        assert STATIC / name in files
