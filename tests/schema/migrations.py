"""An application's own Alembic scripts, as written for itself, and the commands that run them."""

from __future__ import annotations

import textwrap
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

ENV = """
    from alembic import context

    engine = context.config.attributes["engine"]
    if context.is_offline_mode():
        context.configure(url=str(engine.url), literal_binds=True)
        with context.begin_transaction():
            context.run_migrations()
    else:
        with engine.connect() as connection:
            context.configure(
                connection=connection,
                target_metadata=context.config.attributes.get("metadata"),
                compare_type=True,
                compare_server_default=True,
                render_as_batch=engine.dialect.name == "sqlite",
            )
            with context.begin_transaction():
                context.run_migrations()
"""

SCRIPTS = [
    # 1: tables, as autogenerate writes them
    (
        """
        op.create_table("country", sa.Column("code", sa.String(2), primary_key=True))
        op.create_table(
            "customer",
            sa.Column("id", sa.Integer(), nullable=False),
            sa.Column("name", sa.String(100), nullable=False),
            sa.Column("code", sa.String(20)),
            sa.Column("country", sa.String(2)),
            sa.ForeignKeyConstraint(["country"], ["country.code"]),
            sa.PrimaryKeyConstraint("id"),
            sa.UniqueConstraint("name", name="uq_customer_name"),
        )
        op.create_table(
            "invoice",
            sa.Column("id", sa.Integer(), nullable=False),
            sa.Column("number", sa.String(20), nullable=False),
            sa.Column("customer_id", sa.Integer(), nullable=False),
            sa.Column("payer_id", sa.Integer()),
            sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name="fk_customer", ondelete="CASCADE"),
            sa.ForeignKeyConstraint(["payer_id"], ["customer.id"], name="fk_payer", ondelete="SET NULL"),
            sa.PrimaryKeyConstraint("id"),
            sa.UniqueConstraint("number", name="uq_invoice_number"),
        )
        op.create_index("ix_invoice_customer", "invoice", ["customer_id"])
        op.create_table("log", sa.Column("text", sa.Text()))
        op.create_table("old", sa.Column("id", sa.Integer(), primary_key=True))
        """,
        """
        for name in ("old", "log", "invoice", "customer", "country"):
            op.drop_table(name)
        """,
    ),
    # 2: batch mode, which SQLite needs for all of this, on a table that others refer to, and on one that
    # refers
    (
        """
        with op.batch_alter_table("customer") as batch:
            batch.add_column(sa.Column("parent_id", sa.Integer()))
            batch.create_foreign_key("fk_parent", "customer", ["parent_id"], ["id"], ondelete="SET NULL")
            batch.alter_column("code", new_column_name="short", type_=sa.String(30),
            existing_type=sa.String(20))
            batch.alter_column("name", existing_type=sa.String(100), nullable=True)
        with op.batch_alter_table("customer") as batch:
            batch.create_unique_constraint("uq_customer_short", ["short"])
        with op.batch_alter_table("invoice") as batch:
            batch.drop_constraint("uq_invoice_number", type_="unique")
            batch.create_unique_constraint("uq_invoice_number_customer", ["number", "customer_id"])
            batch.add_column(sa.Column("note", sa.Text(), server_default="-", nullable=False))
            batch.create_index("ux_invoice_note", ["note", "number"], unique=True)
        with op.batch_alter_table("log", recreate="always") as batch:
            batch.add_column(sa.Column("at", sa.DateTime()))
        op.rename_table("old", "renamed")
        """,
        """
        op.rename_table("renamed", "old")
        with op.batch_alter_table("log", recreate="always") as batch:
            batch.drop_column("at")
        with op.batch_alter_table("invoice") as batch:
            batch.drop_index("ux_invoice_note")
            batch.drop_column("note")
            batch.drop_constraint("uq_invoice_number_customer", type_="unique")
            batch.create_unique_constraint("uq_invoice_number", ["number"])
        with op.batch_alter_table("customer") as batch:
            batch.alter_column("name", existing_type=sa.String(100), nullable=False)
            batch.drop_constraint("uq_customer_short", type_="unique")
        with op.batch_alter_table("customer") as batch:
            batch.drop_constraint("fk_parent", type_="foreignkey")
            batch.drop_column("parent_id")
            batch.alter_column("short", new_column_name="code", type_=sa.String(20),
            existing_type=sa.String(30))
        """,
    ),
    # 3: outside batch mode, and hand-written
    (
        """
        op.add_column("invoice", sa.Column("paid", sa.Boolean(), server_default=sa.false(), nullable=False))
        op.execute("CREATE UNIQUE INDEX ux_lower ON customer (lower(name))")
        op.execute("CREATE TABLE rate (currency text PRIMARY KEY, rate numeric NOT NULL)")
        op.create_index("ix_paid", "invoice", [sa.text("paid"), "number"], unique=False)
        if op.get_bind().dialect.name == "postgresql":
            op.add_column("invoice", sa.Column("slug", sa.Text(), unique=True))
            op.add_column("invoice", sa.Column("copy_of", sa.Integer(), sa.ForeignKey("invoice.id")))
            op.create_unique_constraint(None, "invoice", ["slug", "number"])
            op.drop_constraint("invoice_slug_key", "invoice")
            op.drop_constraint("customer_country_fkey", "customer")
            op.create_foreign_key(None, "customer", "country", ["country"], ["code"])
            op.alter_column("invoice", "number", type_=sa.Text())
            op.drop_constraint("old_pkey", "renamed")
            op.create_primary_key(None, "renamed", ["id"])
        """,
        """
        if op.get_bind().dialect.name == "postgresql":
            op.drop_constraint("renamed_pkey", "renamed")
            op.create_primary_key("old_pkey", "renamed", ["id"])
            op.alter_column("invoice", "number", type_=sa.String(20))
            op.drop_constraint("invoice_slug_number_key", "invoice")
            op.drop_constraint("invoice_copy_of_fkey", "invoice")
            op.drop_column("invoice", "copy_of")
            op.drop_column("invoice", "slug")
        op.drop_index("ix_paid", "invoice")
        op.execute("DROP TABLE rate")
        op.execute("DROP INDEX ux_lower")
        op.drop_column("invoice", "paid")
        """,
    ),
]


