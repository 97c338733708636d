"""Table E.1-1 as a lookup: which action a profile asks for at a tag."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from typing import Any

from leadapron.deid.profile import OPTIONS, Profile

EDITION = "2026d"


class Action(StrEnum):
    """One thing done to one attribute (PS3.15 E.1.1)."""

    DUMMY = "D"
    ZERO = "Z"
    REMOVE = "X"
    KEEP = "K"
    CLEAN = "C"
    UID = "U"


@dataclass(frozen=True)
class Row:
    """One row: `basic` as printed (``X/Z/D`` …), `options` by column name."""

    tag: str
    name: str
    basic: str
    options: dict[str, str] = field(hash=False)

    def asked(self, profile: Profile) -> str:
        """Return the action code as printed that `profile` selects.

        An option overrides the Basic Profile. Where two enabled options name the row, keeping
        wins over cleaning: the administrator asked for the value.
        """
        chosen = {self.options[o] for o in profile.options if o in self.options}
        if "K" in chosen:
            return "K"
        return "C" if "C" in chosen else self.basic


@dataclass(frozen=True)
class ContentRow:
    """One row of Table E.3.4-1: what to do with an SR content item of that concept."""

    basic: str
    options: dict[str, str] = field(hash=False)

    def asked(self, profile: Profile) -> str:
        """Return the action code that `profile` selects."""
        chosen = {self.options[o] for o in profile.options if o in self.options}
        if "K" in chosen:
            return "K"
        return "C" if "C" in chosen else self.basic


@lru_cache(maxsize=4)
def _raw(edition: str = EDITION) -> dict[str, Any]:
    name = f"ps3_15_e1_1_{edition}.json"
    raw: dict[str, Any] = json.loads((files("leadapron.deid.data") / name).read_text("utf-8"))
    return raw


@lru_cache(maxsize=1)
def _editions() -> dict[str, Any]:
    text = (files("leadapron.deid.data") / "ps3_15_e1_1_editions.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)["editions"]
    return found


def editions() -> tuple[str, ...]:
    """Return the editions that `rows` knows, the one in force last."""
    return (*_editions(), EDITION)


@lru_cache(maxsize=4)
def rows(edition: str = EDITION) -> dict[str, Row]:
    """Return every row by its tag as printed (``00100010``, ``60xx3000``, ``PRIVATE``).

    An earlier edition is the present one with its documented differences: rows that it had not
    yet, actions that were others; of ``before-2023e`` in all columns, of later ones in the Basic
    Profile column. KeyError if it is unknown.
    """
    if edition == EDITION:
        return _printed()
    change = _editions()[edition]
    return {
        tag: replace(
            row,
            basic=change["basic"].get(tag, row.basic),
            options=change.get("options", {}).get(tag, row.options),
        )
        for tag, row in _printed().items()
        if tag not in change["absent"]
    }


def _printed() -> dict[str, Row]:
    raw = _raw(EDITION)
    names = raw["options"]
    return {
        tag: Row(tag, name, basic, {names[int(i)]: a for i, a in options.items()})
        for tag, name, basic, options in raw["rows"]
    }


@lru_cache(maxsize=4)
def content_rows(edition: str = EDITION) -> dict[tuple[str, str], ContentRow]:
    """Return the concept-name rows by (coding scheme, code)."""
    raw = _raw(edition)
    names = raw["content_options"]
    return {
        (scheme, code): ContentRow(basic, {names[int(i)]: a for i, a in options.items()})
        for scheme, code, _meaning, _type, basic, options in raw["content"]
    }


def row_for(tag: int) -> Row | None:
    """Return the row of a tag, repeating groups and private attributes included."""
    table = rows()
    group = tag >> 16
    if group & 1:
        return table["PRIVATE"]
    if 0x5000 <= group <= 0x50FF:
        return table["50xxxxxx"]
    if 0x6000 <= group <= 0x60FF:
        return table.get(f"60xx{tag & 0xFFFF:04X}")
    return table.get(f"{tag:08X}")


@lru_cache(maxsize=1)
def _types() -> dict[str, Any]:
    text = (files("leadapron.deid.data") / "attribute_types.json").read_text("utf-8")
    types: dict[str, Any] = json.loads(text)
    return types


@lru_cache(maxsize=4096)
def attribute_type(sop_class: str, parent: int, tag: int) -> str:
    """Return the attribute's type (``1`` … ``3``) in the IOD; unknown IODs count as strict."""
    types = _types()
    if parent:
        return str(types["nested"].get(f"{parent:08X}.{tag:08X}", "3"))
    iod = types["sop_classes"].get(sop_class)
    return "1" if iod is None else str(types["iods"][iod].get(f"{tag:08X}", "3"))


def resolve(code: str, kind: str) -> Action:
    """Return the single action that a printed code means for an attribute of type `kind`.

    Compound codes (PS3.15 E.1.1) choose by the type that the IOD gives the attribute: X for
    Type 3, Z for Type 2, D for Type 1. ``X/Z/U*`` keeps the sequence and maps its UIDs.
    """
    if "U*" in code:
        return Action.UID
    choices = code.split("/")
    if len(choices) == 1:
        return Action(choices[0])
    wanted = {"1": "DZX", "1C": "DZX", "2": "ZDX", "2C": "ZDX"}.get(kind, "XZD")
    return Action(next(c for c in wanted if c in choices))


def actions(profile: Profile, sop_class: str = "") -> dict[str, Action]:
    """Return the action at every row for one SOP class, as `deidentify` applies it."""
    return {
        tag: resolve(row.asked(profile), attribute_type(sop_class, 0, _number(tag)))
        for tag, row in rows().items()
    }


def _number(tag: str) -> int:
    return int(tag, 16) if len(tag) == 8 and "x" not in tag and tag != "PRIVATE" else 0


__all__ = ["EDITION", "OPTIONS", "Action", "Row", "actions", "content_rows", "resolve", "row_for"]
