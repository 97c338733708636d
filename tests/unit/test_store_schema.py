"""The migrations make exactly the tables that the packages declare, on SQLite and PostgreSQL."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, text

import leadapron
from leadapron.model import Conflict, StorageFailure
from leadapron.store.database import Database

CATALOG = ("archive", "policy", "delivery", "incident", "app")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/x.db"
    else:
        url = os.environ.get("LEADAPRON_TEST_POSTGRES", "")
        if not url:
            pytest.skip("LEADAPRON_TEST_POSTGRES names no empty PostgreSQL database")
    database = Database(url)
    if request.param == "postgresql":
        with database.session() as session:
            session.execute(text("DROP SCHEMA public CASCADE"))
            session.execute(text("CREATE SCHEMA public"))
    yield database
    database.close()


def declared():
    """Return the tables of all packages that own some, in one MetaData."""
    found = MetaData()
    for package in CATALOG:
        # By path: importing the package would also import everything that uses the tables.
        path = Path(leadapron.__file__).parent / package / "tables.py"
        spec = importlib.util.spec_from_file_location(f"{package}_tables", path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        for value in vars(module).values():
            metadata = value if isinstance(value, MetaData) else getattr(value, "metadata", None)
            if isinstance(metadata, MetaData):
                for table in metadata.tables.values():
                    if table.name not in found.tables:
                        table.to_metadata(found)
    return found


def test_the_catalog_is_what_the_packages_declare(database):
    database.migrate("catalog")
    tables = declared()
    assert len(tables.tables) >= 5
    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": "alembic_version_catalog", "compare_type": True}
        )
        assert compare_metadata(context, tables) == []


def test_both_schemas_in_one_database(database):
    for which in ("catalog", "vault"):
        assert database.migrate(which) == database.revision(which)
        assert database.is_current(which)
    assert database.check() == []


def test_conflicts_and_rollback(database):
    database.migrate("catalog")
    with database.session() as session:
        session.execute(text("CREATE TABLE extra (name VARCHAR PRIMARY KEY)"))
    insert = text("INSERT INTO extra VALUES ('ZHANG')")
    with pytest.raises(Conflict) as caught, database.session() as session:
        session.execute(insert)
        session.execute(insert)
    assert "ZHANG" not in caught.value.diagnostics()
    with database.session(read_only=True) as session:
        assert session.execute(text("SELECT count(*) FROM extra")).scalar_one() == 0


def test_a_reader_sees_a_snapshot_and_cannot_write(database):
    database.migrate("catalog")
    with database.session() as session:
        session.execute(text("CREATE TABLE extra (name VARCHAR PRIMARY KEY)"))
    count = text("SELECT count(*) FROM extra")
    with database.session(read_only=True) as reader:
        assert reader.execute(count).scalar_one() == 0
        with database.session() as writer:
            writer.execute(text("INSERT INTO extra VALUES ('x')"))
        assert reader.execute(count).scalar_one() == 0
    with pytest.raises(StorageFailure), database.session(read_only=True) as reader:
        reader.execute(text("INSERT INTO extra VALUES ('y')"))
    with database.session() as writer:
        assert writer.execute(count).scalar_one() == 1
