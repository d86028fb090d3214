"""Who logs in, through what, and to which tenants they belong."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

revision = "0005"
down_revision = "0004"


def upgrade(op: Any, prefix: str) -> None:
    """Add what log-in is kept in."""
    op.create_table(
        f"{prefix}provider",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("tenant_id", sa.Integer, sa.ForeignKey(f"{prefix}tenant.id"), nullable=False),
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("label", sa.String(200), nullable=False),
        sa.Column("authority", sa.String(255), nullable=False),
        sa.Column("settings", sa.Text, nullable=False),
        sa.Column("secrets", sa.Text),
        sa.Column("enabled", sa.SmallInteger, nullable=False, server_default="1"),
        sa.Column("joins", sa.SmallInteger, nullable=False, server_default="0"),
        sa.Column("position", sa.Integer, nullable=False, server_default="0"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("tenant_id", "name", name=f"uq_{prefix}provider"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        f"{prefix}person",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("email", sa.String(254), unique=True),
        sa.Column("password", sa.Text),
        sa.Column("operator", sa.SmallInteger, nullable=False, server_default="0"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("password_at", sa.DateTime(timezone=True)),
        sqlite_autoincrement=True,
    )
    op.create_table(
        f"{prefix}identity",
        sa.Column("authority", sa.String(255), primary_key=True),
        sa.Column("subject", sa.String(255), primary_key=True),
        sa.Column("person_id", sa.Integer, sa.ForeignKey(f"{prefix}person.id"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True)),
    )
    op.create_table(
        f"{prefix}membership",
        sa.Column(
            "tenant_id",
            sa.Integer,
            sa.ForeignKey(f"{prefix}tenant.id"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column(
            "person_id",
            sa.Integer,
            sa.ForeignKey(f"{prefix}person.id"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("email", sa.String(254), nullable=False, server_default=sa.text("''")),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True)),
    )
    op.create_table(
        f"{prefix}member_role",
        sa.Column(
            "tenant_id",
            sa.Integer,
            sa.ForeignKey(f"{prefix}tenant.id"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column(
            "person_id",
            sa.Integer,
            sa.ForeignKey(f"{prefix}person.id"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("role", sa.String(63), primary_key=True),
        sa.Column("source", sa.String(63), primary_key=True),
    )
    op.create_table(
        f"{prefix}invitation",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("tenant_id", sa.Integer, sa.ForeignKey(f"{prefix}tenant.id"), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("roles", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("invited_by", sa.Integer),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True)),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sqlite_autoincrement=True,
    )
    op.create_table(
        f"{prefix}login_session",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("tenant_id", sa.Integer, nullable=False),
        sa.Column("person_id", sa.Integer, sa.ForeignKey(f"{prefix}person.id"), nullable=False),
        sa.Column("provider_id", sa.Integer),
        sa.Column("provider_session", sa.String(255), nullable=False, server_default=sa.text("''")),
        sa.Column("provider_subject", sa.String(255), nullable=False, server_default=sa.text("''")),
        sa.Column("hint", sa.Text),
        sa.Column("network", sa.String(64), nullable=False, server_default=sa.text("''")),
        sa.Column("agent", sa.String(255), nullable=False, server_default=sa.text("''")),
        sa.Column("impersonator_id", sa.Integer),
        sa.Column("reason", sa.Text),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
    )
    op.create_table(
        f"{prefix}ticket",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("purpose", sa.String(30), nullable=False),
        sa.Column("tenant_id", sa.Integer, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        f"{prefix}app_user",
        sa.Column(
            "tenant_id",
            sa.Integer,
            sa.ForeignKey(f"{prefix}tenant.id"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column(
            "person_id",
            sa.Integer,
            sa.ForeignKey(f"{prefix}person.id"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("key", sa.String(255), nullable=False),
        sa.UniqueConstraint("tenant_id", "key", name=f"uq_{prefix}app_user"),
    )
    op.create_table(
        f"{prefix}realm",
        sa.Column("domain", sa.String(253), primary_key=True),
        sa.Column(
            "tenant_id",
            sa.Integer,
            sa.ForeignKey(f"{prefix}tenant.id"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("challenge", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True)),
    )
    op.create_index(f"ix_{prefix}identity_person", f"{prefix}identity", ["person_id"])
    op.create_index(f"ix_{prefix}membership_person", f"{prefix}membership", ["person_id"])
    op.create_index(f"ix_{prefix}invitation_tenant", f"{prefix}invitation", ["tenant_id"])
    op.create_index(f"ix_{prefix}login_session_member", f"{prefix}login_session", ["tenant_id", "person_id"])
    op.create_index(
        f"ix_{prefix}login_session_provider", f"{prefix}login_session", ["provider_id", "provider_session"]
    )
    op.create_index(f"ix_{prefix}login_session_expires", f"{prefix}login_session", ["expires_at"])
    op.create_index(f"ix_{prefix}ticket_expires", f"{prefix}ticket", ["expires_at"])
    op.create_index(f"ix_{prefix}realm_tenant", f"{prefix}realm", ["tenant_id"])
    op.add_column(f"{prefix}token", sa.Column("scopes", sa.Text))
