"""What the database writes by itself: a rule that would not be asked is refused, and so is the statement."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_tenant import Tenancy, central_context, registry, tenant_context
from flask_tenant.errors import RuleDeniedError, RuleFileError, StatementRefusedError
from flask_tenant.isolate.onward import onwards
from flask_tenant.registry import state_of
from flask_tenant.rules.store import RuleFile

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg")

metadata = sa.MetaData()
sa.Table("item", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String))
sa.Table(
    "part", metadata, sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("item_id", sa.ForeignKey("item.id", ondelete="CASCADE")), sa.Column("note", sa.String),
)  # fmt: skip
sa.Table("ledger", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("text", sa.String))


class World:
    """Items with parts, and a ledger that rules are about."""

    def __init__(self, url: str, **config: object) -> None:
        self.engine, self.physical = sa.create_engine(url), sa.create_engine(url)
        self.app = Flask("onward")
        self.app.config.update(config)
        tenancy = Tenancy(self.app, engines=[self.engine])
        tenancy.exempt(self.physical)
        self.state = state_of(self.app)
        self.sqlite = self.engine.dialect.name == "sqlite"

    def fill(self) -> None:
        with central_context(reason="set-up", app=self.app):
            metadata.create_all(self.engine)
        self.state.create("acme", "Acme")
        self.write(
            "INSERT INTO item (id, name) VALUES (1, 'a'), (2, 'b')",
            "INSERT INTO part (id, item_id, note) VALUES (1, 1, 'x')",
            "INSERT INTO ledger (id, text) VALUES (1, 'open'), (2, 'closed')",
        )

    def close(self) -> None:
        self.engine.dispose()
        self.physical.dispose()
        registry._apps.discard(self.state)

    def write(self, *statements: str) -> None:
        with tenant_context("acme", self.app), self.engine.begin() as connection:
            for sql in statements:
                connection.exec_driver_sql(sql)

    def physically(self, *statements: str) -> list[tuple[object, ...]]:
        with self.physical.begin() as connection:
            for sql in statements:
                result = connection.exec_driver_sql(sql)
        self.state.databases.isolations[self.engine].views.forget(None)
        return [tuple(row) for row in result] if result.returns_rows else []

    def ledger(self) -> list[tuple[object, ...]]:
        return self.physically("SELECT id, text FROM ledger ORDER BY id")

    def trigger(self, on: str, event: str, body: str, name: str = "sneaks") -> None:
        if self.sqlite:
            self.physically(f"CREATE TRIGGER {name} AFTER {event} ON {on} BEGIN {body}; END")
        else:
            self.physically(
                f"CREATE FUNCTION {name}_() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NULL; END $$",
                f"CREATE TRIGGER {name} AFTER {event} ON {on} FOR EACH ROW EXECUTE FUNCTION {name}_()",
            )

    def drop(self, on: str = "item", name: str = "sneaks") -> None:
        if self.sqlite:
            self.physically(f"DROP TRIGGER {name}")
        else:
            self.physically(f"DROP TRIGGER {name} ON {on}", f"DROP FUNCTION {name}_()")

    def file(self, rule: str) -> RuleFile:
        return RuleFile("_all.yaml", "all", f"version: 1\nscope: all\nrules:\n{rule}\n")

    def notes(self, rule: str) -> tuple[str, ...]:
        return self.state.governance.check([self.file(rule)], None).notes

    def activate(self, rule: str) -> None:
        self.state.governance.activations.activate([self.file(rule)], author="test")


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    found = World(database_url, TENANT_SAFE_OBJECTS=["sneaks", "sneaks_", "other", "other_", "also"])
    found.fill()
    yield found
    found.close()


DENY = '- {id: kept, for: {delete: ledger}, when: row.text == "closed", deny: "Closed."}'
FILTER = '- {id: seen, for: {read: ledger}, filter: row.text == "open"}'
MASK = "- {id: secret, for: {read: ledger}, mask: {text: empty}}"
NAME = """- {id: name, for: {insert: item}, set: {name: "'checked'"}}"""
STAMP = """- {id: stamp, for: {insert: ledger}, set: {text: "'checked'"}}"""

WAYS = [
    (DENY, "INSERT", "DELETE FROM ledger WHERE id = 2", "INSERT INTO item (id, name) VALUES (3, 'c')", "deletes"),
    (FILTER, "UPDATE", "UPDATE ledger SET text = NEW.name", "UPDATE item SET name = 'mine'", "updates"),
    (FILTER, "DELETE", "DELETE FROM ledger", "DELETE FROM item WHERE id = 2", "deletes"),
    (MASK, "UPDATE", "UPDATE ledger SET text = NEW.name", "UPDATE item SET name = 'mine'", "updates"),
    (STAMP, "UPDATE", "INSERT INTO ledger (id, text, tenant_id) VALUES (9, NEW.name, NEW.tenant_id)",
     "UPDATE item SET name = 'mine' WHERE id = 1", "inserts"),
    (DENY + "\n" + NAME, "UPDATE", "DELETE FROM ledger WHERE id = 2",
     "INSERT INTO item (id, name) VALUES (3, 'c')", "deletes"),
]  # fmt: skip
"""The last: a rule's own value is put in by an UPDATE."""
BEFORE = [(1, "open"), (2, "closed")]


