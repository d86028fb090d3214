"""A running server whose tables another process changes: the database's error tells it to look again."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from flask_tenant import tenant_context
from flask_tenant.isolate import views
from tests.attacks.world import Customer, Invoice, fill, make_app


@pytest.mark.databases("sqlite", "postgresql+psycopg")
@pytest.mark.parametrize("begun", ["by itself", "by the application", "by a session", "again"])
def test_a_column_that_is_gone(database_url: str, begun: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "RELOAD_SECONDS", 0)
    engine = sa.create_engine(database_url, pool_size=1, max_overflow=0)
    app, tenancy = make_app(engine)
    tenant = app.extensions["tenancy"].create("acme", "acme")
    # The derived table that a full join takes names all columns.
    statement = sa.select(Invoice.number).select_from(
        sa.outerjoin(Invoice.__table__, Customer.__table__, Invoice.customer_id == Customer.id, full=True)
    )
    with tenant_context(tenant, app), engine.begin() as connection:
        fill(connection, "acme")
        before = connection.execute(statement).all()
    other = sa.create_engine(database_url)
    tenancy.exempt(other)
    with other.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE customer DROP COLUMN note")
    other.dispose()
    with tenant_context(tenant, app), engine.connect() as connection:
        with pytest.raises(sa.exc.DBAPIError):
            connection.execute(statement)
        connection.rollback()
        if begun == "again":
            assert connection.execute(statement).all() == before
    with tenant_context(tenant, app):
        if begun == "by a session":
            with Session(engine) as session:
                assert session.execute(statement).all() == before
        elif begun == "by the application":
            with engine.begin() as connection:
                assert connection.execute(statement).all() == before
        else:
            with engine.connect() as connection:
                assert connection.execute(statement).all() == before
    engine.dispose()


@pytest.mark.databases("sqlite")
def test_a_column_that_has_another_name(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite takes a quoted name that it does not know for a string: no error would ever tell."""
    monkeypatch.setattr(views, "RELOAD_SECONDS", 0)
    engine = sa.create_engine(database_url)
    app, tenancy = make_app(engine)
    tenant = app.extensions["tenancy"].create("acme", "acme")
    statement = sa.text("UPDATE visit SET hits = 7 RETURNING *")
    with tenant_context(tenant, app), engine.begin() as connection:
        fill(connection, "acme")
        assert set(connection.execute(statement).all()) == {("canary-acme", 7)}
    other = sa.create_engine(database_url)
    tenancy.exempt(other)
    with other.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE visit RENAME COLUMN page TO path")
    other.dispose()
    with tenant_context(tenant, app), engine.connect() as connection, pytest.raises(sa.exc.OperationalError):
        connection.execute(statement)
    with tenant_context(tenant, app), engine.connect() as connection:
        found = connection.execute(statement)
        assert (*found.keys(),) == ("path", "hits")
        assert set(found) == {("canary-acme", 7)}
    engine.dispose()
