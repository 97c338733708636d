"""Private attributes known to be safe (PS3.15 Table E.3.10-1), as data."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files

from pydicom import Dataset


@lru_cache(maxsize=1)
def _safe() -> dict[str, frozenset[tuple[int, int]]]:
    raw = json.loads((files("leadapron.deid.data") / "safe_private.json").read_text("utf-8"))
    return {
        creator: frozenset((int(t[:4], 16), int(t[4:], 16)) for t in tags)
        for creator, tags in raw["creators"].items()
    }


def is_safe(ds: Dataset, tag: int) -> bool:
    """Return whether a private element is on the list under the creator that owns its block.

    The creator counts only in its own data set and block, so an element cannot borrow another
    block's name. Creator elements themselves follow what they own; see `used_creators`.
    """
    group, element = tag >> 16, tag & 0xFFFF
    if element < 0x1000:
        return False
    name = creator(ds, group << 16 | element >> 8)
    return (group, element & 0xFF) in _safe().get(name, frozenset())


def creator(ds: Dataset, tag: int) -> str:
    """Return the Private Creator at `tag`, or an empty string."""
    if tag not in ds:
        return ""
    item = ds.get_item(tag)
    value = item.value if item is not None else ""
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value or "")
    return text.strip(" \0")
