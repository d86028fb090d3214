"""The guard keeps an application away from live data, from the network, and from files that are there."""

from __future__ import annotations

import json
import socket
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.doctor.conftest import run_python

PROGRAM = """
import json, os, sys
from flask_tenant.doctor.guard import Guard, RefusedByDoctorError, Server
from pathlib import Path

folder, live, port, other_port = sys.argv[1:5]
guard = Guard(Path(folder), {}, {}, frozenset({("127.0.0.1", int(port))}))
notes = []
guard.note = lambda kind, what: notes.append((kind, what))
guard.install()
guard.armed = True

def attempt(work):
    try:
        return repr(work())
    except RefusedByDoctorError as error:
        return "refused"
    except Exception as error:
        return type(error).__name__

import pathlib, shutil, smtplib, socket, sqlite3, subprocess, urllib.request
from sqlite3 import connect, dbapi2

def write_live(make):
    def work():
        connection = make()
        connection.execute("INSERT INTO t VALUES ('doctor')")
        connection.commit()
        rows = [row[0] for row in connection.execute("SELECT x FROM t")]
        connection.close()
        return rows
    return work

def attach():
    return sqlite3.connect(":memory:").execute("ATTACH ? AS live", (live,))

results = {
    "sqlite": attempt(write_live(lambda: sqlite3.connect(live))),
    "sqlite uri": attempt(write_live(lambda: connect(f"file:{live}?mode=rw", uri=True))),
    "sqlite dbapi2": attempt(write_live(lambda: dbapi2.connect(Path(live)))),
    "sqlite class": attempt(write_live(lambda: sqlite3.Connection(live))),
    "attach": attempt(attach),
    "memory": attempt(lambda: sqlite3.connect(":memory:").execute("SELECT 1").fetchall()),
    "write": attempt(lambda: open(live + ".txt", "w")),
    "append": attempt(lambda: pathlib.Path(live + ".txt").open("a")),
    "os.open": attempt(lambda: os.open(live + ".txt", os.O_RDWR)),
    "remove": attempt(lambda: os.remove(live + ".txt")),
    "rename": attempt(lambda: os.rename(folder, live + ".txt")),
    "replace": attempt(lambda: os.replace(live + ".txt", live + ".other")),
    "rmtree": attempt(lambda: shutil.rmtree(os.path.dirname(live))),
    "read": attempt(lambda: open(live + ".txt").read()),
    "new": attempt(lambda: pathlib.Path(live + ".new").write_text("mine")),
    "new again": attempt(lambda: pathlib.Path(live + ".new").write_text("mine")),
    "program": attempt(lambda: subprocess.run(["true"])),
    "system": attempt(lambda: os.system("true")),
    "name": attempt(lambda: socket.getaddrinfo("example.com", 80)),
    "http": attempt(lambda: urllib.request.urlopen("http://192.0.2.1/", timeout=3)),
    "mail": attempt(lambda: smtplib.SMTP("192.0.2.1", 25, timeout=3)),
    "loopback": attempt(lambda: socket.create_connection(("127.0.0.1", int(other_port)), 3).close()),
    "allowed": attempt(lambda: socket.create_connection(("127.0.0.1", int(port)), 3).close()),
    "unix": attempt(lambda: socket.socket(socket.AF_UNIX).connect("/tmp/nothing")),
    "psycopg": attempt(lambda: __import__("psycopg").connect("host=127.0.0.1 dbname=live")),
    "psycopg class": attempt(lambda: __import__("psycopg").Connection.connect("postgresql://127.0.0.1/live")),
    "psycopg2": attempt(lambda: __import__("psycopg2").connect(host="127.0.0.1", dbname="live")),
}
results["left"] = guard.remove_made()
results["notes"] = notes
print(json.dumps(results))
"""

REFUSED = (
    "sqlite class", "write", "append", "os.open", "remove", "rename", "replace", "rmtree", "program", "system", "name",
    "mail", "loopback", "unix", "psycopg", "psycopg class", "psycopg2",
)  # fmt: skip


@pytest.fixture(scope="module")
def attempts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What became of each attempt, in a process with the guard."""
    folder, live = tmp_path_factory.mktemp("scratch"), tmp_path_factory.mktemp("live") / "live.sqlite"
    with sqlite3.connect(live) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.execute("INSERT INTO t VALUES ('live')")
    Path(f"{live}.txt").write_text("live")
    with socket.create_server(("127.0.0.1", 0)) as allowed, socket.create_server(("127.0.0.1", 0)) as refused:
        ports = [str(server.getsockname()[1]) for server in (allowed, refused)]
        done = run_python("-c", PROGRAM, str(folder), str(live), *ports)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    found["live rows"] = [row[0] for row in sqlite3.connect(live).execute("SELECT x FROM t")]
    found["live files"] = {
        path.name: path.read_bytes() for path in live.parent.iterdir() if path.suffix != ".sqlite"
    }
    return found


@pytest.mark.parametrize("name", REFUSED)
def test_refused(attempts: dict[str, Any], name: str) -> None:
    assert attempts[name] == "refused"


def test_an_sqlite_file_is_copied_first(attempts: dict[str, Any]) -> None:
    """By whatever name it is opened; what is written goes to the copy."""
    assert attempts["sqlite"] == "['live', 'doctor']"
    assert attempts["sqlite uri"] == "['live', 'doctor', 'doctor']"
    assert attempts["sqlite dbapi2"] == "['live', 'doctor', 'doctor', 'doctor']"
    assert attempts["live rows"] == ["live"]
    assert attempts["attach"] == "DatabaseError"
    assert attempts["memory"] == "[(1,)]"


def test_files(attempts: dict[str, Any]) -> None:
    """What is there may be read; what was made is removed afterwards."""
    assert attempts["read"] == "'live'"
    assert attempts["new"] == attempts["new again"] == "4"
    assert attempts["left"] == []
    assert attempts["live files"] == {"live.sqlite.txt": b"live"}


def test_services(attempts: dict[str, Any]) -> None:
    assert attempts["allowed"] == "None"
    assert attempts["http"] in ("refused", "URLError")
    refused = [what for kind, what in attempts["notes"] if kind == "refused"]
    assert "a connection to 192.0.2.1:80" in refused
    assert "a connection to 192.0.2.1:25" in refused
    assert "a look-up of the host 'example.com'" in refused
    assert "starting the program 'true'" in refused
