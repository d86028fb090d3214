"""Flask-Migrate: the application's own env.py and versions, unmodified, with tenants that hold rows."""

from __future__ import annotations

import logging
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

from flask_tenant import Tenancy, for_each_tenant, tenant_context
from flask_tenant.registry import state_of
from tests.extension.notes import rows
from tests.integrations.helpers import table

pytestmark = [
    pytest.mark.databases("sqlite", "postgresql+psycopg"),
    pytest.mark.filterwarnings(
        "ignore:'get_engine' is deprecated:DeprecationWarning"
    ),  # Flask-Migrate's env.py
]

VERSIONS = {
    "0001": (
        """
        op.create_table(
            "customer",
            sa.Column("id", sa.Integer(), nullable=False),
            sa.Column("name", sa.String(50), nullable=False),
            sa.Column("email", sa.String(50)),
            sa.PrimaryKeyConstraint("id"),
            sa.UniqueConstraint("name"),
        )
        op.create_table(
            "invoice",
            sa.Column("id", sa.Integer(), nullable=False),
            sa.Column("number", sa.String(20), nullable=False),
            sa.Column("customer_id", sa.Integer(), nullable=False),
            sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], ondelete="CASCADE"),
            sa.PrimaryKeyConstraint("id"),
        )
        with op.batch_alter_table("invoice") as batch:
            batch.create_index("ix_invoice_number", ["number"], unique=True)
        """,
        """
        op.drop_table("invoice")
        op.drop_table("customer")
        """,
    ),
    # batch mode and data, on tables that hold tenants' rows
    "0002": (
        """
        with op.batch_alter_table("customer") as batch:
            batch.add_column(sa.Column("segment", sa.String(20), server_default="none", nullable=False))
            batch.alter_column("name", existing_type=sa.String(50), type_=sa.String(80))
        contact = op.create_table(
            "contact",
            sa.Column("id", sa.Integer(), nullable=False),
            sa.Column("customer_id", sa.Integer(), nullable=False),
            sa.Column("email", sa.String(50), nullable=False),
            sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], ondelete="CASCADE"),
            sa.PrimaryKeyConstraint("id"),
        )
        op.create_table(
            "setting",
            sa.Column("key", sa.String(20), nullable=False),
            sa.Column("value", sa.String(20)),
            sa.PrimaryKeyConstraint("key"),
        )
        op.execute("UPDATE customer SET segment = 'big' WHERE name LIKE 'B%'")
        customer = sa.table("customer", sa.column("name", sa.String), sa.column("email", sa.String))
        op.execute(customer.update().where(customer.c.name == "Carl").values(email="carl@example.test"))
        op.execute("INSERT INTO contact (customer_id, email) SELECT id, email FROM customer WHERE email <> ''")
        op.execute(sa.text("DELETE FROM invoice WHERE number = :number").bindparams(number="void"))
        setting = sa.table("setting", sa.column("key", sa.String), sa.column("value", sa.String))
        op.bulk_insert(setting, [{"key": "theme", "value": "light"}, {"key": "paper", "value": "A4"}])
        op.get_bind().execute(setting.insert().values(key="currency", value="EUR"))
        with op.batch_alter_table("customer") as batch:
            batch.drop_column("email")
        """,
        """
        with op.batch_alter_table("customer") as batch:
            batch.add_column(sa.Column("email", sa.String(50)))
        op.execute(
            "UPDATE customer SET email = (SELECT email FROM contact WHERE contact.customer_id = customer.id)"
        )
        op.drop_table("setting")
        op.drop_table("contact")
        with op.batch_alter_table("customer") as batch:
            batch.alter_column("name", existing_type=sa.String(80), type_=sa.String(50))
            batch.drop_column("segment")
        """,
    ),
}

IN_PYTHON = """
    op.create_table("scratch", sa.Column("id", sa.Integer(), primary_key=True))
    with op.batch_alter_table("customer") as batch:
        batch.add_column(sa.Column("initial", sa.String(1)))
    connection = op.get_bind()
    {read}
    for row in rows:
        statement = sa.text("UPDATE customer SET initial = :initial WHERE id = :id")
        connection.execute(statement, {{"initial": row.name[0], "id": row.id}})
"""


