"""One way to write an entry: JSON with sorted keys, no spaces, UTF-8, no floating point.

The bytes agree with RFC 8785 for what is accepted: objects, arrays, strings, booleans, null, and
integers up to 2^53 - 1 in magnitude. Keys are sorted by code point as in Python, which equals RFC
8785's order but for keys that mix U+E000–U+FFFF with astral characters.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from leadapron.ledger.tiles import LARGEST_ENTRY
from leadapron.model import BadInput

JSON: TypeAlias = "bool | int | str | Sequence[JSON] | Mapping[str, JSON] | None"

_LARGEST_INTEGER = (1 << 53) - 1
_DEEPEST = 32
AT = "at"

_encoder = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False, check_circular=False
)


def dump(entry: Mapping[str, JSON], most: int = LARGEST_ENTRY) -> bytes:
    """Return the canonical bytes; BadInput for a value JSON cannot carry exactly."""
    return encode(_plain(entry, 0), most)


def encode(plain: Mapping[str, JSON], most: int = LARGEST_ENTRY) -> bytes:
    """Return the canonical bytes of what `checked` returned; BadInput beyond `most` bytes."""
    try:
        data = _encoder.encode(plain).encode("utf-8")
    except UnicodeEncodeError:
        raise _refused("a text with a lone surrogate", "decode the text correctly first") from None
    if len(data) > most:
        raise _refused(
            f"{len(data)} bytes, the most is {most}",
            "log a digest and keep the content elsewhere",
        )
    return data


def load(data: bytes) -> dict[str, JSON]:
    """Return the entry that the bytes carry."""
    result: dict[str, JSON] = json.loads(data)
    return result


def checked(entry: Mapping[str, JSON]) -> dict[str, JSON]:
    """Return a private copy of a caller's entry, which must not name the log's own time."""
    if not isinstance(entry, Mapping):
        raise _refused("no mapping", "pass a dict with string keys")
    if AT in entry:
        raise _refused(f"a key '{AT}' of its own", "the log sets the time; use another key")
    plain = {str(key): _plain(value, 1) for key, value in entry.items() if _is_text(key)}
    # The longest time there will be leaves room for the key that the log adds.
    encode(plain | {AT: _LARGEST_INTEGER})
    return plain


def _plain(value: object, depth: int) -> Any:
    """Return a private copy made of dict, list, str, int, bool and None only."""
    kind = type(value)
    if value is None or kind is str or kind is bool:
        return value
    if depth > _DEEPEST:
        raise _refused(f"more than {_DEEPEST} levels", "flatten it")
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        if abs(value) > _LARGEST_INTEGER:
            raise _refused("an integer beyond 2^53 - 1", "write it as a string")
        return int(value)
    if isinstance(value, Mapping):
        return {str(k): _plain(item, depth + 1) for k, item in value.items() if _is_text(k)}
    if isinstance(value, (list, tuple)):
        return [_plain(item, depth + 1) for item in value]
    remedy = "write it as an integer or a string, so that every program reads the same value"
    raise _refused(f"a value of type {kind.__name__}", remedy)


def _is_text(key: object) -> bool:
    if isinstance(key, str):
        return True
    raise _refused("a key that is no string", "use string keys")


def _refused(what: str, remedy: str) -> BadInput:
    return BadInput(f"a log entry has {what}", remedy=remedy)
