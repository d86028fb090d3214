"""Several processes, threads and applications: each request is answered for its own tenant, and news travel."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask, has_app_context
from flask_sqlalchemy import SQLAlchemy

from flask_tenant import Tenancy, TenancyError, tenant_context
from flask_tenant.context import current_scope
from flask_tenant.errors import ConfigurationError, NoTenantError, UnknownEngineError
from flask_tenant.registry import state_of
from tests.extension.notes import Notes, rows
from tests.extension.processes import python, until

BOTH = pytest.mark.databases("sqlite", "postgresql+psycopg")

OTHER = """
import sys
from tests.extension.notes import Notes
from flask_tenant.registry import state_of

notes = Notes(sys.argv[1])
state_of(notes.create_app()).create("cora", "Cora")
"""


@pytest.mark.timed
@BOTH
def test_what_another_process_changes_is_seen_within_a_second(
    app: Flask, notes: Notes, tmp_path: Path
) -> None:
    client = app.test_client()
    assert client.get("/notes", base_url="http://cora.example.test").status_code == 404
    made = python(tmp_path, "-c", OTHER, notes.url)
    assert made.returncode == 0, made.stderr
    seconds = until(
        lambda: client.get("/notes", base_url="http://cora.example.test").status_code == 200,
        "a tenant that another process has made",
    )
    # the poll is due at most a second after the last; what is more is the machine's
    assert seconds < 3
    assert client.post("/notes/coral", base_url="http://cora.example.test").status_code == 201
    assert [row[0] for row in rows(notes.url, "note")] == [3]


MIGRATION = """
import sys
import sqlalchemy as sa
from flask import Flask
from alembic.migration import MigrationContext
from alembic.operations import Operations
from flask_tenant import Tenancy

engine = sa.create_engine(sys.argv[1])
app = Flask("migrates")
app.config["TENANT_SHARED_TABLES"] = ["country"]
Tenancy(app, engines=[engine])
with engine.connect() as connection, Operations.context(MigrationContext.configure(connection)) as op:
    with connection.begin():
        with op.batch_alter_table("note") as batch:
            batch.drop_column("body")
