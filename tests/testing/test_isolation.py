"""``assert_isolated`` finds planted leaks, names the row, and does not pass where nothing could have leaked."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask, request, session

from flask_tenant import tenant_context
from flask_tenant.engines import exempt_engine
from flask_tenant.registry import state_of
from flask_tenant.testing import LeakFoundError, NothingProvenError, assert_isolated, tenant_client
from tests.extension.notes import Notes

pytestmark = pytest.mark.databases("sqlite")
BOTH = pytest.mark.databases("sqlite", "postgresql+psycopg")

Fill = Callable[[str], None]


@pytest.fixture
def fill(app: Flask, notes: Notes) -> Fill:
    """Writes a note of the active tenant."""

    def written(text: str) -> None:
        notes.db.session.add(notes.Note(title=text, body="the same everywhere"))
        notes.db.session.commit()

    return written


def titles(notes: Notes) -> Callable[[], list[str]]:
    return lambda: list(notes.db.session.scalars(sa.select(notes.Note.title)))


# ---- what is isolated
@BOTH
def test_what_is_isolated_passes(app: Flask, notes: Notes, fill: Fill) -> None:
    assert_isolated(titles(notes), fill=fill, app=app)
    assert_isolated(titles(notes), app=app)  # the rows are there now
    assert_isolated("/notes", app=app)
    assert_isolated("/stream", fill=fill, app=app)
    assert_isolated(lambda client: client.get("/notes").json, app=app)
    assert_isolated(notes.Note, app=app)
    assert_isolated(notes.Note.__table__, fill=fill, app=app)


@BOTH
def test_counts_and_sums_pass_by_what_they_do_not_notice(app: Flask, notes: Notes, fill: Fill) -> None:
    def count() -> int:
        return notes.db.session.scalar(sa.select(sa.func.count()).select_from(notes.Note)) or 0

    assert_isolated(count, fill=fill, app=app)


def test_what_only_writes_passes(app: Flask, notes: Notes, fill: Fill) -> None:
    def rewrite() -> None:
        for note in notes.db.session.scalars(sa.select(notes.Note)):
            note.body += "."
        notes.db.session.commit()

    assert_isolated(rewrite, fill=fill, app=app)


def test_entities_and_other_shapes_of_answers(app: Flask, notes: Notes, fill: Fill) -> None:
    assert_isolated(lambda: notes.db.session.scalars(sa.select(notes.Note)), fill=fill, app=app)
    assert_isolated(
        lambda: notes.db.session.execute(sa.select(notes.Note.__table__)).mappings().all(), app=app
    )
    assert_isolated(lambda: {n: {"a": (n,)} for n in titles(notes)()}, app=app)
    assert_isolated(lambda: "; ".join(titles(notes)()).encode(), app=app)


def test_clients_that_are_logged_in(app: Flask, notes: Notes, fill: Fill) -> None:
    @app.get("/mine")
    def mine() -> Any:
        return titles(notes)() if session.get("user") == "ada" else ("Who are you?", 401)

    def ada(tenant: Any) -> Any:
        client = tenant_client(app, tenant)
        with client.session_transaction() as kept:
            kept["user"] = "ada"
        return client

    with pytest.raises(NothingProvenError, match="401"):
        assert_isolated("/mine", fill=fill, app=app)
    assert_isolated("/mine", fill=fill, app=app, client=ada)


# ---- planted leaks
def test_a_cache_of_the_module(app: Flask, notes: Notes, fill: Fill) -> None:
    @functools.cache
    def cached() -> list[str]:
        return titles(notes)()

    with pytest.raises(LeakFoundError, match=r"beta sees 'Kx\w+', which is alpha's: note \(id=1, title='Kx"):
        assert_isolated(cached, fill=fill, app=app)


def test_a_cache_of_the_module_by_id_behind_a_route(app: Flask, notes: Notes, fill: Fill) -> None:
    seen: dict[int, str] = {}

    @app.get("/note/<int:key>")
    def note(key: int) -> str:
        if key not in seen:
            seen[key] = notes.db.get_or_404(notes.Note, key).title
        return seen[key]

    with pytest.raises(LeakFoundError, match="beta sees 'Kx"):
        assert_isolated("/note/1", fill=fill, app=app)


def test_a_cache_that_works_from_the_second_use_on(app: Flask, notes: Notes, fill: Fill) -> None:
    answers: list[list[str]] = []

    def read() -> list[str]:
        answers.append(titles(notes)())
        return answers[0] if len(answers) > 2 else answers[-1]

    for slug, text in (("alpha", "one of alpha"), ("beta", "one of beta")):
        state_of(app).create(slug, slug)
        with app.app_context(), tenant_context(slug):
            fill(text)
    with pytest.raises(LeakFoundError, match="beta sees 'one of alpha'"):
        assert_isolated(read, app=app)


def test_a_cached_count(app: Flask, notes: Notes, fill: Fill) -> None:
    @functools.cache
    def count() -> int:
        return len(titles(notes)())

    with pytest.raises(NothingProvenError, match="sees nothing that is its own"):  # it never changes
        assert_isolated(count, fill=fill, app=app)


def test_a_count_over_a_connection_of_the_driver(app: Flask, notes: Notes, fill: Fill) -> None:
    path = notes.url.removeprefix("sqlite:///")

    def count() -> int:
        with sqlite3.connect(path) as connection:
            found: int = connection.execute("SELECT count(*) FROM note").fetchone()[0]
        connection.close()
        return found

    with pytest.raises(
        LeakFoundError, match="what beta sees has changed with rows of alpha, from '2' to '3'"
    ):
        assert_isolated(count, fill=fill, app=app)


def test_a_connection_of_the_driver_that_reads(app: Flask, notes: Notes, fill: Fill) -> None:
    path = notes.url.removeprefix("sqlite:///")

    def read() -> list[Any]:
        with sqlite3.connect(path) as connection:
            found = connection.execute("SELECT title FROM note").fetchall()
        connection.close()
        return found

    with pytest.raises(LeakFoundError, match=r"alpha sees 'Kx.*, which is beta's: note "):
        assert_isolated(read, fill=fill, app=app)


@pytest.mark.parametrize("sql", ["UPDATE note SET body = 'mine'", "DELETE FROM note"])
def test_a_connection_of_the_driver_that_writes(app: Flask, notes: Notes, fill: Fill, sql: str) -> None:
    path = notes.url.removeprefix("sqlite:///")

    def write() -> None:
        with sqlite3.connect(path) as connection:
            connection.execute(sql)
        connection.close()

    with pytest.raises(LeakFoundError, match=r"alpha has (written|changed or deleted) a row of beta: note "):
        assert_isolated(write, fill=fill, app=app)


def test_a_write_into_the_template(app: Flask, notes: Notes, fill: Fill) -> None:
    path = notes.url.removeprefix("sqlite:///")

    def write() -> None:
        with sqlite3.connect(path) as connection:
            connection.execute("INSERT INTO note (tenant_id, id, title, body) VALUES (0, 77, 'for all', '')")
        connection.close()

    with pytest.raises(LeakFoundError, match="alpha has written a row of the template: note "):
        assert_isolated(write, fill=fill, app=app)


@BOTH
def test_a_shared_table(app: Flask, notes: Notes) -> None:
    def country() -> None:
        code = chr(65 + len(notes.db.session.scalars(sa.select(notes.Country)).all()))
        notes.db.session.add_all([notes.Country(code=f"{code}x"), notes.Note(title=f"{code} written")])
        notes.db.session.commit()

    def codes() -> list[str]:
        return list(notes.db.session.scalars(sa.select(notes.Country.code)))

    with pytest.raises(LeakFoundError, match="what beta sees has changed with rows of alpha"):
        assert_isolated(codes, fill=country, app=app)
    with pytest.raises(LeakFoundError, match="country is a shared table"):
        assert_isolated(notes.Country, fill=country, app=app)


def test_a_shared_table_names_the_row(app: Flask, notes: Notes) -> None:
    def fill(text: str) -> None:
        notes.db.session.add_all([notes.Country(code=text), notes.Note(title=text)])
        notes.db.session.commit()

    def codes() -> list[str]:
        return list(notes.db.session.scalars(sa.select(notes.Country.code)))

    with pytest.raises(
        LeakFoundError, match=r"alpha sees 'Kx\w+', which is beta's: shared table country \(code="
    ):
        assert_isolated(codes, fill=fill, app=app)


def test_a_table_that_no_tenanted_engine_holds(app: Flask, notes: Notes) -> None:
    with pytest.raises(LeakFoundError, match="No tenanted engine holds a table 'elsewhere'"):
        assert_isolated(sa.Table("elsewhere", sa.MetaData(), sa.Column("id", sa.Integer)), app=app)


def test_a_model_whose_session_goes_round_the_wall(app: Flask, notes: Notes, fill: Fill) -> None:
    own = sa.create_engine(notes.url)
    exempt_engine(own)
    notes.db.session.session_factory.configure(binds={notes.Note: own})
    original = notes.db.session.session_factory.class_.get_bind
    notes.db.session.session_factory.class_.get_bind = lambda self, *a, **kw: own  # type: ignore[method-assign]
    try:
        with pytest.raises((LeakFoundError, sa.exc.SQLAlchemyError)) as caught:
            for slug in ("alpha", "beta"):
                state_of(app).create(slug, slug)
            path = notes.url.removeprefix("sqlite:///")
            with sqlite3.connect(path) as connection:
                connection.executemany(
                    "INSERT INTO note (tenant_id, id, title, body) VALUES (?, ?, ?, '')",
                    [(1, 1, "one of alpha"), (2, 1, "one of beta")],
                )
            connection.close()
            assert_isolated(notes.Note, app=app)
        assert "note, by Core: alpha reaches 2 rows, and holds 1" in str(caught.value)
    finally:
        notes.db.session.session_factory.class_.get_bind = original  # type: ignore[method-assign]
        own.dispose()


def test_a_session_that_outlives_its_request(app: Flask, notes: Notes, fill: Fill) -> None:
    """Not a leak: the session itself refuses. The assertion lets its error through."""
    kept: list[Any] = []

    def read() -> list[str]:
        if not kept:
            kept.append(notes.db.session())
        return [note.title for note in kept[0].scalars(sa.select(notes.Note))]

    with pytest.raises(Exception, match="tenant"):
        assert_isolated(read, fill=fill, app=app)


def test_a_header_and_an_encoded_value(app: Flask, notes: Notes) -> None:
    last: list[str] = []

    @app.get("/header")
    def header() -> Any:
        mine = titles(notes)()
        answer = app.json.response(mine)
        answer.headers["X-Last"] = str(last)
        last[:] = mine
        return answer

    def fill(text: str) -> None:
        notes.db.session.add(notes.Note(title=f"<{text}>"))
        notes.db.session.commit()

    shown: list[str] = []

    @app.get("/html")
    def html() -> str:
        from markupsafe import escape

        shown.extend(titles(notes)())
        return str(escape(" ".join(shown)))

    with pytest.raises(LeakFoundError, match="beta sees"):
        assert_isolated("/header", fill=fill, app=app)
    for slug, text in (("gamma", "Tom & Gerda"), ("delta", "Anna & Otto")):
        state_of(app).create(slug, slug)
        with app.app_context(), tenant_context(slug):
            notes.db.session.add(notes.Note(title=text))
            notes.db.session.commit()
    with pytest.raises(LeakFoundError, match="delta sees 'Tom & Gerda'"):
        assert_isolated("/html", tenants=("gamma", "delta"), app=app)


# ---- what proves nothing
def test_empty_tables(app: Flask, notes: Notes) -> None:
    with pytest.raises(NothingProvenError, match=r"alpha, table 'note' is empty.*pass fill="):
        assert_isolated(notes.Note, app=app)
    with pytest.raises(NothingProvenError, match="sees nothing that is its own"):  # seeds are everybody's
        assert_isolated(titles(notes), app=app)


def test_rows_for_one_tenant_only(app: Flask, notes: Notes) -> None:
    def fill() -> None:
        from flask_tenant import current_tenant

        if current_tenant().slug == "alpha":
            notes.db.session.add(notes.Note(title="of alpha"))
            notes.db.session.commit()

    with pytest.raises(NothingProvenError, match="beta, table 'note' is empty"):
        assert_isolated(notes.Note, fill=fill, app=app)
    with pytest.raises(NothingProvenError, match="beta sees nothing that is its own"):
        assert_isolated(titles(notes), app=app)


def test_a_fill_that_does_not_commit(app: Flask, notes: Notes) -> None:
    def fill(text: str) -> None:
        notes.db.session.add(notes.Note(title=text))
        notes.db.session.flush()

    with pytest.raises(NothingProvenError, match=r"Does fill\(\) commit"):
        assert_isolated(notes.Note, fill=fill, app=app)


def test_a_callable_that_shows_nothing(app: Flask, notes: Notes, fill: Fill) -> None:
    with pytest.raises(NothingProvenError, match="sees nothing that is its own"):
        assert_isolated(lambda: "welcome", fill=fill, app=app)
    with pytest.raises(NothingProvenError, match="404"):
        assert_isolated("/no-such-page", fill=fill, app=app)


def test_the_same_tenant_twice(app: Flask, notes: Notes) -> None:
    with pytest.raises(NothingProvenError, match="Both tenants are 'alpha'"):
        assert_isolated(titles(notes), tenants=("alpha", "alpha"), app=app)


def test_rows_that_do_not_differ(app: Flask, notes: Notes) -> None:
    def fill() -> None:
        notes.db.session.add(notes.Note(title="the very same"))
        notes.db.session.commit()

    for slug in ("alpha", "beta"):
        state_of(app).create(slug, slug)
        with app.app_context(), tenant_context(slug):
            fill()
    with pytest.raises(NothingProvenError, match="Give the tenants rows with different texts"):
        assert_isolated(titles(notes), app=app)


def test_a_client_that_asks_another_host_is_caught(app: Flask, notes: Notes, fill: Fill) -> None:
    @app.get("/echo")
    def echo() -> Any:
        return {"host": request.host, "notes": titles(notes)()}

    def wrong(tenant: Any) -> Any:
        return tenant_client(app, "alpha")

    with pytest.raises(LeakFoundError, match="beta sees 'Kx"):
        assert_isolated("/echo", fill=fill, app=app, client=wrong)
