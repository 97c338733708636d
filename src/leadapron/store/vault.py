"""The vault's SQL driver: pseudonym → identity, in a database and under a key of its own.

Lookups go by a keyed digest of the pseudonym or the original; identities lie in AES-256-GCM
ciphertext bound to that digest. A stolen database tells how many links there are.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import LargeBinary, MetaData, delete, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from leadapron.deid.vault import ACCESSION, PATIENT, UID, KeyedVault, Link, no_link, no_relink
from leadapron.model import Conflict
from leadapron.store.database import Database
from leadapron.store.vault_box import VaultBox

BATCH = 500


class Base(DeclarativeBase):
    """The vault's own metadata."""

    metadata = MetaData()


class _Sealed:
    """A row: the keyed digest it is found by, ciphertext, and the id of the key of both."""

    place: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    key: Mapped[str] = mapped_column(index=True, default="", server_default="")


class LinkRow(_Sealed, Base):
    """One pseudonym's identity: kind, pseudonym, original, details."""

    __tablename__ = "vault_links"


class RelinkRow(_Sealed, Base):
    """An original value that shares another one's pseudonym: kind, original, onto."""

    __tablename__ = "vault_relinks"


class MessageRow(_Sealed, Base):
    """One message that was taken: sender, its control id, digest of its content, answer."""

    __tablename__ = "vault_messages"