class Project:
    """The application and its ``migrations`` folder.

    :param url: of an empty database
    :param folder: for the scripts
    """

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self.app = app = Flask("project")
        app.config["SQLALCHEMY_DATABASE_URI"] = url
        self.db = db = SQLAlchemy(app)
        Migrate(app, db, directory=str(folder), render_as_batch=True, compare_server_default=True)
        Tenancy(app)

        class Customer(db.Model):  # type: ignore[name-defined,misc]
            id = db.Column(db.Integer, primary_key=True)
            name = db.Column(db.String(80), unique=True, nullable=False)
            segment = db.Column(db.String(20), server_default="none", nullable=False)

        class Contact(db.Model):  # type: ignore[name-defined,misc]
            id = db.Column(db.Integer, primary_key=True)
            customer_id = db.Column(db.ForeignKey("customer.id", ondelete="CASCADE"), nullable=False)
            email = db.Column(db.String(50), nullable=False)

        class Invoice(db.Model):  # type: ignore[name-defined,misc]
            id = db.Column(db.Integer, primary_key=True)
            number = db.Column(db.String(20), unique=True, nullable=False, index=True)
            customer_id = db.Column(db.ForeignKey("customer.id", ondelete="CASCADE"), nullable=False)

        class Setting(db.Model):  # type: ignore[name-defined,misc]
            key = db.Column(db.String(20), primary_key=True)
            value = db.Column(db.String(20))

    def script(self, revision: str, up: str, down: str = "pass", before: str | None = None) -> None:
        """Write a version by hand."""
        bodies = [textwrap.indent(textwrap.dedent(body).strip(), "    ") for body in (up, down)]
        (self.folder / "versions" / f"{revision}_by_hand.py").write_text(
            "from alembic import op\nimport sqlalchemy as sa\n"
            f"revision = {revision!r}\ndown_revision = {before!r}\n\n"
            f"def upgrade():\n{bodies[0]}\n\ndef downgrade():\n{bodies[1]}\n"
        )

    def flask_db(self, *arguments: str) -> Result:
        """Run ``flask db …``."""
        return self.app.test_cli_runner().invoke(args=["db", *arguments])

    def run(self, *arguments: str) -> str:
        """Run ``flask db …``, which must succeed."""
        # env.py leaves what only autogenerate may use to the next command, which is another process elsewhere
        self.app.extensions["migrate"].configure_args.pop("process_revision_directives", None)
        result = self.flask_db(*arguments)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    def current(self) -> list[str]:
        """The revisions that the database is at."""
        self.run("current")
        return [row[0] for row in rows(self.url, "alembic_version")]

    def ask(self, sql: str) -> dict[str, list[Any]]:
        """What each tenant sees."""
        with self.app.app_context():
            found = {}
            for tenant in for_each_tenant(reason="test"):
                found[tenant.slug] = [tuple(row) for row in self.db.session.execute(sa.text(sql))]
            return found

    def do(self, slug: str, *statements: str) -> None:
        """Work in a tenant."""
        with self.app.app_context(), tenant_context(slug):
            for statement in statements:
                self.db.session.execute(sa.text(statement))
            self.db.session.commit()


@pytest.fixture
def loggers() -> Iterator[None]:
    """Flask-Migrate's env.py sets up logging for the whole process, and switches off every logger that it finds."""
    root = logging.getLogger()
    known = [
        root,
        *(found for found in root.manager.loggerDict.values() if isinstance(found, logging.Logger)),
    ]
    kept = [
        (logger, logger.disabled, logger.level, list(logger.handlers), logger.propagate) for logger in known
    ]
    yield
    for logger, disabled, level, handlers, propagate in kept:
        logger.disabled, logger.propagate = disabled, propagate
        logger.setLevel(level)
        logger.handlers[:] = handlers


@pytest.fixture
def project(database_url: str, tmp_path: Path, loggers: None) -> Iterator[Project]:
    project = Project(database_url, tmp_path / "migrations")
    project.run("init")
    previous = None
    for revision, (up, down) in VERSIONS.items():
        project.script(revision, up, down, previous)
        previous = revision
    yield project
    with project.app.app_context():
        project.db.engine.dispose()


def _fill(project: Project) -> None:
    for slug in ("acme", "bella"):
        state_of(project.app).create(slug, slug.title())
        project.do(
            slug,
            f"INSERT INTO customer (name, email) VALUES ('Ada', 'ada@{slug}.test'), ('Bob', 'bob@{slug}.test')",
            "INSERT INTO invoice (number, customer_id) SELECT 'N-' || name, id FROM customer",
            "INSERT INTO invoice (number, customer_id) SELECT 'void', id FROM customer WHERE name = 'Bob'",
        )
    project.do("bella", "INSERT INTO customer (name) VALUES ('Carl')")


def _columns(project: Project, name: str) -> set[str]:
    with project.app.app_context():
        return {column["name"] for column in sa.inspect(project.db.engine).get_columns(name)}


def test_autogenerate_writes_the_first_version_and_proposes_nothing_afterwards(
    database_url: str, tmp_path: Path, loggers: None
) -> None:
    project = Project(database_url, tmp_path / "migrations")
    project.run("init")
    project.run("migrate", "-m", "all of it", "--rev-id", "0001")
    text = next((project.folder / "versions").glob("0001*.py")).read_text()
    assert "create_table('customer'" in text
    assert "tenan" not in text
    project.run("upgrade")
    assert project.current() == ["0001"]
    project.run("check")
    for slug in ("acme", "bella"):
        state_of(project.app).create(slug, slug.title())
    project.run("migrate", "-m", "nothing")
    assert len(list((project.folder / "versions").glob("*.py"))) == 1
    project.run("check")
    project.run("downgrade", "base")
    assert project.current() == []
    project.run("upgrade")
    project.run("check")
    with project.app.app_context():
        project.db.engine.dispose()


