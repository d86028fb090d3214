"""Sign-up: see ``onboarding``."""

from __future__ import annotations

import sqlalchemy as sa

from .columns import when


class SignUp:
    """The tables of sign-up.

    :param prefix: what their names start with
    """

    def __init__(self, metadata: sa.MetaData, prefix: str) -> None:
        self.signup = sa.Table(
            f"{prefix}signup",
            metadata,
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
            when("created_at"),
            when("changed_at"),
            when("expires_at", nullable=True),
            when("trial_ends_at", nullable=True),
            sa.Index(f"ix_{prefix}signup_state", "state"),
            sa.Index(f"ix_{prefix}signup_slug", "slug"),
            sqlite_autoincrement=True,
        )
        """Requests for a tenant, and what has become of them. ``digest`` is the SHA-256 of the secret in the link
        that was mailed; ``expires_at`` is when the present state ends by itself."""

        self.step = sa.Table(
            f"{prefix}signup_step",
            metadata,
            sa.Column("signup_id", sa.Integer, sa.ForeignKey(f"{prefix}signup.id"), primary_key=True),
            sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("state", sa.String(20), nullable=False),
            sa.Column("actor", sa.String(255), nullable=False),
            when("at"),
            sa.Column("told", sa.SmallInteger, nullable=False, server_default="0"),
            when("telling_until", nullable=True),
        )
        """Each step that a sign-up has taken. ``told``: whether its event was sent and its mail is on the way;
        ``telling_until``: until when it is left to the server that is about to tell it."""
