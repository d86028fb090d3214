"""Outside requests: one tenant, each in turn, none at all, or central work."""

from __future__ import annotations

import contextvars
import logging
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_tenant import (
    central_context,
    current_tenant,
    for_each_tenant,
    signals,
    tenant_column,
    tenant_context,
)
from flask_tenant.context import current_scope, internal
from flask_tenant.errors import (
    CentralRefusedError,
    NoTenantError,
    TenantChangedError,
    TenantError,
    TenantNotFoundError,
)
from flask_tenant.model import Tenant
from flask_tenant.registry import state_of
from tests.extension.notes import Notes, rows

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg")


@pytest.fixture
def filled(app: Flask, notes: Notes) -> Flask:
    for slug in ("acme", "bella"):
        with app.app_context(), tenant_context(slug):
            notes.db.session.add_all([notes.Note(title=f"{slug}-{n}") for n in range(2)])
            notes.db.session.commit()
    return app


def titles(notes: Notes) -> list[str]:
    return list(notes.db.session.scalars(sa.select(notes.Note.title).order_by(notes.Note.id)))


def test_a_tenant_is_entered_by_slug_or_value(filled: Flask, notes: Notes) -> None:
    with filled.app_context():
        with tenant_context("bella") as scope:
            assert titles(notes) == ["bella-0", "bella-1"]
            assert current_tenant().slug == "bella"
            assert scope.tenant == current_tenant()
            with pytest.raises(TenantError, match="a second time"), state_of(filled).enter(scope):
                raise AssertionError("it would be around itself")
            assert current_scope() is scope
        with tenant_context(scope.tenant):
            assert titles(notes) == ["bella-0", "bella-1"]
        with pytest.raises(TenantNotFoundError, match="'flask tenant list' shows them"):
            tenant_context("cora")
        with pytest.raises(NoTenantError):
            current_tenant()
        with pytest.raises(NoTenantError):
            titles(notes)


def test_scopes_nest_each_with_sessions_of_its_own(filled: Flask, notes: Notes) -> None:
    session = notes.db.session
    with filled.app_context(), tenant_context("acme"):
        outer, mine = session(), session.scalars(sa.select(notes.Note)).first()
        session.add(notes.Note(title="waits"))
        with tenant_context("bella"):
            assert session() is not outer
            assert titles(notes) == ["bella-0", "bella-1"]
            assert session.get(notes.Note, -1) is None
            with tenant_context("acme"):
                assert session() is not outer  # another stay, another session
                assert session.get(notes.Note, mine.id) is not mine
                assert titles(notes) == ["acme-0", "acme-1"]
            with pytest.raises(TenantChangedError):
                outer.get(notes.Note, mine.id)
            with pytest.raises(TenantChangedError):
                outer.connection().execute(sa.select(notes.Note.id))
            with central_context(reason="nested"), pytest.raises(CentralRefusedError):
                session.scalars(sa.select(notes.Note)).all()
            with central_context(reason="one"):
                central = session()
                with central_context(reason="another"):
                    assert session() is not central
        assert session() is outer
        session.rollback()
        with tenant_context("acme"):  # within the same tenant its session goes on
            assert session() is outer
            session.add(notes.Note(title="acme-2"))
        session.commit()
        assert titles(notes) == ["acme-0", "acme-1", "acme-2"]


def _fail_half_way(notes: Notes) -> None:
    notes.db.session.add(notes.Note(title="never"))
    notes.db.session.flush()
    raise ZeroDivisionError


def _refuse(*_: object, **__: object) -> None:
    raise ZeroDivisionError


def test_an_exception_leaves_the_scope(filled: Flask, notes: Notes) -> None:
    with filled.app_context():
        with pytest.raises(ZeroDivisionError), tenant_context("acme"):
            _fail_half_way(notes)
        assert current_scope() is None
        with (
            signals.tenant_entered.connected_to(_refuse),
            pytest.raises(ZeroDivisionError),
            tenant_context("acme"),
        ):
            raise AssertionError("nobody may enter past what listens")
        assert current_scope() is None
        with tenant_context("acme"):
            assert titles(notes) == ["acme-0", "acme-1"]