def test_an_upgrade_reaches_every_tenants_rows(project: Project) -> None:
    project.run("upgrade", "0001")
    _fill(project)
    before = project.ask("SELECT id, name FROM customer ORDER BY id")
    invoices = project.ask("SELECT id, number FROM invoice WHERE number <> 'void' ORDER BY id")
    assert [len(rows) for rows in before.values()] == [2, 3]

    project.run("upgrade")
    assert project.current() == ["0002"]
    project.run("check")
    assert project.ask("SELECT id, name FROM customer ORDER BY id") == before
    assert project.ask("SELECT id, number FROM invoice ORDER BY id") == invoices
    assert project.ask("SELECT name FROM customer WHERE segment = 'big'") == {
        "acme": [("Bob",)],
        "bella": [("Bob",)],
    }
    emails = "SELECT name, email FROM contact JOIN customer ON customer.id = customer_id ORDER BY name"
    assert project.ask(emails) == {
        "acme": [("Ada", "ada@acme.test"), ("Bob", "bob@acme.test")],
        "bella": [("Ada", "ada@bella.test"), ("Bob", "bob@bella.test"), ("Carl", "carl@example.test")],
    }
    state_of(project.app).create("cora", "Cora")
    seeds = [("currency", "EUR"), ("paper", "A4"), ("theme", "light")]
    settings = project.ask("SELECT key, value FROM setting ORDER BY key")
    assert settings == {"acme": seeds, "bella": seeds, "cora": seeds}
    with pytest.raises(sa.exc.IntegrityError):  # keys are as they were: per tenant, and enforced
        project.do("acme", "INSERT INTO invoice (number, customer_id) SELECT 'N-Ada', id FROM customer")
    with pytest.raises(sa.exc.IntegrityError):
        project.do("acme", "INSERT INTO contact (customer_id, email) VALUES (-1, 'x')")

    project.run("downgrade", "0001")
    assert project.current() == ["0001"]
    assert _columns(project, "customer") == {"id", "name", "email"}
    assert project.ask("SELECT email FROM customer ORDER BY name")["bella"] == [
        ("ada@bella.test",),
        ("bob@bella.test",),
        ("carl@example.test",),
    ]
    assert project.ask("SELECT id, number FROM invoice ORDER BY id") == {**invoices, "cora": []}
    project.run("upgrade")
    project.run("check")
    assert len(table(project.url, "contact")) == 5
    project.run("stamp", "0001")
    assert project.current() == ["0001"]
    project.run("stamp", "head")
    assert project.current() == ["0002"]


READS = {
    "text": 'rows = connection.execute(sa.text("SELECT id, name FROM customer")).all()',
    "core": 'c = sa.table("customer", sa.column("id"), sa.column("name")); '
    "rows = connection.execute(sa.select(c.c.id, c.c.name)).all()",
    "orm": "from sqlalchemy.orm import Session, declarative_base\n"
    "    class Customer(declarative_base()):\n"
    '        __tablename__ = "customer"\n'
    "        id = sa.Column(sa.Integer, primary_key=True)\n"
    "        name = sa.Column(sa.String)\n"
    "    rows = Session(bind=connection).query(Customer).all()",
    "driver_sql": 'rows = connection.exec_driver_sql("SELECT id, name FROM customer").all()',
    "cursor": "cursor = connection.connection.cursor(); "
    'cursor.execute("SELECT id, name FROM customer"); rows = cursor.fetchall()',
}


def test_a_refused_migration_leaves_nothing_half_done(project: Project) -> None:
    project.run("upgrade", "0001")
    _fill(project)
    project.run("upgrade")
    for name, read in READS.items():
        project.script("0003", IN_PYTHON.format(read=read), before="0002")
        before = {n: table(project.url, n) for n in ("customer", "invoice", "setting", "alembic_version")}
        result = project.flask_db("upgrade")
        assert result.exit_code != 0, name
        assert "for_each_tenant" in str(result.exception), name
        assert "'customer'" in str(result.exception), name
        assert {n: table(project.url, n) for n in before} == before, name
        assert project.current() == ["0002"], name
        project.run("upgrade", "0002")
        assert "initial" not in _columns(project, "customer"), name
        project.run("stamp", "0002")


def test_a_migration_may_loop_over_tenants(project: Project) -> None:
    project.run("upgrade", "0001")
    _fill(project)
    project.script(
        "0003",
        """
        from flask_tenant import for_each_tenant
        with op.batch_alter_table("customer") as batch:
            batch.add_column(sa.Column("initial", sa.String(1)))
        customer = sa.table("customer", sa.column("id"), sa.column("name"), sa.column("initial"))
        for tenant in for_each_tenant(reason="initials"):
            for row in op.get_bind().execute(sa.select(customer)).all():
                change = customer.update().where(customer.c.id == row.id).values(initial=row.name[0])
                op.get_bind().execute(change)
        """,
        before="0002",
    )
    project.run("upgrade")
    assert project.ask("SELECT initial FROM customer ORDER BY id") == {
        "acme": [("A",), ("B",)],
        "bella": [("A",), ("B",), ("C",)],
    }
