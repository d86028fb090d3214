"""Old entries go when somebody says so, and the rest is still proven: nobody else can take more away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from flask_tenant.audit import Trail
from flask_tenant.registry import state_of
from tests.audit.conftest import MakeTrail, found, places
from tests.audit.test_tampering import do
from tests.extension.conftest import notes as notes
from tests.extension.notes import Notes

pytestmark = pytest.mark.databases("sqlite")


def day(number: int) -> datetime:
    return datetime(2026, 1, number, tzinfo=UTC)


@pytest.fixture
def daily(make_trail: MakeTrail) -> Trail:
    """Ten entries of tenant 1, one a day, and one of tenant 2 on the last."""

    def days() -> Iterator[float]:
        for number in (*range(1, 11), 10):
            yield day(number).timestamp()
        while True:
            yield day(20).timestamp()

    times = days()
    trail = make_trail(clock=lambda: next(times))
    for number in range(1, 11):
        trail.write("member.changed", tenant_id=1, actor="person:7", number=number)
    trail.write("member.changed", tenant_id=2, actor="person:7")
    return trail


def numbers(trail: Trail, tenant_id: int = 1) -> list[int]:
    return [entry.number for entry in trail.entries(tenant_id)]


@pytest.mark.databases("sqlite", "postgresql+psycopg")
def test_what_is_left_is_proven(daily: Trail, anchor: Path) -> None:
    assert daily.prune(1, day(1), actor="command:root") == 0
    assert daily.prune(1, day(5), actor="command:root") == 4
    assert numbers(daily) == [5, 6, 7, 8, 9, 10, 11]
    assert found(daily) == []
    assert daily.prune(1, day(5), actor="command:root") == 0
    assert daily.prune(1, day(8), actor="command:root") == 3
    assert numbers(daily) == [8, 9, 10, 11, 12]
    assert found(daily) == []
    assert daily.prune(1, day(21), actor="command:root") == 5
    assert numbers(daily) == [13]
    (last,) = daily.entries(1)
    assert (last.action, last.actor, last.known["through"]) == ("audit.pruned", "command:root", 12)
    assert daily.prune(1, day(21), actor="command:root") == 0, "nothing is left but word of it"
    assert found(daily) == []
    anchor.write_text("")
    assert found(daily) == [], "the chain says so by itself"
    daily.write("member.changed", tenant_id=1, actor="person:7")
    assert found(daily) == []
    assert numbers(daily, 2) == [1]
    assert daily.chains() == [1, 2]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ("DELETE FROM AUDIT WHERE tenant_id = 1 AND number = 5", (1, 1, "removed")),
        ("DELETE FROM AUDIT WHERE tenant_id = 1 AND number <= 10", (1, 1, "removed")),
        ("UPDATE AUDIT SET actor = 'x' WHERE tenant_id = 1 AND number = 5", (1, 5, "changed")),
        ("UPDATE AUDIT SET actor = 'x' WHERE tenant_id = 1 AND number = 6", (1, 6, "changed")),
        ("DELETE FROM AUDIT WHERE tenant_id = 1 AND number = 7", (1, 7, "removed")),
        ("DELETE FROM AUDIT WHERE tenant_id = 1 AND number = 11", (1, 1, "removed")),
        (
            "UPDATE AUDIT SET details = replace(details, '\"through\":4', '\"through\":5') WHERE number = 11",
            (1, 1, "removed"),
        ),
        ("DELETE FROM AUDIT WHERE tenant_id = 2", (2, 1, "cut-off")),
    ],
)
def test_no_more_than_that(
    daily: Trail, engine: Engine, anchor: Path, change: str, where: tuple[int, int, str]
) -> None:
    daily.prune(1, day(5), actor="command:root")
    if where[2] != "cut-off":
        anchor.write_text("")
    do(engine, change)
    assert where in places(found(daily))


def test_word_of_it_is_not_made_without_the_key(daily: Trail, engine: Engine, anchor: Path) -> None:
    mac = next(entry.mac for entry in daily.entries(1) if entry.number == 4)
    anchor.write_text("")
    forged = json.dumps({"mac": mac, "through": 4}, sort_keys=True, separators=(",", ":"))
    do(
        engine,
        f"INSERT INTO AUDIT SELECT 1, 11, at, actor, 'audit.pruned', '{forged}', mac FROM AUDIT WHERE number = 10",
        "DELETE FROM AUDIT WHERE tenant_id = 1 AND number <= 4",
    )
    assert {(1, 1, "removed"), (1, 11, "changed")} <= set(places(found(daily)))


def test_the_command(notes: Notes, tmp_path: Path) -> None:
    app = notes.create_app(TENANT_AUDIT=True, TENANT_AUDIT_ANCHOR=str(tmp_path / "heads"))
    trail, runner = state_of(app).trail, app.test_cli_runner()
    acme = state_of(app).create("acme", "Acme")
    for tenant_id in (0, 0, acme.id):
        trail.write("x", tenant_id=tenant_id, actor="a")

    def prune(*words: str) -> tuple[int, str]:
        result = runner.invoke(args=["tenant", "audit", "prune", *words])
        return result.exit_code, result.stdout or result.stderr

    assert prune("--before", "2020-01-01", "--yes") == (0, "0 entries from before 2020-01-01 were removed.\n")
    assert prune("--before", "2100-01-01")[0] == 1  # nobody is there to say yes
    assert len([*trail.entries()]) == 3
    assert prune("--before", "2100-01-01", "--tenant", "acme", "--yes")[1].startswith("1 entries")
    with state_of(app).directory.connect() as connection:
        connection.exec_driver_sql("UPDATE tenancy_audit SET actor = 'b' WHERE tenant_id = 0 AND number = 1")
    code, said = prune("--before", "2100-01-01", "--yes")
    assert code == 1
    assert "central work 1: changed" in said
    assert len([*trail.entries(0)]) == 2
