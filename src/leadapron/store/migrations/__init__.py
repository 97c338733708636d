"""Alembic revisions, a folder a schema: catalog and vault."""
