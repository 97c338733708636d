"""HL7 ADT messages: who may send them, what was taken before, what they are answered.

AA means: durable here, and made unless a full disk or a locked database keeps it waiting. AE means:
understood but impossible, kept in quarantine. AR means: not for us, nothing was kept.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import structlog

from leadapron.delivery.relink_queue import MESSAGE, RelinkQueue
from leadapron.delivery.relinking import Origin, Relinked
from leadapron.edge.adt import steps_of
from leadapron.edge.hl7 import Hl7Error, Message, parse
from leadapron.edge.hl7_ack import accepted, refused
from leadapron.model import Conflict, LeadApronError
from leadapron.store.vault import SqlVault

log = structlog.get_logger(__name__)

VERSIONS = frozenset(f"2.{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 9)) | frozenset(
    {"2.3.1", "2.5.1", "2.7.1", "2.8.1", "2.8.2"}
)
_PLAIN_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")


class AdtIntake:
    """Answers ADT messages; `answer` is what an MLLP listener calls."""

    def __init__(
        self,
        queue: RelinkQueue,
        vault: SqlVault,
        *,
        senders: frozenset[str] = frozenset(),
        authority: str = "",
        charset: str = "utf-8",
    ) -> None:
        """`senders` are ``APPLICATION|FACILITY`` (MSH-3, MSH-4) that may send; empty: any.

        `authority`: see `edge.adt.steps_of`; `charset` holds where MSH-18 is empty.
        """
        self._queue = queue
        self._vault = vault
        self._senders = senders
        self._authority = authority
        self._charset = charset
        queue.handle_messages(self._make)

    def answer(self, raw: bytes) -> bytes:
        """Return the acknowledgement of one message; never raises."""
        message: Message | None = None
        try:
            message = parse(raw, self._charset)
            self._check(message)
            self._take(message, raw)
        except Hl7Error as error:
            log.warning("hl7.refused", code=error.slug, ack=error.ack)
            return refused(message, error)
        except LeadApronError as error:
            log.warning("hl7.not-taken", code=error.slug)
            return refused(message, _as_hl7(error))
        except Exception as error:
            log.error("hl7.failed", error=type(error).__name__)
            return refused(message, _as_hl7(LeadApronError("the message could not be taken")))
        return accepted(message)

    def _check(self, message: Message) -> None:
        """Refuse what is not for us, before anything of it is kept."""
        header = message.header
        if self._senders and message.sender not in self._senders:
            raise _rejected(
                "this sending application and facility may not send here", 207, "hl7-sender"
            )
        if not message.control_id:
            raise _rejected("MSH-10 is empty", 101, "hl7-control-id")
        if header.text(11) != "P":
            raise _rejected("only production messages (MSH-11 P) are taken", 202, "hl7-processing")
        if header.text(12) not in VERSIONS:
            raise _rejected("this HL7 version (MSH-12) is not known", 203, "hl7-version")

    def _take(self, message: Message, raw: bytes) -> None:
        digest = hashlib.sha256(raw).hexdigest()
        known = self._vault.message(message.sender, message.control_id)
        if known is not None:
            if known[0] != digest:
                raise Hl7Error(
                    "another message with this control id (MSH-10) was taken before",
                    number=205,
                    remedy="the sender must give every message an id of its own",
                    code="hl7-control-id-used",
                )
            return
        try:
            steps = steps_of(message, self._authority)
        except Hl7Error as error:
            if error.ack == "AR":
                raise
            steps = None
        if steps is not None and not self._queue.relinking.concerns(steps):
            self._note(message, digest)
            return
        outcome = self._queue.put(MESSAGE, raw, {"sender": message.sender[:64]})
        if outcome.error is not None:
            raise _as_hl7(outcome.error)

    def _make(self, raw: bytes, _meta: Mapping[str, Any]) -> Relinked:
        """Make what a kept message asks for: all of it or nothing."""
        message = parse(raw, self._charset)
        digest = hashlib.sha256(raw).hexdigest()
        known = self._vault.message(message.sender, message.control_id)
        if known is not None and known[0] == digest:
            return Relinked(False)
        steps = steps_of(message, self._authority)
        relinking = self._queue.relinking
        relinking.check(steps)
        origin = Origin(f"hl7:{message.sender[:60]}", {"message": self._told_id(message)})
        made = [relinking.step(step, origin) for step in steps]
        self._note(message, digest)
        films = tuple(dict.fromkeys(f for each in made for f in each.films))
        return Relinked(any(each.changed for each in made), films)

    def _note(self, message: Message, digest: str) -> None:
        self._vault.note_message(message.sender, message.control_id, digest, "AA")

    def _told_id(self, message: Message) -> str:
        """Return the control id for the log; one that could be a name, as a keyed hash."""
        told = message.control_id
        plain = _PLAIN_ID.fullmatch(told) and any(c.isdigit() for c in told)
        return told if plain else self._vault.fingerprint(told.encode())


def _rejected(what: str, number: int, code: str) -> Hl7Error:
    return Hl7Error(what, number=number, ack="AR", code=code)


def _as_hl7(error: LeadApronError) -> Hl7Error:
    if isinstance(error, Hl7Error):
        return error
    number = 204 if isinstance(error, Conflict) else 207
    return Hl7Error(error.message, number=number, remedy=error.remedy, code=error.slug)