class SqlVault(KeyedVault):
    """A Vault in a database that holds nothing else."""

    def __init__(self, database: Database, pseudonym_key: bytes, vault_key: bytes) -> None:
        """Take two 32-byte keys: gateways share the first, the second never leaves the centre."""
        super().__init__(pseudonym_key)
        self._database = database
        self._box = VaultBox(vault_key)
        self._postgresql = database.engine.dialect.name == "postgresql"
        self._lock = threading.Lock()

    def remember(self, links: Iterable[Link]) -> None:
        """Keep the links durably; the first of a pseudonym stays, one without details gives way."""
        wanted = {self._link_place(link.kind, link.pseudonym): self._rooted(link) for link in links}
        if not wanted:
            return
        rows = [self._link_row(place, link) for place, link in wanted.items()]
        detailed = [place for place, link in wanted.items() if link.details]
        upsert = postgresql_insert if self._postgresql else sqlite_insert
        with self._database.session() as session:
            session.execute(upsert(LinkRow).on_conflict_do_nothing(), rows)
            for place, link in self._stored(session, detailed):
                if not link.details:
                    self._replace(session, place, wanted[place])

    def amend(self, link: Link) -> None:
        """Put `link` in the place of the one its pseudonym has; NotFound if there is none."""
        with self._database.session() as session:
            place = self._link_place(link.kind, link.pseudonym)
            if session.get(LinkRow, place) is None:
                raise no_link(link.kind)
            self._replace(session, place, link)

    def original(self, kind: str, pseudonym: str) -> Link:
        """Return the link behind a pseudonym; NotFound if there is none."""
        found = self.originals(kind, [pseudonym])
        if not found:
            raise no_link(kind)
        return found[0]

    def originals(self, kind: str, pseudonyms: Sequence[str]) -> list[Link]:
        """Return the links behind pseudonyms, in their order; unknown ones are left out."""
        places = [self._link_place(kind, pseudonym) for pseudonym in pseudonyms]
        with self._database.session(read_only=True) as session:
            found = dict(self._stored(session, places))
        links = [(p, found[at]) for p, at in zip(pseudonyms, places, strict=True) if at in found]
        # A row of an older version does not name its pseudonym: the place proved it.
        return [Link(kind, link.original, pseudonym, link.details) for pseudonym, link in links]

    def known(self, kind: str, pseudonyms: Sequence[str]) -> frozenset[str]:
        """Return those the vault has a link of; opens nothing."""
        places = {self._link_place(kind, pseudonym): pseudonym for pseudonym in pseudonyms}
        with self._database.session(read_only=True) as session:
            found = {
                place
                for batch in _batches(list(places))
                for place in session.scalars(select(LinkRow.place).where(LinkRow.place.in_(batch)))
            }
        return frozenset(places[place] for place in found)

    def relink(self, kind: str, original: str, onto: str) -> str:
        """Give `original` the pseudonym of `onto` from now on; durable."""
        place = self._box.place("relink", kind, original)
        with self._lock, self._database.session() as session:
            if self._postgresql:
                # Two relinks at once could close a circle that neither of them sees.
                session.execute(text("LOCK TABLE vault_relinks IN EXCLUSIVE MODE"))
            session.get(RelinkRow, place)  # SQLite takes the write lock with this statement
            if self._is_new(kind, original, onto):
                sealed = self._box.seal(place, [kind, original, onto])
                session.merge(RelinkRow(place=place, sealed=sealed, key=self._box.key_id))
        return self.pseudonym(kind, original)

    def unlink(self, kind: str, original: str) -> str:
        """Take a relink back; durable."""
        place = self._box.place("relink", kind, original)
        with self._lock, self._database.session() as session:
            row = session.get(RelinkRow, place)
            if row is None:
                raise no_relink(kind)
            session.delete(row)
        return self.pseudonym(kind, original)

    def message(self, sender: str, control_id: str) -> tuple[str, str] | None:
        """Return (digest, answer) of a message that was taken before, None if it was not."""
        place = self._box.place("message", sender, control_id)
        with self._database.session(read_only=True) as session:
            sealed = session.scalar(select(MessageRow.sealed).where(MessageRow.place == place))
        if sealed is None:
            return None
        _, _, digest, answer = self._box.open(place, sealed)
        return digest, answer

    def note_message(self, sender: str, control_id: str, digest: str, answer: str) -> None:
        """Remember that a message was taken, and what it was answered; durable."""
        place = self._box.place("message", sender, control_id)
        sealed = self._box.seal(place, [sender, control_id, digest, answer])
        with self._database.session() as session:
            session.merge(MessageRow(place=place, sealed=sealed, key=self._box.key_id))

    def require_movable(self) -> None:
        """Raise Conflict if a row is of an older version that no new key can be given."""
        query = select(RelinkRow.place, RelinkRow.sealed).where(RelinkRow.key == "")
        with self._database.session(read_only=True) as session:
            for place, sealed in session.execute(query):
                if isinstance(self._box.open(place, sealed), str):
                    raise _unmovable()

    def rekey(self, vault_key: bytes) -> int:
        """Bring every row under a new vault key, in batches; return how many were brought.

        Nobody else may use the vault meanwhile. After a crash call it again: rows that are under
        the new key already are left alone.

        Raises:
            Conflict: an older version's row that cannot be found again under another key.
        """
        new = VaultBox(vault_key)
        brought = 0
        for table in (LinkRow, RelinkRow, MessageRow):
            while batch := self._rekey_batch(table, new):
                brought += batch
        self._box = new
        return brought

    def _rekey_batch(self, table: Any, new: VaultBox) -> int:
        older = (table.key < new.key_id) | (table.key > new.key_id)
        with self._database.session() as session:
            rows = session.execute(select(table.place, table.sealed).where(older).limit(BATCH))
            changes = [(place, *self._moved(table, place, sealed, new)) for place, sealed in rows]
            for old, place, sealed in changes:
                values = {"place": place, "sealed": sealed, "key": new.key_id}
                session.execute(update(table).where(table.place == old).values(values))
        return len(changes)

    def _moved(self, table: Any, place: bytes, sealed: bytes, new: VaultBox) -> tuple[bytes, bytes]:
        body = self._box.open(place, sealed)
        if table is LinkRow:
            link = self._as_link(place, body)
            body = [link.kind, link.pseudonym, link.original, link.details]
        elif isinstance(body, str):
            raise _unmovable()
        name = {LinkRow: "link", RelinkRow: "relink", MessageRow: "message"}[table]
        moved = new.place(name, body[0], body[1])
        return moved, new.seal(moved, body)

    def _as_link(self, place: bytes, body: Any) -> Link:
        if len(body) == 4:
            kind, pseudonym, original, details = body
            return Link(kind, original, pseudonym, details)
        original, details = body
        for kind in (PATIENT, ACCESSION, UID):
            pseudonym = self.own_pseudonym(kind, original)
            if self._link_place(kind, pseudonym) == place:
                return Link(kind, original, pseudonym, details)
        raise _unmovable()

    def _relinked(self, kind: str, original: str) -> str | None:
        place = self._box.place("relink", kind, original)
        with self._database.session(read_only=True) as session:
            sealed = session.scalar(select(RelinkRow.sealed).where(RelinkRow.place == place))
        if sealed is None:
            return None
        body = self._box.open(place, sealed)
        return str(body if isinstance(body, str) else body[2])

    def _stored(self, session: Session, places: Sequence[bytes]) -> Iterator[tuple[bytes, Link]]:
        for batch in _batches(places):
            query = select(LinkRow.place, LinkRow.sealed).where(LinkRow.place.in_(batch))
            for place, sealed in session.execute(query).all():
                body = self._box.open(place, sealed)
                yield place, Link("", body[-2], "", body[-1])

    def _replace(self, session: Session, place: bytes, link: Link) -> None:
        session.execute(delete(LinkRow).where(LinkRow.place == place))
        session.execute(insert(LinkRow), [self._link_row(place, link)])

    def _link_row(self, place: bytes, link: Link) -> dict[str, Any]:
        body = [link.kind, link.pseudonym, link.original, link.details]
        return {"place": place, "sealed": self._box.seal(place, body), "key": self._box.key_id}

    def _link_place(self, kind: str, pseudonym: str) -> bytes:
        return self._box.place("link", kind, pseudonym)


def _batches(places: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(places), BATCH):
        yield places[start : start + BATCH]


def _unmovable() -> Conflict:
    return Conflict(
        "the vault holds a relink of an older version, which cannot be brought under a new key",
        remedy="undo and repeat that relink, then rotate the key",
        code="vault-row-too-old",
    )
