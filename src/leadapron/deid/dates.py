"""Moving dates by days without changing their precision or the clock."""

from __future__ import annotations

import re
from datetime import date, timedelta

_DT = re.compile(r"^(\d{4})(\d{2})?(\d{2})?((?:\d{2}){0,3}(?:\.\d{1,6})?(?:[+\-]\d{4})?)$")
_OLD = re.compile(r"^(\d{4})[.\-/](\d{2})[.\-/](\d{2})$")


def shift(value: str, days: int) -> str | None:
    """Return a DA or DT value moved by `days`; None if it is no date (PS3.5 6.2).

    DT keeps its clock, fraction and zone; a DT of a year or month keeps that precision.
    """
    text = value.strip(" \0")
    old = _OLD.match(text)
    match = _DT.match("".join(old.groups()) if old else text)
    if match is None:
        return None
    year, month, day, rest = match.groups()
    try:
        moved = date(int(year), int(month or 1), int(day or 1)) + timedelta(days=days)
    except (ValueError, OverflowError):
        return None
    digits = f"{moved.year:04d}{moved.month:02d}{moved.day:02d}"
    return digits[: 8 if day else 6 if month else 4] + rest
