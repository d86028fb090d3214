"""What event rules remember, and webhooks on their way."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

revision = "0004"
down_revision = "0003"


def upgrade(op: Any, prefix: str) -> None:
    """Add what events are kept in."""
    op.create_table(
        f"{prefix}event_time",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("nonce", sa.String(16), primary_key=True),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
    op.create_table(
        f"{prefix}event_mark",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
    op.create_table(
        f"{prefix}webhook",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("tenant_id", sa.Integer, sa.ForeignKey(f"{prefix}tenant.id"), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("message", sa.String(32), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("error", sa.Text),
        sqlite_autoincrement=True,
    )
    for table, column in (
        ("event_time", "until"),
        ("event_mark", "until"),
        ("webhook", "due_at"),
        ("webhook", "tenant_id"),
    ):
        op.create_index(f"ix_{prefix}{table}_{column.partition('_')[0]}", f"{prefix}{table}", [column])