def test_triggers(world: World) -> None:
    for rule, event, body, attack, does in WAYS:
        world.activate(rule)  # there is nothing against it yet
        world.trigger("item", event, body)
        with pytest.raises(StatementRefusedError, match="by the trigger sneaks on item"):
            world.write(attack)
        assert world.ledger() == BEFORE
        found = f'the trigger sneaks on item {does} rows of "ledger" when rows of "item" are {event.lower()}'
        with pytest.raises(RuleFileError, match=found) as refused:
            world.activate(rule.replace("id: ", "id: other-", 1))
        assert refused.value.findings[0].startswith("_all.yaml:4:")
        world.drop()
    assert len(world.state.governance.activations.history.all()) == 5  # two ways have one rule in common


def test_a_trigger_behind_a_foreign_key(world: World) -> None:
    """Items are deleted, with them their parts, and a trigger of these writes."""
    world.trigger("part", "DELETE", "DELETE FROM ledger")
    with pytest.raises(RuleFileError, match="the trigger sneaks on part deletes"):
        world.notes(DENY)
    world.drop("part")
    world.activate(DENY)
    world.trigger("part", "DELETE", "DELETE FROM ledger", name="other")
    with pytest.raises(StatementRefusedError, match="by the trigger other on part"):
        world.write("DELETE FROM item WHERE id = 1")
    world.write("DELETE FROM ledger WHERE id = 1")
    assert world.ledger() == BEFORE[1:]


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("rule", [DENY, FILTER])
def test_tables_that_replace_by_themselves(world: World, rule: str) -> None:
    assert world.notes(rule) == ()
    world.physically(
        "DROP TABLE ledger",
        "CREATE TABLE ledger (id INTEGER NOT NULL, text VARCHAR, tenant_id INTEGER NOT NULL, "
        "PRIMARY KEY (tenant_id, id) on /* quietly */ conflict\nReplace)",
        "INSERT INTO ledger VALUES (1, 'open', 1), (2, 'closed', 1)",
    )
    with pytest.raises(RuleFileError, match='ON CONFLICT REPLACE of ledger deletes rows of "ledger"'):
        world.notes(rule)
    world.physically(
        "CREATE TABLE kept AS SELECT * FROM ledger", "DROP TABLE ledger", "ALTER TABLE kept RENAME TO ledger"
    )
    world.activate(rule)
    world.physically(
        "DROP TABLE ledger",
        "CREATE TABLE ledger (id INTEGER NOT NULL, text VARCHAR, tenant_id INTEGER NOT NULL, "
        "UNIQUE (tenant_id, id) ON CONFLICT REPLACE)",
        "INSERT INTO ledger VALUES (1, 'open', 1), (2, 'closed', 1)",
    )
    for attack in (
        "INSERT INTO ledger (id, text) VALUES (2, 'mine')",
        "UPDATE ledger SET id = 2 WHERE id = 1",
    ):
        with pytest.raises(StatementRefusedError, match="ON CONFLICT REPLACE of ledger"):
            world.write(attack)
    assert world.ledger() == BEFORE


