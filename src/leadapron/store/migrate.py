"""Alembic, driven from code: no ini file, one version table a schema."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from leadapron.model import BadInput, Conflict

FOLDER = Path(__file__).parent / "migrations"


def folder_of(which: str | Path) -> Path:
    """Return the folder of revisions of ``"catalog"``, ``"vault"``, or the folder given."""
    folder = which if isinstance(which, Path) else FOLDER / which
    if not (folder / "env.py").is_file():
        known = ", ".join(sorted(path.parent.name for path in FOLDER.glob("*/env.py")))
        raise BadInput(f"there is no schema '{which}'", remedy=f"there are: {known}")
    return folder


def version_table(which: str | Path) -> str:
    """Return the table that remembers the revision; schemas may share one database."""
    return f"alembic_version_{folder_of(which).name}"


def config(which: str | Path, connection: Connection | None = None) -> Config:
    """Return the Alembic configuration of one schema."""
    result = Config()
    result.set_main_option("script_location", str(folder_of(which)).replace("%", "%%"))
    result.set_main_option("path_separator", "os")
    result.attributes["connection"] = connection
    result.attributes["version_table"] = version_table(which)
    return result


def upgrade(connection: Connection, which: str | Path) -> str:
    """Run the missing revisions in the connection's transaction; return the newest revision."""
    try:
        command.upgrade(config(which, connection), "head")
    except CommandError as error:
        raise Conflict(
            f"the {folder_of(which).name} database is at a revision this version does not know",
            remedy="start the newer LeadApron that wrote it, or restore the backup made before",
        ) from error
    return head(which)


def head(which: str | Path) -> str:
    """Return the newest revision that this version knows."""
    return str(ScriptDirectory.from_config(config(which)).get_current_head())


def current(connection: Connection, which: str | Path) -> str | None:
    """Return the revision of the database, or None."""
    options = {"version_table": version_table(which)}
    return MigrationContext.configure(connection, opts=options).get_current_revision()
