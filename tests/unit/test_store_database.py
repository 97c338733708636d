import sqlite3
import subprocess
import sys
import textwrap
import threading

import pytest
from sqlalchemy import text

from leadapron.model import (
    BadInput,
    Conflict,
    IntegrityFailure,
    NotFound,
    StorageFailure,
    Unavailable,
)
from leadapron.store.database import Database


@pytest.fixture
def database(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/deep/catalog.db")
    with database.session() as session:
        session.execute(text("CREATE TABLE a (id INTEGER PRIMARY KEY, name TEXT UNIQUE)"))
        session.execute(text("CREATE TABLE b (a_id INTEGER REFERENCES a(id))"))
    yield database
    database.close()


def count(database):
    with database.session(read_only=True) as session:
        return session.execute(text("SELECT count(*) FROM a")).scalar_one()


def test_pragmas_and_file_mode(database, tmp_path):
    with database.session() as session:
        pragma = lambda name: session.execute(text(f"PRAGMA {name}")).scalar_one()  # noqa: E731
        assert pragma("journal_mode") == "wal"
        assert pragma("synchronous") == 2
        assert pragma("foreign_keys") == 1
        assert pragma("busy_timeout") == 10_000
    assert (tmp_path / "deep/catalog.db").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "deep").stat().st_mode & 0o777 == 0o700
    assert database.check() == []


def test_commit_and_rollback(database):
    with database.session() as session:
        session.execute(text("INSERT INTO a (name) VALUES ('x')"))
    with pytest.raises(ZeroDivisionError), database.session() as session:
        session.execute(text("INSERT INTO a (name) VALUES ('y')"))
        raise ZeroDivisionError
    assert count(database) == 1


def test_a_conflict_does_not_quote_values(database):
    insert = text("INSERT INTO a (name) VALUES (:name)")
    with pytest.raises(Conflict) as caught, database.session() as session:
        session.execute(insert, {"name": "ZHANG"})
        session.execute(insert, {"name": "ZHANG"})
    assert "a.name" in caught.value.message
    assert "ZHANG" not in caught.value.diagnostics()
    assert caught.value.__suppress_context__
    with pytest.raises(Conflict), database.session() as session:
        session.execute(text("INSERT INTO b VALUES (99)"))


def test_a_reader_cannot_write(database):
    with pytest.raises(StorageFailure), database.session(read_only=True) as session:
        session.execute(text("INSERT INTO a (name) VALUES ('x')"))
    with database.session() as session:
        session.execute(text("INSERT INTO a (name) VALUES ('x')"))
    assert count(database) == 1


def test_read_then_write_never_fails_under_contention(database):
    """With a deferred BEGIN, SQLite answers BUSY at once when another one wrote in between."""
    errors = []

    def work():
        try:
            for _ in range(20):
                with database.session() as session:
                    n = session.execute(text("SELECT count(*) FROM a")).scalar_one()
                    session.execute(text("INSERT INTO a (name) VALUES (:n)"), {"n": str(n)})
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert count(database) == 80


@pytest.mark.parametrize("which", ["catalog", "vault"])
def test_migrate_is_idempotent(tmp_path, which):
    database = Database(f"sqlite:///{tmp_path}/x.db")
    assert database.revision(which) is None
    assert not database.is_current(which)
    head = database.migrate(which)
    assert database.migrate(which) == head == database.revision(which)
    assert database.is_current(which)


def test_a_newer_database_is_refused(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/x.db")
    database.migrate("catalog")
    with database.session() as session:
        session.execute(text("UPDATE alembic_version_catalog SET version_num = 'from-the-future'"))
    with pytest.raises(Conflict) as caught:
        database.migrate("catalog")
    assert "newer" in caught.value.remedy


def test_a_failing_revision_leaves_nothing(tmp_path):
    folder = tmp_path / "extra"
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text(
        "from leadapron.store.migrations.environment import run\nrun()\n"
    )
    revision = """
        from alembic import op
        import sqlalchemy as sa
        revision, down_revision = {0!r}, {1!r}
        def upgrade():
            op.create_table({2!r}, sa.Column("id", sa.Integer, primary_key=True))
            {3}
    """
    one, two = (
        textwrap.dedent(revision).format(*v)
        for v in (
            ("1", None, "good", ""),
            ("2", "1", "bad", "raise ZeroDivisionError"),
        )
    )
    (folder / "versions" / "one.py").write_text(one)
    (folder / "versions" / "two.py").write_text(two)
    database = Database(f"sqlite:///{tmp_path}/x.db")
    with pytest.raises(ZeroDivisionError):
        database.migrate(folder)
    with database.session(read_only=True) as session:
        assert session.execute(text("SELECT count(*) FROM sqlite_master")).scalar_one() == 0


def test_two_processes_may_migrate_at_once(tmp_path):
    code = (
        "import sys; from leadapron.store.database import Database;"
        "print(Database(sys.argv[1]).migrate('catalog'))"
    )
    url = f"sqlite:///{tmp_path}/x.db"
    runs = [
        subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    outputs = {run.communicate()[0] for run in runs}
    assert [run.returncode for run in runs] == [0, 0]
    assert len(outputs) == 1


def test_damaged_file_is_an_integrity_failure(tmp_path):
    (tmp_path / "x.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(IntegrityFailure):
        Database(f"sqlite:///{tmp_path}/x.db").migrate("catalog")


@pytest.mark.fault
def test_a_full_disk_is_a_storage_failure(tmp_path):
    url = f"sqlite:///{tmp_path}/x.db"
    Database(url).migrate("catalog")
    code = f"""
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
from sqlalchemy import text
from leadapron.model import StorageFailure
from leadapron.store.database import Database
try:
    with Database({url!r}).session() as session:
        session.execute(text("CREATE TABLE big AS SELECT randomblob(200000) AS x"))
except StorageFailure as error:
    print("refused")
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "refused\n"
    assert Database(url).check() == []


def test_other_urls():
    with pytest.raises(BadInput):
        Database("no url")
    assert "secret" not in repr(Database("sqlite:///"))
    try:
        import psycopg  # noqa: F401
    except ImportError:
        with pytest.raises(Unavailable):
            Database("postgresql://u:secret@127.0.0.1:1/x")


def test_in_memory(tmp_path):
    database = Database("sqlite://")
    database.migrate("catalog")
    assert database.is_current("catalog")
    assert sqlite3.threadsafety >= 1


def test_a_check_does_not_make_the_file(tmp_path):
    with pytest.raises(NotFound):
        Database(f"sqlite:///{tmp_path}/x.db", create=False)
    assert not (tmp_path / "x.db").exists()
    Database(f"sqlite:///{tmp_path}/x.db").migrate("catalog")
    assert Database(f"sqlite:///{tmp_path}/x.db", create=False).check() == []
