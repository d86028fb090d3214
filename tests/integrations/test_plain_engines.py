"""An application without Flask-SQLAlchemy, and one with several engines: tenanted or exempt, by name."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, scoped_session, sessionmaker

from flask_tenant import Tenancy, central_context, tenant_context
from flask_tenant.engines import exempt_engine
from flask_tenant.errors import (
    ConfigurationError,
    NoTenantError,
    StatementRefusedError,
    TenantChangedError,
    UnknownEngineError,
)
from flask_tenant.registry import state_of
from tests.integrations.helpers import at, table, with_tenants

BOTH = pytest.mark.databases("sqlite", "postgresql+psycopg")


class Base(DeclarativeBase):
    pass


class Note(Base):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(sa.String(50), unique=True)


TITLES = sa.select(Note.title).order_by(Note.id)


class Plain:
    """An application that makes its own engine and sessions, at the top of a module, long before Flask."""

    def __init__(self, url: str) -> None:
        self.engine = sa.create_engine(url)
        self.factory = sessionmaker(self.engine)
        self.session = scoped_session(self.factory)

    def create_app(self, **config: Any) -> Flask:
        app = Flask("plain")
        app.config.update(config)
        Tenancy(engines=[self.engine], sessions=[self.session]).init_app(app)
        Base.metadata.create_all(self.engine)

        @app.post("/<title>")
        def add(title: str) -> str:
            self.session.add(Note(title=title))
            self.session.commit()
            return "added"

        @app.get("/")
        def titles() -> list[str]:
            return list(self.session.scalars(TITLES))

        @app.get("/own")
        def own() -> list[str]:
            with self.factory() as session, session.begin():
                return list(session.scalars(TITLES))

        @app.get("/core")
        def core() -> list[str]:
            with self.engine.connect() as connection:
                return list(connection.scalars(TITLES))

        @app.teardown_appcontext
        def remove(error: BaseException | None) -> None:
            self.session.remove()

        return app


@pytest.fixture
def plain(database_url: str) -> Iterator[Plain]:
    plain = Plain(database_url)
    yield plain
    plain.engine.dispose()


@BOTH
def test_engine_sessionmaker_and_scoped_session(plain: Plain, database_url: str) -> None:
    app = with_tenants(plain.create_app())
    client = app.test_client()
    for title in ("one", "two"):
        for slug in ("acme", "bella"):
            assert client.post(at(slug, f"/{slug}-{title}")).status_code == 200
    assert len(table(database_url, "note")) == 4
    for path in ("/", "/own", "/core"):
        for slug in ("acme", "bella"):
            assert client.get(at(slug, path)).json == [f"{slug}-one", f"{slug}-two"], path


@BOTH
def test_scoped_sessions_of_nested_scopes_and_threads(plain: Plain, database_url: str) -> None:
    app = with_tenants(plain.create_app())
    with tenant_context("acme", app):
        plain.session.add(Note(title="acme"))
        plain.session.commit()
        inner = plain.session()
        with tenant_context("bella", app):
            assert plain.session() is not inner
            plain.session.add(Note(title="bella"))
            plain.session.commit()
            with pytest.raises(TenantChangedError):
                inner.scalars(TITLES).all()
        assert plain.session() is inner
        found: list[Any] = []

        def work() -> None:  # a thread begins with no tenant
            try:
                found.append(plain.session.scalars(TITLES).all())
            except NoTenantError as error:
                found.append(error)
            finally:
                plain.session.remove()
            with tenant_context("bella", app):
                found.append(plain.session.scalars(TITLES).all())

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert isinstance(found[0], NoTenantError)
        assert found[1] == ["bella"]
        assert plain.session.scalars(TITLES).all() == ["acme"]
    assert len(table(database_url, "note")) == 2


@BOTH
def test_a_factory_called_again_with_the_same_engine(plain: Plain, database_url: str) -> None:
    first = with_tenants(plain.create_app(TENANT_DEFAULT="acme"))
    first.test_client().post(at("acme", "/anvil"))
    second = plain.create_app(TENANT_DEFAULT="bella")  # starts up: `create_all` is none of a tenant's DDL
    for app in (first, second):
        assert app.test_client().get(at("acme", "/")).json == ["anvil"]
        assert app.test_client().get(at("bella", "/")).json == []
    for app, titles in ((first, ["anvil"]), (second, [])):
        with app.app_context():
            assert plain.session.scalars(TITLES).all() == titles
    with pytest.raises(ConfigurationError, match="share the engine"):
        plain.create_app(TENANT_SHARED_TABLES=["note"])


@pytest.mark.databases("sqlite")
def test_an_application_that_is_gone_speaks_for_nobody(plain: Plain) -> None:
    import gc

    app = with_tenants(plain.create_app(TENANT_DEFAULT="acme"))
    with app.app_context():
        assert plain.session.scalars(TITLES).all() == []
        plain.session.remove()
    del app
    gc.collect()
    with plain.engine.connect() as connection, pytest.raises(NoTenantError):
        connection.scalars(TITLES)


@BOTH
def test_two_engines_of_one_database_share_the_wall(plain: Plain, database_url: str) -> None:
    app = with_tenants(plain.create_app())
    other = sa.create_engine(database_url, isolation_level="AUTOCOMMIT")  # such as for maintenance
    with tenant_context("acme", app):
        with other.connect() as connection:
            connection.execute(sa.insert(Note).values(title="anvil"))
        with plain.engine.connect() as connection:
            assert connection.scalars(TITLES).all() == ["anvil"]
    with tenant_context("bella", app), other.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM note").scalar() == 0
    with other.connect() as connection, pytest.raises(NoTenantError):
        connection.scalars(TITLES)
    other.dispose()


def _two_databases(tmp_path: Path, tenancy: Tenancy | None = None, **config: Any) -> tuple[Flask, Any]:
    app = Flask("two")
    app.config.update(
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path / 'main.db'}",
        SQLALCHEMY_BINDS={
            "log": f"sqlite:///{tmp_path / 'log.db'}",
            "more": f"sqlite:///{tmp_path / 'more.db'}",
        },
        **config,
    )
    db = SQLAlchemy(app)

    class Order(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)
        what = db.Column(db.String(50))

    class Line(db.Model):  # type: ignore[name-defined,misc]
        __bind_key__ = "log"
        id = db.Column(db.Integer, primary_key=True)
        text = db.Column(db.String(50))

    class Extra(db.Model):  # type: ignore[name-defined,misc]
        __bind_key__ = "more"
        id = db.Column(db.Integer, primary_key=True)
        text = db.Column(db.String(50))

    db.models = Order, Line, Extra
    if tenancy is not None:
        with app.app_context():
            tenancy.init_app(app)
            db.create_all()
    return app, db


def test_an_engine_that_nobody_has_named_is_refused_with_what_to_do(tmp_path: Path) -> None:
    app, db = _two_databases(tmp_path, TENANT_EXEMPT_ENGINES=["more"])
    tenancy = Tenancy(app)
    with app.app_context():
        log = db.engines["log"]
        with pytest.raises(UnknownEngineError) as caught:
            log.connect()
        assert "log.db" in str(caught.value)
        for word in ("Tenancy(engines=", "tenancy.exempt(engine)", "TENANT_EXEMPT_ENGINES"):
            assert word in str(caught.value)
        with pytest.raises(UnknownEngineError), Session(log) as session:
            session.execute(sa.text("SELECT 1"))
        with pytest.raises(UnknownEngineError):
            log.raw_connection()
        with pytest.raises(UnknownEngineError):
            log.pool.connect()
        assert not (tmp_path / "log.db").exists() or (tmp_path / "log.db").stat().st_size == 0
        with db.engines["more"].connect() as connection:  # exempt by its bind key
            assert connection.exec_driver_sql("SELECT 1").scalar() == 1
        tenancy.exempt(log)
        with log.connect() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar() == 1


def test_one_unit_of_work_over_a_tenanted_and_an_exempt_engine(tmp_path: Path) -> None:
    app, db = _two_databases(tmp_path, Tenancy(), TENANT_EXEMPT_ENGINES=["log", "more"])
    with_tenants(app)
    order, line, _ = db.models
    with app.app_context():
        for slug in ("acme", "bella"):
            with tenant_context(slug):
                db.session.add_all([order(what=slug), line(text=f"an order of {slug}")])
                db.session.commit()
        for slug in ("acme", "bella"):
            with tenant_context(slug):
                assert db.session.scalars(sa.select(order.what)).all() == [slug]
                assert len(db.session.scalars(sa.select(line.text)).all()) == 2
        db.session.remove()
        # without a tenant, what belongs to none can be read
        assert len(db.session.scalars(sa.select(line.text)).all()) == 2
        with pytest.raises(NoTenantError):
            db.session.scalars(sa.select(order.what)).all()


def test_several_tenanted_engines_are_filled_together_or_not_at_all(tmp_path: Path) -> None:
    app, db = _two_databases(tmp_path)
    order, line, extra = db.models
    with app.app_context():
        Tenancy(engines=["default", "log", "more"]).init_app(app)
        db.create_all()
        db.session.add_all([order(what="seed"), line(text="seed"), extra(text="seed")])
        db.session.commit()
    state = state_of(app)
    more = sa.create_engine(f"sqlite:///{tmp_path / 'more.db'}")
    exempt_engine(more)
    with more.begin() as connection:  # somebody else's rows are in the way of the last one
        connection.exec_driver_sql("INSERT INTO extra (tenant_id, id, text) VALUES (1, 1, 'in the way')")
    with pytest.raises(sa.exc.IntegrityError):
        state.create("acme", "Acme")
    assert state.directory.all() == []
    for name, rows in (("main.db", '"order"'), ("log.db", "line")):
        assert [row[0] for row in table(f"sqlite:///{tmp_path / name}", rows)] == [0]
    with more.begin() as connection:
        connection.exec_driver_sql("DELETE FROM extra WHERE tenant_id = 1")
    more.dispose()
    state.create("acme", "Acme")
    with app.app_context(), tenant_context("acme"):
        found = [db.session.scalars(sa.select(model)).one() for model in db.models]
        assert [found[0].what, found[1].text, found[2].text] == ["seed"] * 3


@BOTH
def test_the_first_connection_may_ask_for_autocommit(database_url: str) -> None:
    """As migrations do: what SQLAlchemy learns from its first connection is known in every scope."""
    engine = sa.create_engine(database_url)
    app = Flask("plain")
    Tenancy(engines=[engine]).init_app(app)
    with engine.connect() as connection:  # at start-up: in the template
        connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        Base.metadata.create_all(connection)
        connection.execute(sa.insert(Note).values(title="seeded"))
    with_tenants(app)
    note = Base.metadata.tables["note"]
    with central_context(reason="test"), engine.connect() as connection:
        connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        labelled = connection.execute(sa.select(note.c.title)).all()
        assert connection.dialect.server_version_info
    assert {row.title for row in labelled} == {"seeded"}
    engine.dispose()


ASKED = {
    "sqlite": ["SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'note'"],
    "postgresql": [
        "SELECT count(*) FROM pg_database WHERE datname = current_database()",
        "SELECT count(*) FROM pg_catalog.pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relname = 'note'",
        "SELECT count(*) FROM information_schema.columns WHERE table_name = 'note' AND column_name = 'title'",
    ],
}


@BOTH
def test_start_up_asks_the_catalogue_and_tenants_do_not(database_url: str) -> None:
    engine = sa.create_engine(database_url)
    app = Flask("plain")
    Tenancy(engines=[engine]).init_app(app)
    Base.metadata.create_all(engine)
    statements = ASKED[engine.dialect.name]
    with engine.connect() as connection:
        for statement in statements:
            assert connection.scalar(sa.text(statement)) == 1, statement
            assert connection.exec_driver_sql(statement).scalar() == 1, statement
    with_tenants(app)
    with app.app_context(), tenant_context("acme"), engine.connect() as connection:
        for statement in statements:
            with pytest.raises(StatementRefusedError, match=r"inspect\(\)"):
                connection.scalar(sa.text(statement))
    engine.dispose()
