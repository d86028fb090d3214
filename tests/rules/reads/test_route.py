"""Reads go to the engine that a rule names, with the same wall and the same rules, and nothing else ever does."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, scoped_session, sessionmaker

from flask_tenant import Tenancy, central_context, registry, tenant_context
from flask_tenant.decision import Denial, Overlay
from flask_tenant.errors import ConfigurationError, RuleDeniedError, SchemaNotReadyError
from flask_tenant.governance import registered
from flask_tenant.isolate import routing
from flask_tenant.registry import state_of
from tests.rules.reads.world import Customer, Invoice, Note, Rules, World, decide, number
from tests.rules.reads.world import call as applied
from tests.services.databases import MakeDatabase

ROUTED = decide({}, route="replica")
HERE, THERE = "acme note", "acme note (copy)"


class Pair:
    """A world, and a copy of its database in which every note says that it is one."""

    def __init__(self, url: str, copy_url: str) -> None:
        if url.startswith("sqlite"):
            self.world = World(url)
            self.world.engine.dispose()
            shutil.copyfile(sa.make_url(url).database or "", sa.make_url(copy_url).database or "")
        else:
            World(copy_url).close()
            self.world = World(url)
        self.physical = sa.create_engine(copy_url)
        self.world.tenancy.exempt(self.physical)
        with self.physical.begin() as connection:
            connection.exec_driver_sql("UPDATE note SET text = text || ' (copy)'")
        self.replica = sa.create_engine(copy_url)
        self.world.tenancy.engines.add("replica", self.replica)
        self.sent: list[str] = []
        sa.event.listen(self.replica, "before_cursor_execute", lambda *a: self.sent.append(a[2]))

    def close(self) -> None:
        self.world.close()
        self.replica.dispose()
        self.physical.dispose()


@pytest.fixture(scope="session")
def standing_pair(back_end: str, make_database: MakeDatabase) -> Iterator[Pair]:
    with make_database(back_end) as url, make_database(back_end) as copy_url:
        pair = Pair(url, copy_url)
        yield pair
        pair.close()


@pytest.fixture
def pair(standing_pair: Pair) -> Iterator[Pair]:
    registry._apps.add(standing_pair.world.app.extensions[registry.KEY])
    standing_pair.sent.clear()
    yield standing_pair
    standing_pair.world.rules.rulings.clear()
    with tenant_context("acme", standing_pair.world.app), standing_pair.world.engine.begin() as connection:
        connection.execute(sa.update(Note).where(Note.id == 1).values(text=HERE))
        connection.execute(sa.delete(Note).where(Note.id != 1))


@pytest.fixture
def session(pair: Pair) -> Iterator[Session]:
    """A session of acme, whose reads the rules route."""
    world = pair.world
    with world.held(ROUTED), tenant_context("acme", world.app), Session(world.engine) as session:
        yield session


READS: dict[str, Callable[[Session], Any]] = {
    "orm": lambda s: s.scalars(sa.select(Note)).one().text,
    "get": lambda s: s.get_one(Note, 1).text,
    "query": lambda s: s.query(Note.text).scalar(),
    "core": lambda s: s.scalar(sa.select(Note.__table__.c.text)),
    "where": lambda s: s.scalar(sa.select(Note.text).where(Note.id.in_([1, 2]), sa.func.lower(Note.text) != "x")),
    "cte": lambda s: s.scalar(sa.select(sa.select(Note.text).cte("x"))),
    "union": lambda s: s.scalar(sa.union(sa.select(Note.text), sa.select(Note.text))),
    "text": lambda s: s.scalar(sa.text("SELECT text FROM note")),
    "text with a value": lambda s: s.scalar(sa.text("SELECT text FROM note WHERE id = :n"), {"n": 1}),
    "with": lambda s: s.scalar(sa.text("WITH x AS (SELECT text FROM note) SELECT text FROM x")),
    "from_statement": lambda s: s.scalars(sa.select(Note).from_statement(sa.text("SELECT * FROM note"))).one().text,
}  # fmt: skip


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_reads_go_where_the_rule_says(pair: Pair, session: Session, read: Callable[[Session], Any]) -> None:
    assert read(session) == THERE  # one row: the other tenant's is not there either
    assert pair.sent


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_without_a_rule_they_stay(pair: Pair, read: Callable[[Session], Any]) -> None:
    world = pair.world
    with world.held(decide({})), tenant_context("acme", world.app), Session(world.engine) as session:
        assert read(session) == HERE
    assert not pair.sent


def test_the_other_tenant_sees_its_own_and_goes_by_its_own_rules(pair: Pair) -> None:
    world = pair.world
    with world.held(ROUTED, "bella"):
        for slug, seen in (("bella", "bella note (copy)"), ("acme", HERE)):
            with tenant_context(slug, world.app), Session(world.engine) as session:
                assert session.scalars(sa.select(Note.text)).all() == [seen]


def test_lazy_loading_and_a_second_transaction_follow(pair: Pair, session: Session) -> None:
    customer = session.get_one(Customer, 2)
    assert [invoice.id for invoice in customer.invoices] == [1, 6]
    session.rollback()
    assert session.scalar(sa.select(Note.text)) == THERE
    assert len(pair.sent) == 3


def test_filters_hold_there(pair: Pair) -> None:
    world = pair.world
    small = Overlay((applied("<", number("quantity"), number("id")),))
    ruling = decide({"invoice": small}, route="replica")
    with world.held(ruling), tenant_context("acme", world.app), Session(world.engine) as session:
        wanted = [5, 6, 7, 8, 9, 10]
        assert session.scalars(sa.select(Invoice.id).order_by(Invoice.id)).all() == wanted
        assert session.scalars(sa.text("SELECT id FROM invoice ORDER BY 1")).all() == wanted
    assert len(pair.sent) == 2


def test_what_is_denied_is_sent_nowhere(pair: Pair) -> None:
    world = pair.world
    ruling = decide({}, route="replica", reads={"invoice": Denial("no-invoices", ("No.",))})
    with world.held(ruling), tenant_context("acme", world.app), Session(world.engine) as session:
        with pytest.raises(RuleDeniedError):
            session.scalars(sa.select(Invoice)).all()
        with pytest.raises(RuleDeniedError):
            session.execute(sa.text("SELECT * FROM invoice"))
    assert not pair.sent


WRITES: dict[str, Callable[[Session], Any]] = {
    "flush": lambda s: (s.add(Note(id=5, text="new")), s.flush()),
    "pending": lambda s: s.add(Note(id=5, text="new")),
    "core": lambda s: s.execute(sa.insert(Note.__table__).values(id=5, text="new")),
    "orm": lambda s: s.execute(sa.update(Note).values(text=HERE)),
    "text": lambda s: s.execute(sa.text("INSERT INTO note (id, text) VALUES (5, 'new')")),
    "own connection": lambda s: s.connection().execute(sa.insert(Note).values(id=5, text="new")),
    "bulk": lambda s: s.bulk_insert_mappings(sa.inspect(Note), [{"id": 5, "text": "new"}]),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_after_a_write_everything_stays(
    pair: Pair, session: Session, write: Callable[[Session], Any]
) -> None:
    assert session.scalar(sa.select(Note.text)) == THERE
    pair.sent.clear()
    write(session)
    session.expunge_all() if not session.new else None
    ours = session.scalars(sa.select(Note.text).order_by(Note.id)).all()
    assert ours[0] == HERE
    assert session.scalars(sa.text("SELECT text FROM note ORDER BY id")).all() == ours
    assert not pair.sent


def test_what_was_committed_is_read_back_until_the_session_is_closed(pair: Pair, session: Session) -> None:
    session.add(Note(id=5, text="new"))
    session.commit()
    assert session.scalars(sa.select(Note.text).order_by(Note.id)).all() == [HERE, "new"]
    session.commit()
    assert session.scalars(sa.select(Note.text).order_by(Note.id)).all() == [HERE, "new"]
    session.close()
    assert session.scalars(sa.select(Note.text)).all() == [THERE]


def test_a_session_that_forgets_its_objects_stays_as_well(pair: Pair, session: Session) -> None:
    session.add(Note(id=5, text="new"))
    session.flush()
    session.expunge_all()
    kept = session.get_one(Note, 5)
    session.commit()
    assert session.scalars(sa.select(Note.text).order_by(Note.id)).all() == [HERE, "new"]
    assert kept in session


STAYING: dict[str, Any] = {
    "for update": sa.select(Note.text).with_for_update(),
    "within": sa.select(sa.select(Note.text).with_for_update().subquery()),
    "insert returning": sa.insert(Note).values(id=5, text=HERE).returning(Note.text),
    "text returning": sa.text("INSERT INTO note (id, text) VALUES (5, 'acme note') RETURNING text"),
}


@pytest.mark.parametrize("name", STAYING)
def test_locks_and_writes_never_go(pair: Pair, session: Session, name: str) -> None:
    assert session.scalar(STAYING[name]) == HERE
    assert not pair.sent


def test_a_lock_in_get_never_goes(pair: Pair, session: Session) -> None:
    assert session.get_one(Note, 1, with_for_update=True).text == HERE
    assert not pair.sent


@pytest.mark.databases("postgresql+psycopg")
def test_a_lock_written_as_text_never_goes(pair: Pair, session: Session) -> None:
    for text in (
        "SELECT text FROM note FOR UPDATE",
        "SELECT text FROM note FOR KEY SHARE",
        "WITH x AS (INSERT INTO note (id, text) VALUES (5, 'n') RETURNING id) SELECT text FROM note",
    ):
        assert session.scalar(sa.text(text)) == HERE
        session.close()
    assert not pair.sent


def test_functions_that_the_application_vouches_for_may_write(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialect: Any = pair.world.engine.dialect
    for statement in (sa.select(sa.func.lower("X")), sa.text("SELECT lower('X')")):
        assert routing.only_reads(statement, dialect)
    for statement in (sa.select(sa.Sequence("numbers").next_value()), sa.text("SELECT nextval('numbers')")):
        assert not routing.only_reads(statement, dialect)
    statements = (sa.select(sa.func.do_it()), sa.text("SELECT public.Do_It()"))
    vouching = replace(dialect.ft_wall.config, safe_functions=frozenset({"public.do_it"}))
    monkeypatch.setattr(dialect.ft_wall, "config", vouching)
    assert not any(routing.only_reads(statement, dialect) for statement in statements)


def test_what_names_an_engine_goes_there(pair: Pair, session: Session) -> None:
    engine = pair.world.engine
    assert session.scalar(sa.select(Note.text), bind_arguments={"bind": engine}) == HERE
    with engine.connect() as connection:
        assert connection.scalar(sa.select(Note.text)) == HERE
        with Session(connection) as joined:
            assert joined.scalar(sa.select(Note.text)) == HERE
    with Session(engine.execution_options(isolation_level="SERIALIZABLE")) as strict:
        assert strict.scalar(sa.select(Note.text)) == HERE
    assert not pair.sent


def test_scoped_sessions_and_sessions_of_ones_own_follow(pair: Pair) -> None:
    world = pair.world

    class Own(Session):
        def get_bind(self, mapper: Any = None, *, clause: Any = None, bind: Any = None, **kw: Any) -> Any:
            return bind if bind is not None else world.engine

    sessions = scoped_session(sessionmaker(class_=Own))
    with world.held(ROUTED), tenant_context("acme", world.app):
        assert sessions.scalar(sa.select(Note.text)) == THERE
        sessions.remove()


def test_central_work_stays(pair: Pair) -> None:
    world = pair.world
    with world.held(ROUTED), central_context(reason="test", app=world.app), Session(world.engine) as session:
        seen = sorted(session.scalars(sa.select(sa.table("note", sa.column("text")))))
        assert seen == ["acme note", "bella note"]
    assert not pair.sent


def test_an_engine_that_nobody_has_registered_is_not_gone_to(
    pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    world = pair.world
    ruling = decide({}, route="archive")
    with world.held(ruling), tenant_context("acme", world.app), Session(world.engine) as session:
        assert session.scalar(sa.select(Note.text)) == HERE
    assert "'archive'" in caplog.text
    assert list(registered(state_of(world.app))["engines"]) == ["replica"]


@pytest.mark.databases("sqlite")
def test_a_replica_that_has_died_is_an_error(pair: Pair, session: Session) -> None:
    def dead(*args: Any) -> Any:
        raise OperationalError("SELECT", {}, Exception("the server is gone"))

    sa.event.listen(pair.replica, "do_connect", dead)
    pair.replica.dispose()
    try:
        with pytest.raises(OperationalError, match="the server is gone"):
            session.scalar(sa.select(Note.text))
    finally:
        sa.event.remove(pair.replica, "do_connect", dead)
    session.rollback()
    assert session.scalar(sa.select(Note.text)) == THERE


@pytest.mark.databases("sqlite")
def test_another_database_of_the_application_stays(make_database: MakeDatabase) -> None:
    """A copy is one of the database that it was registered for."""
    with (
        make_database("sqlite") as url,
        make_database("sqlite") as other_url,
        make_database("sqlite") as copy_url,
    ):
        app = Flask("two")
        engine, other, copy = (sa.create_engine(one) for one in (url, other_url, copy_url))
        tenancy = Tenancy(app, engines=[engine, other])
        note = sa.Table("note", sa.MetaData(), sa.Column("text", sa.String))
        with central_context(reason="set-up", app=app):
            note.metadata.create_all(engine)
            note.metadata.create_all(other)
        state_of(app).create("acme", "Acme")
        for one, text in ((engine, "copied"), (other, "other")):
            with tenant_context("acme", app), one.begin() as connection:
                connection.execute(note.insert().values(text=text))
        shutil.copyfile(sa.make_url(url).database or "", sa.make_url(copy_url).database or "")
        tenancy.engines.add("replica", copy, of=engine)
        with tenant_context("acme", app), engine.begin() as connection:
            connection.execute(note.update().values(text="changed"))
        rules = Rules()
        rules.rulings["acme"] = ROUTED
        for isolation in state_of(app).databases.isolations.values():
            isolation.wall.rules = rules
        for one, text in ((engine, "copied"), (other, "other")):
            with tenant_context("acme", app), Session(one) as session:
                assert session.scalar(sa.select(note.c.text)) == text
        registry._apps.discard(state_of(app))
        for one in (engine, other, copy):
            one.dispose()


@pytest.mark.databases("sqlite")
def test_a_copy_that_is_not_ready_is_not_taken(pair: Pair, make_database: MakeDatabase) -> None:
    engines = pair.world.tenancy.engines
    with make_database("sqlite") as url:
        unready = sa.create_engine(url)
        pair.world.tenancy.exempt(unready)
        with unready.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT)")
        with pytest.raises(SchemaNotReadyError, match="note"):
            engines.add("unready", sa.create_engine(url))
        for wrong in (pair.world.engine, sa.create_engine(url).execution_options(x=1)):
            with pytest.raises(ConfigurationError, match="engine of its own"):
                engines.add("unready", wrong)
        with pytest.raises(ConfigurationError, match="Two engines"):
            engines.add("replica", unready)
        unready.dispose()
    assert list(engines) == ["replica"]


RULE = """\
version: 1
scope: {tenant: acme}
rules:
- {id: reports, for: {read: "*"}, when: path.startsWith("/reports"), route: replica}
- {id: short, for: {read: word}, filter: row.id < 10}
"""


def test_from_a_rule_file_with_flask_sqlalchemy_and_bind_keys(
    back_end: str, make_database: MakeDatabase, tmp_path: Path
) -> None:
    class Own(DeclarativeBase):
        pass

    db = SQLAlchemy(model_class=Own)

    class Word(db.Model):  # type: ignore[name-defined,misc]
        id: Mapped[int] = mapped_column(primary_key=True)
        text: Mapped[str]

    def made(url: str, word: str, binds: dict[str, str]) -> Flask:
        app = Flask("words")
        app.config.update(
            SQLALCHEMY_DATABASE_URI=url, SQLALCHEMY_BINDS=binds, TENANT_BASE_DOMAIN="example.test"
        )
        db.init_app(app)
        tenancy = Tenancy()
        if binds:
            tenancy.engines.add("replica", "copy")
        tenancy.init_app(app)
        with app.app_context(), central_context(reason="set-up"):
            db.create_all()
        for slug in ("acme", "bella"):
            state_of(app).create(slug, slug)
            with app.app_context(), tenant_context(slug):
                db.session.add_all([Word(id=1, text=f"{slug} {word}"), Word(id=10, text="long")])
                db.session.commit()

        @app.get("/reports")
        @app.get("/words")
        def words() -> list[Any]:
            read = [
                db.session.scalars(sa.select(Word.text)).all(),
                db.session.scalars(sa.text("SELECT text FROM word")).all(),
            ]
            db.session.add(Word(id=2, text="new"))
            return [*read, db.session.scalars(sa.select(Word.text).order_by(Word.id)).all()]

        return app

    def seen(slug: str, path: str) -> Any:
        return app.test_client().get(path, base_url=f"http://{slug}.example.test").json

    (tmp_path / "acme.yaml").write_text(RULE)
    with make_database(back_end) as url, make_database(back_end) as copy_url:
        copy = made(copy_url, "there", {})
        registry._apps.discard(state_of(copy))
        app = made(url, "here", {"copy": copy_url})
        arguments = ["tenant", "rules", "activate", "--folder", str(tmp_path), "--why", "test", "--yes"]
        done = app.test_cli_runner().invoke(args=arguments)
        assert done.exit_code == 0, done.output
        there, here = ["acme there"], ["acme here"]
        assert seen("acme", "/reports") == [there, there, [*here, "new"]]
        assert seen("acme", "/words") == [here, here, [*here, "new"]]
        free = ["bella here", "long"]
        assert [sorted(one) for one in seen("bella", "/reports")] == [free, free, [*free, "new"]]
        for one in (copy, app):
            registry._apps.discard(state_of(one))
            with one.app_context():
                for engine in db.engines.values():
                    engine.dispose()
