"""Checkpoints: C2SP signed notes about a tree head.

Parsing is strict: a note that is not byte for byte what `Checkpoint.to_bytes` writes is refused, so
no byte of a stored checkpoint can change unnoticed (base64 has unused bits, for one).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from leadapron.ledger.signing import Signer, TreeHead, Verifier
from leadapron.ledger.tree import HASH_SIZE
from leadapron.model import IntegrityFailure

_LARGEST_NOTE = 1 << 18
_MOST_SIGNATURES = 64
_LARGEST_SIZE = (1 << 63) - 1


@dataclass(frozen=True)
class NoteSignature:
    """One signature line: key name, key id (4 bytes) and signature bytes."""

    name: str
    key_id: bytes
    signature: bytes

    @property
    def line(self) -> str:
        """The line as it stands in the note."""
        encoded = base64.b64encode(self.key_id + self.signature).decode()
        return f"\u2014 {self.name} {encoded}\n"


@dataclass(frozen=True)
class Checkpoint:
    """A tree head and its signatures."""

    head: TreeHead
    signatures: tuple[NoteSignature, ...] = ()

    @classmethod
    def sign(cls, head: TreeHead, signer: Signer | None, seconds: int) -> Checkpoint:
        """Sign the tree head; without a signer the checkpoint stays unsigned."""
        signed = signer.sign(head, seconds) if signer else []
        return cls(head, tuple(NoteSignature(v.name, v.key_id, s) for v, s in signed))

    @classmethod
    def parse(cls, note: bytes) -> Checkpoint:
        """Read a checkpoint.

        Raises:
            IntegrityFailure: it is not the exact form of one.
        """
        try:
            result = cls._parse(note.decode("utf-8"))
        except (ValueError, binascii.Error):
            raise _malformed() from None
        if len(note) > _LARGEST_NOTE or result.to_bytes() != note:
            raise _malformed()
        return result

    @classmethod
    def _parse(cls, note: str) -> Checkpoint:
        text, separator, tail = note.rpartition("\n\n")
        origin, size, root, *rest = (text if separator else note.removesuffix("\n")).split("\n")
        head = TreeHead(origin, int(size), base64.b64decode(root, validate=True))
        lines = tail.splitlines() if separator else []
        if rest or not origin or len(origin.encode()) > 255 or len(head.root) != HASH_SIZE:
            raise ValueError
        if not 0 <= head.size <= _LARGEST_SIZE or len(lines) > _MOST_SIGNATURES:
            raise ValueError
        return cls(head, tuple(_parse_signature(line) for line in lines))

    def to_bytes(self) -> bytes:
        """Return the note: text, empty line, signature lines."""
        lines = "".join(signature.line for signature in self.signatures)
        return f"{self.head.text}\n{lines}".encode() if lines else self.head.text.encode()

    def signature_of(self, verifier: Verifier) -> NoteSignature | None:
        """Return the line that names this key, if there is one."""
        for signature in self.signatures:
            if (signature.name, signature.key_id) == (verifier.name, verifier.key_id):
                return signature
        return None

    def problems(self, verifiers: Sequence[Verifier], *, strict: bool = True) -> list[str]:
        """Return what is wrong with the signatures: every key given must have signed.

        With `strict`, a signature by a key that was not given is wrong too.
        """
        found = [text for verifier in verifiers for text in self._problems_of(verifier)]
        if strict:
            known = {(verifier.name, verifier.key_id) for verifier in verifiers}
            found += self._unknown(known)
        return found

    def _problems_of(self, verifier: Verifier) -> Iterable[str]:
        line = self.signature_of(verifier)
        if verifier.name != self.head.origin:
            yield f"the checkpoint's origin is not {verifier.name}"
        if line is None:
            yield f"the checkpoint has no {verifier.algorithm} signature by {verifier.name}"
        elif not verifier.verify(self.head, line.signature):
            yield f"the checkpoint's {verifier.algorithm} signature does not verify"

    def _unknown(self, known: set[tuple[str, bytes]]) -> Iterable[str]:
        seen: set[tuple[str, bytes]] = set()
        for signature in self.signatures:
            key = (signature.name, signature.key_id)
            if key not in known:
                yield "the checkpoint carries a signature by a key that was not given"
            elif key in seen:
                yield "the checkpoint carries the same key's signature twice"
            seen.add(key)


def _parse_signature(line: str) -> NoteSignature:
    dash, name, encoded = line.split(" ")
    data = base64.b64decode(encoded, validate=True)
    if dash != "\u2014" or not name or len(data) <= 4:
        raise ValueError
    return NoteSignature(name, data[:4], data[4:])


def _malformed() -> IntegrityFailure:
    return IntegrityFailure(
        "the checkpoint is not a well-formed signed note",
        remedy="restore the log from a copy, and keep this one as evidence",
    )
