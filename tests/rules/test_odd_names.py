"""Columns with names that no identifier has: rules say ``row["straße"]``, and mean that column and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_tenant import Tenancy, tenant_context
from flask_tenant.errors import RuleDeniedError
from flask_tenant.expressions import Column, Kind
from flask_tenant.registry import state_of
from flask_tenant.rules.cases.mutation import said
from flask_tenant.rules.language import Vocabulary, check, conditions
from flask_tenant.rules.language.conditions import Names
from flask_tenant.rules.language.findings import ConditionError
from flask_tenant.rules.language.source import Source
from tests.services.databases import MakeDatabase

NAMES = [
    "straße", "Größe", "таблица", "a b", "a.b", "row", "select", "x:y", ":name", "q?m", '"; --',
    "it's", "{0}", "a[1]", "naïve\u00a0name",
]  # fmt: skip
PERCENT = ["100%", "%s", "%(x)s"]
"""Of these PostgreSQL's drivers make placeholders: a statement that is looked at as text is refused."""


def quoted(name: str) -> str:
    """A name within ``row[…]`` and within a message."""
    for sign, instead in (("\\", "\\\\"), ('"', '\\"'), ("{", "\\u007b"), ("}", "\\u007d")):
        name = name.replace(sign, instead)
    return f'row["{name}"]'


class World:
    def __init__(self, url: str, folder: Path) -> None:
        app = self.app = Flask("odd")
        app.config["SQLALCHEMY_DATABASE_URI"] = url
        db = self.db = SQLAlchemy(app)
        self.odd = sa.Table(
            "odd",
            db.metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            *(sa.Column(name, sa.String(40), key=f"c{n}") for n, name in enumerate(NAMES)),
        )
        Tenancy(app)
        self.folder = folder
        with app.app_context():
            db.create_all()
            self.state = state_of(app)
            for slug in ("acme", "bella"):
                self.state.create(slug, slug)
                with tenant_context(slug):
                    for id_, value in ((1, "yes"), (2, "no")):
                        db.session.execute(
                            self.odd.insert().values(id=id_, **{f"c{n}": value for n in range(len(NAMES))})
                        )
                    db.session.commit()

    def obey(self, *rules: dict[str, Any]) -> None:
        """Let acme obey a file; JSON is YAML, too."""
        text = json.dumps({"version": 1, "scope": {"tenant": "acme"}, "rules": rules}, ensure_ascii=False)
        (self.folder / "acme.yaml").write_text(text, encoding="utf-8")
        with self.app.app_context():
            words = ["tenant", "rules", "activate", "--yes", "--folder", str(self.folder)]
            found = self.app.test_cli_runner().invoke(args=words)
        assert found.exit_code == 0, found.output

    def close(self) -> None:
        self.state.directory.close()
        with self.app.app_context():
            self.db.engine.dispose()