@pytest.mark.databases("sqlite")
def test_replace_deletes_what_hangs_on_a_row(world: World) -> None:
    """The rows that a REPLACE deletes take theirs along."""
    world.activate("- {id: kept, for: {delete: part}, deny: Never.}")
    with pytest.raises(StatementRefusedError, match="'part'"):
        world.write("REPLACE INTO item (id, name) VALUES (1, 'mine')")
    world.activate('- {id: seen, for: {read: part}, filter: row.note == "y"}')
    with pytest.raises(StatementRefusedError, match="'part'"):
        world.write("INSERT OR REPLACE INTO item (id, name) VALUES (1, 'mine')")
    assert world.physically("SELECT id, note FROM part") == [(1, "x")]


@pytest.mark.databases("postgresql+psycopg")
def test_a_statement_within_another_deletes_what_hangs_on_a_row(world: World) -> None:
    attack = "WITH gone AS (DELETE FROM item WHERE id = 1 RETURNING id) SELECT id FROM gone"
    item = sa.table("item", sa.column("id"))
    gone = item.delete().where(item.c.id == 1).returning(item.c.id).cte("gone")
    for rule in (
        '- {id: seen, for: {read: part}, filter: row.note == "y"}',
        "- {id: kept, for: {delete: part}, deny: Never.}",
    ):
        world.activate(rule)
        with pytest.raises(StatementRefusedError):
            world.write(attack)
        with tenant_context("acme", world.app), world.engine.begin() as connection:
            for statement in (sa.text(attack), sa.select(gone.c.id)):
                with pytest.raises(StatementRefusedError):
                    connection.execute(statement)
    world.activate(DENY)
    world.trigger("part", "UPDATE", "DELETE FROM ledger")
    with pytest.raises(StatementRefusedError, match="by the trigger sneaks on part"):
        world.write("WITH x AS (UPDATE part SET note = 'y' RETURNING id) SELECT id FROM x")
    assert world.physically("SELECT id, note FROM part") == [(1, "x")]
    assert world.ledger() == BEFORE


def test_what_hangs_on_rows_that_hang_on_a_row(world: World) -> None:
    world.physically(
        "CREATE TABLE screw (tenant_id integer NOT NULL, id integer NOT NULL, part_id integer, "
        "PRIMARY KEY (tenant_id, id), "
        "FOREIGN KEY (tenant_id, part_id) REFERENCES part (tenant_id, id) ON DELETE CASCADE)",
        "INSERT INTO screw VALUES (1, 1, 1)",
    )
    world.activate("- {id: kept, for: {delete: screw}, deny: Never.}")
    with pytest.raises(StatementRefusedError, match="'part' hang on rows of 'item'"):
        world.write("DELETE FROM item WHERE id = 1")
    world.write("DELETE FROM item WHERE id = 2")
    assert world.physically("SELECT id FROM screw") == [(1,)]


@pytest.mark.databases("postgresql+psycopg")
def test_rules_of_the_database(world: World) -> None:
    world.activate(DENY)
    world.physically("CREATE RULE also AS ON UPDATE TO item DO ALSO DELETE FROM ledger WHERE id = new.id")
    with pytest.raises(StatementRefusedError, match="by the rule also on item"):
        world.write("UPDATE item SET name = 'mine'")
    with pytest.raises(RuleFileError, match="the rule also on item deletes"):
        world.notes(DENY)
    assert world.ledger() == BEFORE


@pytest.mark.databases("postgresql+psycopg")
def test_what_cannot_be_told_is_said(world: World) -> None:
    world.physically("CREATE FUNCTION other_() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    for body, known in (
        ("EXECUTE 'DELETE FROM ' || 'ledger'", False),
        ("PERFORM other_()", False),
        ("NEW.name := lower(NEW.name); IF TG_OP = 'DELETE FROM ledger' THEN RETURN NEW; END IF", True),
        ("PERFORM 1 FROM ledger FOR UPDATE", True),
    ):
        world.trigger("item", "INSERT", body)
        notes = world.notes(DENY)
        assert bool(notes) is not known
        assert known or "the trigger sneaks on item" in notes[0]
        assert world.notes("- {id: few, for: {read: ledger}, cap: 5}") == ()
        world.drop()
    # Only a superuser makes functions in C, and this test is none.
    world.trigger("item", "INSERT", "PERFORM 1")
    assert world.notes(DENY) == ()
    live = world.state.databases.isolations[world.engine].views.catalog.live
    in_c = [replace(found, body=None) for found in live.objects if found.kind == "trigger"]
    assert "not in PL/pgSQL" in str(onwards(live, in_c, ()).unknown)


