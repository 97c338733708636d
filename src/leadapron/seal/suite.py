"""The two cipher suites of a seal and how every key, nonce and bound context is made."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from leadapron.model import IntegrityFailure

VERSION = b"LEADAPRON SEAL 1.0"
DEK_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
PADDING_FLOOR = 1024


class Suite(StrEnum):
    """AEAD and hash; the value is what the object carries (VR CS)."""

    AES256_GCM = "AES256GCM_SHA256"
    SM4_GCM = "SM4GCM_SM3"


class Role(IntEnum):
    """What a derived key is for."""

    MANIFEST = 1
    CELL = 2
    WRAP = 3
    CHECK = 4


@dataclass(frozen=True)
class Context:
    """What every ciphertext of one object is bound to."""

    suite: Suite
    profile: str
    sop_instance_uid: str
    rows: int
    columns: int

    def bind(self, role: Role, frame: int, cell: int) -> bytes:
        """Return the associated data of one ciphertext (docs/seal.md, "Bound context").

        `frame` and `cell` count from 1; the manifest, the wrapped key and the check value
        carry the numbers of frames and of cells instead.
        """
        texts = (str(self.suite), self.profile, self.sop_instance_uid)
        named = b"".join(struct.pack("<H", len(t)) + t.encode("ascii") for t in texts)
        numbers = struct.pack("<IIII", frame, cell, self.rows, self.columns)
        return VERSION + b"\0" + bytes([role]) + named + numbers


def encrypt(suite: Suite, dek: bytes, aad: bytes, plaintext: bytes) -> bytes:
    """Return ciphertext ‖ tag under the key and nonce that `dek` and `aad` derive.

    `dek` must be fresh for each object: then each derived key encrypts exactly one message.
    """
    key, nonce = _key_and_nonce(suite, dek, aad)
    if suite is Suite.AES256_GCM:
        return AESGCM(key).encrypt(nonce, plaintext, aad)
    encryptor = Cipher(SM4(key), modes.GCM(nonce)).encryptor()
    encryptor.authenticate_additional_data(aad)
    return encryptor.update(plaintext) + encryptor.finalize() + encryptor.tag


def decrypt(suite: Suite, dek: bytes, aad: bytes, ciphertext: bytes) -> bytes:
    """Return the plaintext; IntegrityFailure if one bit of it or of its context changed."""
    key, nonce = _key_and_nonce(suite, dek, aad)
    try:
        if suite is Suite.AES256_GCM:
            return AESGCM(key).decrypt(nonce, ciphertext, aad)
        body, tag = ciphertext[:-TAG_BYTES], ciphertext[-TAG_BYTES:]
        decryptor = Cipher(SM4(key), modes.GCM(nonce, tag)).decryptor()
        decryptor.authenticate_additional_data(aad)
        return decryptor.update(body) + decryptor.finalize()
    except (InvalidTag, ValueError) as exc:
        raise tampered("a ciphertext does not match its authentication tag") from exc


def check_value(suite: Suite, dek: bytes, aad: bytes) -> bytes:
    """Return 32 bytes that commit to `dek`: GCM alone does not commit to its key."""
    return _derive(suite, dek, aad, 32)


def digest(data: bytes) -> str:
    """Return SHA-256 as lower-case hex."""
    return hashlib.sha256(data).hexdigest()


def padded(plaintext: bytes) -> bytes:
    """Return `plaintext` with zeros up to its Padmé length, at least 1024 bytes.

    Padmé (Nikitin et al., PETS 2019) leaks O(log log n) bits of the length for at most
    12 % growth; every result is a multiple of 64 bytes.
    """
    size = max(len(plaintext), PADDING_FLOOR)
    exponent = size.bit_length() - 1
    free = exponent - exponent.bit_length()
    size = -(-size >> free) << free
    return plaintext + bytes(size - len(plaintext))


def tampered(what: str) -> IntegrityFailure:
    """Return the one failure for whatever is not as it was sealed."""
    return IntegrityFailure(
        f"the sealed object was changed or is incomplete: {what}",
        remedy="fetch it again from the archive; if it fails there too, open a case: "
        "the object was altered after sealing",
        code="seal-tampered",
    )


def _key_and_nonce(suite: Suite, dek: bytes, aad: bytes) -> tuple[bytes, bytes]:
    size = 32 if suite is Suite.AES256_GCM else 16
    block = _derive(suite, dek, aad, size + NONCE_BYTES)
    return block[:size], block[size:]


def _derive(suite: Suite, dek: bytes, info: bytes, size: int) -> bytes:
    algorithm = hashes.SHA256() if suite is Suite.AES256_GCM else hashes.SM3()
    return HKDF(algorithm=algorithm, length=size, salt=None, info=info).derive(dek)
