"""The database: SQLite in one file, or PostgreSQL at scale, through SQLAlchemy 2.

SQLite runs in WAL mode with synchronous=FULL: a commit that returned survives a power cut.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from leadapron.model import (
    BadInput,
    Conflict,
    IntegrityFailure,
    LeadApronError,
    NotFound,
    StorageFailure,
    Unavailable,
)
from leadapron.store import durable

_BUSY_MS = 10_000
_READ_ONLY = "leadapron_read_only"


class Database:
    """One database: engine, sessions, migrations.

    Every package keeps its own tables in its own `tables.py` with its own MetaData.
    """

    def __init__(self, url: str | URL, *, create: bool = True) -> None:
        """Connect lazily to ``sqlite:///FILE``, ``sqlite://`` (memory) or ``postgresql://…``.

        With `create` False a missing SQLite file is an error and not made, as a check needs it.

        Raises:
            BadInput: the URL is no database URL.
            NotFound: there is no such file and `create` is False.
            Unavailable: its driver is not installed.
            StorageFailure: the folder of the file cannot be made.
        """
        self.url = _parse(url)
        self._sqlite = self.url.get_backend_name() == "sqlite"
        if self._sqlite and self._file is not None:
            _prepare_file(self._file, create)
        self.engine = self._make_engine()

    def __repr__(self) -> str:
        return f"Database({self.url.render_as_string(hide_password=True)!r})"

    @contextmanager
    def session(self, *, read_only: bool = False) -> Iterator[Session]:
        """Yield a session in one transaction: commit at the end, roll back on any error.

        On SQLite the first statement takes the write lock, so a session cannot fail half-way
        because another one wrote; with `read_only` it takes a snapshot instead, never waits, and
        refuses to write.

        Raises:
            Conflict: a unique, foreign key or check constraint was violated.
            StorageFailure: the disk is full or broken.
            Unavailable: the database is locked for too long, or cannot be reached.
            IntegrityFailure: the file is damaged.
        """
        bind = self.engine.execution_options(**self._options(read_only))
        with _errors(), Session(bind, expire_on_commit=False) as session, session.begin():
            yield session

    def migrate(self, which: str | Path) -> str:
        """Bring the schema ``"catalog"`` or ``"vault"`` (or a folder) to its newest revision.

        All revisions run in one transaction. Returns the revision; errors as in `session`, and
        Conflict if the database was written by a newer LeadApron.
        """
        from leadapron.store import migrate

        with _errors(), self.engine.begin() as connection:
            return migrate.upgrade(connection, which)

    def revision(self, which: str | Path) -> str | None:
        """Return the revision the schema is at; None if it was never migrated."""
        from leadapron.store import migrate

        with _errors(), self._reading() as connection:
            return migrate.current(connection, which)

    def is_current(self, which: str | Path) -> bool:
        """Tell whether `migrate` would have nothing to do."""
        from leadapron.store import migrate

        return self.revision(which) == migrate.head(which)

    def check(self) -> list[str]:
        """Return what is wrong with the file, by SQLite's own check; empty if nothing is.

        PostgreSQL checks its pages itself: here the list is empty if it answers.
        """
        with _errors(), self._reading() as connection:
            if not self._sqlite:
                connection.exec_driver_sql("SELECT 1")
                return []
            rows = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check")]
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        rows += [f"a row of {row[0]} refers to no row of {row[2]}" for row in broken]
        return [row for row in rows if row != "ok"]

    def close(self) -> None:
        """Close all connections; SQLite then folds its WAL back into the file."""
        self.engine.dispose()

    @property
    def _file(self) -> Path | None:
        name = self.url.database
        return None if not name or name == ":memory:" else Path(name)

    def _reading(self) -> Any:
        return self.engine.execution_options(**self._options(True)).begin()

    def _options(self, read_only: bool) -> dict[str, Any]:
        if self._sqlite or not read_only:
            return {_READ_ONLY: read_only}
        return {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}

    def _make_engine(self) -> Engine:
        # Values stay out of error texts: they may be a patient's.
        options: dict[str, Any] = {"hide_parameters": True}
        if self._sqlite and self._file is None:
            options |= {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
        elif not self._sqlite:
            options |= {"pool_pre_ping": True}
        try:
            engine = create_engine(self.url, **options)
        except ModuleNotFoundError as error:
            raise Unavailable(
                f"the database driver '{error.name}' is not installed",
                remedy=f"pip install '{error.name}[binary]'",
            ) from error
        if self._sqlite:
            event.listen(engine, "connect", _configure_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
        return engine


def _parse(url: str | URL) -> URL:
    try:
        return make_url(url)
    except SQLAlchemyError:
        raise BadInput(
            "the database URL cannot be understood",
            remedy="write sqlite:////folder/catalog.db or postgresql://user@host/name",
        ) from None


def _prepare_file(path: Path, create: bool) -> None:
    """Create the file with mode 0600; SQLite gives its WAL the same mode."""
    if not create and not path.is_file():
        raise NotFound(
            f"there is no database {path}", remedy="check --data; else restore it from a backup"
        )
    with durable.storage_errors(f"cannot open the database {path}"):
        durable.make_folder(path.absolute().parent)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _configure_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # The driver's own implicit BEGIN comes too late; `_begin_sqlite` opens each transaction.
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout = {_BUSY_MS}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "trusted_schema = OFF",
        "secure_delete = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    read_only = bool(connection.get_execution_options().get(_READ_ONLY, False))
    connection.exec_driver_sql(f"PRAGMA query_only = {int(read_only)}")
    connection.exec_driver_sql("BEGIN DEFERRED" if read_only else "BEGIN IMMEDIATE")


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        # `from None`: the driver's text may quote the values of the row.
        raise Conflict(
            f"the record contradicts a stored one ({_constraint(error)})",
            remedy="look up the stored record; nothing was changed",
        ) from None
    except DBAPIError as error:
        raise _translate(error) from None


def _constraint(error: IntegrityError) -> str:
    """Name the constraint without the row's values."""
    diagnostic = getattr(error.orig, "diag", None)
    if diagnostic is not None:
        return str(diagnostic.constraint_name or "constraint")
    return str(error.orig)


