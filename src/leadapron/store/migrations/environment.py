"""What the `env.py` of every schema runs: the revisions, on the caller's connection."""

from __future__ import annotations

from alembic import context


def run() -> None:
    """Run revisions in the transaction of the connection that `store.migrate` hands over."""
    attributes = context.config.attributes
    context.configure(
        connection=attributes["connection"],
        version_table=attributes["version_table"],
        render_as_batch=True,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()
