"""Sign-up."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

revision = "0007"
down_revision = "0006"


def upgrade(op: Any, prefix: str) -> None:
    """Add what sign-ups are kept in."""
    op.create_table(
        f"{prefix}signup",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("person_name", sa.String(200), nullable=False),
        sa.Column("slug", sa.String(63), nullable=False),
        sa.Column("tenant_name", sa.String(200), nullable=False),
        sa.Column("plan", sa.String(63), nullable=False, server_default=sa.text("''")),
        sa.Column("network", sa.String(64), nullable=False, server_default=sa.text("''")),
        sa.Column("digest", sa.String(64)),
        sa.Column("tenant_id", sa.Integer),
        sa.Column("person_id", sa.Integer),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("error", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("trial_ends_at", sa.DateTime(timezone=True)),
        sqlite_autoincrement=True,
    )
    op.create_table(
        f"{prefix}signup_step",
        sa.Column("signup_id", sa.Integer, sa.ForeignKey(f"{prefix}signup.id"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told", sa.SmallInteger, nullable=False, server_default="0"),
    )
    op.create_index(f"ix_{prefix}signup_state", f"{prefix}signup", ["state"])
    op.create_index(f"ix_{prefix}signup_slug", f"{prefix}signup", ["slug"])
