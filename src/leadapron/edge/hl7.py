"""HL7 v2 messages, strictly: bytes to segments to fields (HL7 v2.5.1 chapter 2).

Code of our own, because the libraries there are log field values when they meet an escape they do
not know, and a field value may be a patient's name. Errors here name places, never values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from leadapron.edge.hl7_charset import charset_of
from leadapron.model import BadInput

LARGEST_MESSAGE = 1 << 20
MOST_SEGMENTS, MOST_FIELDS = 500, 200

_LINE = re.compile(r"\r\n|\r|\n")
_NAME = re.compile(r"[A-Z][A-Z0-9]{2}")
_HEX = re.compile(r"X((?:[0-9A-Fa-f]{2})+)")
_FORMAT = re.compile(r"\.(?:br|sp|fi|nf|in|ti|sk|ce)[+-]?\d{0,2}|[HN]")


class Hl7Error(BadInput):
    """A message that cannot be taken: `ack` is AE or AR (HL70008), `number` of HL70357."""

    def __init__(
        self, message: str, *, number: int, ack: str = "AE", remedy: str = "", code: str = ""
    ) -> None:
        super().__init__(
            message, remedy=remedy or "correct it at the sender", code=code or "hl7-refused"
        )
        self.ack = ack
        self.number = number


@dataclass(frozen=True)
class Segment:
    """One segment; `fields[0]` is its name. Positions count from 1, as the standard does.

    `separators` are of field, component, repetition, escape and subcomponent: MSH-1 and MSH-2.
    """

    fields: tuple[str, ...]
    separators: str
    charset: str

    @property
    def name(self) -> str:
        """The three letters."""
        return self.fields[0]

    def raw(self, field: int) -> str:
        """Return a field as it was sent; empty when it is absent."""
        return self.fields[field] if field < len(self.fields) else ""

    def repetitions(self, field: int) -> list[list[list[str]]]:
        """Return repetitions of components of subcomponents, escapes resolved; empty ones too."""
        text = self.raw(field)
        if not text:
            return []
        _, component, repeat, _, sub = tuple(self.separators)
        return [
            [[self._plain(s) for s in c.split(sub)] for c in r.split(component)]
            for r in text.split(repeat)
        ]

    def text(self, field: int, component: int = 1) -> str:
        """Return one component of the first repetition, its first subcomponent, stripped."""
        parts = self.repetitions(field)
        if not parts or component > len(parts[0]):
            return ""
        return parts[0][component - 1][0].strip()

    def _plain(self, text: str) -> str:
        """Resolve escape sequences (2.7); one that is unknown is an error, not a guess."""
        escape = self.separators[3]
        parts = text.split(escape)
        if len(parts) % 2 == 0:
            raise self._bad("has an escape sequence without an end")
        return "".join(self._escape(p) if i % 2 else p for i, p in enumerate(parts))

    def _escape(self, body: str) -> str:
        known = dict(zip("FSRET", self.separators, strict=True))
        if body in known:
            return known[body]
        if match := _HEX.fullmatch(body):
            try:
                return bytes.fromhex(match[1]).decode(self.charset)
            except UnicodeDecodeError:
                raise self._bad("has bytes that its character set does not have") from None
        if _FORMAT.fullmatch(body):
            return " " if body.startswith(".") else ""
        raise self._bad("has an escape sequence that is not supported")

    def _bad(self, what: str) -> Hl7Error:
        return Hl7Error(f"the segment {self.name} {what}", number=102)


@dataclass(frozen=True)
class Message:
    """A message: its segments in order, the first one MSH, and the codec of its text."""

    segments: tuple[Segment, ...]
    charset: str

    @property
    def header(self) -> Segment:
        """The segment MSH; MSH-1 and MSH-2 take a position of their own."""
        return self.segments[0]

    @property
    def sender(self) -> str:
        """Sending application and facility (MSH-3, MSH-4), first components, joined by ``|``."""
        return f"{self.header.text(3)}|{self.header.text(4)}"

    @property
    def control_id(self) -> str:
        """MSH-10."""
        return self.header.text(10)

    @property
    def event(self) -> tuple[str, str]:
        """Message type and trigger event (MSH-9), for instance ADT and A40."""
        return self.header.text(9), self.header.text(9, 2)


def parse(raw: bytes, default_charset: str = "utf-8") -> Message:
    """Read one message, without its MLLP frame.

    Raises Hl7Error, with the answer that the sender gets, for anything that is not clearly one
    message in a character set that is known.
    """
    if len(raw) > LARGEST_MESSAGE:
        raise _refused(f"the message has {len(raw) >> 10} KiB")
    if not raw.startswith(b"MSH") or len(raw) < 8:
        raise _refused("this is no HL7 v2 message: it does not begin with MSH", number=100)
    charset = charset_of(raw, default_charset)
    if charset is None:
        raise Hl7Error(
            "the character set of the message (MSH-18) is not supported or not what it says",
            number=103,
            remedy="send UNICODE UTF-8, GB 18030-2000, BIG-5, 8859/1 or ASCII and say so in MSH-18",
            code="hl7-charset",
        )
    try:
        text = raw.decode(charset)
    except UnicodeDecodeError:
        raise Hl7Error(
            "the message holds bytes that its character set (MSH-18) does not have",
            number=102,
            remedy="say in MSH-18 what is really sent",
            code="hl7-charset",
        ) from None
    return Message(_segments(text, charset), charset)


def _segments(text: str, charset: str) -> tuple[Segment, ...]:
    separator, separators = text[3], text[4:].split(text[3], 1)[0]
    if len(separators) not in {4, 5} or len({separator, *separators}) != len(separators) + 1:
        raise _refused("MSH-1 and MSH-2 are no usable separators", number=102)
    if any(c.isalnum() or c.isspace() or not c.isascii() for c in separator + separators):
        raise _refused("MSH-1 and MSH-2 are no usable separators", number=102)
    lines = [line for line in _LINE.split(text) if line.strip()]
    if len(lines) > MOST_SEGMENTS:
        raise _refused(f"the message has {len(lines)} segments")
    return tuple(_segment(line, separator + separators[:4], charset) for line in lines)


def _segment(line: str, separators: str, charset: str) -> Segment:
    fields = line.split(separators[0])
    if fields[0] == "MSH":
        fields.insert(1, separators[0])
    if len(fields) > MOST_FIELDS or not _NAME.fullmatch(fields[0]):
        raise _refused("a line of the message is no segment", number=100)
    if any(ord(c) < 0x20 and c != "\t" for c in line):
        raise _refused(f"the segment {fields[0]} holds control characters", number=102)
    return Segment(tuple(fields), separators, charset)


def _refused(what: str, number: int = 102) -> Hl7Error:
    return Hl7Error(what, number=number, ack="AR", code="hl7-malformed")
