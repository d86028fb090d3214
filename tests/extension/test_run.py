"""``flask-tenant run``: an application that knows nothing of tenancy serves several tenants, not a line changed."""

from __future__ import annotations

import re
import shlex
import sqlite3
from pathlib import Path

import flask_migrate
import pytest

from flask_tenant.autoregister import _engines
from flask_tenant.errors import ConfigurationError
from tests.extension.processes import ask, python, serving

APP = '''
"""Written by somebody who has never heard of tenants."""
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()


class Task(db.Model):
    id = sa.Column(sa.Integer, primary_key=True)
    what = sa.Column(sa.String(50), unique=True, nullable=False)


class Unit(db.Model):
    code = sa.Column(sa.String(3), primary_key=True)


def create_app():
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///tasks.db"
    db.init_app(app)
    with app.app_context():
        db.create_all()
        if not db.session.get(Unit, "pcs"):
            db.session.add_all([Unit(code="pcs"), Task(what="read the manual")])
            db.session.commit()

    @app.get("/")
    def tasks():
        return [[t.id, t.what] for t in db.session.scalars(sa.select(Task).order_by(Task.id))]

    @app.post("/<what>")
    def add(what):
        db.session.add(Task(what=what))
        db.session.commit()
        return "added", 201

    @app.get("/units")
    def units():
        return db.session.execute(sa.text("SELECT * FROM unit")).scalars().all()

    return app

'''

RUN = ("bin/flask-tenant", "run")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tasks.py").write_text(APP)
    (
        tmp_path / "bin"
    ).mkdir()  # as an installed command: Python finds no module of the working folder by itself
    (tmp_path / "bin" / "flask-tenant").write_text("from flask_tenant.cli import main\n\nmain()\n")
    return tmp_path


def check(port: int, *slugs: str) -> None:
    """Each tenant works by itself."""
    for slug in slugs:
        assert ask(port, slug, "/")[1].strip() == '[[1,"read the manual"]]'
        assert ask(port, slug, "/units")[1].strip() == '["pcs"]'
        assert ask(port, slug, f"/{slug}", "POST")[0] == 201
        assert ask(port, slug, "/same", "POST")[0] == 201
    for slug in slugs:
        assert ask(port, slug, "/")[1].strip() == f'[[1,"read the manual"],[2,"{slug}"],[3,"same"]]'
        assert ask(port, slug, "/same", "POST")[0] == 500
    assert ask(port, "nobody", "/")[0] == 404


def test_a_factory_serves_two_tenants(folder: Path) -> None:
    with serving(folder, *RUN, "tasks:create_app", "--shared", "unit") as port:
        check(port, "acme", "bella")
    path = folder / "instance" / "tasks.db"
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM unit").fetchall() == [(1,)]
        found = connection.execute("SELECT tenant_id, count(*) FROM task GROUP BY 1").fetchall()
        assert found == [(0, 1), (1, 3), (2, 3)]
    connection.close()
    # next time they are still there, and another joins them
    with serving(folder, *RUN, "tasks", "--shared", "unit", "--tenant", "cora") as port:
        assert '"bella"' in ask(port, "bella", "/")[1]
        check(port, "cora")


BOATS = """
import os
from flask import Flask
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

engine = create_engine(os.environ["BOATS_URL"])


class Base(DeclarativeBase):
    pass


class Boat(Base):
    __tablename__ = "boat"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)


app = Flask(__name__)


@app.cli.command("init-db")
def init_db():
    Base.metadata.create_all(engine)


@app.post("/")
def launch():
    with Session(engine) as session:
        session.add(Boat(name="Otter"))
        session.commit()
    return "launched"


@app.get("/")
def boats():
    with Session(engine) as session:
        return [[boat.id, boat.name] for boat in session.scalars(select(Boat))]
"""


def test_engines_of_its_own_and_its_commands(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "boats.py").write_text(BOATS)
    monkeypatch.setenv("BOATS_URL", f"sqlite:///{folder}/boats.db")
    named = ("--engine", "boats:engine")
    done = python(folder, RUN[0], "flask", *named, "boats:app", "init-db")
    assert done.returncode == 0, done.stderr
    with serving(folder, *RUN, "boats:app", *named) as port:
        assert ask(port, "bella", "/", "POST") == (200, "launched")
        assert ask(port, "acme", "/") == (200, "[]\n")
        assert ask(port, "bella", "/") == (200, '[[1,"Otter"]]\n')


