"""A temporary pgbouncer in front of the temporary PostgreSQL server: own folder, own port on 127.0.0.1, unprivileged,
gone when the tests are.

It pools by transaction, with very few connections to the server, so that whoever asks next gets a connection that
somebody else has just used.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.services.availability import missing
from tests.services.postgres import (
    APPLICATION,
    PostgresServer,
    ServerFailedError,
    free_port,
    privileges,
    unprivileged,
)

PREFIX = "flask-tenant-pgbouncer-"
START_SECONDS = 30
ATTEMPTS = 5
SERVER_CONNECTIONS = 2
"""To each database. Who asks next, while nobody else asks, gets the very connection that was used last."""

SETTINGS = f"""
[databases]
* = host=127.0.0.1 port={{server}}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {{port}}
unix_socket_dir =
auth_type = md5
auth_file = {{users}}
pool_mode = transaction
default_pool_size = {SERVER_CONNECTIONS}
max_client_conn = 200
max_db_connections = 0
query_wait_timeout = 20
"""


@dataclass
class Pooler:
    """A running pgbouncer.

    :param server: what it stands in front of
    """

    process: subprocess.Popen[bytes]
    port: int
    server: PostgresServer

    def url(self, database: str, *, driver: str = "psycopg") -> str:
        """The SQLAlchemy URL of `database`, through the pooler."""
        return self.server.url(database, driver=driver).replace(f":{self.server.port}/", f":{self.port}/")

    def dsn(self, database: str) -> str:
        """The same for clients of libpq."""
        return self.url(database).replace("+psycopg", "", 1)

    def stop(self) -> None:
        """Stop it at once."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=START_SECONDS)


def _launch(program: str, folder: Path, server: PostgresServer) -> Pooler:
    """Start it on a free port and wait until it lets `app` in."""
    user, port = unprivileged(), free_port()
    users, settings, log = folder / "users", folder / "pgbouncer.ini", folder / "log"
    users.write_text(f'"{APPLICATION}" "{server.password}"\n')
    settings.write_text(SETTINGS.format(server=server.port, port=port, users=users))
    for path in (folder, users, settings):
        path.chmod(0o700)
        if not os.geteuid():
            shutil.chown(path, user)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*privileges(user), program, str(settings)],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    pooler = Pooler(process, port, server)
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(pooler.dsn(APPLICATION)).close()
            return pooler
        time.sleep(0.02)
    process.kill()
    process.wait()
    raise ServerFailedError(f"pgbouncer did not start:\n{log.read_text()}")


def _launched(program: str, folder: Path, server: PostgresServer) -> Pooler:
    """Start it; again on another port when somebody else took it in between."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _launch(program, folder, server)
        except ServerFailedError as error:
            if attempt == ATTEMPTS or "address already in use" not in str(error).lower():
                raise
    raise AssertionError("unreachable")


@contextlib.contextmanager
def pgbouncer(server: PostgresServer) -> Iterator[Pooler]:
    """Run a temporary pgbouncer for the length of the block."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None or shutil.which("setpriv") is None:
        missing("pgbouncer", "apt-get install --no-install-recommends pgbouncer")
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    try:
        pooler = _launched(program, folder, server)
        try:
            yield pooler
        finally:
            pooler.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def pooler(postgres_server: PostgresServer) -> Iterator[Pooler]:
    """A temporary pgbouncer in front of the worker's PostgreSQL server."""
    with pgbouncer(postgres_server) as running:
        yield running