def write(folder: Path) -> Path:
    """Lay out Alembic's folder."""
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text(textwrap.dedent(ENV))
    (folder / "script.py.mako").write_text("")
    for number, (up, down) in enumerate(SCRIPTS, 1):
        text = (
            f"from alembic import op\nimport sqlalchemy as sa\nrevision = 'r{number}'\n"
            f"down_revision = {f'r{number - 1}' if number > 1 else None!r}\n"
        )
        for name, body in (("upgrade", up), ("downgrade", down)):
            text += f"\n\ndef {name}():\n{textwrap.indent(textwrap.dedent(body).strip(), '    ')}\n"
        (folder / "versions" / f"r{number}.py").write_text(text)
    return folder


def configured(folder: Path, engine: sa.Engine) -> Config:
    """Return the configuration for running the scripts on an engine."""
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.set_main_option("path_separator", "os")
    config.attributes["engine"] = engine
    return config


def upgrade(folder: Path, engine: sa.Engine, to: str = "head", **kw: bool) -> None:
    """Run ``alembic upgrade``."""
    command.upgrade(configured(folder, engine), to, **kw)


def upgrade_by_context(folder: Path, engine: sa.Engine, to: str) -> None:
    """Upgrade as Flask-Alembic does: no ``env.py``, and a connection that is older than the migration."""
    scripts = ScriptDirectory.from_config(configured(folder, engine))
    with engine.connect() as connection:
        options = {"fn": lambda revision, _: scripts._upgrade_revs(to, revision)}
        context = MigrationContext.configure(connection, opts=options)
        with context.begin_transaction(), Operations.context(context):
            context.run_migrations()


def downgrade(folder: Path, engine: sa.Engine, to: str) -> None:
    """Run ``alembic downgrade``."""
    command.downgrade(configured(folder, engine), to)
