"""The migrated catalogue is what the packages' tables say."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData

from leadapron.app import tables as app
from leadapron.archive import tables as archive
from leadapron.delivery import tables as delivery
from leadapron.incident import tables as incident
from leadapron.policy import tables as policy
from leadapron.store.database import Database


def test_the_catalogue_has_exactly_the_tables_of_the_packages(tmp_path):
    wanted = MetaData()
    for owner in (app, archive, delivery, incident, policy):
        for table in owner.Base.metadata.sorted_tables:
            assert table.name not in wanted.tables, f"two packages own {table.name}"
            table.to_metadata(wanted)
    database = Database(f"sqlite:///{tmp_path / 'catalog.db'}")
    database.migrate("catalog")
    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": "alembic_version_catalog"}
        )
        assert compare_metadata(context, wanted) == []
