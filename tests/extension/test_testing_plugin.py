"""``pytest -p flask_tenant.testing``: somebody's suite, which drops all tables and counts on ids, beside neighbours."""

from __future__ import annotations

import runpy
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flask_tenant import tenant_context
from flask_tenant.registry import state_of
from tests.extension.notes import rows
from tests.extension.processes import python

APP = """
import os
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_tenant import Tenancy

db = SQLAlchemy()
labelled = db.Table(
    "labelled",
    db.Column("task_id", db.ForeignKey("task.id"), primary_key=True),
    db.Column("label_id", db.ForeignKey("label.id"), primary_key=True),
)


class Label(db.Model):
    id = sa.Column(sa.Integer, primary_key=True)
    word = sa.Column(sa.String(50), unique=True)


class Task(db.Model):
    id = sa.Column(sa.Integer, primary_key=True)
    what = sa.Column(sa.String(50), unique=True)
    parent_id = sa.Column(sa.ForeignKey("task.id"))
    labels = db.relationship(Label, secondary=labelled)


class Setting(db.Model):
    key = sa.Column(sa.String(50), primary_key=True)
    value = sa.Column(sa.String(50))


class Unit(db.Model):
    code = sa.Column(sa.String(3), primary_key=True)


def create_app(**config):
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["TASKS_DATABASE"]
    app.config["TENANT_SHARED_TABLES"] = ["unit"]
    app.config.from_prefixed_env()
    app.config.update(config)
    db.init_app(app)
    Tenancy(app)
    with app.app_context():
        db.create_all()

    @app.get("/<int:key>")
    def show(key):
        return db.get_or_404(Task, key).what

    return app
"""

SUITE = """
import unittest
import pytest
import sqlalchemy as sa
from tasks import Label, Setting, Task, Unit, create_app, db


class TasksTest(unittest.TestCase):
    def setUp(self):
        self.app = create_app(TESTING=True)
        self.context = self.app.app_context()
        self.context.push()
        db.create_all()

    def tearDown(self):
        db.session.remove()
        db.drop_all()
        self.context.pop()

    def fill(self):
        db.session.add(Task(what="write", labels=[Label(word="red"), Label(word="blue")]))
        db.session.flush()
        db.session.add_all([Task(what="read", parent_id=1), Setting(key="theme", value="light")])
        db.session.commit()

    def test_the_first_row_has_id_1(self):
        self.fill()
        self.assertEqual(db.session.get(Task, 1).what, "write")
        self.assertEqual([label.id for label in db.session.get(Task, 1).labels], [1, 2])
        self.assertEqual(db.session.get(Task, 2).parent_id, 1)
        self.assertEqual(self.app.test_client().get("/2").text, "read")
        self.assertEqual(self.app.test_client().get("/3").status_code, 404)

    def test_and_again(self):
        self.fill()
        self.assertEqual([task.id for task in db.session.scalars(sa.select(Task).order_by(Task.id))], [1, 2])

    def test_nothing_is_left_of_other_tests(self):
        self.assertEqual(db.session.query(Task).count(), 0)
        self.assertIsNone(db.session.get(Setting, "theme"))
        self.assertEqual(db.session.execute(sa.text("SELECT count(*) FROM labelled")).scalar(), 0)

    def test_tables_one_by_one(self):
        self.fill()
        db.metadata.drop_all(db.engine, tables=[Setting.__table__])
        Setting.__table__.create(db.engine, checkfirst=True)
        self.assertEqual(db.session.query(Setting).count(), 0)
        self.assertEqual(db.session.query(Task).count(), 2)

    def test_a_row_with_an_id_of_its_own(self):
        db.session.add(Task(id=40, what="answer"))
        db.session.commit()
        self.assertEqual(self.app.test_client().get("/40").text, "answer")

    def test_inspection(self):
        self.assertIn("task", sa.inspect(db.engine).get_table_names())
        self.assertNotIn("tenant_id", [c["name"] for c in sa.inspect(db.engine).get_columns("task")])


@pytest.fixture
def emptied():
    app = create_app()
    with app.app_context():
        for table in reversed(db.metadata.sorted_tables):
            if table.name != "unit":
                db.session.execute(table.delete())
        db.session.commit()
        yield app


def test_the_other_kind_of_suite(emptied):
    db.session.execute(sa.insert(Task), [{"what": "one"}, {"what": "two"}])
    db.session.commit()
    assert db.session.query(Task).count() == 2


def test_leaves_the_largest_id(emptied):
    db.session.add(Task(id=1000, what="far"))
    db.session.commit()
"""

