"""Domains, configuration, tokens, former slugs; a journal of changes; who this directory is."""

from __future__ import annotations

import secrets
from typing import Any

import sqlalchemy as sa

revision = "0002"
down_revision = "0001"

now = sa.DateTime(timezone=True)


def upgrade(op: Any, prefix: str) -> None:
    """Add what several servers and custom domains need."""

    def tenant(**kw: Any) -> sa.Column[int]:
        key = sa.ForeignKey(f"{prefix}tenant.id")
        return sa.Column("tenant_id", sa.Integer, key, nullable=False, autoincrement=False, **kw)

    op.add_column(f"{prefix}tenant", sa.Column("version", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column(f"{prefix}version", sa.Column("identity", sa.String(32)))
    op.create_table(
        f"{prefix}change",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("tenant_id", sa.Integer, primary_key=True, autoincrement=False),
    )
    op.create_table(
        f"{prefix}domain",
        sa.Column("host", sa.String(253), primary_key=True),
        tenant(),
        sa.Column("created_at", now, nullable=False),
        sa.Column("confirmed_at", now),
        sa.Column("preferred", sa.SmallInteger, nullable=False, server_default="0"),
    )
    op.create_table(
        f"{prefix}config",
        tenant(primary_key=True),
        sa.Column("key", sa.String(100), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        f"{prefix}token",
        sa.Column("id", sa.Integer, primary_key=True),
        tenant(),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("created_at", now, nullable=False),
        sa.Column("expires_at", now),
        sa.Column("revoked_at", now),
        sqlite_autoincrement=True,
    )
    op.create_table(
        f"{prefix}former_slug",
        sa.Column("slug", sa.String(63), primary_key=True),
        tenant(),
        sa.Column("renamed_at", now, nullable=False),
    )
    for name in ("domain", "token", "former_slug"):
        op.create_index(f"ix_{prefix}{name}_tenant", f"{prefix}{name}", ["tenant_id"])

    version = sa.table(f"{prefix}version", *(sa.column(name) for name in ("id", "number", "identity")))
    connection = op.get_bind()
    identity = secrets.token_hex(16)
    if connection.execute(version.update().values(identity=identity)).rowcount == 0:
        connection.execute(version.insert().values(id=1, number=0, identity=identity))
