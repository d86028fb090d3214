"""The directory's tables: ours, prefixed, in a MetaData that the application never sees."""

from __future__ import annotations

import sqlalchemy as sa

PREFIX = "tenancy_"

metadata = sa.MetaData()

tenant = sa.Table(
    f"{PREFIX}tenant",
    metadata,
    sa.Column(
        "id", sa.Integer, primary_key=True
    ),  # never reused: AUTOINCREMENT on SQLite, a sequence on PostgreSQL
    sa.Column("slug", sa.String(63), nullable=False, unique=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    sqlite_autoincrement=True,
)

version = sa.Table(
    f"{PREFIX}version",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.BigInteger, nullable=False),
)
"""One row, raised by every change: other processes poll it."""
