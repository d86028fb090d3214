"""How often somebody has tried to log in."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

revision = "0008"
down_revision = "0007"


def upgrade(op: Any, prefix: str) -> None:
    """Add what attempts are counted in."""
    op.create_table(
        f"{prefix}attempt",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index(f"ix_{prefix}attempt_expires", f"{prefix}attempt", ["expires_at"])
