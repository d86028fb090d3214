"""The directory's tables: ours, prefixed, in a MetaData that the application never sees."""

from __future__ import annotations

from functools import cache

import sqlalchemy as sa

from .audit import Audit
from .columns import tenant
from .people import People
from .signup import SignUp

PREFIX = "tenancy_"


@cache
def tables_for(prefix: str) -> Tables:
    """Return the directory's tables: one object for each prefix, for they are many and take a while to make."""
    return Tables(prefix)


class Tables:
    """The directory's tables as they stand after its newest migration.

    :param prefix: what their names start with
    """

    def __init__(self, prefix: str = PREFIX) -> None:
        self.prefix = prefix
        self.metadata = metadata = sa.MetaData()

        self.tenant = sa.Table(
            f"{prefix}tenant",
            metadata,
            # never reused: AUTOINCREMENT on SQLite, a sequence on PostgreSQL
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("slug", sa.String(63), nullable=False, unique=True),
            sa.Column("name", sa.String(200), nullable=False),
            sa.Column("state", sa.String(20), nullable=False),
            sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
            sa.Column("version", sa.BigInteger, nullable=False, server_default="0"),
            sqlite_autoincrement=True,
        )
        """``version``: number of the last change that concerned the tenant."""

        self.version = sa.Table(
            f"{prefix}version",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("number", sa.BigInteger, nullable=False),
            sa.Column("identity", sa.String(32)),
        )
        """One row. ``number`` is raised by every change, other processes poll it; ``identity`` is random, and keeps
        apart two directories that use one Redis."""

        self.change = sa.Table(
            f"{prefix}change",
            metadata,
            sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
            sa.Column("tenant_id", sa.Integer, primary_key=True, autoincrement=False),
        )
        """The journal: which tenants a change concerned; id 0 stands for all of them."""

        self.domain = sa.Table(
            f"{prefix}domain",
            metadata,
            sa.Column("host", sa.String(253), primary_key=True),
            tenant(prefix),
            sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
            sa.Column("confirmed_at", sa.DateTime(timezone=True)),
            sa.Column("preferred", sa.SmallInteger, nullable=False, server_default="0"),
            sa.Index(f"ix_{prefix}domain_tenant", "tenant_id"),
        )

        self.config = sa.Table(
            f"{prefix}config",
            metadata,
            tenant(prefix, primary_key=True),
            sa.Column("key", sa.String(100), primary_key=True),
            sa.Column("value", sa.Text, nullable=False),
        )
        """``value`` is JSON."""

        self.token = sa.Table(
            f"{prefix}token",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            tenant(prefix),
            sa.Column("name", sa.String(200), nullable=False),
            sa.Column("digest", sa.String(64), nullable=False, unique=True),
            sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
            sa.Column("expires_at", sa.DateTime(timezone=True)),
            sa.Column("revoked_at", sa.DateTime(timezone=True)),
            sa.Column("scopes", sa.Text),
            sa.Index(f"ix_{prefix}token_tenant", "tenant_id"),
            sqlite_autoincrement=True,
        )
        """``digest`` is the SHA-256 of the secret, in hexadecimal digits; ``scopes`` is JSON, NULL for all."""

        self.former = sa.Table(
            f"{prefix}former_slug",
            metadata,
            sa.Column("slug", sa.String(63), primary_key=True),
            tenant(prefix),
            sa.Column("renamed_at", sa.DateTime(timezone=True), nullable=False),
            sa.Index(f"ix_{prefix}former_slug_tenant", "tenant_id"),
        )

        # ---- rules: made by whoever activates them, read through ``rules.store``
        self.rule_source = sa.Table(
            f"{prefix}rule_source",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("name", sa.String(200), nullable=False),
            sa.Column("scope", sa.String(100), nullable=False),
            sa.Column("digest", sa.String(64), nullable=False),
            sa.Column("text", sa.Text, nullable=False),
            sa.UniqueConstraint("name", "scope", "digest", name=f"uq_{prefix}rule_source"),
            sqlite_autoincrement=True,
        )
        """Every rule file that was ever active, once for each content. Rows are never changed."""

        self.rule_activation = sa.Table(
            f"{prefix}rule_activation",
            metadata,
            sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("at", sa.DateTime(timezone=True), nullable=False),
            sa.Column("author", sa.String(200), nullable=False),
            sa.Column("reason", sa.Text, nullable=False),
            sa.Column("back_to", sa.Integer),
        )
        """Who has activated what when and why. The number is the one before plus one: of two who do it at once, one
        fails. ``back_to`` is the activation that a rollback has gone back to."""

        self.rule_switch = sa.Table(
            f"{prefix}rule_switch",
            metadata,
            sa.Column(
                "activation", sa.Integer, sa.ForeignKey(f"{prefix}rule_activation.number"), primary_key=True
            ),
            sa.Column("name", sa.String(200), primary_key=True),
            sa.Column("source_id", sa.Integer, sa.ForeignKey(f"{prefix}rule_source.id")),
            sa.Column("previous_id", sa.Integer, sa.ForeignKey(f"{prefix}rule_source.id")),
            sa.Column("plan", sa.String(63), nullable=False),
            sa.Column("tenant_id", sa.Integer, nullable=False),
        )
        """What an activation has switched: which file from which content to which; none: removed, or new."""

        self.rule_active = sa.Table(
            f"{prefix}rule_active",
            metadata,
            sa.Column("name", sa.String(200), primary_key=True),
            sa.Column("plan", sa.String(63), nullable=False),
            sa.Column("tenant_id", sa.Integer, nullable=False),
            sa.Column("source_id", sa.Integer, sa.ForeignKey(f"{prefix}rule_source.id")),
            sa.Column(
                "activation", sa.Integer, sa.ForeignKey(f"{prefix}rule_activation.number"), nullable=False
            ),
            sa.Index(f"ix_{prefix}rule_active_tenant", "tenant_id", "plan"),
        )
        """What holds now: for a plan, for a tenant (0: not for one only), or for all. A file that was removed stays
        as a row without source, so that the newest activation of what a tenant obeys never goes back."""

        self.rule_set = sa.Table(
            f"{prefix}rule_set",
            metadata,
            sa.Column("digest", sa.String(64), primary_key=True),
            sa.Column("payload", sa.Text, nullable=False),
        )
        """Compiled rule sets, by what they were compiled from."""

        self.rule_recorded = sa.Table(
            f"{prefix}rule_recorded",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("tenant_id", sa.Integer, nullable=False),
            sa.Column("at", sa.DateTime(timezone=True), nullable=False),
            sa.Column("statement", sa.Text, nullable=False),
            sa.Column("parameters", sa.Text),
            sa.Column("facts", sa.Text, nullable=False),
            sa.Index(f"ix_{prefix}rule_recorded_tenant", "tenant_id"),
            sqlite_autoincrement=True,
        )
        """Statements that were recorded for a dry run. ``parameters`` and ``facts`` are JSON."""

        # ---- events: what event rules remember, and webhooks on their way; see ``rules.events``
        self.event_time = sa.Table(
            f"{prefix}event_time",
            metadata,
            sa.Column("key", sa.String(64), primary_key=True),
            sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
            sa.Column("nonce", sa.String(16), primary_key=True),
            sa.Column("until", sa.BigInteger, nullable=False),
            sa.Index(f"ix_{prefix}event_time_until", "until"),
        )
        """When what is counted has come, in microseconds since 1970; of no use from ``until`` on."""

        self.event_mark = sa.Table(
            f"{prefix}event_mark",
            metadata,
            sa.Column("key", sa.String(64), primary_key=True),
            sa.Column("until", sa.BigInteger, nullable=False),
            sa.Index(f"ix_{prefix}event_mark_until", "until"),
        )
        """What has fired and does not fire again until then."""

        self.webhook = sa.Table(
            f"{prefix}webhook",
            metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            tenant(prefix),
            sa.Column("name", sa.String(100), nullable=False),
            sa.Column("message", sa.String(32), nullable=False),
            sa.Column("body", sa.Text, nullable=False),
            sa.Column("created_at", sa.BigInteger, nullable=False),
            sa.Column("due_at", sa.BigInteger),
            sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
            sa.Column("error", sa.Text),
            sa.Index(f"ix_{prefix}webhook_due", "due_at"),
            sa.Index(f"ix_{prefix}webhook_tenant", "tenant_id"),
            sqlite_autoincrement=True,
        )
        """Webhooks that have not been delivered; ``due_at`` is NULL when they were given up."""

        self.people = People(metadata, prefix)
        self.audit = Audit(metadata, prefix)
        self.signup = SignUp(metadata, prefix)
