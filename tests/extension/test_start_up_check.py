"""A database that is not ready is refused at start-up, as it was, with everything named that stands in the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from flask import Flask
from flask.cli import FlaskGroup
from flask_sqlalchemy import SQLAlchemy

from flask_tenant import Tenancy, TenancyError
from flask_tenant.engines import exempt_engine
from flask_tenant.errors import ConfigurationError, SchemaNotReadyError, UnsafeObjectError
from tests.extension.notes import Notes

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg")


@pytest.fixture
def plain(database_url: str) -> Iterator[sa.Engine]:
    """The database past the wall."""
    engine = sa.create_engine(database_url)
    exempt_engine(engine)
    yield engine
    engine.dispose()


def run(engine: sa.Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def look(engine: sa.Engine) -> dict[str, Any]:
    """Everything that a refusal might have changed."""
    inspector = sa.inspect(engine)
    found: dict[str, Any] = {}
    with engine.connect() as connection:
        for name in inspector.get_table_names():
            keys = (
                inspector.get_unique_constraints(name),
                inspector.get_indexes(name),
                inspector.get_pk_constraint(name),
            )
            columns = [column["name"] for column in inspector.get_columns(name)]
            found[name] = columns, repr(keys), connection.exec_driver_sql(f"SELECT * FROM {name}").all()
    return found


SINGLE = (
    "CREATE TABLE country (code VARCHAR(2) PRIMARY KEY)",
    "CREATE TABLE note (id INTEGER PRIMARY KEY, title VARCHAR(100) UNIQUE, body TEXT)",
    "CREATE TABLE setting (key VARCHAR(50) PRIMARY KEY, value TEXT)",
    "INSERT INTO note VALUES (1, 'anvil', '')",
)


def test_tables_of_a_single_tenant(notes: Notes, plain: sa.Engine) -> None:
    run(plain, *SINGLE)
    before = look(plain)
    for _ in range(2):  # asking again changes nothing either
        with pytest.raises(SchemaNotReadyError) as caught:
            notes.create_app()
        assert sorted(caught.value.value) == ["note", "setting"]
        message = str(caught.value)
        assert "tenant_id" in message
        assert "note" in message
        assert "setting" in message
        assert "country" not in message  # named as shared
        assert "Nothing was changed" in message
        assert "TENANT_SHARED_TABLES" in message
        assert "flask-tenant run" in message
    assert look(plain) == before


def test_a_command_says_it_in_a_sentence(notes: Notes, plain: sa.Engine) -> None:
    run(plain, *SINGLE)
    result = CliRunner().invoke(FlaskGroup(create_app=notes.create_app), ["routes"])
    assert result.exit_code == 1
    assert result.output.startswith("Error: The database ")
    assert "Nothing was changed" in result.output
    assert "Traceback" not in result.output


def test_an_application_that_goes_on_after_the_refusal_is_refused_again(
    database_url: str, plain: sa.Engine
) -> None:
    run(plain, *SINGLE)
    app = Flask("stubborn")
    app.config["SQLALCHEMY_DATABASE_URI"] = database_url
    db = SQLAlchemy(app)
    app.add_url_rule("/", "index", lambda: str(db.session.scalar(sa.text("SELECT title FROM note"))))
    with pytest.raises(SchemaNotReadyError):
        Tenancy(app)
    app.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(SchemaNotReadyError):
        app.test_client().get("/", base_url="http://acme.example.test")
    run(plain, "DROP TABLE note", "DROP TABLE setting", "DROP TABLE country")
    assert app.test_client().get("/", base_url="http://acme.example.test").status_code == 404
    with app.app_context():
        db.engine.dispose()


@pytest.mark.parametrize(
    ("made_by_hand", "named"),
    [
        ("CREATE UNIQUE INDEX by_hand ON note (body)", "by_hand"),
        ("CREATE TABLE extra (id INTEGER PRIMARY KEY, tenant_id BIGINT NOT NULL)", "extra"),
        ("CREATE TABLE extra (tenant_id BIGINT, code TEXT REFERENCES country, PRIMARY KEY (code))", "extra"),
    ],
    ids=["unique index", "primary key", "natural key"],
)
def test_keys_that_are_not_per_tenant_are_named(
    notes: Notes, plain: sa.Engine, made_by_hand: str, named: str
) -> None:
    notes.create_app()
    run(plain, made_by_hand)
    before = look(plain)
    with pytest.raises(SchemaNotReadyError) as caught:
        notes.create_app()
    assert named in str(caught.value)
    assert caught.value.value
    assert look(plain) == before


def test_triggers_and_views_are_named_until_somebody_vouches_for_them(notes: Notes, plain: sa.Engine) -> None:
    notes.create_app()
    run(plain, "CREATE VIEW every_note AS SELECT title FROM note")
    with pytest.raises(UnsafeObjectError) as caught:
        notes.create_app()
    assert "every_note" in str(caught.value)
    assert "TENANT_SAFE_OBJECTS" in str(caught.value)
    notes.create_app(TENANT_SAFE_OBJECTS=["every_note"])


def test_an_application_with_a_column_of_that_name(database_url: str, plain: sa.Engine) -> None:
    run(plain, "CREATE TABLE lease (id INTEGER PRIMARY KEY, tenant_id INTEGER)")
    app = Flask("landlord")
    app.config["SQLALCHEMY_DATABASE_URI"] = database_url
    db = SQLAlchemy(app)
    with pytest.raises(SchemaNotReadyError, match="lease"):
        Tenancy(app)
    run(plain, "DROP TABLE lease")

    class Lease(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)
        tenant_id = db.Column(db.Integer)

    other = Flask("landlord")
    other.config["SQLALCHEMY_DATABASE_URI"] = database_url
    db.init_app(other)
    with other.app_context(), pytest.raises(TenancyError, match="TENANT_COLUMN"):
        Tenancy(other)
        db.create_all()
    third = Flask("landlord")
    third.config.update(SQLALCHEMY_DATABASE_URI=database_url, TENANT_COLUMN="customer_of_ours")
    db.init_app(third)
    with third.app_context():
        Tenancy(third)
        db.create_all()
        for application in (app, other, third):
            with application.app_context():
                db.engine.dispose()


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"TENANT_SHARED": ["x"]}, "Unknown setting TENANT_SHARED. Did you mean TENANT_SHARED_TABLES?"),
        ({"TENANT_SHARED_TABLES": "country"}, "Use a list of strings"),
        ({"TENANT_COLUMN": "Tenant Id"}, "lower-case letters"),
        ({"TENANT_ENFORCEMENT": "off"}, "Use 'enforce' or 'report'"),
    ],
)
def test_settings_that_make_no_sense(config: dict[str, Any], words: str, sqlite_url: str) -> None:
    app = Flask("wrong")
    app.config.update(SQLALCHEMY_DATABASE_URI=sqlite_url, **config)
    SQLAlchemy(app)
    with pytest.raises(ConfigurationError, match=words):
        Tenancy(app)