def test_no_scratch_database_takes_the_place_of_engines_of_its_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "boats.py").write_text(BOATS)
    with sqlite3.connect(folder / "old.db") as connection:
        connection.execute("CREATE TABLE boat (id INTEGER PRIMARY KEY, name VARCHAR UNIQUE)")
    connection.close()
    monkeypatch.setenv("BOATS_URL", f"sqlite:///{folder}/old.db")
    refused = python(folder, *RUN, "boats:app", "--engine", "boats:engine")
    assert "by its own means" in refused.stderr
    assert "--database" not in refused.stderr


@pytest.mark.parametrize("name", ["os:environ", "os", "no.such.module:engine"])
def test_a_name_that_leads_to_no_engine(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"No engine was found as '{name}'"):
        _engines([name], all_of_them=True)
    assert _engines([name]) == []  # it may come later


MIGRATED = """
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()


class Task(db.Model):
    id = db.Column(db.Integer, primary_key=True)


def create_app():
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///none.db"
    db.init_app(app)
    Migrate(app, db)
    app.get("/")(lambda: [task.id for task in db.session.scalars(db.select(Task))])
    return app
"""

SCRIPT = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "0001", None


def upgrade():
    op.create_table("task", sa.Column("id", sa.Integer, primary_key=True))
    op.bulk_insert(sa.table("task", sa.column("id")), [{"id": 7}])
"""


def test_a_scratch_database_gets_its_tables(folder: Path) -> None:
    """From the models where there are no scripts of Flask-Migrate's, else by these."""
    (folder / "migrated.py").write_text(MIGRATED)
    for name, shown in ("models", "[]\n"), ("scripts", "[7]\n"):
        if name == "scripts":
            made = Path(flask_migrate.__file__).parent / "templates" / "flask"  # what `flask db init` copies
            (folder / "migrations" / "versions").mkdir(parents=True)
            for source in filter(Path.is_file, made.iterdir()):
                (folder / "migrations" / source.name.replace("ini.mako", "ini")).write_text(
                    source.read_text()
                )
            (folder / "migrations" / "versions" / "0001_tasks.py").write_text(SCRIPT)
        with serving(folder, *RUN, "migrated", "--database", f"sqlite:///{folder}/{name}.db") as port:
            assert ask(port, "acme", "/") == (200, shown)


def test_a_database_of_a_single_tenant_is_left_alone_and_a_scratch_one_offered(folder: Path) -> None:
    (folder / "instance").mkdir()
    path = folder / "instance" / "tasks.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE task (id INTEGER PRIMARY KEY, what VARCHAR(50) UNIQUE NOT NULL)")
        connection.execute("CREATE TABLE unit (code VARCHAR(3) PRIMARY KEY)")
        connection.execute("INSERT INTO task VALUES (7, 'sell')")
    connection.close()
    before = path.read_bytes()
    refused = python(folder, *RUN, "tasks:create_app")
    assert refused.returncode == 1
    assert path.read_bytes() == before
    for word in ("task", "unit", "Nothing was changed"):
        assert word in refused.stderr
    offered = re.search(r"^Try again with (--database \S+)$", refused.stderr, re.MULTILINE)
    assert offered, refused.stderr
    with serving(folder, *RUN, "tasks:create_app", *shlex.split(offered.group(1))) as port:
        check(port, "acme", "bella")
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("tasks:nothing", "Failed to find attribute 'nothing' in 'tasks'"),
        ("tasks:db", "A valid Flask application was not obtained from 'tasks:db'"),
        ("nowhere:app", "Could not import 'nowhere'"),
    ],
)
def test_a_target_that_is_none(folder: Path, target: str, words: str) -> None:
    result = python(folder, *RUN, target)
    assert result.returncode == 1
    assert result.stderr.startswith("Error: "), result.stderr
    assert words in result.stderr
    assert "MODULE:APP" in result.stderr
