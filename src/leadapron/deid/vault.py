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
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol, runtime_checkable

from leadapron.model import BadInput, Conflict, IntegrityFailure, NotFound

PATIENT, ACCESSION, UID, IDENTIFIER = "patient", "accession", "uid", "identifier"
FILM = "film"
"""Kind of the links that tell under which patient key an instance was sent."""
KEY_BYTES = 32
RECENT = 1024
MAX_SHIFT_DAYS = 3650


@dataclass(frozen=True)
class Link:
    """One original value and its pseudonym; `details` is what a person needs to recognise it."""

    kind: str
    original: str
    pseudonym: str
    details: str = ""


class Pseudonymizer:
    """HMAC-SHA-256 pseudonyms under one key; the last few are remembered, in memory only.

    The films of a study share patient, accession, study, series and frame of reference.
    """

    def __init__(self, key: bytes) -> None:
        """Take the pseudonym key (at least 32 bytes)."""
        if len(key) < KEY_BYTES:
            raise BadInput(
                f"the pseudonym key has {len(key)} bytes",
                remedy=f"give at least {KEY_BYTES} random bytes",
            )
        self._key = key
        self.pseudonym = lru_cache(maxsize=RECENT)(self._pseudonym)

    def _pseudonym(self, kind: str, value: str) -> str:
        return self.uid(value) if kind == UID else self.text(kind, value)

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
        """Give `original` the pseudonym of `onto` from now on (HL7 A40 merge, A47 change).

        Chains are followed (a onto b, b onto c: all share c's); repeating it changes nothing.
        Returns the pseudonym that both now share.

        Raises:
            Conflict: it would close a circle, or `original` was relinked onto another one.
        """
        ...

    def unlink(self, kind: str, original: str) -> str:
        """Take a relink back; return the pseudonym `original` has now. NotFound: there is none."""
        ...


class KeyedVault:
    """What every driver shares: pseudonyms from the key, overridden by relinks."""

    def __init__(self, key: bytes) -> None:
        """Take the pseudonym key."""
        self._made = Pseudonymizer(key)
        key = self._made.digest("fingerprint", "")
        self._fingerprint = hashlib.blake2b(digest_size=8, key=key)

    def pseudonym(self, kind: str, original: str) -> str:
        """Return the pseudonym of a value of one kind."""
        return self.own_pseudonym(kind, self.root(kind, original))

    def own_pseudonym(self, kind: str, original: str) -> str:
        """Return the pseudonym that the key alone makes, whatever was relinked."""
        return self._made.pseudonym(kind, original)

    def shift_days(self, patient: str) -> int:
        """Return the patient's date shift; merged patients share one."""
        return self._made.shift_days(self.root(PATIENT, patient))

    def own_shift_days(self, patient: str) -> int:
        """Return the date shift that the key alone makes, whatever was relinked."""
        return self._made.shift_days(patient)

    def fingerprint(self, value: bytes) -> str:
        """Return 16 hexadecimal digits of the value's keyed hash."""
        digest = self._fingerprint.copy()
        digest.update(value)
        return digest.hexdigest()

    def rehearse(self, relinks: Iterable[tuple[str, str]]) -> None:
        """Raise what `relink` would, were these patients (original, onto) relinked in order."""
        planned: dict[str, str] = {}
        trial = _Rehearsal(self, planned)
        for original, onto in relinks:
            if trial._is_new(PATIENT, original, onto):
                planned[original] = onto

    def root(self, kind: str, original: str) -> str:
        """Return the value whose pseudonym `original` has: itself, or the end of its relinks."""
        return self._path(kind, original)[-1]

    def _path(self, kind: str, original: str) -> list[str]:
        path = [original]
        while (onto := self._relinked(kind, path[-1])) is not None:
            if onto in path:
                raise IntegrityFailure(
                    f"the vault's relinks of a {kind} have no end",
                    remedy="restore the vault from its backup",
                )
            path.append(onto)
        return path

    def _is_new(self, kind: str, original: str, onto: str) -> bool:
        """Tell whether a relink changes something; raise Conflict if it cannot be made."""
        if original in self._path(kind, onto):
            raise Conflict(
                f"this {kind} would be relinked onto itself, directly or in a circle",
                remedy="check which of the two numbers stays in use",
                code="merge-self" if original == onto else "merge-cycle",
            )
        path = self._path(kind, original)
        if len(path) == 1:
            return True
        if path[-1] != self.root(kind, onto):
            raise Conflict(
                f"this {kind} was relinked onto another one before",
                remedy="undo that relink first, if it was wrong",
                code="already-merged",
            )
        return False

    def _rooted(self, link: Link) -> Link:
        """Return the link so that its pseudonym is its original's own: a merged one's survivor."""
        if link.kind != PATIENT or self.own_pseudonym(PATIENT, link.original) == link.pseudonym:
            return link
        return replace(link, original=self.root(PATIENT, link.original))

    def _relinked(self, kind: str, original: str) -> str | None:
        raise NotImplementedError


class _Rehearsal(KeyedVault):
    """A vault with relinks that are only planned."""

    def __init__(self, real: KeyedVault, planned: dict[str, str]) -> None:
        self._made = real._made
        self._real, self._planned = real, planned

    def _relinked(self, kind: str, original: str) -> str | None:
        return self._planned.get(original) or self._real._relinked(kind, original)


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
        """Keep the links; the first one of a pseudonym stays, one without details gives way."""
        with self._lock:
            for link in map(self._rooted, links):
                known = self._links.get((link.kind, link.pseudonym))
                if known is None or (link.details and not known.details):
                    self._links[link.kind, link.pseudonym] = link

    def original(self, kind: str, pseudonym: str) -> Link:
        """Return the link behind a pseudonym."""
        link = self._links.get((kind, pseudonym))
        if link is None:
            raise no_link(kind)
        return link

    def relink(self, kind: str, original: str, onto: str) -> str:
        """Give `original` the pseudonym of `onto` from now on."""
        with self._lock:
            if self._is_new(kind, original, onto):
                self._onto[kind, original] = onto
        return self.pseudonym(kind, original)

    def unlink(self, kind: str, original: str) -> str:
        """Take a relink back."""
        with self._lock:
            if self._onto.pop((kind, original), None) is None:
                raise no_relink(kind)
        return self.pseudonym(kind, original)

    def _relinked(self, kind: str, original: str) -> str | None:
        return self._onto.get((kind, original))


def no_link(kind: str) -> NotFound:
    """Return the error that says so."""
    return NotFound(
        f"the vault knows no {kind} with this pseudonym",
        remedy="check the pseudonym and whether this is its hospital's vault",
    )


def no_relink(kind: str) -> NotFound:
    """Return the error that says so."""
    return NotFound(f"this {kind} is not relinked", remedy="nothing has to be undone")
