"""Who logs in, through what, and to which tenants they belong: see ``login``."""

from __future__ import annotations

import sqlalchemy as sa

from .columns import person, tenant, when


class People:
    """The tables of log-in.

    :param prefix: what their names start with
    """

    def __init__(self, metadata: sa.MetaData, prefix: str) -> None:
        self.provider = sa.Table(
            f"{prefix}provider",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            tenant(prefix),
            sa.Column("name", sa.String(63), nullable=False),
            sa.Column("kind", sa.String(20), nullable=False),
            sa.Column("label", sa.String(200), nullable=False),
            sa.Column("authority", sa.String(255), nullable=False),
            sa.Column("settings", sa.Text, nullable=False),
            sa.Column("secrets", sa.Text),
            sa.Column("enabled", sa.SmallInteger, nullable=False, server_default="1"),
            sa.Column("joins", sa.SmallInteger, nullable=False, server_default="0"),
            sa.Column("position", sa.Integer, nullable=False, server_default="0"),
            when("created_at"),
            sa.UniqueConstraint("tenant_id", "name", name=f"uq_{prefix}provider"),
            sqlite_autoincrement=True,
        )
        """Ways to log in to a tenant. ``settings`` is JSON, ``secrets`` is encrypted JSON; ``authority`` is the first
        half of the identities that it vouches for; with ``joins``, whom it vouches for becomes a member."""

        self.person = sa.Table(
            f"{prefix}person",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("name", sa.String(200), nullable=False),
            sa.Column("email", sa.String(254), unique=True),
            sa.Column("password", sa.Text),
            sa.Column("operator", sa.SmallInteger, nullable=False, server_default="0"),
            when("created_at"),
            when("password_at", nullable=True),
            sqlite_autoincrement=True,
        )
        """People, who may belong to several tenants. ``email`` is set once it was verified by us, and only for those
        who log in with a password of ours: it is no identity of anybody else. An ``operator`` may do central work."""

        self.identity = sa.Table(
            f"{prefix}identity",
            metadata,
            sa.Column("authority", sa.String(255), primary_key=True),
            sa.Column("subject", sa.String(255), primary_key=True),
            person(prefix),
            when("created_at"),
            when("last_at", nullable=True),
            sa.Index(f"ix_{prefix}identity_person", "person_id"),
        )
        """Under which names providers know a person: (issuer, subject), (directory, entryUUID), ("local", person)."""

        self.membership = sa.Table(
            f"{prefix}membership",
            metadata,
            tenant(prefix, primary_key=True),
            person(prefix, primary_key=True),
            sa.Column("name", sa.String(200), nullable=False),
            sa.Column("email", sa.String(254), nullable=False, server_default=sa.text("''")),
            sa.Column("state", sa.String(20), nullable=False),
            when("created_at"),
            when("last_at", nullable=True),
            sa.Index(f"ix_{prefix}membership_person", "person_id"),
        )
        """Who belongs to a tenant. ``name`` and ``email`` are what this tenant's own providers say: they are shown,
        and decide nothing."""

        self.member_role = sa.Table(
            f"{prefix}member_role",
            metadata,
            tenant(prefix, primary_key=True),
            person(prefix, primary_key=True),
            sa.Column("role", sa.String(63), primary_key=True),
            sa.Column("source", sa.String(63), primary_key=True),
        )
        """Roles of members. ``source`` is the provider whose groups gave the role, or ``""`` when somebody did."""

        self.invitation = sa.Table(
            f"{prefix}invitation",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            tenant(prefix),
            sa.Column("email", sa.String(254), nullable=False),
            sa.Column("roles", sa.Text, nullable=False),
            sa.Column("digest", sa.String(64), nullable=False, unique=True),
            sa.Column("invited_by", sa.Integer),
            when("created_at"),
            when("expires_at"),
            when("accepted_at", nullable=True),
            when("revoked_at", nullable=True),
            sa.Index(f"ix_{prefix}invitation_tenant", "tenant_id"),
            sqlite_autoincrement=True,
        )
        """``digest`` is the SHA-256 of the secret in the link; ``roles`` is JSON."""

        self.login_session = sa.Table(
            f"{prefix}login_session",
            metadata,
            sa.Column("digest", sa.String(64), primary_key=True),
            sa.Column("tenant_id", sa.Integer, nullable=False),
            person(prefix),
            sa.Column("provider_id", sa.Integer),
            sa.Column("provider_session", sa.String(255), nullable=False, server_default=sa.text("''")),
            sa.Column("provider_subject", sa.String(255), nullable=False, server_default=sa.text("''")),
            sa.Column("hint", sa.Text),
            sa.Column("network", sa.String(64), nullable=False, server_default=sa.text("''")),
            sa.Column("agent", sa.String(255), nullable=False, server_default=sa.text("''")),
            sa.Column("impersonator_id", sa.Integer),
            sa.Column("reason", sa.Text),
            when("opened_at"),
            when("seen_at"),
            when("expires_at"),
            when("ended_at", nullable=True),
            sa.Index(f"ix_{prefix}login_session_member", "tenant_id", "person_id"),
            sa.Index(f"ix_{prefix}login_session_provider", "provider_id", "provider_session"),
            sa.Index(f"ix_{prefix}login_session_expires", "expires_at"),
        )
        """Who is logged in. ``digest`` is the SHA-256 of what the browser's cookie carries; tenant 0 is the central
        host; ``hint`` is the provider's ID token, encrypted, for logging out there."""

        self.ticket = sa.Table(
            f"{prefix}ticket",
            metadata,
            sa.Column("digest", sa.String(64), primary_key=True),
            sa.Column("purpose", sa.String(30), nullable=False),
            sa.Column("tenant_id", sa.Integer, nullable=False),
            sa.Column("payload", sa.Text, nullable=False),
            when("expires_at"),
            sa.Index(f"ix_{prefix}ticket_expires", "expires_at"),
        )
        """What is good once: log-ins that are under way, password resets, verified addresses, hand-overs from one
        host to another. Removed when it is used; ``payload`` is JSON."""

        self.app_user = sa.Table(
            f"{prefix}app_user",
            metadata,
            tenant(prefix, primary_key=True),
            person(prefix, primary_key=True),
            sa.Column("key", sa.String(255), nullable=False),
            sa.UniqueConstraint("tenant_id", "key", name=f"uq_{prefix}app_user"),
        )
        """Which of the application's own users a member is; ``key`` is what its user loader takes."""

        self.realm = sa.Table(
            f"{prefix}realm",
            metadata,
            sa.Column("domain", sa.String(253), primary_key=True),
            tenant(prefix, primary_key=True),
            sa.Column("challenge", sa.String(64), nullable=False),
            when("created_at"),
            when("verified_at", nullable=True),
            sa.Index(f"ix_{prefix}realm_tenant", "tenant_id"),
        )
        """Mail domains of tenants, for finding the way from an address to its provider. They count once verified."""

        self.attempt = sa.Table(
            f"{prefix}attempt",
            metadata,
            sa.Column("digest", sa.String(64), primary_key=True),
            sa.Column("count", sa.Integer, nullable=False),
            when("expires_at"),
            sa.Index(f"ix_{prefix}attempt_expires", "expires_at"),
        )
        """How often somebody has tried. ``digest`` says who and what: no name that anybody has typed is kept."""
