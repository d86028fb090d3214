"""The audit trail."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

revision = "0006"
down_revision = "0005"


def upgrade(op: Any, prefix: str) -> None:
    """Add what is done is kept in."""
    op.create_table(
        f"{prefix}audit",
        sa.Column("tenant_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("action", sa.String(63), nullable=False),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("mac", sa.String(64), nullable=False),
    )