def test_what_is_no_way_round(world: World) -> None:
    world.trigger("item", "INSERT", "UPDATE part SET note = 'y'")
    assert world.notes(DENY) == ()  # other tables, other verbs
    assert world.notes("- {id: closed, for: {write: '*'}, when: method == \"POST\", deny: No.}") == ()
    assert world.notes("- {id: few, for: {read: part}, cap: 5}") == ()
    world.activate(DENY)
    world.write("INSERT INTO item (id, name) VALUES (3, 'c')", "DELETE FROM ledger WHERE id = 1")
    assert world.ledger() == BEFORE[1:]


def test_who_vouches_is_believed(database_url: str) -> None:
    world = World(database_url, TENANT_SAFE_OBJECTS=["sneaks", "sneaks_"], TENANT_UNRULED_OBJECTS=["sneaks"])
    world.fill()
    world.trigger("item", "INSERT", "DELETE FROM ledger WHERE id = 2")
    assert world.notes(DENY) == ()
    world.activate(DENY)
    world.write("INSERT INTO item (id, name) VALUES (3, 'c')")
    assert world.ledger() == BEFORE[:1]
    world.close()


def test_generated_columns_show_no_more_than_what_they_come_from(world: World) -> None:
    kind = "VIRTUAL" if world.sqlite else "STORED"
    world.physically(f"ALTER TABLE ledger ADD COLUMN loud VARCHAR GENERATED ALWAYS AS (upper(text)) {kind}")
    hide = "- {id: secret, for: {read: ledger}, hide: [text]}"
    for rule in (MASK, hide):
        with pytest.raises(RuleFileError, match='"loud" of "ledger" is generated from "text"'):
            world.notes(rule)
    assert world.notes(hide.replace("[text]", "[text, loud]")) == ()
    assert world.notes("- {id: secret, for: {read: ledger}, hide: [loud]}") == ()


@pytest.mark.databases("postgresql+psycopg")
def test_partitions_are_no_way_round(world: World) -> None:
    world.physically(
        "CREATE TABLE log (tenant_id int NOT NULL, id int NOT NULL, text text, PRIMARY KEY (tenant_id, id)) "
        "PARTITION BY LIST (tenant_id)",
        "CREATE TABLE log_0 PARTITION OF log DEFAULT PARTITION BY LIST (id)",
        "CREATE TABLE log_1 PARTITION OF log_0 DEFAULT",
        "CREATE TABLE deeper () INHERITS (ledger)",
        "INSERT INTO log VALUES (1, 1, 'secret')",
    )
    item = sa.table("log_1", sa.column("text"))
    read = "SELECT text FROM {}"
    ways = (
        ("- {id: a, for: {read: log}, mask: {text: empty}}", read),
        ('- {id: a, for: {read: log}, filter: row.text == "x"}', read),
        ("- {id: a, for: {read: log}, deny: Never.}", read),
        ("- {id: a, for: {delete: log}, deny: Never.}", "DELETE FROM {}"),
        ("- {id: a, for: {insert: log}, deny: Never.}", "INSERT INTO {} (id, text) VALUES (3, 'x')"),
    )
    for rule, attack in ways:
        world.activate(rule)
        for swapped in (False, True):  # rules about a part only, and the whole is asked
            if swapped:
                world.activate(rule.replace("log}", "log_1}"))
            with pytest.raises(StatementRefusedError, match="share rows"):
                world.write(attack.format("log" if swapped else "log_1"))
    world.activate(ways[0][0])
    with tenant_context("acme", world.app), world.engine.connect() as connection:
        assert connection.execute(sa.text("SELECT text FROM log")).all() == [(None,)]
        with pytest.raises(StatementRefusedError, match="share rows"):
            connection.execute(sa.select(item.c.text))
    world.activate(ways[0][0].replace("log}", "[log, log_1]}"))
    with tenant_context("acme", world.app), world.engine.connect() as connection:
        assert connection.execute(sa.select(item.c.text)).all() == [(None,)]
    assert world.physically("SELECT id, text FROM log") == [(1, "secret")]