@pytest.fixture(scope="module")
def world(
    back_end: str, make_database: MakeDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    with make_database(back_end) as url:
        world = World(url, tmp_path_factory.mktemp("odd"))
        yield world
        world.close()


@pytest.mark.databases("sqlite", "postgresql+psycopg", "postgresql+psycopg2")
def test_every_name_is_that_column(world: World) -> None:
    """Filter, mask, hide, deny with a message, and set: for the ORM's compiler, text and the driver's own SQL."""
    masked, hidden, last = NAMES[2], NAMES[3], len(NAMES) - 1
    every = " && ".join(f'{quoted(name)} == "yes"' for name in NAMES)
    said_of = {n: quoted(name) for n, name in enumerate(NAMES) if name not in (masked, hidden)}
    world.obey(
        {"id": "keep", "for": {"read": "odd"}, "filter": every},
        {"id": "mask", "for": {"read": "odd"}, "mask": {masked: "first(1)"}, "hide": [hidden]},
        *(
            {
                "id": f"deny{n}",
                "for": {"update": "odd"},
                "when": f'{each} == "stop{n}"',
                "deny": f"Not {{{each}}}.",
            }
            for n, each in said_of.items()
        ),
        {"id": "set", "for": {"insert": "odd"}, "set": {NAMES[last]: quoted(NAMES[0])}},
    )
    db, odd = world.db, world.odd
    with world.app.app_context(), tenant_context("acme"):
        (row,) = db.session.execute(sa.select(odd))
        assert row.id == 1, "the other row is filtered"
        shown: dict[str, Any] = dict(zip(NAMES, row[1:], strict=True))
        assert shown.pop(masked) == "y****"
        assert shown.pop(hidden) is None
        assert set(shown.values()) == {"yes"}
        assert list(db.session.scalars(sa.text("SELECT id FROM odd"))) == [1]
        assert [each.id for each in db.session.connection().exec_driver_sql("SELECT id FROM odd")] == [1]
        for n in said_of:
            with pytest.raises(RuleDeniedError) as caught, db.session.begin_nested():
                db.session.execute(odd.update().values({odd.c[f"c{n}"]: f"stop{n}"}))
            assert str(caught.value).startswith(f"Not stop{n}.")
        db.session.rollback()
    with world.app.app_context(), tenant_context("bella"):
        assert list(db.session.scalars(sa.select(odd.c.id).order_by(odd.c.id))) == [1, 2]
    world.obey({"id": "set", "for": {"insert": "odd"}, "set": {NAMES[last]: quoted(NAMES[0])}})
    with world.app.app_context(), tenant_context("acme"):
        db.session.execute(odd.insert().values(id=3, c0="straight"))
        assert db.session.scalar(sa.select(odd.c[f"c{last}"]).where(odd.c.id == 3)) == "straight"
        db.session.rollback()


COLUMNS = Names({}, {"t": dict.fromkeys(["note", "back\\slash", *PERCENT, *NAMES], Kind.TEXT)}, images=True)


@pytest.mark.parametrize("name", [*NAMES, *PERCENT, "back\\slash"])
def test_it_is_read_and_said_alike(name: str) -> None:
    found = conditions.value(quoted(name), COLUMNS)
    assert found == Column(Kind.TEXT, name)
    assert conditions.value(said(found), COLUMNS) == found
    assert conditions.value(quoted(name).replace("row", "old", 1), COLUMNS) == Column(Kind.TEXT, name, "old")


def test_both_ways_are_one() -> None:
    assert conditions.value('row["note"]', COLUMNS) == conditions.value("row.note", COLUMNS)
    assert conditions.condition('row["note"].startsWith("a")', COLUMNS) == conditions.condition(
        'row.note.startsWith("a")', COLUMNS
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('row["strase"] == "a"', 'no column "strase"; did you mean "straße"?'),
        ('row["tenant_id"] == "a"', 'no column "tenant_id"'),
        ('user["id"] == 1', "only row, old and new have columns"),
        ('row.note["a"] == "b"', "only row, old and new have columns"),
        ("row[1] == 1", r"a\[b\] is not read"),
        ('row["no" + "te"] == "a"', r"a\[b\] is not read"),
        ('row[row["note"]] == "a"', r"a\[b\] is not read"),
        ('row["note"]["a"] == "b"', r"a\[b\] is not read"),
        ('row["note"].x == "b"', "expected a name before"),
        ('row.größe == "b"', r'another name is written row\["…"\]'),
        ('row[""] == "b"', "has no column"),
    ],
)
def test_what_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConditionError, match=said):
        conditions.condition(text, COLUMNS)


def test_an_image_by_its_brackets_is_noticed() -> None:
    rules = '- {id: a, for: {update: t}, when: \'row["note"] == "x"\', deny: \'No {row["note"]}\'}'
    text = f"version: 1\nscope: all\nrules:\n{rules}"
    found = check([Source("a.yaml", text)], Vocabulary(tables={"t": {"note": Kind.TEXT}}))
    assert "row is the row as it will be" in " ".join(found.notes)
