"""The directory's own migrations, run by Alembic with a version table of our own.

They are found by number and run in order, in one transaction where the database can. None goes back: an older release
ignores what a newer one has added.

Alembic's command line, its ``env.py`` and its global ``op`` are left to the application, whose own migration may be
running while we are called.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ...errors import ConfigurationError
from ..tables import Tables

if TYPE_CHECKING:
    # Alembic takes a while to import, and a directory that is in order does not need it.
    from alembic.script import ScriptDirectory

FIRST = "0001"
"""What release 0.1 made, with ``create_all`` and without a version table."""

NEWEST = "0009"

_FOLDER = "flask_tenant.directory:migrations"


def version_table(prefix: str) -> str:
    """Return the name of the table in which Alembic notes how far the directory has come."""
    return f"{prefix}alembic_version"


def current(connection: Connection, prefix: str) -> str | None:
    """Return the newest migration that a directory has had, ``None`` before the first."""
    name = version_table(prefix)
    if not sa.inspect(connection).has_table(name):
        return None
    found: str | None = connection.scalar(sa.select(sa.column("version_num")).select_from(sa.table(name)))
    return found


def create(connection: Connection, tables: Tables) -> None:
    """Make a directory where there is none: at once in its newest form, which takes half as long as all migrations.

    :param connection: in a transaction, past the wall
    """
    tables.metadata.create_all(connection, checkfirst=False)
    connection.execute(tables.version.insert().values(id=1, number=0, identity=secrets.token_hex(16)))
    name = version_table(tables.prefix)
    # As Alembic makes it.
    number = sa.Column("version_num", sa.String(32), nullable=False)
    version = sa.Table(name, sa.MetaData(), number, sa.PrimaryKeyConstraint(number, name=f"{name}_pkc"))
    version.create(connection, checkfirst=False)
    connection.execute(version.insert().values(version_num=NEWEST))


def is_new(connection: Connection, prefix: str) -> bool:
    """Whether there is no directory yet, not even that of release 0.1."""
    inspector = sa.inspect(connection)
    return not inspector.has_table(f"{prefix}tenant") and not inspector.has_table(version_table(prefix))


def scripts() -> ScriptDirectory:
    """Return all migrations."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", _FOLDER)
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)


def upgrade(connection: Connection, prefix: str) -> None:
    """Bring the directory's tables to the newest form.

    :param connection: in a transaction, past the wall
    :raises ConfigurationError: for a directory that a newer release has made
    """
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    all_of_them = scripts()

    def steps(revision: Any, context: Any) -> Any:
        return all_of_them._upgrade_revs("head", revision)

    options = {"version_table": version_table(prefix), "fn": steps}
    context = MigrationContext.configure(connection, opts=options)
    had = current(connection, prefix)
    if had is None and sa.inspect(connection).has_table(f"{prefix}tenant"):
        context._ensure_version_table()
        context.stamp(all_of_them, FIRST)
    elif had is not None and had not in {script.revision for script in all_of_them.walk_revisions()}:
        raise ConfigurationError(
            f"The directory's tables ({prefix}*) are at version {had!r}, which this release does not know",
            value=had,
            hint="Install the release that made them, or a newer one",
        )
    context.run_migrations(op=Operations(context), prefix=prefix)
