"""What is written, when it counts, and what the anchor hears of it."""

from __future__ import annotations

import json
import logging
import multiprocessing
from pathlib import Path
from threading import Event, Thread

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError

from flask_tenant.audit import Anchor, Keys, Trail
from flask_tenant.directory import own_database
from flask_tenant.directory.tables import Tables
from flask_tenant.errors import AuditError, ConfigurationError
from flask_tenant.transactions import following
from tests.audit.conftest import KEY, MakeTrail, found

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg")


def test_what_is_written_is_read(make_trail: MakeTrail) -> None:
    times = iter([1_000.5, 2_000.0, 3_000.0])
    trail = make_trail(clock=lambda: next(times))
    trail.write("login.failed", tenant_id=3, actor="eve\0@\ud800.example", reason="no-member", äöü="ß\0")
    trail.write("login.done", tenant_id=3, actor="person:7")
    trail.write("central.entered", actor="x" * 300)
    first, second = trail.entries(3)
    assert (first.number, first.actor, first.action) == (1, "eve?@?.example", "login.failed")
    assert first.known == {"reason": "no-member", "äöü": "ß\0"}
    assert first.moment.isoformat() == "1970-01-01T00:16:40.500000+00:00"
    assert second.number == 2
    assert [len(e.actor) for e in trail.entries(0)] == [255]
    assert [e.at for e in trail.entries(newest=2)] == [3_000_000_000, 2_000_000_000]
    assert [e.action for e in trail.entries(action="login.")] == ["login.failed", "login.done"]
    assert [*trail.entries(action="login_")] == [*trail.entries(actor="nobody")] == []
    assert found(trail) == []


def test_more_than_a_page(make_trail: MakeTrail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flask_tenant.audit.trail.PAGE", 3)
    trail = make_trail()
    for number in range(7):
        trail.write("x", tenant_id=number % 2, actor="a")
    assert [(e.tenant_id, e.number) for e in trail.entries()] == [
        (0, 1), (0, 2), (0, 3), (0, 4), (1, 1), (1, 2), (1, 3),
    ]  # fmt: skip
    assert found(trail) == []


def test_what_cannot_be_kept_is_refused(make_trail: MakeTrail, engine: Engine) -> None:
    trail = make_trail()
    for action, actor, details in (
        ("x" * 64, "a", {}),
        ("", "a", {}),
        ("x", "", {}),
        ("x", "a", {"much": "x" * 20_000}),
        ("x", "a", {"number": float("nan")}),
        ("x", "a", {"odd": {(1, 2): 3}}),
        ("x", "a", {"odd": {1: 2, "a": 3}}),
        ("x\0", "a", {}),
    ):
        with pytest.raises(AuditError):
            trail.write(action, actor=actor, **details)
    with pytest.raises(ConfigurationError, match="no key"):
        Trail(own_database(engine), Tables().audit.entry, Keys([""]), Anchor()).write("x", actor="a")
    assert [*trail.entries()] == []


def noted(anchor: Path) -> list[str]:
    return [line.split("mac=")[0].strip() for line in anchor.read_text().splitlines()]


def test_together_with_what_it_is_about(make_trail: MakeTrail, engine: Engine, anchor: Path) -> None:
    trail = make_trail()
    connect = following(own_database(engine))
    with connect() as connection:
        trail.write("done", tenant_id=1, actor="a", connection=connection)
        trail.write("done", tenant_id=1, actor="a", connection=connection)
        assert noted(anchor) == [], "it is not there for all to see yet"
    assert noted(anchor) == ["audit head tenant=1 number=1", "audit head tenant=1 number=2"]
    with pytest.raises(LookupError), connect() as connection:
        trail.write("undone", tenant_id=1, actor="a", connection=connection)
        raise LookupError
    with connect() as connection, pytest.raises(LookupError), connection.begin_nested():
        trail.write("undone", tenant_id=1, actor="a", connection=connection)
        raise LookupError
    assert [e.action for e in trail.entries()] == ["done", "done"]
    assert len(noted(anchor)) == 2, "what was undone is not missed later"
    trail.write("done", tenant_id=1, actor="a")
    assert noted(anchor)[2:] == ["audit head tenant=1 number=3"]
    assert found(trail) == []


def test_a_commit_that_fails_is_none(make_trail: MakeTrail, engine: Engine, anchor: Path) -> None:
    trail = make_trail()
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE parent (id INTEGER PRIMARY KEY)"))
        connection.execute(
            sa.text("CREATE TABLE child (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)")
        )
    with pytest.raises(IntegrityError), following(own_database(engine))() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys = ON")
        trail.write("undone", tenant_id=1, actor="a", connection=connection)
        connection.execute(sa.text("INSERT INTO child VALUES (7)"))
    assert noted(anchor) == []
    assert [*trail.entries()] == []


def test_writers_in_one_process(make_trail: MakeTrail, anchor: Path) -> None:
    trail = make_trail()

    def work() -> None:
        for _ in range(10):
            trail.write("x", tenant_id=1, actor="a")

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [e.number for e in trail.entries(1)] == [*range(1, 41)]
    assert len(noted(anchor)) == 40
    assert found(trail) == []


def _write(url: str, anchor: str) -> None:
    engine = sa.create_engine(url)
    entries = Tables().audit.entry
    trail = Trail(own_database(engine), entries, Keys((KEY,)), Anchor(Path(anchor)))
    for _ in range(15):
        trail.write("x", tenant_id=1, actor="a")
    engine.dispose()


def test_writers_in_several_processes(
    make_trail: MakeTrail, engine: Engine, database_url: str, anchor: Path
) -> None:
    trail = make_trail()
    engine.dispose()  # what was opened here is of no use there
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=_write, args=(database_url, str(anchor))) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert [e.number for e in trail.entries(1)] == [*range(1, 31)]
    assert len(noted(anchor)) == 30
    assert found(trail) == []


