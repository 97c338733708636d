"""Who may open a seal: the keys that wrap an object's instance key."""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.mlkem import (
    MLKEM768PrivateKey,
    MLKEM768PublicKey,
)
from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey,
    X25519PublicKey,
)
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap_with_padding,
    aes_key_wrap_with_padding,
)

from leadapron.model import BadInput, Conflict, Denied, NotFound

PRIVATE_FILE = "centre.private"
PUBLIC_FILE = "centre.public"

_HPKE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_ML_KEM_PUBLIC, _ML_KEM_SEED, _X25519 = 1184, 64, 32
_HPKE_SCHEME, _AES_KW_SCHEME = b"\x01", b"\x02"
_PRIVATE_LABEL = "LEADAPRON CENTRE PRIVATE KEY"
_PUBLIC_LABEL = "LEADAPRON CENTRE PUBLIC KEY"


class SealKeys(Protocol):
    """What wraps an object's instance key (DEK) and, where allowed, unwraps it."""

    @property
    def key_id(self) -> str:
        """Name the key in the object, ≤ 64 characters; equal for both halves of a pair."""

    def wrap(self, dek: bytes, aad: bytes) -> bytes:
        """Return `dek` wrapped and bound to `aad`."""

    def unwrap(self, wrapped: bytes, aad: bytes) -> bytes:
        """Return the key; Denied if this key may not open it or `aad` is another."""


@dataclass(frozen=True)
class CentrePublicKey:
    """The centre's public half, all that an edge holds: it seals and can't open.

    HPKE (RFC 9180) with the hybrid KEM X25519 + ML-KEM-768, HKDF-SHA256 and AES-256-GCM.
    """

    ml_kem: MLKEM768PublicKey
    x25519: X25519PublicKey

    @property
    def key_id(self) -> str:
        """``centre-`` and 16 hex digits of the public key's SHA-256."""
        return "centre-" + _fingerprint(self.to_bytes())

    def wrap(self, dek: bytes, aad: bytes) -> bytes:
        """Return scheme ‖ enc ‖ ciphertext (1169 bytes for a 32-byte key)."""
        recipient = MLKEM768X25519PublicKey(self.ml_kem, self.x25519)
        return _HPKE_SCHEME + _HPKE.encrypt(dek, recipient, aad)

    def unwrap(self, wrapped: bytes, aad: bytes) -> bytes:  # noqa: ARG002
        """Raise Denied: nothing can be opened with the public half."""
        raise Denied(
            "this key is the centre's public half: it seals and can't open",
            remedy=f"open it where the private half ({PRIVATE_FILE}) is kept",
            code="public-half",
        )

    def to_bytes(self) -> bytes:
        """Return the ML-KEM-768 (1184 bytes) and X25519 (32 bytes) public keys."""
        return self.ml_kem.public_bytes_raw() + self.x25519.public_bytes_raw()

    @classmethod
    def from_bytes(cls, data: bytes) -> CentrePublicKey:
        """Return the key of `to_bytes`; BadInput if it is none."""
        if len(data) != _ML_KEM_PUBLIC + _X25519:
            raise _no_key("public")
        try:
            return cls(
                MLKEM768PublicKey.from_public_bytes(data[:_ML_KEM_PUBLIC]),
                X25519PublicKey.from_public_bytes(data[_ML_KEM_PUBLIC:]),
            )
        except ValueError as exc:
            raise _no_key("public") from exc

    def to_pem(self) -> bytes:
        """Return the key as a PEM block of LeadApron's own label."""
        return _pem(_PUBLIC_LABEL, self.to_bytes())

    @classmethod
    def from_pem(cls, data: bytes) -> CentrePublicKey:
        """Return the key of `to_pem`; BadInput if it is none."""
        return cls.from_bytes(_unpem(_PUBLIC_LABEL, data, "public"))


@dataclass(frozen=True)
class CentreKeyPair:
    """The centre's private half: opens what its public half sealed."""

    ml_kem: MLKEM768PrivateKey
    x25519: X25519PrivateKey

    @classmethod
    def generate(cls) -> CentreKeyPair:
        """Return a new random pair."""
        return cls(MLKEM768PrivateKey.generate(), X25519PrivateKey.generate())

    @property
    def public(self) -> CentrePublicKey:
        """The half that edges get."""
        return CentrePublicKey(self.ml_kem.public_key(), self.x25519.public_key())

    @property
    def key_id(self) -> str:
        """The public half's identifier."""
        return self.public.key_id

    def wrap(self, dek: bytes, aad: bytes) -> bytes:
        """Wrap with the public half."""
        return self.public.wrap(dek, aad)

    def unwrap(self, wrapped: bytes, aad: bytes) -> bytes:
        """Return the instance key; Denied if it was not wrapped for this pair and `aad`."""
        private = MLKEM768X25519PrivateKey(self.ml_kem, self.x25519)
        try:
            return _HPKE.decrypt(_scheme(wrapped, _HPKE_SCHEME), private, aad)
        except (InvalidTag, ValueError) as exc:
            raise _wrong_key() from exc

    def to_bytes(self) -> bytes:
        """Return the ML-KEM-768 seed (64 bytes) and X25519 private key (32 bytes): secret."""
        return self.ml_kem.private_bytes_raw() + self.x25519.private_bytes_raw()

    @classmethod
    def from_bytes(cls, data: bytes) -> CentreKeyPair:
        """Return the pair of `to_bytes`; BadInput if it is none."""
        if len(data) != _ML_KEM_SEED + _X25519:
            raise _no_key("private")
        return cls(
            MLKEM768PrivateKey.from_seed_bytes(data[:_ML_KEM_SEED]),
            X25519PrivateKey.from_private_bytes(data[_ML_KEM_SEED:]),
        )

    def to_pem(self) -> bytes:
        """Return the pair as a PEM block, unencrypted: keep it as you keep any private key."""
        return _pem(_PRIVATE_LABEL, self.to_bytes())

    @classmethod
    def from_pem(cls, data: bytes) -> CentreKeyPair:
        """Return the pair of `to_pem`; BadInput if it is none."""
        return cls.from_bytes(_unpem(_PRIVATE_LABEL, data, "private"))

    def __repr__(self) -> str:
        return f"CentreKeyPair({self.key_id})"


