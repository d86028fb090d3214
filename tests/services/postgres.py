"""A temporary PostgreSQL server: own folder, own port on 127.0.0.1, unprivileged, gone when the tests are.

Each xdist worker has a server of its own (starting one takes about a second), so no locks are needed. The
server is started through `setpriv --pdeathsig`, so the kernel stops it when the test process dies, however it
dies.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.services.availability import missing

PREFIX = "flask-tenant-postgres-"
ADMIN = "postgres"
APPLICATION = "app"
START_SECONDS = 60
ATTEMPTS = 5
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "autovacuum": "off",
    "jit": "off",
    "lc_messages": "C",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "md5",  # the cheapest to check; the password is random and dies with the server
}


class ServerFailedError(RuntimeError):
    """The server did not start; the message holds its log."""


@dataclass
class PostgresServer:
    """A running server.

    Applications connect as `app`, which owns its databases and is no superuser, as it should be behind row
    level security; `admin=True` gives the superuser.
    """

    process: subprocess.Popen[bytes]
    port: int
    password: str
    _names: Iterator[int] = field(default_factory=count)

    def url(self, database: str = APPLICATION, *, driver: str = "psycopg", admin: bool = False) -> str:
        """The SQLAlchemy URL of `database` for `driver` (psycopg, psycopg2, asyncpg)."""
        role = ADMIN if admin else APPLICATION
        return f"postgresql+{driver}://{role}:{self.password}@127.0.0.1:{self.port}/{database}"

    def dsn(self, database: str = APPLICATION, *, admin: bool = False) -> str:
        """The same for psycopg itself, psql and other clients of libpq."""
        return self.url(database, admin=admin).replace("+psycopg", "", 1)

    def create_database(self, template: str = "template0") -> str:
        """Create a database that belongs to `app`, as a copy of `template`, and return its name.

        Copying files takes 20 ms where there is no fsync, the default of PostgreSQL 15 80 ms.
        """
        name = f"test_{next(self._names)}"
        self._as_admin(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY FILE_COPY").format(
                sql.Identifier(name), sql.Identifier(APPLICATION), sql.Identifier(template)
            )
        )
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, ending the connections that a pool still holds to it."""
        self._as_admin(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    @contextlib.contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """The name of a fresh database, dropped at the end.

        Fails at the end when a transaction was left open in it: idle connections are a pool's business, an
        open transaction is a connection that was never given back.
        """
        name = self.create_database(template)
        try:
            yield name
            abandoned = self._open_transactions(name)
        finally:
            self.drop_database(name)
        assert not abandoned, f"transactions left open at the end of the test: {abandoned}"

    def stop(self) -> None:
        """Stop the server at once; nothing in it is worth keeping."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(timeout=START_SECONDS)

    def _as_admin(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.dsn("postgres", admin=True), autocommit=True) as connection:
            connection.execute(statement)

    def _open_transactions(self, database: str) -> list[str]:
        """The last statements of transactions that stay open; a closed socket is seen after a moment."""
        query = "SELECT query FROM pg_stat_activity WHERE datname = %s AND state LIKE 'idle in transaction%%'"
        deadline = time.monotonic() + 1
        with psycopg.connect(self.dsn("postgres", admin=True), autocommit=True) as connection:
            while (found := [row[0] for row in connection.execute(query, [database])]) and (
                time.monotonic() < deadline
            ):
                time.sleep(0.02)
        return found


def find_binaries() -> Path | None:
    """The folder of PostgreSQL's programs: on PATH, or Debian's newest; None without one."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


def unprivileged() -> str:
    """The user that runs the server: PostgreSQL refuses root."""
    if os.geteuid():
        return getpass.getuser()
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise ServerFailedError("running as root, and neither a user `postgres` nor `nobody` exists")


def privileges(user: str) -> list[str]:
    """The command that starts another as `user`, and ends it (SIGQUIT) when the starting thread dies."""
    if os.geteuid():
        return ["setpriv", "--pdeathsig", "QUIT"]
    account = pwd.getpwnam(user)
    return [
        "setpriv", "--pdeathsig", "QUIT", "--clear-groups", "--reuid", str(account.pw_uid), "--regid",
        str(account.pw_gid),
    ]  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _remove_abandoned() -> None:
    """Remove the folders of test processes that were killed before they could tidy up."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        owner = folder.name.removeprefix(PREFIX).split("-")[0]
        if not Path("/proc", owner).exists():
            shutil.rmtree(folder, ignore_errors=True)


def _initialise(binaries: Path, folder: Path, user: str, password: str) -> None:
    """Make the cluster's files."""
    secret = folder / "password"
    secret.touch(mode=0o600)
    secret.write_text(password)
    if not os.geteuid():
        for path in (folder, secret):
            shutil.chown(path, user)
    done = subprocess.run(
        [
            *privileges(user), binaries / "initdb", "--pgdata", folder / "data", "--username", ADMIN,
            "--auth", "md5", "--pwfile", secret, "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync",
            "--no-instructions",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise ServerFailedError(f"initdb failed:\n{done.stdout}{done.stderr}")


def _launch(binaries: Path, folder: Path, user: str, password: str) -> PostgresServer:
    """Start the server on a free port and wait until it answers."""
    port = free_port()
    settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*privileges(user), binaries / "postgres", "-D", folder / "data", "-p", str(port), *settings],
            cwd=folder,
            env={**os.environ, "LANGUAGE": "de"},  # spoken by databases whose lc_messages is not C
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    server = PostgresServer(process, port, password)
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with psycopg.connect(server.dsn("postgres", admin=True), autocommit=True) as connection:
                connection.execute(
                    sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                        sql.Identifier(APPLICATION), sql.Literal(password)
                    )
                )
                connection.execute(
                    sql.SQL("CREATE DATABASE {0} OWNER {0}").format(sql.Identifier(APPLICATION))
                )
            return server
        except psycopg.OperationalError:
            time.sleep(0.02)
    process.kill()
    process.wait()
    raise ServerFailedError(f"the server did not start:\n{(folder / 'log').read_text()}")


def _launched(binaries: Path, folder: Path, user: str, password: str) -> PostgresServer:
    """Start the server; again on another port when somebody else took it in between."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _launch(binaries, folder, user, password)
        except ServerFailedError as error:
            if attempt == ATTEMPTS or "could not bind" not in str(error):
                raise
    raise AssertionError("unreachable")


@contextlib.contextmanager
def postgres() -> Iterator[PostgresServer]:
    """Run a temporary server for the length of the block."""
    binaries = find_binaries()
    if binaries is None or shutil.which("setpriv") is None:
        missing("PostgreSQL", "apt-get install --no-install-recommends postgresql")
    _remove_abandoned()
    user, password = unprivileged(), secrets.token_hex(16)
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    try:
        _initialise(binaries, folder, user, password)
        server = _launched(binaries, folder, user, password)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A temporary PostgreSQL server; one for each worker."""
    with postgres() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres_server: PostgresServer) -> str:
    """The URL (psycopg 3) of a database on the temporary server that all tests of a worker share."""
    return postgres_server.url()


@pytest.fixture
def postgres_database(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL (psycopg 3) of a database that is fresh for this test."""
    with postgres_server.database() as name:
        yield postgres_server.url(name)
