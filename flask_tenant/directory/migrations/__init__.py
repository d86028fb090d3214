"""The directory's own migrations, run by Alembic with a version table of our own.

They are found by number and run in order, in one transaction where the database can. None goes back: an older release
ignores what a newer one has added.

Alembic's command line, its ``env.py`` and its global ``op`` are left to the application, whose own migration may be
running while we are called.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from ...errors import ConfigurationError

FIRST = "0001"
"""What release 0.1 made, with ``create_all`` and without a version table."""

_FOLDER = "flask_tenant.directory:migrations"


def current(connection: Connection, prefix: str) -> str | None:
    """Return the newest migration that a directory has had, ``None`` before the first."""
    return _context(connection, prefix, {}).get_current_revision()


def newest() -> str:
    """Return the newest migration that there is."""
    return str(_scripts().get_current_head())


def upgrade(connection: Connection, prefix: str) -> None:
    """Bring the directory's tables to the newest form.

    :param connection: in a transaction, past the wall
    :raises ConfigurationError: for a directory that a newer release has made
    """
    scripts = _scripts()

    def steps(revision: Any, context: Any) -> Any:
        return scripts._upgrade_revs("head", revision)

    context = _context(connection, prefix, {"fn": steps})
    had = context.get_current_revision()
    if had is None and sa.inspect(connection).has_table(f"{prefix}tenant"):
        context._ensure_version_table()
        context.stamp(scripts, FIRST)
    elif had is not None and had not in {s.revision for s in scripts.walk_revisions()}:
        raise ConfigurationError(
            f"The directory's tables ({prefix}*) are at version {had!r}, which this release does not know",
            value=had,
            hint="Install the release that made them, or a newer one",
        )
    context.run_migrations(op=Operations(context), prefix=prefix)


def _scripts() -> ScriptDirectory:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", _FOLDER)
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)


def _context(connection: Connection, prefix: str, options: dict[str, Any]) -> MigrationContext:
    return MigrationContext.configure(
        connection, opts={"version_table": f"{prefix}alembic_version", **options}
    )
