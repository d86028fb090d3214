"""The fixtures themselves: what they give is fresh, unprivileged, and gone afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from tests.services import availability
from tests.services.databases import BACK_ENDS, MakeDatabase
from tests.services.postgres import PostgresServer, _remove_abandoned, postgres

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]


def until(condition: Callable[[], bool], seconds: float = 20) -> bool:
    """Poll until `condition` holds; False when it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not (held := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return held


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_every_back_end_gives_an_empty_database_that_can_be_written(database_url: str, back_end: str) -> None:
    engine = sa.create_engine(database_url)
    assert f"{engine.dialect.name}+{engine.dialect.driver}" == {"sqlite": "sqlite+pysqlite"}.get(
        back_end, back_end
    )
    with engine.begin() as connection:
        assert sa.inspect(connection).get_table_names() == []
        connection.exec_driver_sql("CREATE TABLE note (id integer PRIMARY KEY)")
        connection.exec_driver_sql("INSERT INTO note VALUES (1)")
    engine.dispose()


def test_the_next_database_is_empty_again(database_url: str) -> None:
    test_every_back_end_gives_an_empty_database_that_can_be_written(
        database_url, sa.make_url(database_url).drivername
    )


@pytest.mark.databases("sqlite", "postgresql+psycopg2")
def test_the_marker_restricts(back_end: str) -> None:
    assert back_end in {"sqlite", "postgresql+psycopg2"}


def test_all_back_ends_are_known() -> None:
    assert len(BACK_ENDS) == 3


@pytest.mark.databases("postgresql+psycopg")
def test_the_application_is_no_superuser(database_url: str) -> None:
    engine = sa.create_engine(database_url)
    with engine.connect() as connection:
        row = connection.exec_driver_sql(
            "SELECT rolsuper, rolbypassrls, rolcreatedb, version() FROM pg_roles WHERE rolname = current_user"
        ).one()
    engine.dispose()
    assert row[:3] == (False, False, False)
    assert row[3].startswith("PostgreSQL ")


def test_the_server_runs_unprivileged(postgres_server: PostgresServer) -> None:
    status = Path(f"/proc/{postgres_server.process.pid}/status").read_text()
    (uids,) = [line.split()[1:] for line in status.splitlines() if line.startswith("Uid:")]
    assert "0" not in uids


def test_a_template_is_copied_with_its_rows(postgres_server: PostgresServer) -> None:
    with postgres_server.database() as template:
        with psycopg.connect(postgres_server.dsn(template)) as connection:
            connection.execute("CREATE TABLE note AS SELECT 7 AS id")
        with (
            postgres_server.database(template) as copy,
            psycopg.connect(postgres_server.dsn(copy)) as connection,
        ):
            assert connection.execute("SELECT id FROM note").fetchall() == [(7,)]


def test_a_transaction_left_open_fails_the_test(make_database: MakeDatabase) -> None:
    database = make_database("postgresql+psycopg")
    connection = psycopg.connect(database.__enter__().replace("+psycopg", ""))
    connection.execute("SELECT 'abandoned'")
    with pytest.raises(AssertionError, match="SELECT 'abandoned'"):
        database.__exit__(None, None, None)
    connection.close()


def test_the_block_leaves_neither_process_nor_folder() -> None:
    with postgres() as server:
        pid = server.process.pid
        folder = Path(f"/proc/{pid}/cwd").resolve()
        assert alive(pid)
        assert folder.exists()
    assert not alive(pid)
    assert not folder.exists()


def test_a_killed_test_process_leaves_no_server() -> None:
    """After SIGKILL nobody can tidy up: the kernel ends the server, the next run removes its folder."""
    script = (
        "import sys, tests.services.postgres as services\n"
        "with services.postgres() as server:\n"
        "    print(server.process.pid, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        pid = int(child.stdout.readline())
        folder = Path(f"/proc/{pid}/cwd").resolve()
        assert alive(pid)
        child.send_signal(signal.SIGKILL)
    assert until(lambda: not alive(pid))
    assert folder.exists()
    _remove_abandoned()
    assert not folder.exists()


@pytest.mark.parametrize(("value", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_missing_service_fails_in_ci_and_is_skipped_elsewhere(
    monkeypatch: pytest.MonkeyPatch, value: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", value)
    with pytest.raises(outcome, match="Quux is missing; install it with: apt-get install quux"):
        availability.missing("Quux", "apt-get install quux")


def test_sqlite_files_are_new(sqlite_url: str) -> None:
    database = sa.make_url(sqlite_url).database
    assert database is not None
    assert not os.path.lexists(database)
