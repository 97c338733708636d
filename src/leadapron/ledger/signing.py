"""The log's keys: Ed25519 and ML-DSA-44, as C2SP signed-note and tlog-cosignature use them.

Every checkpoint carries both signatures: Ed25519 (type 0x01) for today's verifiers, ML-DSA-44
(FIPS 204; type 0x06, over the ``subtree/v1`` message) for a court in twenty years.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from leadapron.model import BadInput

ED25519 = 0x01
ML_DSA_44 = 0x06
DEFAULT_NAME = "leadapron.local/ledger"

_MAGIC = b"LALK\x01"
_SEED = 32
_U64 = struct.Struct(">Q")
_KEY_SIZES = {ED25519: 32, ML_DSA_44: 1312}
_SIGNATURE_SIZES = {ED25519: 64, ML_DSA_44: _U64.size + 2420}


@dataclass(frozen=True)
class TreeHead:
    """What a checkpoint says: whose log, how many entries, which root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The note's text: origin, size and base64 root, a line each (C2SP tlog-checkpoint)."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


@dataclass(frozen=True)
class Verifier:
    """One public key, read from the text form ``name+keyid+base64(type || key)``."""

    name: str
    kind: int
    key: bytes

    @classmethod
    def parse(cls, vkey: str) -> Verifier:
        """Read a verifier key; BadInput if its form or its key id is wrong."""
        try:
            name, key_id, encoded = vkey.strip().split("+", 2)
            data = base64.b64decode(encoded, validate=True)
            result = cls(check_name(name), data[0], data[1:])
        except (ValueError, IndexError, binascii.Error):
            raise _bad_key() from None
        if len(result.key) != _KEY_SIZES.get(result.kind) or result.key_id.hex() != key_id:
            raise _bad_key()
        return result

    @property
    def key_id(self) -> bytes:
        """SHA-256(name || 0x0A || type || key)[:4]."""
        data = self.name.encode() + b"\n" + bytes([self.kind]) + self.key
        return hashlib.sha256(data).digest()[:4]

    @property
    def vkey(self) -> str:
        """The text form, which may be published."""
        encoded = base64.b64encode(bytes([self.kind]) + self.key).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"

    @property
    def algorithm(self) -> str:
        """The signature's name for a person."""
        return {ED25519: "Ed25519", ML_DSA_44: "ML-DSA-44"}[self.kind]

    def verify(self, head: TreeHead, signature: bytes) -> bool:
        """Tell whether `signature` (without key id) is this key's for the tree head."""
        if len(signature) != _SIGNATURE_SIZES[self.kind]:
            return False
        try:
            if self.kind == ED25519:
                public = Ed25519PublicKey.from_public_bytes(self.key)
                public.verify(signature, head.text.encode())
            else:
                (seconds,) = _U64.unpack_from(signature)
                message = cosigned_message(self.name, seconds, head)
                post_quantum = MLDSA44PublicKey.from_public_bytes(self.key)
                post_quantum.verify(signature[_U64.size :], message)
        except (InvalidSignature, ValueError):
            return False
        return True


class Signer:
    """The log's two private keys and its name; never printed, never logged."""

    def __init__(self, name: str, ed25519_seed: bytes, ml_dsa_seed: bytes) -> None:
        """Take the name (the log's origin) and two seeds of 32 bytes."""
        self.name = check_name(name)
        self._seeds = ed25519_seed + ml_dsa_seed
        self._ed25519 = Ed25519PrivateKey.from_private_bytes(ed25519_seed)
        self._ml_dsa = MLDSA44PrivateKey.from_seed_bytes(ml_dsa_seed)
        self.verifiers = (
            Verifier(name, ED25519, self._ed25519.public_key().public_bytes_raw()),
            Verifier(name, ML_DSA_44, self._ml_dsa.public_key().public_bytes_raw()),
        )

    def __repr__(self) -> str:
        return f"Signer({self.name!r})"

    @classmethod
    def generate(cls, name: str = DEFAULT_NAME) -> Signer:
        """Make new keys for the log `name`, a URL without scheme such as ``pacs.example/log``."""
        return cls(
            name,
            Ed25519PrivateKey.generate().private_bytes_raw(),
            MLDSA44PrivateKey.generate().private_bytes_raw(),
        )

    @classmethod
    def from_bytes(cls, secret: bytes) -> Signer:
        """Load what `to_bytes` returned; BadInput if it is something else."""
        name = secret[len(_MAGIC) : -2 * _SEED]
        if not secret.startswith(_MAGIC) or not name:
            raise BadInput("the log's key cannot be read", remedy="restore the keys folder")
        return cls(name.decode(), secret[-2 * _SEED : -_SEED], secret[-_SEED:])

    def to_bytes(self) -> bytes:
        """Return both private keys and the name, for a KeyStore."""
        return _MAGIC + self.name.encode() + self._seeds

    @property
    def vkeys(self) -> tuple[str, ...]:
        """The two public keys in text form: Ed25519, then ML-DSA-44."""
        return tuple(verifier.vkey for verifier in self.verifiers)

    @property
    def vkey(self) -> str:
        """Both public keys, a line each, as `verify` takes them."""
        return "\n".join(self.vkeys) + "\n"

    def sign(self, head: TreeHead, seconds: int) -> list[tuple[Verifier, bytes]]:
        """Return both signatures of the tree head; `seconds` since the epoch goes into one."""
        classic, post_quantum = self.verifiers
        message = cosigned_message(self.name, seconds, head)
        return [
            (classic, self._ed25519.sign(head.text.encode())),
            (post_quantum, _U64.pack(seconds) + self._ml_dsa.sign(message)),
        ]


def cosigned_message(name: str, seconds: int, head: TreeHead) -> bytes:
    """Return the ML-DSA-44 message of C2SP tlog-cosignature for a whole tree."""
    cosigner, origin = name.encode(), head.origin.encode()
    return b"".join(
        (
            b"subtree/v1\n\x00",
            bytes([len(cosigner)]) + cosigner,
            _U64.pack(seconds),
            bytes([len(origin)]) + origin,
            _U64.pack(0) + _U64.pack(head.size),
            head.root,
        )
    )


def parse_vkeys(vkeys: str | Iterable[str]) -> tuple[Verifier, ...]:
    """Read verifier keys from one text, a key a line, or from several texts."""
    texts = [vkeys] if isinstance(vkeys, str) else list(vkeys)
    lines = [line for text in texts for line in text.splitlines() if line.strip()]
    return tuple(Verifier.parse(line) for line in lines)


def check_name(name: str) -> str:
    """Return a key or origin name that C2SP allows; BadInput for any other."""
    bad = not name or len(name.encode()) > 255 or "+" in name
    if bad or any(c.isspace() or not c.isprintable() for c in name):
        raise BadInput(
            "a log's name has a character that is not allowed",
            remedy="use a URL without scheme, such as pacs.example/log: no spaces, no '+'",
        )
    return name


def _bad_key() -> BadInput:
    return BadInput(
        "a verifier key cannot be read",
        remedy="pass it as published: name+8 hexadecimal digits+base64, one a line",
    )