@pytest.mark.databases("sqlite")
def test_in_the_middle_of_the_callers_own_transaction(make_trail: MakeTrail, engine: Engine) -> None:
    """SQLite has one writer: what cannot wait for it is written when it is done."""
    waiting = []
    trail = make_trail(put_off=lambda work: bool(waiting.append(work)) or True)
    with own_database(engine)() as connection:
        connection.execute(sa.text("UPDATE tenancy_audit SET number = number"))  # takes the lock
        trail.note("central.entered", actor="a", reason="in the middle")
        assert [*trail.entries()] == []
    (work,) = waiting
    work()
    assert [e.known for e in trail.entries()] == [{"reason": "in the middle"}]
    trail.note("central.entered", actor="a")
    assert len([*trail.entries()]) == 2


@pytest.mark.databases("sqlite")
def test_the_anchor(
    make_trail: MakeTrail, anchor: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trail = make_trail()
    with caplog.at_level(logging.INFO, "flask_tenant.audit"):
        entry = trail.write("x", tenant_id=3, actor="a")
    assert f"audit head tenant=3 number=1 mac={entry.mac}" in caplog.text
    assert anchor.stat().st_mode & 0o077 == 0o040 & 0o077
    anchor.unlink()
    anchor.mkdir()  # full, gone, not ours any more: what is done is done
    trail.write("x", tenant_id=3, actor="a")
    assert "cannot be written" in caplog.text
    with pytest.raises(ConfigurationError, match="cannot be written"):
        Anchor(tmp_path)
    with pytest.raises(AuditError, match="cannot be read"):
        found(trail)


def test_details_are_json(trail: Trail) -> None:
    assert [json.loads(e.details) for e in trail.entries(1)] == [{"number": n} for n in range(1, 6)]


def test_transactions_that_write_into_one_chain_follow_each_other(
    make_trail: MakeTrail, engine: Engine
) -> None:
    """The second one waits: it would find its number taken, and what it does would be undone."""
    trail, connect = make_trail(), following(own_database(engine))
    failed: list[BaseException] = []
    wrote, begun = Event(), Event()

    def second() -> None:
        wrote.wait(10)
        try:
            with connect() as connection:
                begun.set()
                trail.write("second", tenant_id=1, actor="a", connection=connection)
        except BaseException as error:
            failed.append(error)

    thread = Thread(target=second)
    thread.start()
    with connect() as connection:
        trail.write("first", tenant_id=1, actor="a", connection=connection)
        wrote.set()
        begun.wait(10)
        thread.join(0.3)  # it would be done by now if it did not wait
        assert thread.is_alive()
    thread.join()
    assert failed == []
    assert [e.action for e in trail.entries(1)] == ["first", "second"]
    assert found(trail) == []