_SQLITE_ERRORS: dict[str, tuple[type[LeadApronError], str, str]] = {
    "SQLITE_FULL": (StorageFailure, "the disk is full", "free disk space, then try again"),
    "SQLITE_IOERR": (StorageFailure, "the disk reports an error", "check the disk (dmesg, SMART)"),
    "SQLITE_READONLY": (StorageFailure, "it is read-only", "open a writing session, or remount"),
    "SQLITE_CANTOPEN": (StorageFailure, "it cannot be opened", "check the folder's permissions"),
    "SQLITE_BUSY": (Unavailable, "another process holds it", "stop the other process, try again"),
    "SQLITE_CORRUPT": (IntegrityFailure, "the file is damaged", "restore it from a backup"),
    "SQLITE_NOTADB": (IntegrityFailure, "the file is no database", "restore it from a backup"),
}


def _translate(error: DBAPIError) -> LeadApronError:
    name = str(getattr(error.orig, "sqlite_errorname", "") or "")
    for prefix, (family, reason, remedy) in _SQLITE_ERRORS.items():
        if name.startswith(prefix):
            return family(f"the database refused: {reason}", remedy=remedy)
    if not name:
        return _translate_server(error)
    return StorageFailure(
        f"the database refused: {name}", remedy="run `leadapron fsck`, check the migrations"
    )


def _translate_server(error: DBAPIError) -> LeadApronError:
    """Read PostgreSQL's SQLSTATE class (appendix A of its manual)."""
    state = str(getattr(error.orig, "sqlstate", None) or type(error.orig).__name__)
    if state.startswith("53"):
        return StorageFailure("the database server is out of space", remedy="free disk space")
    if state == "25006":
        return StorageFailure("the database refused: it is read-only", remedy="open a writing one")
    return Unavailable(
        f"the database server failed ({state})", remedy="check that it runs, and its log"
    )
