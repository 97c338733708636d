"""Alembic's entry to the catalog schema."""

from leadapron.store.migrations.environment import run

run()
