"""Rule files, who has activated them, what holds now, and recorded statements."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

revision = "0003"
down_revision = "0002"


def upgrade(op: Any, prefix: str) -> None:
    """Add what rules are kept in."""

    def source(name: str) -> sa.Column[int]:
        return sa.Column(name, sa.Integer, sa.ForeignKey(f"{prefix}rule_source.id"))

    def activation(**kw: Any) -> sa.Column[int]:
        key = sa.ForeignKey(f"{prefix}rule_activation.number")
        return sa.Column("activation", sa.Integer, key, nullable=False, autoincrement=False, **kw)

    def whose() -> tuple[sa.Column[str], sa.Column[int]]:
        return sa.Column("plan", sa.String(63), nullable=False), sa.Column(
            "tenant_id", sa.Integer, nullable=False
        )

    op.create_table(
        f"{prefix}rule_source",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("scope", sa.String(100), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.UniqueConstraint("name", "scope", "digest", name=f"uq_{prefix}rule_source"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        f"{prefix}rule_activation",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("back_to", sa.Integer),
    )
    op.create_table(
        f"{prefix}rule_switch",
        activation(primary_key=True),
        sa.Column("name", sa.String(200), primary_key=True),
        source("source_id"),
        source("previous_id"),
        *whose(),
    )
    op.create_table(
        f"{prefix}rule_active",
        sa.Column("name", sa.String(200), primary_key=True),
        *whose(),
        source("source_id"),
        activation(),
    )
    op.create_index(f"ix_{prefix}rule_active_tenant", f"{prefix}rule_active", ["tenant_id", "plan"])
    op.create_table(
        f"{prefix}rule_set",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("payload", sa.Text, nullable=False),
    )
    op.create_table(
        f"{prefix}rule_recorded",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("tenant_id", sa.Integer, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("statement", sa.Text, nullable=False),
        sa.Column("parameters", sa.Text),
        sa.Column("facts", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index(f"ix_{prefix}rule_recorded_tenant", f"{prefix}rule_recorded", ["tenant_id"])
