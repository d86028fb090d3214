"""Columns that several of the directory's tables have."""

from __future__ import annotations

import sqlalchemy as sa


def tenant(prefix: str, *, primary_key: bool = False) -> sa.Column[int]:
    """Return a column that names a tenant."""
    return sa.Column(
        "tenant_id",
        sa.Integer,
        sa.ForeignKey(f"{prefix}tenant.id"),
        primary_key=primary_key,
        nullable=False,
        autoincrement=False,
    )


def person(prefix: str, *, primary_key: bool = False) -> sa.Column[int]:
    """Return a column that names a person."""
    return sa.Column(
        "person_id",
        sa.Integer,
        sa.ForeignKey(f"{prefix}person.id"),
        primary_key=primary_key,
        nullable=False,
        autoincrement=False,
    )


def when(name: str, *, nullable: bool = False) -> sa.Column[object]:
    """Return a column that holds a point in time."""
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)
