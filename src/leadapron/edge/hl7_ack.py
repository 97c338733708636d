"""Acknowledgements of HL7 v2 messages (2.9.2): MSH, MSA and, for an error, ERR."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from leadapron.edge.hl7 import Hl7Error, Message
from leadapron.edge.hl7_charset import name_of

_MEANINGS = {
    100: "Segment sequence error",
    101: "Required field missing",
    102: "Data type error",
    103: "Table value not found",
    200: "Unsupported message type",
    201: "Unsupported event code",
    202: "Unsupported processing id",
    203: "Unsupported version id",
    204: "Unknown key identifier",
    205: "Duplicate key identifier",
    207: "Application internal error",
}

_BEFORE_ERR = frozenset({"2.1", "2.2", "2.3", "2.3.1", "2.4"})
"""Versions whose ERR says less than MSA-3 does."""


def accepted(message: Message) -> bytes:
    """Return AA: the message is durable here and needs nothing more of the sender."""
    return _frame(message, "AA", None)


def refused(message: Message | None, error: Hl7Error) -> bytes:
    """Return AE or AR with its reason; `message` is None when not even its header was read."""
    return _frame(message, error.ack, error)


def _frame(message: Message | None, code: str, error: Hl7Error | None) -> bytes:
    header = message.header if message else None
    charset = message.charset if message else "ascii"
    ids = [_escaped(header.text(n)) if header else "" for n in (3, 4, 5, 6)]
    event = _escaped(message.event[1]) if message else ""
    control = _escaped(message.control_id) if message else ""
    version = _escaped(header.text(12)) if header else ""
    now = datetime.now(UTC).strftime("%Y%m%d%H%M%S") + "+0000"
    plain = not event or version in {"2.1", "2.2", "2.3"}
    kind = "ACK" if plain else f"ACK^{event}^ACK"
    processing = _escaped(header.text(11)) if header else ""
    msh = [
        "MSH", "^~\\&", ids[2] or "LEADAPRON", ids[3], ids[0], ids[1], now, "", kind,
        secrets.token_hex(10), processing or "P", version or "2.5", *[""] * 5, name_of(charset),
    ]  # fmt: skip
    segments = ["|".join(msh), f"MSA|{code}|{control}"]
    words = _escaped(f"{error.message}. {error.remedy}") if error else ""
    if error and version in _BEFORE_ERR:
        segments[1] += f"|{words[:80]}"
    elif error:
        number = f"{error.number}^{_MEANINGS[error.number]}^HL70357"
        segments.append(f"ERR|||{number}|E||||{words}")
    return ("\r".join(segments) + "\r").encode(charset, "replace")


def _escaped(text: str) -> str:
    signs = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "~": "\\R\\", "&": "\\T\\"}
    return "".join(signs.get(c, c if c.isprintable() else " ") for c in text)[:200]
