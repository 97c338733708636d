"""The vault's SQL driver: pseudonym → identity, in a database and under a key of its own.

Lookups go by a keyed digest of the pseudonym or the original; identities lie in AES-256-GCM
ciphertext bound to that digest. A stolen database tells how many links there are.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import LargeBinary, MetaData, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from leadapron.deid.vault import KeyedVault, Link
from leadapron.model import BadInput, IntegrityFailure, NotFound
from leadapron.store.database import Database

NONCE_BYTES = 12


class Base(DeclarativeBase):
    """The vault's own metadata."""

    metadata = MetaData()


class LinkRow(Base):
    """One pseudonym's identity; `place` is the keyed digest of kind and pseudonym."""

    __tablename__ = "vault_links"

    place: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)


class RelinkRow(Base):
    """An original value that shares another one's pseudonym (merge, correction)."""

    __tablename__ = "vault_relinks"

    place: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)


class SqlVault(KeyedVault):
    """A Vault in a database that holds nothing else."""

    def __init__(self, database: Database, pseudonym_key: bytes, vault_key: bytes) -> None:
        """Take two 32-byte keys: gateways share the first, the second never leaves the centre."""
        super().__init__(pseudonym_key)
        if len(vault_key) != 32:
            raise BadInput("the vault key must have 32 bytes", remedy="use KeyStore.create(name)")
        self._database = database
        self._place_key = hmac.digest(vault_key, b"leadapron vault places v1", "sha256")
        self._cipher = AESGCM(hmac.digest(vault_key, b"leadapron vault identities v1", "sha256"))

    def remember(self, links: Iterable[Link]) -> None:
        """Keep the links durably; the first one of a pseudonym stays."""
        rows: dict[bytes, dict[str, bytes]] = {}
        for link in links:
            place = self._place("link", link.kind, link.pseudonym)
            body = json.dumps([link.original, link.details], ensure_ascii=False)
            rows.setdefault(place, {"place": place, "sealed": self._seal(place, body)})
        if not rows:
            return
        postgresql = self._database.engine.dialect.name == "postgresql"
        insert = postgresql_insert if postgresql else sqlite_insert
        with self._database.session() as session:
            session.execute(insert(LinkRow).on_conflict_do_nothing(), list(rows.values()))

    def original(self, kind: str, pseudonym: str) -> Link:
        """Return the link behind a pseudonym; NotFound if there is none."""
        place = self._place("link", kind, pseudonym)
        with self._database.session(read_only=True) as session:
            sealed = session.scalar(select(LinkRow.sealed).where(LinkRow.place == place))
        if sealed is None:
            raise NotFound(
                f"the vault knows no {kind} with this pseudonym",
                remedy="check the pseudonym and whether this is its hospital's vault",
            )
        original, details = json.loads(self._open(place, sealed))
        return Link(kind, original, pseudonym, details)

    def relink(self, kind: str, original: str, onto: str) -> str:
        """Give `original` the pseudonym of `onto` from now on; durable."""
        source = self._relinked(kind, onto) or onto
        place = self._place("relink", kind, original)
        with self._database.session() as session:
            session.merge(RelinkRow(place=place, sealed=self._seal(place, source)))
        return self.pseudonym(kind, original)

    def _relinked(self, kind: str, original: str) -> str | None:
        place = self._place("relink", kind, original)
        with self._database.session(read_only=True) as session:
            sealed = session.scalar(select(RelinkRow.sealed).where(RelinkRow.place == place))
        return None if sealed is None else self._open(place, sealed)

    def _place(self, table: str, kind: str, value: str) -> bytes:
        message = "\0".join((table, kind, value)).encode("utf-8", "surrogateescape")
        return hmac.new(self._place_key, message, hashlib.sha256).digest()

    def _seal(self, place: bytes, text: str) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        plain = text.encode("utf-8", "surrogateescape")
        return nonce + self._cipher.encrypt(nonce, plain, place)

    def _open(self, place: bytes, sealed: bytes) -> str:
        try:
            plain = self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place)
        except InvalidTag:
            raise IntegrityFailure(
                "an identity in the vault was changed, or written under another key",
                remedy="check that --keys is this vault's folder; else restore the vault",
            ) from None
        return plain.decode("utf-8", "surrogateescape")
