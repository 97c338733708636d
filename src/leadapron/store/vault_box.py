"""The vault's key at work: where a row lies, and what it holds."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from leadapron.model import BadInput, IntegrityFailure

NONCE_BYTES = 12
_LIST = b"\x02"


class VaultBox:
    """Places and ciphertexts under one vault key (32 bytes), which has an id but no name."""

    def __init__(self, vault_key: bytes) -> None:
        if len(vault_key) != 32:
            raise BadInput("the vault key must have 32 bytes", remedy="use KeyStore.create(name)")
        self._place_key = hmac.digest(vault_key, b"leadapron vault places v1", "sha256")
        self._cipher = AESGCM(hmac.digest(vault_key, b"leadapron vault identities v1", "sha256"))
        self.key_id = hmac.digest(vault_key, b"leadapron vault key id v1", "sha256")[:8].hex()

    def place(self, table: str, first: str, second: str) -> bytes:
        """Return the keyed digest (32 bytes) that a row is found by."""
        message = "\0".join((table, first, second)).encode("utf-8", "surrogateescape")
        return hmac.new(self._place_key, message, hashlib.sha256).digest()

    def seal(self, place: bytes, body: list[str]) -> bytes:
        """Encrypt a row's values, bound to its place."""
        nonce = os.urandom(NONCE_BYTES)
        plain = json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogateescape")
        return nonce + self._cipher.encrypt(nonce, _LIST + plain, place)

    def open(self, place: bytes, sealed: bytes) -> Any:
        """Return a row's values; those of 0.1.0 are a text (relinks) or a pair (links).

        Raises IntegrityFailure when the row was changed, moved or written under another key.
        """
        try:
            plain = self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place)
        except InvalidTag:
            raise IntegrityFailure(
                "an identity in the vault was changed, or written under another key",
                remedy="check that --keys is this vault's folder; else restore the vault",
            ) from None
        words = plain.removeprefix(_LIST).decode("utf-8", "surrogateescape")
        if plain.startswith((_LIST, b"[")):
            return json.loads(words)
        return words
