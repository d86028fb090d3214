"""The audit trail: see ``audit``."""

from __future__ import annotations

import sqlalchemy as sa


class Audit:
    """The trail's tables.

    :param prefix: what their names start with
    """

    def __init__(self, metadata: sa.MetaData, prefix: str) -> None:
        self.entry = sa.Table(
            f"{prefix}audit",
            metadata,
            sa.Column("tenant_id", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("at", sa.BigInteger, nullable=False),
            sa.Column("actor", sa.String(255), nullable=False),
            sa.Column("action", sa.String(63), nullable=False),
            sa.Column("details", sa.Text, nullable=False),
            sa.Column("mac", sa.String(64), nullable=False),
        )
        """One chain for each tenant, and the central one, 0. ``at`` is in microseconds since 1970; ``details`` is
        JSON; ``mac`` covers the entry and the MAC before it."""
