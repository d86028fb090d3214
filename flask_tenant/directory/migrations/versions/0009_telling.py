"""Who is about to tell of a step of a sign-up."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

revision = "0009"
down_revision = "0008"


def upgrade(op: Any, prefix: str) -> None:
    """Add until when a step is left to the server that tells of it."""
    op.add_column(f"{prefix}signup_step", sa.Column("telling_until", sa.DateTime(timezone=True)))
