"""Report-only mode lets through and lists, while there is one tenant at most."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from flask_tenant import signals, tenant_context
from flask_tenant.errors import NoTenantError, StatementRefusedError, TenancyError
from flask_tenant.registry import state_of
from tests.extension.notes import Notes
from tests.rules.reads.world import Rules, decide

UNSAFE = "SELECT count(*), my_function(1) FROM note"


def test_refusals_are_listed_until_a_second_tenant_comes(notes: Notes) -> None:
    app = notes.create_app(TENANT_ENFORCEMENT="report")
    state = state_of(app)
    state.create("acme", "Acme")
    listed: list[TenancyError] = []

    def note(sender: object, error: TenancyError) -> None:
        listed.append(error)

    signals.statement_reported.connect(note)
    with app.app_context():
        # without a tenant: the only one
        notes.db.session.add(notes.Note(title="anvil"))
        notes.db.session.commit()
        assert isinstance(listed[0], NoTenantError)
        notes.db.session.remove()
        with tenant_context("acme"):
            assert notes.db.session.scalars(sa.select(notes.Note.title)).all() == ["anvil"]
            # reaches the database, which is what knows no such function
            with pytest.raises(sa.exc.DBAPIError, match="my_function"):
                notes.db.session.execute(sa.text(UNSAFE))
            notes.db.session.rollback()
            with pytest.raises(sa.exc.DBAPIError, match="my_function"):
                notes.db.session.execute(sa.select(sa.func.my_function(notes.Note.id)))
            notes.db.session.rollback()
            with (
                notes.db.engine.connect() as connection,
                pytest.raises(sa.exc.DBAPIError, match="my_function"),
            ):
                connection.exec_driver_sql(UNSAFE)
            # nobody knows which rules it would pass by
            state.databases.isolations[notes.db.engine].wall.rules = rules = Rules()
            rules.rulings["acme"] = decide({})
            with notes.db.engine.connect() as connection:
                for send in (connection.exec_driver_sql, lambda text: connection.execute(sa.text(text))):
                    with pytest.raises(StatementRefusedError, match="my_function"):
                        send(UNSAFE)
            state.databases.isolations[notes.db.engine].wall.rules = None
    assert [type(e) for e in listed].count(StatementRefusedError) == len(listed) - 1 >= 2
    assert all("my_function" in str(e) for e in listed[1:])

    state.create("bella", "Bella")
    with app.app_context():
        with pytest.raises(NoTenantError):
            notes.db.session.scalars(sa.select(notes.Note)).all()
        notes.db.session.rollback()
        with tenant_context("acme"):
            for statement in (sa.text(UNSAFE), sa.select(sa.func.my_function(notes.Note.id))):
                with pytest.raises(StatementRefusedError):
                    notes.db.session.execute(statement)
        notes.db.engine.dispose()