PLUGIN = ("-p", "flask_tenant.testing")


class Tasks:
    """The application and its suite, in a database that a neighbour uses as well.

    :param folder: for their files
    :param url: of an empty database
    """

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        (folder / "tasks.py").write_text(APP)
        (folder / "test_tasks.py").write_text(SUITE)
        self.names = runpy.run_path(str(folder / "tasks.py"))
        self.app = self.names["create_app"]()
        self.db = self.names["db"]
        for slug in ("neighbour", "suite"):
            state_of(self.app).create(slug, slug.title())
        task, label, setting = (self.names[name] for name in ("Task", "Label", "Setting"))
        labels = [label(word=f"label {n}") for n in range(5)]
        tasks = [task(what=f"mine {n}", labels=labels) for n in range(5)]
        self.add("neighbour", *tasks, setting(key="theme", value="mine"))

    def add(self, slug: str, *rows: Any) -> None:
        """Add rows in a tenant."""
        with self.app.app_context(), tenant_context(slug):
            self.db.session.add_all(rows)
            self.db.session.commit()

    def held(self, tenant: str) -> dict[str, list[tuple[Any, ...]]]:
        """What the tenants have whose id compares so with 1, the neighbour's, past every wall."""
        return {
            name: [row for row in rows(self.url, name) if (row[0] == 1) is (tenant == "neighbour")]
            for name in ("task", "label", "labelled", "setting")
        }

    def run_suite(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the suite as its authors do."""
        command = ("-m", "pytest", "-q", "--tb=line", "-p", "no:cacheprovider", "test_tasks.py", *arguments)
        return python(self.folder, *command, TASKS_DATABASE=self.url, **environment)


@pytest.fixture
def tasks(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tasks]:
    monkeypatch.setenv("TASKS_DATABASE", database_url)
    tasks = Tasks(tmp_path, database_url)
    yield tasks
    with tasks.app.app_context():
        tasks.db.engine.dispose()


@pytest.mark.databases("sqlite", "postgresql+psycopg")
def test_a_suite_beside_a_neighbour(tasks: Tasks) -> None:
    before = tasks.held("neighbour")
    assert [len(rows) for rows in before.values()] == [5, 5, 25, 1]
    done = tasks.run_suite(*PLUGIN, FLASK_TENANT_DEFAULT="suite")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 passed" in done.stdout
    assert tasks.held("neighbour") == before

    # new rows of anybody have ids of their own, whatever the suite has left behind
    for slug in ("neighbour", "suite"):
        tasks.add(slug, tasks.names["Task"](what="after"), tasks.names["Label"](word="after"))
    assert len(tasks.held("neighbour")["task"]) == 6
    left = sorted(row[1] for row in tasks.held("suite")["task"])
    assert left[0] == 1000
    assert left[1] > 1000


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("arguments", [(), PLUGIN], ids=["without the plugin", "without a tenant"])
def test_tables_are_everybodys_otherwise(tasks: Tasks, arguments: tuple[str, ...]) -> None:
    before = tasks.held("neighbour")
    done = tasks.run_suite(*arguments, **({} if arguments else {"FLASK_TENANT_DEFAULT": "suite"}))
    assert done.returncode == 1
    assert "DdlRefusedError: DropTable" in done.stdout
    assert "pytest -p flask_tenant.testing" in done.stdout
    assert "passed" not in done.stdout.splitlines()[-1] or not arguments
    assert tasks.held("neighbour") == before


FRESH = """
import pytest
from tasks import Task, db
from flask import Flask
from flask_tenant import Tenancy


@pytest.fixture
def app(tmp_path):
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path}/tasks.db"
    app.config["TENANT_DEFAULT"] = "tests"
    db.init_app(app)
    Tenancy(app)
    with app.app_context():
        db.create_all()
        yield app
        db.session.remove()
        db.drop_all()


@pytest.mark.parametrize("what", ["one", "two"])
def test_task(app, what):
    db.session.add(Task(what=what))
    db.session.commit()
    assert [(task.id, task.what) for task in db.session.scalars(db.select(Task))] == [(1, what)]
"""


def test_a_new_database_for_each_test(tmp_path: Path) -> None:
    """Nobody has created the tenant or its tables: a factory that leaves ``create_all`` to others."""
    (tmp_path / "tasks.py").write_text(APP)
    (tmp_path / "test_fresh.py").write_text(FRESH)
    command = ("-m", "pytest", "-q", "--tb=line", "-p", "no:cacheprovider", "test_fresh.py")
    done = python(tmp_path, *command, *PLUGIN)
    assert "2 passed" in done.stdout, done.stdout + done.stderr
