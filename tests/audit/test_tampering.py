"""Somebody can do with the table whatever SQL can do, but has no key: each way is noticed, and where."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from flask_tenant.audit import Keys, Trail, verify
from flask_tenant.audit.anchor import read
from tests.audit.conftest import KEY, MakeTrail, found, places

pytestmark = pytest.mark.databases("sqlite")  # what is done with the rows is the same everywhere


def do(engine: Engine, *statements: str) -> None:
    """Do what the attacker does; each statement has to reach something."""
    with engine.begin() as connection:
        for statement in statements:
            done = connection.exec_driver_sql(statement.replace("AUDIT", "tenancy_audit"))
            assert done.rowcount > 0, statement


@pytest.mark.databases("sqlite", "postgresql+psycopg")
def test_what_nobody_has_touched_is_in_order(trail: Trail) -> None:
    assert found(trail) == []
    assert verify(trail.entries(), trail.keys, read([trail.anchor.path])) == (13, 3, 13, ())  # type: ignore[list-item]


@pytest.mark.parametrize(
    "change",
    [
        "actor = 'person:8'",
        "action = 'member.read'",
        "details = '{\"number\":4}'",
        "details = '{\"number\":3} '",
        "at = at + 1",
        "mac = '" + "0" * 64 + "'",
        "mac = upper(mac) || ''",
        "mac = ''",
    ],
)
def test_changed(trail: Trail, engine: Engine, change: str) -> None:
    do(engine, f"UPDATE AUDIT SET {change} WHERE tenant_id = 1 AND number = 3")
    assert places(found(trail))[0] == (1, 3, "changed")
    assert {each.tenant_id for each in found(trail)} == {1}


@pytest.mark.parametrize(
    "change",
    [
        "at = 9223372036854775807",
        "at = 'soon'",
        "details = x'ff'",
        "details = '[1]'",
        "actor = x'00'",
        "mac = x'00'",
    ],
)
def test_what_no_trail_would_write(trail: Trail, engine: Engine, change: str) -> None:
    """SQLite keeps anything in any column. Neither `verify` nor `list` stumbles over it."""
    do(engine, f"UPDATE AUDIT SET {change} WHERE tenant_id = 1 AND number = 3")
    assert places(found(trail))[0] == (1, 3, "changed")
    shown = [(entry.moment.year, entry.known) for entry in trail.entries(1)]
    assert len(shown) == 5


def test_what_is_in_no_chain(trail: Trail, engine: Engine) -> None:
    copy = (
        "INSERT INTO AUDIT SELECT {}, {}, at, actor, action, details, mac FROM AUDIT WHERE number = 5 LIMIT 1"
    )
    do(engine, copy.format("1", "'six'"), copy.format("'one'", "1"), copy.format("x'00'", "x'00'"))
    assert places(found(trail)) == [(-1, 0, "inserted")] * 3


def test_removed(trail: Trail, engine: Engine) -> None:
    do(engine, "DELETE FROM AUDIT WHERE tenant_id = 1 AND number IN (2, 3)")
    assert places(found(trail)) == [(1, 2, "removed")]


def test_removed_and_the_gap_closed(trail: Trail, engine: Engine, anchor: Path) -> None:
    close = [f"UPDATE AUDIT SET number = {n - 1} WHERE tenant_id = 1 AND number = {n}" for n in (4, 5)]
    do(engine, "DELETE FROM AUDIT WHERE tenant_id = 1 AND number = 3", *close)
    anchor.write_text("")  # the chain says so by itself
    assert places(found(trail))[0] == (1, 3, "changed")


def test_the_first_one_removed(trail: Trail, engine: Engine, anchor: Path) -> None:
    do(engine, "DELETE FROM AUDIT WHERE tenant_id = 1 AND number = 1")
    anchor.write_text("")
    assert places(found(trail)) == [(1, 1, "removed")]


@pytest.mark.parametrize("number", [0, -1, 6, 9])
def test_inserted(trail: Trail, engine: Engine, number: int) -> None:
    """A copy of an entry that is right, with its MAC."""
    do(
        engine,
        f"INSERT INTO AUDIT SELECT tenant_id, {number}, at, actor, action, details, mac FROM AUDIT "
        "WHERE tenant_id = 1 AND number = 5",
    )
    what = {0: "inserted", -1: "inserted", 6: "changed", 9: "removed"}[number]
    assert places(found(trail)) == [(1, 6 if number == 9 else number, what)]


@pytest.mark.databases("sqlite", "postgresql+psycopg")
def test_two_that_have_changed_places(trail: Trail, engine: Engine) -> None:
    do(
        engine,
        "UPDATE AUDIT SET number = 99 WHERE tenant_id = 1 AND number = 3",
        "UPDATE AUDIT SET number = 3 WHERE tenant_id = 1 AND number = 4",
        "UPDATE AUDIT SET number = 4 WHERE tenant_id = 1 AND number = 99",
    )
    assert places(found(trail))[0] == (1, 3, "changed")


def test_an_entry_of_another_history_in_place_of_one(trail: Trail, engine: Engine, anchor: Path) -> None:
    """It was sealed with the key, for this chain and this number: only the MAC before it does not fit."""
    do(
        engine,
        "INSERT INTO AUDIT SELECT 9, number, at, actor, action, details, mac FROM AUDIT "
        "WHERE tenant_id = 1 AND number = 5",
        "DELETE FROM AUDIT WHERE tenant_id = 1 AND number >= 4",
    )
    for _ in range(3):
        trail.write("member.changed", tenant_id=1, actor="person:8")
    anchor.write_text("")
    assert found(trail, tenant_id=1) == []
    do(
        engine,
        "DELETE FROM AUDIT WHERE tenant_id = 1 AND number = 5",
        "UPDATE AUDIT SET tenant_id = 1 WHERE tenant_id = 9",
    )
    assert places(found(trail, tenant_id=1))[0] == (1, 5, "changed")


def test_another_tenants_chain_in_place_of_ones_own(trail: Trail, engine: Engine, anchor: Path) -> None:
    do(
        engine,
        "DELETE FROM AUDIT WHERE tenant_id = 1",
        "INSERT INTO AUDIT SELECT 1, number, at, actor, action, details, mac FROM AUDIT WHERE tenant_id = 2",
    )
    anchor.write_text("")
    assert places(found(trail)) == [(1, number, "changed") for number in range(1, 6)]


@pytest.mark.parametrize("left", [4, 1, 0])
def test_cut_off(trail: Trail, engine: Engine, anchor: Path, left: int) -> None:
    do(engine, f"DELETE FROM AUDIT WHERE tenant_id = 1 AND number > {left}")
    assert places(found(trail)) == places(found(trail, tenant_id=1)) == [(1, left + 1, "cut-off")]
    assert found(trail, tenant_id=2) == []
    trail.write("member.changed", tenant_id=1, actor="person:7")  # the chain goes on as if nothing had been
    assert (1, left + 1, "changed") in places(found(trail)), "it was written otherwise before"


def test_the_whole_table_emptied(trail: Trail, engine: Engine) -> None:
    do(engine, "DELETE FROM AUDIT")
    assert places(found(trail)) == [(0, 1, "cut-off"), (1, 1, "cut-off"), (2, 1, "cut-off")]


def test_without_an_anchor_nothing_tells_of_the_end(trail: Trail, engine: Engine, anchor: Path) -> None:
    """What the anchor is for: the chain alone cannot tell, and a log that has the lines does as well."""
    shipped = anchor.with_name("syslog")
    shipped.write_text(
        "".join(f"Nov 22 host app[7]: INFO {line}" for line in anchor.read_text().splitlines(keepends=True))
    )
    anchor.write_text("")
    do(engine, "DELETE FROM AUDIT WHERE tenant_id = 1 AND number = 5")
    assert found(trail) == []
    assert places(found(trail, shipped)) == [(1, 5, "cut-off")]


def test_who_has_the_key_cannot_change_what_was_noted(
    trail: Trail, make_trail: MakeTrail, engine: Engine, anchor: Path, tmp_path: Path
) -> None:
    do(engine, "DELETE FROM AUDIT WHERE tenant_id = 1")
    kept = anchor.read_text()
    for number in range(1, 7):
        trail.write("member.changed", tenant_id=1, actor="person:8", number=number)
    anchor.write_text(kept)
    assert places(found(trail)) == [(1, number, "changed") for number in range(1, 6)]


def test_keys_are_replaced_and_old_ones_seal_nothing_new(
    trail: Trail, make_trail: MakeTrail, engine: Engine
) -> None:
    new = "another key, which is long enough as well"
    rotated = make_trail(new, KEY)
    rotated.write("key.rotated", tenant_id=1, actor="command:root")
    assert found(rotated) == []
    trail.write("member.changed", tenant_id=1, actor="person:9")  # who has found out the old key
    assert places(found(rotated)) == [(1, 7, "old-key")]
    without = make_trail(new)
    assert (1, 1, "changed") in places(found(without)), "a key that is not there any more vouches for nothing"


def test_nothing_is_sealed_with_an_empty_key(trail: Trail) -> None:
    entry = next(trail.entries())
    assert Keys(("",)).which(entry, "") is None
    assert Keys((KEY,)).which(entry, "") == 0
    assert Keys((KEY,)).which(entry._replace(mac="\ud800é"), "") is None


def test_much_that_is_wrong_is_told_in_few_words(make_trail: MakeTrail) -> None:
    trail = make_trail()
    for _ in range(30):
        trail.write("x", tenant_id=1, actor="a")
    tampering = found(make_trail("some other key, which is long enough too"), tenant_id=1)
    assert len(tampering) == 21
    assert tampering[-1].detail == "and 10 more"
