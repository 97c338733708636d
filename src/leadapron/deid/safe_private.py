"""Private attributes known to be safe (PS3.15 Table E.3.10-1), as data."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files

from pydicom import Dataset
from pydicom.dataelem import DataElement, RawDataElement

Element = DataElement | RawDataElement
_LONGEST = 64


@lru_cache(maxsize=1)
def _safe() -> dict[str, frozenset[tuple[int, int]]]:
    raw = json.loads((files("leadapron.deid.data") / "safe_private.json").read_text("utf-8"))
    return {
        creator: frozenset((int(t[:4], 16), int(t[4:], 16)) for t in tags)
        for creator, tags in raw["creators"].items()
    }


@lru_cache(maxsize=1)
def _anywhere() -> frozenset[tuple[int, int]]:
    """Return what is safe under some creator: nearly every private element is not among it."""
    return frozenset().union(*_safe().values())


def is_safe(ds: Dataset, tag: int, element: Element) -> bool:
    """Return whether a private element is on the list under the creator that owns its block.

    The creator counts only in its own data set and block, so an element cannot borrow another
    block's name. Values without a VR of their own (UN) pass only when they are short enough to
    be a number or a code; text in them is swept like any other.
    """
    group, number = tag >> 16, tag & 0xFFFF
    if (group, number & 0xFF) not in _anywhere():
        return False
    if number < 0x1000 or element.VR == "SQ" or not _small(element.value):
        return False
    name = creator(ds, group << 16 | number >> 8)
    return (group, number & 0xFF) in _safe().get(name, frozenset())


def _small(value: object) -> bool:
    return not isinstance(value, (bytes, str)) or len(value) <= _LONGEST


def creator(ds: Dataset, tag: int) -> str:
    """Return the Private Creator at `tag`, or an empty string."""
    if tag not in ds:
        return ""
    item = ds.get_item(tag)
    value = item.value if item is not None else ""
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value or "")
    return text.strip(" \0")
