"""Alembic's entry to the vault schema."""

from leadapron.store.migrations.environment import run

run()
