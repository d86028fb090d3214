"""``flask tenant rules …`` at a small application, end to end: files, cases, activation, and what statements give."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_tenant import Tenancy, tenant_context
from flask_tenant.application import Application
from flask_tenant.errors import RuleEngineError
from flask_tenant.expressions import Kind
from flask_tenant.registry import state_of

Type = Callable[..., Result]
PACK = Path(__file__).resolve().parents[3] / "rules" / "_all" / "recent-records.yaml"
TODAY = date.today().isoformat()  # noqa: DTZ011


class Shop:
    """The application, its folder of rules, and a way to type."""

    def __init__(self, folder: Path) -> None:
        self.app = app = Flask("shop")
        app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{folder / 'shop.sqlite'}"
        self.db = db = SQLAlchemy(app)
        self.roles: list[str] = []
        self.invoice = sa.Table(
            "invoice",
            db.metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("number", sa.String(50)),
            sa.Column("issued_on", sa.Date),
        )
        tenancy = Tenancy(app)
        tenancy.facts.provider("roles", Kind.TEXTS)(lambda: self.roles)
        self.rules = folder / "rules"
        (self.rules / "_all").mkdir(parents=True)
        with app.app_context():
            db.create_all()
            self.state.create("acme", "Acme")
            with tenant_context("acme"):
                rows = [(1, "old", date(2020, 1, 1)), (2, "new", date.fromisoformat(TODAY))]
                for id_, number, at in rows:
                    db.session.execute(self.invoice.insert().values(id=id_, number=number, issued_on=at))
                db.session.commit()

    @property
    def state(self) -> Application:
        return state_of(self.app)

    def copy_pack(self) -> Path:
        for path in (PACK, PACK.with_suffix("").with_suffix(".cases.yaml")):
            shutil.copy(path, self.rules / "_all")
        return self.rules / "_all" / PACK.name

    def type(self, *words: str) -> Result:
        folder = ["--folder", str(self.rules)] if words[0] in FOLDERS else []
        return self.app.test_cli_runner().invoke(args=["tenant", "rules", *words, *folder])

    def json(self, *words: str, code: int = 0) -> Any:
        found = self.type(*words, "--json")
        assert found.exit_code == code, found.output
        return json.loads(found.stdout)

    def seen(self) -> list[str]:
        with self.app.app_context(), tenant_context("acme"):
            self.db.session.execute(sa.text("SELECT count(*) FROM invoice"))
            return list(self.db.session.scalars(sa.select(self.invoice.c.number).order_by(self.invoice.c.id)))


FOLDERS = {"check", "test", "activate", "diff", "dry-run"}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    yield shop
    with shop.app.app_context():
        shop.db.engine.dispose()


def test_a_mistake_is_shown_where_it_is_and_replaces_nothing(shop: Shop) -> None:
    path = shop.copy_pack()
    assert shop.json("activate", "--yes")["activated"]["number"] == 1
    path.write_text(path.read_text().replace("row.issued_on", "row.issued"))
    found = shop.type("check")
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if "row.issued" in text)
    assert found.exit_code == 1
    assert f'_all/recent-records.yaml:{line}:11: the table "invoice" has no column "issued"' in found.stderr
    shown = found.stderr.splitlines()
    assert shown[1].endswith("filter: row.issued >= today - days(90)")
    assert shown[2].index("^") == shown[1].index("row.issued")
    (error,) = shop.json("check", code=1)["errors"]
    assert (error["line"], error["column"]) == (line, 11)
    assert shop.type("activate", "--yes").exit_code == 1
    assert shop.seen() == ["new"]


def test_from_activation_to_rollback(shop: Shop) -> None:
    assert shop.seen() == ["old", "new"]
    path = shop.copy_pack()
    done = shop.json("activate", "--yes", "--by", "olga", "--why", "because")["activated"]
    assert (done["author"], done["reason"], done["files"][0]["change"]) == ("olga", "because", "new")
    assert shop.seen() == ["new"]
    shop.roles = ["auditor"]
    assert shop.seen() == ["old", "new"]
    shop.roles = []
    assert shop.json("activate", "--yes") == {"activated": None}
    path.write_text(path.read_text().replace("days(90)", "days(10000)"))
    (difference,) = shop.json("diff")
    assert difference["changed"] == [{"rule": "recent-invoices", "keys": ["filter"]}]
    shop.json("activate", "--yes")
    assert shop.seen() == ["old", "new"]
    assert shop.json("rollback", "--yes")["activated"]["back_to"] == 1
    assert shop.seen() == ["new"]
    assert [each["number"] for each in shop.json("history")] == [3, 2, 1]
    shop.json("rollback", "0", "--yes")
    assert shop.seen() == ["old", "new"]
    assert shop.type("rollback", "9", "--yes").exit_code == 3


def test_nobody_at_the_keyboard_activates_nothing(shop: Shop) -> None:
    shop.copy_pack()
    assert shop.type("activate").exit_code == 1
    assert shop.json("history") == []


def test_cases_and_mutations(shop: Shop) -> None:
    path = shop.copy_pack()
    found = shop.json("test", "--mutate")
    assert [case["good"] for case in found["cases"]] == [True] * 5
    assert found["mutations"] >= 3
    assert found["unnoticed"] == []
    cases = path.with_suffix("").with_suffix(".cases.yaml")
    cases.write_text("version: 1\ncases:\n- {name: a, for: {insert: invoice}, expect: allowed}\n")
    found = shop.json("test", "--mutate", code=1)
    assert "removed" in {m["mistake"] for m in found["unnoticed"]}
    cases.write_text(cases.read_text().replace("allowed", "denied"))
    (case,) = shop.json("test", code=1)["cases"]
    assert case["wrong"] == ["expected denied, found allowed"]
    cases.unlink()
    assert shop.json("test")["without_cases"] == ["_all/recent-records.yaml"]


def test_explain_says_why_with_the_statement_before_and_after(shop: Shop) -> None:
    shop.copy_pack()
    shop.json("activate", "--yes")
    found = shop.json("explain", "acme", "SELECT number FROM invoice", "--fact", "today=2026-03-31")
    (rule,) = found["rules"]
    why = '!("auditor" in roles) is true (roles = []); row.issued_on >= today - days(90) is asked of each row'
    assert (rule["result"], rule["why"]) == ("holds", why)
    assert "issued_on" not in found["before"]["sql"].partition("WHERE")[2]
    assert "issued_on" in found["after"]["sql"].partition("WHERE")[2]
    assert "2025-12-31" in found["after"]["parameters"]
    (rule,) = shop.json("explain", "acme", "SELECT number FROM invoice", "--fact", 'roles=["auditor"]')[
        "rules"
    ]
    assert rule["result"] == "does not hold"
    assert shop.seen() == ["new"]


def test_a_dry_run_counts_what_would_change(shop: Shop) -> None:
    path = shop.copy_pack()
    shop.json("activate", "--yes")
    shop.json("record", "acme", "--values")
    shop.seen()
    path.write_text(path.read_text().replace("days(90)", "days(10000)"))
    found = shop.json("dry-run", "acme")
    changes = [
        (each["rows_before"], each["rows_after"], each["rows_changed"]) for each in found if each["changed"]
    ]
    assert changes == [(1, 1, 1), (1, 2, 1)]  # the first counts rows: it gives one still, of another value
    shop.json("record", "acme", "--delete")
    shop.seen()
    assert shop.json("dry-run", "acme") == []


def test_values_are_not_recorded_unless_wanted(shop: Shop) -> None:
    shop.json("record", "acme", "--limit", "1")
    with shop.app.app_context():
        for _ in range(2):
            with tenant_context("acme"):
                query = sa.text("SELECT id FROM invoice WHERE number = 'secret' AND id = :id")
                shop.db.session.execute(query, {"id": 4711}).all()
        with shop.state.directory.connect() as connection:
            rows = connection.execute(sa.select(shop.state.directory.tables.rule_recorded)).all()
    assert len(rows) == 1
    assert not any(word in str(rows) for word in ("secret", "4711"))


def test_nobody_is_served_where_rules_are_not_enforced(shop: Shop) -> None:
    shop.copy_pack()
    shop.json("activate", "--yes")
    assert shop.seen() == ["new"]
    (isolation,) = set(shop.state.databases.isolations.values())
    isolation.wall.rules = None  # somebody has taken it away
    shop.state.governance.book.forget()
    with pytest.raises(RuleEngineError, match="Rules are not enforced"):
        shop.seen()
    (shop.rules / "_all" / "more.yaml").write_text(
        "version: 1\nscope: all\nrules:\n- {id: few, for: {read: invoice}, cap: 5}\n"
    )
    assert "Rules are not enforced" in shop.type("activate", "--yes").stderr
    assert len(shop.json("history")) == 1