def test_a_stay_that_does_not_begin_leaves_nobody_inside(
    filled: Flask, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with filled.app_context():
        # As where rules cannot be shown to be enforced: nobody is served, and nobody is left in the thread's context.
        with monkeypatch.context() as patch:
            patch.setattr(state_of(filled).governance, "enter", _refuse)
            for slug in ("acme", "bella"):
                with pytest.raises(ZeroDivisionError), tenant_context(slug):
                    raise AssertionError("nobody may enter")
                assert current_scope() is None
        with tenant_context("bella"):
            assert titles(notes) == ["bella-0", "bella-1"]


def test_loops_over_tenants(filled: Flask, notes: Notes, caplog: pytest.LogCaptureFixture) -> None:
    session = notes.db.session
    with filled.app_context(), caplog.at_level(logging.WARNING, "flask_tenant"):
        for tenant in for_each_tenant(reason="renumber"):
            for note in session.scalars(sa.select(notes.Note)):
                assert note.title.startswith(tenant.slug)
                note.body = f"{current_tenant().name}'s {note.id}"
            session.commit()
        assert current_scope() is None
        assert [r.getMessage() for r in caplog.records] == ["Loop over 2 tenants begins: renumber"]
        seen = {
            t.slug: session.scalars(sa.select(notes.Note.body)).all()
            for t in for_each_tenant(reason="bodies")
        }
        assert list(seen) == ["acme", "bella"]
        assert all(body.startswith(slug.title()) for slug, bodies in seen.items() for body in bodies)
    assert len(rows(notes.url, "note")) == 4


def test_leaving_is_logged_though_logging_was_configured_anew(
    filled: Flask, notes: Notes, caplog: pytest.LogCaptureFixture
) -> None:
    """``logging.config``, as in an ``env.py`` of Alembic's, switches off all loggers that it does not name."""
    for leave in (
        lambda: list(for_each_tenant(reason="loop")),
        lambda: central_context(reason="one").__enter__(),
    ):
        logging.getLogger("flask_tenant").disabled = True
        with filled.app_context(), caplog.at_level(logging.WARNING, "flask_tenant"):
            caplog.clear()
            contextvars.copy_context().run(leave)
            assert len(caplog.records) == 1


def test_a_block_that_is_collected_late_brings_nothing_back(filled: Flask) -> None:
    """Work of flask_tenant's own in a generator that nobody ends: it ends with the scope around it, and once only."""

    def suspended() -> Iterator[None]:
        with internal():
            yield

    left: list[Iterator[None]] = []
    with filled.app_context(), tenant_context("acme"):
        left.append(suspended())
        next(left[0])
        assert current_scope() is not None
    assert current_scope() is None
    with filled.app_context(), tenant_context("bella") as bella, internal():
        mine = current_scope()
        left.clear()
        assert current_scope() is mine
        assert mine.outer is bella
    assert current_scope() is None


def test_blocks_that_are_left_in_another_order(filled: Flask) -> None:
    """As two generators may be that are closed as they come: nobody is left behind as flask_tenant itself."""
    with filled.app_context(), tenant_context("acme") as acme:
        first, second = internal(), internal()
        first.__enter__()
        second.__enter__()
        first.__exit__()
        second.__exit__()
        assert current_scope() is acme


def test_a_tenants_id_is_a_number_and_nothing_else(filled: Flask) -> None:
    """Raw SQL gets it as text."""

    class Evil(int):
        def __str__(self) -> str:
            return "1 OR 1=1"

    for number in (Evil(1), "1", 1.0, True, -1):
        with pytest.raises(TenantError, match="no positive integer"), filled.app_context():
            tenant_context(Tenant(number, "acme", "Acme")).__enter__()  # type: ignore[arg-type]


def test_a_loop_that_is_broken_off_leaves_its_tenant(filled: Flask, notes: Notes) -> None:
    def failing() -> None:
        for tenant in for_each_tenant(reason="raise"):
            assert tenant.slug == "acme"
            _fail_half_way(notes)

    with filled.app_context():
        for tenant in for_each_tenant(reason="break"):
            assert tenant.slug == "acme"
            break
        assert current_scope() is None
        with pytest.raises(ZeroDivisionError) as caught:
            failing()
        assert caught.tb  # is kept, and with it the loop's frame
        assert current_scope() is None
        for outer in for_each_tenant(reason="outer"):
            for _ in for_each_tenant(reason="inner"):
                pass
            assert current_tenant() == outer
    assert not any("never" in str(row) for row in rows(notes.url, "note"))


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_leaving_isolation_takes_a_reason(app: Flask, reason: str) -> None:
    with pytest.raises(TenantError, match="without a reason"):
        next(iter(for_each_tenant(reason=reason, app=app)))
    with pytest.raises(TenantError, match="without a reason"), central_context(reason=reason, app=app):
        pass
    assert current_scope() is None


def test_central_work_is_logged_and_labels_what_it_reads(
    filled: Flask, notes: Notes, caplog: pytest.LogCaptureFixture
) -> None:
    note = notes.Note.__table__
    heard: list[str] = []

    def listen(sender: object, reason: str) -> None:
        heard.append(reason)

    with (
        filled.app_context(),
        signals.central_entered.connected_to(listen),
        caplog.at_level(logging.WARNING, "flask_tenant"),
        central_context(reason="monthly report"),
        notes.db.engine.connect() as connection,
    ):
        with pytest.raises(NoTenantError):
            current_tenant()
        found = connection.execute(sa.select(note.c.title).where(note.c.title.like("%-1"))).all()
        assert sorted((row.tenant_id, row.title) for row in found) == [(1, "acme-1"), (2, "bella-1")]
        tenant = tenant_column(note)
        counts = connection.execute(
            sa.select(tenant, sa.func.count()).select_from(note).group_by(tenant)
        ).all()
        assert sorted(tuple(row) for row in counts) == [(1, 2), (2, 2)]
        only = connection.execute(sa.select(note.c.title).where(tenant == 2).order_by(note.c.id)).all()
        assert [row.title for row in only] == ["bella-0", "bella-1"]
        assert connection.scalar(sa.text("SELECT count(*) FROM note WHERE tenant_id = 2")) == 2
    assert heard == ["monthly report"]
    assert [r.getMessage() for r in caplog.records] == [
        "Central work begins (outside any tenant): monthly report"
    ]


def test_what_central_work_may_not_do(filled: Flask, notes: Notes) -> None:
    before = rows(notes.url, "note")
    note, setting = notes.Note.__table__, notes.Setting.__table__
    forbidden = [
        sa.select(notes.Note),
        sa.select(notes.Note.id, notes.Note),
        sa.select(note, setting),
        sa.select(note.join(setting, note.c.body == setting.c.value)),
        sa.select(note.c.id).where(note.c.id.in_(sa.select(note.alias().c.id))),
        sa.select(note.c.id).where(sa.text("id IN (SELECT id FROM note)")),
        sa.select(sa.text("title")).select_from(sa.text("note")),
        note.insert().values(title="x"),
        note.update().values(body="x"),
        note.delete(),
    ]
    with filled.app_context(), central_context(reason="forbidden"):
        for statement in forbidden:
            with notes.db.engine.connect() as connection, pytest.raises(CentralRefusedError):
                connection.execute(statement)
        notes.db.session.add(notes.Note(title="x"))
        with pytest.raises(CentralRefusedError):
            notes.db.session.flush()
        notes.db.session.rollback()
        with pytest.raises(CentralRefusedError):
            notes.db.session.query(notes.Note).update({"body": "x"})
        notes.db.session.rollback()
    assert rows(notes.url, "note") == before


def test_a_connection_of_one_kind_of_work_serves_no_other(filled: Flask, notes: Notes) -> None:
    note = notes.Note.__table__
    with filled.app_context():
        engine = notes.db.engine
        with central_context(reason="opened here"):
            central = engine.connect()
            assert len(central.execute(sa.select(note.c.id)).all()) == 4
        with tenant_context("acme"):
            own = engine.connect()
            assert len(own.execute(sa.select(note.c.id)).all()) == 2
            with pytest.raises(TenantChangedError):
                central.execute(sa.select(note.c.id))
        with central_context(reason="used here"), pytest.raises(TenantChangedError):
            own.execute(sa.select(note.c.id))
        for connection in (central, own):
            with pytest.raises((NoTenantError, TenantChangedError)):
                connection.execute(sa.select(note.c.id))
            connection.close()


def test_signals_come_in_pairs(app: Flask) -> None:
    heard: list[tuple[str, str]] = []

    def listener(name: str) -> object:
        def listen(sender: object, **what: object) -> None:
            heard.append((name, str(what.get("slug") or what.get("tenant") or what["scope"])))

        return listen

    watched = [listener(name) for name in ("creating", "created", "entered", "left")]
    sources = (signals.tenant_creating, signals.tenant_created, signals.tenant_entered, signals.tenant_left)
    for source, listen in zip(sources, watched, strict=True):
        source.connect(listen)
    state_of(app).create("cora", "Cora")
    with app.app_context(), tenant_context("cora"):
        pass
    app.test_client().get("/notes", base_url="http://acme.example.test").close()
    scopes = ["<Scope cora (3)>", "<Scope acme (1)>"]
    assert heard == [
        ("creating", "cora"),
        ("created", "cora"),
        *((kind, scope) for scope in scopes for kind in ("entered", "left")),
    ]
