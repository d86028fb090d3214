"""How Alembic finds the application's database; run by ``flask db``."""

from __future__ import annotations

from logging.config import fileConfig

from alembic import context
from flask import current_app
from sqlalchemy import Connection

config = context.config
if config.config_file_name:
    fileConfig(config.config_file_name, disable_existing_loggers=False)

db = current_app.extensions["migrate"].db
options = current_app.extensions["migrate"].configure_args


def run_offline() -> None:
    """Print the SQL instead of running it (``flask db upgrade --sql``)."""
    url = db.engine.url.render_as_string(hide_password=False)
    context.configure(url=url, target_metadata=db.metadata, literal_binds=True, **options)
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    with db.engine.connect() as connection:
        # SQLite cannot alter most things: the batch mode copies the table and drops the old one, and
        # with foreign keys enforced, dropping it would delete the rows that refer to it.
        _sqlite_foreign_keys(connection, "OFF")
        context.configure(connection=connection, target_metadata=db.metadata, **options)
        try:
            with context.begin_transaction():
                context.run_migrations()
        finally:
            _sqlite_foreign_keys(connection, "ON")


def _sqlite_foreign_keys(connection: Connection, state: str) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA foreign_keys = {state}")
        connection.commit()  # the setting is ignored inside a transaction, so end the one it opened


if context.is_offline_mode():
    run_offline()
else:
    run_online()