"""


@BOTH
def test_a_schema_that_another_process_changes(app: Flask, notes: Notes, tmp_path: Path) -> None:
    query = sa.text("SELECT n.title FROM note AS n LEFT JOIN setting ON key = n.title ORDER BY n.id")
    with app.app_context():
        for slug in ("acme", "bella"):
            with tenant_context(slug):
                notes.db.session.execute(sa.text("INSERT INTO note (title, body) VALUES ('t', '')"))
                notes.db.session.commit()
                assert notes.db.session.execute(query).all() == [("t",)]
        done = python(tmp_path, "-c", MIGRATION, notes.url)
        assert done.returncode == 0, done.stderr

        def answered() -> bool:
            with tenant_context("acme"):
                try:
                    return notes.db.session.execute(query).all() == [("t",)]
                except sa.exc.DBAPIError:  # what was rendered from the old schema fails once
                    return False

        until(answered, "the query that names no column of the old schema", 3)
        for slug in ("acme", "bella"):
            with tenant_context(slug):
                assert notes.db.session.execute(query).all() == [("t",)]
                assert list(notes.db.session.execute(sa.text("SELECT * FROM note")).keys()) == ["id", "title"]


@BOTH
def test_reused_threads_answer_mixed_requests(app: Flask, notes: Notes) -> None:
    """As a server with a pool of threads: a thread keeps nothing of the request before."""
    slugs = [*(f"tenant-{n}" for n in range(4)), "acme", "bella"]
    for slug in slugs[:4]:
        state_of(app).create(slug, slug.title())
    for slug in slugs:
        for n in range(3):
            assert (
                app.test_client()
                .post(f"/notes/{slug}-{n}", base_url=f"http://{slug}.example.test")
                .status_code
                == 201
            )
    threads: set[int] = set()
    requests = [
        (slug, path)
        for slug in (*slugs, "nobody", "")
        for path in ("/notes", "/stream", "/countries")
        for _ in range(20)
    ]
    random.Random(7).shuffle(requests)

    def serve(request: tuple[str, str]) -> tuple[str, str, int, str]:
        slug, path = request
        threads.add(threading.get_ident())
        assert current_scope() is None
        assert not has_app_context()
        host = f"{slug}.example.test" if slug else "localhost"
        answer = app.test_client().get(path, headers={"Host": host})
        found = slug, path, answer.status_code, answer.text.strip().replace("\n", "")
        assert current_scope() is None
        return found

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(serve, requests))
    assert len(answers) == len(requests) == 480
    assert len(threads) == 8
    for slug, path, status, text in answers:
        own = [f"{slug}-{n}" for n in range(3)]
        if slug == "nobody":
            assert status == 404
        elif path == "/countries":
            assert (status, text) == (200, '["DE"]')
        elif not slug:
            assert status == 404  # nobody has declared it as central
        elif path == "/notes":
            assert (status, text) == (200, '["' + '","'.join(own) + '"]')
        else:
            assert (status, text) == (200, "".join(own))
    with app.app_context():
        if hasattr(notes.db.engine.pool, "checkedout"):
            assert notes.db.engine.pool.checkedout() == 0


@BOTH
def test_writing_threads(app: Flask, notes: Notes) -> None:
    work = [(slug, f"{slug}-{n}") for n in range(15) for slug in ("acme", "bella")]

    def write(item: tuple[str, str]) -> int:
        slug, title = item
        return app.test_client().post(f"/notes/{title}", base_url=f"http://{slug}.example.test").status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(write, work)) == {201}
    for slug in ("acme", "bella"):
        found = app.test_client().get("/notes", base_url=f"http://{slug}.example.test").json
        assert sorted(found) == sorted(f"{slug}-{n}" for n in range(15))


@BOTH
def test_a_factory_called_twice(notes: Notes) -> None:
    first, second = notes.create_app(), notes.create_app()
    state_of(first).create("acme", "Acme")
    seen = until(lambda: bool(state_of(second).directory.find("acme")), "the other application's tenant", 3)
    assert seen < 3
    for app, title in ((first, "one"), (second, "two")):
        assert (
            app.test_client().post(f"/notes/{title}", base_url="http://acme.example.test").status_code == 201
        )
    for app in (first, second):
        assert app.test_client().get("/notes", base_url="http://acme.example.test").json == ["one", "two"]
    with pytest.raises(ConfigurationError, match="2 applications in this process"):
        tenant_context("acme")
    with pytest.raises(ConfigurationError, match="registered with this application already"):
        Tenancy(first)
    assert len([row for row in rows(notes.url, "setting") if row[0] == 0]) == 1


@pytest.mark.databases("sqlite")
def test_an_application_without_tenancy_beside_one_that_has_it(
    app: Flask, notes: Notes, tmp_path: Path
) -> None:
    other = Flask("other")
    other.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path / 'other.db'}"
    db = SQLAlchemy(other)

    class Thing(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)

    @other.get("/")
    def things() -> str:
        return str(db.session.query(Thing).count())

    with other.app_context():
        db.create_all()
        db.session.add(Thing())
        db.session.commit()
        assert [c["name"] for c in sa.inspect(db.engine).get_columns("thing")] == ["id"]
        with pytest.raises(ConfigurationError, match="not registered with 'other'"):
            tenant_context("acme")
        other_engine = db.engine
    assert other.test_client().get("/", base_url="http://acme.example.test").text == "1"
    assert app.test_client().get("/notes", base_url="http://acme.example.test").json == []
    # nested, as a test or a dispatcher does
    with other.app_context(), app.app_context():
        with tenant_context("acme"):
            assert notes.db.session.scalars(sa.select(notes.Note)).all() == []
        with pytest.raises(NoTenantError):
            notes.db.session.scalars(sa.select(notes.Note)).all()
    # where no application is current, nobody can tell whose engine it is
    with pytest.raises(UnknownEngineError, match=r"other\.db"):
        other_engine.connect()
    with other.app_context():
        other_engine.connect().close()
        other_engine.dispose()


@pytest.mark.databases("sqlite")
def test_registered_before_the_database_extension(tmp_path: Path) -> None:
    app = Flask("early")
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path / 'early.db'}"
    Tenancy(app)
    db = SQLAlchemy(app)

    class Thing(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)

    app.add_url_rule("/", "index", lambda: str(db.session.query(Thing).count()))
    with app.app_context():
        db.create_all()
    state_of(app).create("acme", "Acme")
    assert app.test_client().get("/", base_url="http://acme.example.test").text == "0"
    with app.app_context():
        with tenant_context("acme"):
            db.session.add(Thing())
            db.session.commit()
        with pytest.raises(TenancyError):
            db.session.connection().exec_driver_sql("SELECT * FROM thing WHERE tenant_id = 1")
        db.session.remove()
        db.engine.dispose()
    assert rows(f"sqlite:///{tmp_path / 'early.db'}", "thing") == [(1, 1)]
