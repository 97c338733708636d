"""Keyed pseudonyms, and the port of the database that can reverse them.

A pseudonym is an HMAC of the value under the hospital's key: every gateway that shares the key
makes the same one without asking anybody; with another key the two cannot be linked.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from leadapron.model import BadInput, NotFound

PATIENT, ACCESSION, UID, IDENTIFIER = "patient", "accession", "uid", "identifier"
KEY_BYTES = 32
MAX_SHIFT_DAYS = 3650


@dataclass(frozen=True)
class Link:
    """One original value and its pseudonym; `details` is what a person needs to recognise it."""

    kind: str
    original: str
    pseudonym: str
    details: str = ""


class Pseudonymizer:
    """HMAC-SHA-256 pseudonyms under one key; pure, no memory."""

    def __init__(self, key: bytes) -> None:
        """Take the pseudonym key (at least 32 bytes)."""
        if len(key) < KEY_BYTES:
            raise BadInput(
                f"the pseudonym key has {len(key)} bytes",
                remedy=f"give at least {KEY_BYTES} random bytes",
            )
        self._key = key

    def digest(self, purpose: str, value: str) -> bytes:
        """Return 32 bytes bound to purpose and value."""
        message = purpose.encode() + b"\0" + value.encode("utf-8", "surrogateescape")
        return hmac.digest(self._key, message, "sha256")

    def text(self, kind: str, value: str) -> str:
        """Return a 14-character pseudonym (60 bits), valid as LO, SH and CS."""
        letters = base64.b32encode(self.digest(kind, value)).decode()[:12]
        return f"{'LA' if kind == PATIENT else kind[:2].upper()}{letters}"

    def uid(self, value: str) -> str:
        """Return a UID under 2.25 (PS3.5 B.2): a version 8 UUID made of the digest."""
        number = int.from_bytes(self.digest(UID, value)[:16], "big")
        number = number & ~(0xF << 76) | (8 << 76)
        number = number & ~(0x3 << 62) | (2 << 62)
        return f"2.25.{number}"

    def shift_days(self, patient: str) -> int:
        """Return the patient's date shift: 30 to 3650 days into the past, never zero."""
        number = int.from_bytes(self.digest("shift", patient)[:8], "big")
        return -(30 + number % (MAX_SHIFT_DAYS - 29))


@runtime_checkable
class Vault(Protocol):
    """Where pseudonyms come from and where they can be reversed."""

    def pseudonym(self, kind: str, original: str) -> str:
        """Return the pseudonym, a relinked one first (see `relink`)."""
        ...

    def shift_days(self, patient: str) -> int:
        """Return the date shift of a patient key (negative days)."""
        ...

    def fingerprint(self, value: bytes) -> str:
        """Return a keyed hash of a value, for reports that must not let it be guessed."""
        ...

    def remember(self, links: Iterable[Link]) -> None:
        """Keep the links so that `original` can reverse them."""
        ...

    def original(self, kind: str, pseudonym: str) -> Link:
        """Return the link behind a pseudonym; NotFound if there is none."""
        ...

    def relink(self, kind: str, original: str, onto: str) -> str:
        """Give `original` the pseudonym of `onto` from now on (HL7 A40 merge, A08 correction).

        Returns the pseudonym that both now share.
        """
        ...


class KeyedVault:
    """What every driver shares: pseudonyms from the key, overridden by relinks."""

    def __init__(self, key: bytes) -> None:
        """Take the pseudonym key."""
        self._made = Pseudonymizer(key)
        self._fingerprint_key = self._made.digest("fingerprint", "")

    def pseudonym(self, kind: str, original: str) -> str:
        """Return the pseudonym of a value of one kind."""
        source = self._relinked(kind, original) or original
        return self._made.uid(source) if kind == UID else self._made.text(kind, source)

    def shift_days(self, patient: str) -> int:
        """Return the patient's date shift; merged patients share one."""
        return self._made.shift_days(self._relinked(PATIENT, patient) or patient)

    def fingerprint(self, value: bytes) -> str:
        """Return 16 hexadecimal digits of the value's keyed hash."""
        return hashlib.blake2b(value, digest_size=8, key=self._fingerprint_key).hexdigest()

    def _relinked(self, kind: str, original: str) -> str | None:
        raise NotImplementedError


class MemoryVault(KeyedVault):
    """A vault in memory: for files, tests and demonstrations."""

    def __init__(self, key: bytes | None = None) -> None:
        """Take a key of 32 bytes; without one, a random key that is never stored."""
        super().__init__(key if key is not None else secrets.token_bytes(KEY_BYTES))
        self._links: dict[tuple[str, str], Link] = {}
        self._onto: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    @property
    def links(self) -> tuple[Link, ...]:
        """All links, in the order they were remembered."""
        return tuple(self._links.values())

    def remember(self, links: Iterable[Link]) -> None:
        """Keep the links; the first one of a pseudonym stays."""
        with self._lock:
            for link in links:
                self._links.setdefault((link.kind, link.pseudonym), link)

    def original(self, kind: str, pseudonym: str) -> Link:
        """Return the link behind a pseudonym."""
        link = self._links.get((kind, pseudonym))
        if link is None:
            raise NotFound(
                f"the vault knows no {kind} with this pseudonym",
                remedy="check the pseudonym and whether this is its hospital's vault",
            )
        return link

    def relink(self, kind: str, original: str, onto: str) -> str:
        """Give `original` the pseudonym of `onto` from now on."""
        with self._lock:
            self._onto[kind, original] = self._onto.get((kind, onto), onto)
        return self.pseudonym(kind, original)

    def _relinked(self, kind: str, original: str) -> str | None:
        return self._onto.get((kind, original))