@dataclass(frozen=True, repr=False)
class PatientKey:
    """A symmetric wrapping key: AES-256 key wrap with padding (RFC 5649).

    RFC 5649 takes no associated data, so the key that wraps is derived from `secret` and
    `aad` (HKDF-SHA256). A tier's KEK is the same thing one step up: it wraps the patient
    key's 32 bytes as it would wrap an instance key.
    """

    name: str
    secret: bytes

    kind: ClassVar[str] = "patient"

    def __post_init__(self) -> None:
        """Refuse a secret that is not 32 bytes."""
        if len(self.secret) != 32:
            raise _no_key("symmetric")

    @classmethod
    def generate(cls, name: str) -> PatientKey:
        """Return a new random key; `name` is a pseudonym and travels in objects."""
        return cls(name, os.urandom(32))

    @property
    def key_id(self) -> str:
        """``patient-<name>``."""
        return f"{self.kind}-{self.name}"

    def wrap(self, dek: bytes, aad: bytes) -> bytes:
        """Return scheme ‖ RFC 5649 wrapping (41 bytes for a 32-byte key)."""
        return _AES_KW_SCHEME + aes_key_wrap_with_padding(self._kek(aad), dek)

    def unwrap(self, wrapped: bytes, aad: bytes) -> bytes:
        """Return the key; Denied if it was not wrapped under this one and `aad`."""
        try:
            return aes_key_unwrap_with_padding(self._kek(aad), _scheme(wrapped, _AES_KW_SCHEME))
        except (InvalidUnwrap, ValueError) as exc:
            raise _wrong_key() from exc

    def wrapped_by(self, kek: SealKeys) -> bytes:
        """Return this key's secret under the tier's `kek`, for the centre's key table."""
        return kek.wrap(self.secret, self.key_id.encode())

    @classmethod
    def unwrapped_by(cls, kek: SealKeys, name: str, wrapped: bytes) -> PatientKey:
        """Return the key that `wrapped_by` wrapped; Denied if `kek` is another."""
        return cls(name, kek.unwrap(wrapped, f"{cls.kind}-{name}".encode()))

    def _kek(self, aad: bytes) -> bytes:
        return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=aad).derive(self.secret)


class TierKey(PatientKey):
    """A storage tier's key-encryption key: wraps patient keys, never films."""

    kind = "tier"


def create_keys(directory: str | Path) -> CentreKeyPair:
    """Make a pair in `directory` (0700; files 0600); Conflict if one is there already."""
    folder = Path(directory)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    pair = CentreKeyPair.generate()
    for name, pem in ((PRIVATE_FILE, pair.to_pem()), (PUBLIC_FILE, pair.public.to_pem())):
        _write_new(folder / name, pem)
    return pair


def load_keys(directory: str | Path) -> CentreKeyPair | CentrePublicKey:
    """Return the pair in `directory`, or the public half if only that is there.

    Raises NotFound if neither is, Denied if others on this machine can read the private
    half, BadInput if a file is no key or the halves don't belong together.
    """
    private, public = (Path(directory) / n for n in (PRIVATE_FILE, PUBLIC_FILE))
    if not private.exists() and not public.exists():
        raise NotFound(
            f"no keys in {directory}",
            remedy="restore them from a backup, or make new ones with create_keys",
        )
    half = CentrePublicKey.from_pem(public.read_bytes()) if public.exists() else None
    if not private.exists() and half is not None:
        return half
    if private.stat().st_mode & 0o077:
        raise Denied(
            f"{private} can be read by others on this machine",
            remedy=f"chmod 600 {private}; if others had access, make new keys and re-wrap",
            code="key-exposed",
        )
    pair = CentreKeyPair.from_pem(private.read_bytes())
    if half is not None and half.key_id != pair.key_id:
        raise BadInput(
            f"the two key files in {directory} are not one pair",
            remedy="restore both from the same backup",
        )
    return pair


def _write_new(path: Path, data: bytes) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as exc:
        raise Conflict(
            f"{path} exists already",
            remedy="use it, or choose another folder; a lost key can't be made again",
        ) from exc
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _fingerprint(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _scheme(wrapped: bytes, scheme: bytes) -> bytes:
    if wrapped[:1] != scheme:
        raise _wrong_key()
    return wrapped[1:]


def _wrong_key() -> Denied:
    return Denied(
        "this key does not open the object",
        remedy="use the key named in the object's Wrapping Key Identifier",
        code="wrong-key",
    )


def _no_key(half: str) -> BadInput:
    return BadInput(f"this is no LeadApron {half} key", remedy="restore it from a backup")


def _pem(label: str, data: bytes) -> bytes:
    body = base64.b64encode(data).decode("ascii")
    lines = [body[i : i + 64] for i in range(0, len(body), 64)]
    return "\n".join((f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", "")).encode()


def _unpem(label: str, data: bytes, half: str) -> bytes:
    try:
        lines = data.decode("ascii").split()
        text = " ".join(lines)
        start, end = f"-----BEGIN {label}-----", f"-----END {label}-----"
        if not (text.startswith(start) and text.endswith(end)):
            raise _no_key(half)
        return base64.b64decode(text[len(start) : -len(end)].replace(" ", ""), validate=True)
    except ValueError as exc:
        raise _no_key(half) from exc
