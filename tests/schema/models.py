"""One application with every kind of key."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

LONG = "a_table_whose_name_is_so_long_that_names_made_from_it_are_cut"


def application(dialect_name: str) -> sa.MetaData:
    """Return a fresh MetaData, the parts that only one database knows included."""
    metadata = sa.MetaData()
    sa.Table(
        "country",  # shared
        metadata,
        sa.Column("code", sa.String(2), primary_key=True),
        sa.Column("name", sa.String(50), unique=True),
    )
    sa.Table(
        "customer",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("email", sa.String(100), nullable=False),
        sa.Column("name", sa.String(100), unique=True),
        sa.Column("country_code", sa.ForeignKey("country.code")),
        sa.Column("active", sa.Boolean, server_default=sa.true(), nullable=False),
        sa.Column("city", sa.String(50), index=True),
        sa.Column("balance", sa.Numeric(10, 2), server_default="0"),
        sa.CheckConstraint("length(email) > 2", name="ck_customer_email"),
        sa.Index("ux_customer_email", sa.text("lower(email)"), unique=True),
        sa.Index(
            "ux_customer_city",
            "city",
            unique=True,
            sqlite_where=sa.text("active"),
            postgresql_where=sa.text("active"),
        ),
        sa.Index("ix_customer_name_city", "name", "city"),
    )
    sa.Table(
        "invoice",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("number", sa.String(20), nullable=False),
        sa.Column(
            "customer_id", sa.Integer, sa.ForeignKey("customer.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("payer_id", sa.ForeignKey("customer.id", ondelete="SET NULL")),
        sa.Column("previous_id", sa.ForeignKey("invoice.id", ondelete="SET NULL", name="fk_previous")),
        sa.Column("customer_name", sa.String(100), sa.ForeignKey("customer.name", onupdate="CASCADE")),
        sa.UniqueConstraint("number", "customer_id", name="uq_invoice_number"),
        sa.UniqueConstraint("previous_id"),
        sqlite_autoincrement=True,
    )
    sa.Table(
        "line",
        metadata,
        sa.Column("invoice_id", sa.ForeignKey("invoice.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("text", sa.Text),
        sa.PrimaryKeyConstraint("invoice_id", "position", name="pk_line"),
    )
    sa.Table(
        "payment",
        metadata,
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("invoice_id", sa.Integer),
        sa.Column("position", sa.Integer, server_default="1"),
        sa.ForeignKeyConstraint(
            ["invoice_id", "position"],
            ["line.invoice_id", "line.position"],
            ondelete="SET NULL",
            deferrable=True,
            initially="DEFERRED",
        ),
    )
    sa.Table(
        "setting",
        metadata,
        sa.Column("key", sa.String(50), primary_key=True),
        sa.Column("value", sa.Text),
        sqlite_with_rowid=False,
    )
    sa.Table("log", metadata, sa.Column("at", sa.DateTime), sa.Column("text", sa.Text))  # no primary key
    # Two tables that refer to each other.
    sa.Table(
        "team",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("leader_id", sa.Integer, sa.ForeignKey("member.id", use_alter=True, name="fk_team_leader")),
    )
    sa.Table(
        "member",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "team_id", sa.Integer, sa.ForeignKey("team.id", ondelete="SET DEFAULT"), server_default="0"
        ),
    )
    sa.Table(
        "Odd Name",
        metadata,
        sa.Column("Id", sa.Integer, primary_key=True),
        sa.Column("Größe in cm", sa.Integer, unique=True),
        sa.Column("order", sa.ForeignKey("Odd Name.Id")),
    )
    sa.Table(
        LONG,
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("a_column_whose_name_is_rather_long_one", sa.Integer, unique=True),
        sa.Column("a_column_whose_name_is_rather_long_two", sa.Integer, unique=True),
        sa.Column("customer_id", sa.ForeignKey("customer.id")),
    )
    if dialect_name == "sqlite":
        _sqlite(metadata)
    else:
        _postgresql(metadata)
    return metadata


def _sqlite(metadata: sa.MetaData) -> None:
    sa.Table(
        "strictly",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True, sqlite_on_conflict_primary_key="FAIL"),
        sa.Column("name", sa.TEXT(collation="NOCASE"), unique=True, sqlite_on_conflict_unique="IGNORE"),
        sa.Column("note", sa.TEXT, nullable=False, sqlite_on_conflict_not_null="FAIL"),
        sa.UniqueConstraint("name", "note", sqlite_on_conflict="REPLACE"),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    )
    sa.Table(
        "booking",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("room_id", sa.ForeignKey("room.id", ondelete="SET NULL", onupdate="SET NULL")),
    )
    sa.Table("room", metadata, sa.Column("id", sa.Integer, primary_key=True))


def _postgresql(metadata: sa.MetaData) -> None:
    sa.Table(
        "document",
        metadata,
        sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True),
        sa.Column("key", sa.Uuid, unique=True),
        sa.Column("tags", pg.ARRAY(sa.Text)),
        sa.Column("data", pg.JSONB),
        sa.Column("slug", sa.Text),
        sa.Column("title", sa.Text),
        sa.Column("customer_id", sa.ForeignKey("customer.id", match="FULL")),
        sa.Column("kind", sa.Enum("a", "b", name="document_kind")),
        sa.Index("ix_document_tags", "tags", postgresql_using="gin"),
        sa.Index("ix_document_slug", "slug", postgresql_include=["title"], unique=True),
        sa.Index("ix_document_ops", "title", postgresql_ops={"title": "text_pattern_ops"}),
        sa.Index("ix_document_lower", sa.text("lower(title)"), sa.text("slug DESC NULLS LAST")),
        sa.UniqueConstraint("slug", "title", postgresql_nulls_not_distinct=True),
        sa.UniqueConstraint("title", postgresql_include=["slug"]),
    )
    sa.Table(
        "reservation",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("room", sa.Integer),
        sa.Column("during", pg.INT4RANGE),
        pg.ExcludeConstraint(("room", "="), ("during", "&&")),
        pg.ExcludeConstraint((sa.text("int4range(room, room, '[]')"), "&&"), name="excl_named", using="gist"),
    )
    # Both would be called two_a_fkey.
    sa.Table(
        "two",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("a", sa.Integer),
        sa.ForeignKeyConstraint(["a"], ["customer.id"]),
        sa.ForeignKeyConstraint(["a"], ["invoice.id"]),
    )