@pytest.mark.databases("postgresql+psycopg")
def test_blanks_that_fill_up_a_column_change_no_rule(world: World) -> None:
    world.physically("ALTER TABLE ledger ALTER COLUMN text TYPE char(10)")
    world.activate('- {id: kept, for: {update: ledger}, when: old.text == "closed", deny: "Closed."}')
    with pytest.raises(RuleDeniedError, match="Closed"):
        world.write("UPDATE ledger SET text = 'open' WHERE id = 2")
    world.write("UPDATE ledger SET text = 'paid' WHERE id = 1")
    assert world.physically("SELECT id, trim(text) FROM ledger ORDER BY id") == [(1, "paid"), (2, "closed")]


def test_what_a_unique_index_holds_is_a_key_too(world: World) -> None:
    """``Column(unique=True, index=True)`` makes an index and no constraint: whose value is taken can be found out."""
    index = "CREATE UNIQUE INDEX texts ON ledger (tenant_id, {})"
    keys = [(index.format(columns), "DROP INDEX texts") for columns in ("text", "id, text")]
    if not world.sqlite:
        excludes = "ADD CONSTRAINT texts EXCLUDE USING btree (tenant_id WITH =, text WITH =)"
        keys += [
            (index.format("lower(text)"), "DROP INDEX texts"),
            (f"ALTER TABLE ledger {excludes}", "ALTER TABLE ledger DROP CONSTRAINT texts"),
        ]
    world.physically("CREATE INDEX slow ON ledger (tenant_id, text)")
    for key, drop in keys:
        assert world.notes(MASK) == ()
        world.physically(key)
        for rule in (MASK, "- {id: secret, for: {read: ledger}, hide: [text]}"):
            with pytest.raises(RuleFileError, match='"text" is part of a key of "ledger"'):
                world.notes(rule)
        world.physically(drop)


def test_views_are_no_way_round(world: World) -> None:
    """A view runs below the wall: that it shows no other tenant's rows says nothing about rules."""
    world.physically(
        "CREATE VIEW sneaks AS SELECT tenant_id, id, text FROM ledger",
        "CREATE VIEW other AS SELECT * FROM sneaks",
        "CREATE VIEW also AS SELECT tenant_id, id, name AS text FROM item",
    )
    if not world.sqlite:
        world.physically("CREATE MATERIALIZED VIEW other_ AS SELECT tenant_id, id, text FROM ledger")

    def statements(name: str) -> list[sa.Executable]:
        view, item = sa.table(name, sa.column("id"), sa.column("text")), sa.table("item", sa.column("id"))
        found: list[sa.Executable] = [
            sa.select(view.c.text),
            sa.select(item.c.id).where(sa.exists(sa.select(view.c.id))),
            item.update().values(id=item.c.id).where(item.c.id.in_(sa.select(view.c.id))),
        ]
        if name == "sneaks" and not world.sqlite:
            found += [
                view.update().values(text="mine"),
                view.delete().where(view.c.text == "closed"),
                view.insert().values(id=9, text="open"),
            ]
        return found

    names = ["sneaks", "other", *(["SNEAKS"] if world.sqlite else ["other_"])]
    with tenant_context("acme", world.app), world.engine.connect() as connection:
        for statement in statements("sneaks"):
            connection.execute(statement)  # there is a way
        connection.rollback()
    for rule in (MASK, FILTER, DENY, STAMP, "- {id: no, for: {read: ledger}, deny: Never.}"):
        world.activate(rule)
        assert any('view "sneaks" shows rows of "ledger"' in note for note in world.notes(rule))
        for name in names:
            for statement in statements(name):
                if "deny: Never" in rule and isinstance(statement, sa.Insert):
                    continue  # which reads nothing
                with (
                    tenant_context("acme", world.app),
                    world.engine.connect() as connection,
                    pytest.raises(StatementRefusedError, match="'ledger' share rows"),
                ):
                    connection.execute(statement)
        with tenant_context("acme", world.app), world.engine.connect() as connection:
            for statement in statements("also"):
                connection.execute(statement)
    assert world.ledger() == BEFORE


def test_whoever_vouches_for_a_view_is_believed(database_url: str) -> None:
    world = World(database_url, TENANT_SAFE_OBJECTS=["seen"], TENANT_UNRULED_OBJECTS=["seen"])
    world.fill()
    world.physically("CREATE VIEW seen AS SELECT tenant_id, id, text FROM ledger")
    world.activate(MASK)
    assert world.notes(MASK) == ()
    with tenant_context("acme", world.app), world.engine.connect() as connection:
        assert connection.scalar(sa.select(sa.table("seen", sa.column("text")).c.text)) == "open"
    world.close()
