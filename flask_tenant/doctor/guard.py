"""What keeps the examination away from live data: it is put up before the application is imported.

Connections to the live databases go to their scratch copies, at the driver, so that module-level connections and
connections made by hand go there too. Every other SQLite file is copied first; any other PostgreSQL database, any
other address on the network, programs and changes of existing files are refused.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sqlite3
import sys
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

Note = Callable[[str, str], None]
"""Is told what the application did: a kind, and what it did it with."""

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_PROGRAMS = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.startfile",
    "pty.spawn",
)
_CHANGES = {
    "os.remove": (0,),
    "os.rename": (0, 1),
    "os.truncate": (0,),
    "os.rmdir": (0,),
    "shutil.rmtree": (0,),
}


class RefusedByDoctorError(PermissionError):
    """The application was about to touch something that is not the examination's."""


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL database."""

    host: str
    port: str
    database: str


@dataclass(slots=True)
class Guard:
    """Sends the application to the scratch copies.

    :param folder: where everything may be written
    :param files: live SQLite files to their copies
    :param servers: live PostgreSQL databases to their copies
    :param allow: addresses on this machine that may be reached
    """

    folder: Path
    files: dict[str, str]
    servers: dict[Server, Server]
    allow: frozenset[tuple[str, int]] = frozenset()
    note: Note = field(default=lambda kind, what: None)
    armed: bool = False
    made: dict[str, None] = field(default_factory=dict)

    def install(self) -> None:
        """Put it up, for the rest of the process."""
        self._sqlite()
        if find_spec("psycopg") is not None:
            self._psycopg()
        if find_spec("psycopg2") is not None:
            self._psycopg2()
        if find_spec("asyncpg") is not None:
            self._asyncpg()
        sys.addaudithook(self._audit)

    def inside(self, path: str) -> bool:
        """Whether a path is the examination's own."""
        return path == str(self.folder) or path.startswith(f"{self.folder}{os.sep}")

    # ---- SQLite
    def _sqlite(self) -> None:
        original = sqlite3.dbapi2.connect

        def connect(database: Any, *args: Any, **kw: Any) -> Any:
            made = original(self._moved(database), *args, **kw)
            made.set_authorizer(_no_attaching)
            if not _called_by_sqlalchemy():
                made.set_trace_callback(lambda statement: self.note("by hand", Path(str(database)).name))
            return made

        sqlite3.connect = sqlite3.dbapi2.connect = connect

    def _moved(self, database: Any) -> Any:
        """The scratch copy of a database, in the caller's own notation."""
        if isinstance(database, bytes):
            database = os.fsdecode(database)
        name = os.fspath(database)
        path, _, query = name.partition("?") if name.startswith("file:") else (name, "", "")
        plain = urllib.parse.unquote(path.removeprefix("file:")) if name.startswith("file:") else path
        if plain in ("", ":memory:") or "mode=memory" in query or plain.startswith(":memory:"):
            return database
        target = self._copy_of(os.path.realpath(plain))
        if name.startswith("file:"):
            return f"file:{urllib.parse.quote(target)}{'?' if query else ''}{query}"
        return target

    def _copy_of(self, path: str) -> str:
        if self.inside(path):
            return path
        if path not in self.files:
            target = self.folder / "other" / f"{len(self.files)}-{os.path.basename(path)}"  # noqa: PTH119
            target.parent.mkdir(exist_ok=True)
            self.files[path] = str(target)
            if Path(path).exists():
                copy_sqlite(path, str(target))
            self.note("sqlite copied", path)
        return self.files[path]

    # ---- PostgreSQL
    def _target(self, host: str, port: str, database: str) -> Server:
        wanted = Server(host or "localhost", str(port or 5432), database)
        for live, scratch in self.servers.items():
            if wanted == scratch or (_same_host(wanted, live) and wanted.database == live.database):
                return scratch
        self.note("refused", f"a connection to PostgreSQL at {wanted.host}:{wanted.port}/{wanted.database}")
        raise RefusedByDoctorError(
            f"flask tenant doctor: a connection to {wanted.host}:{wanted.port}/{wanted.database}, of which there is no "
            "scratch copy"
        )

    def _moved_conninfo(self, known: dict[str, Any]) -> dict[str, Any]:
        """Parameters of libpq that lead to the scratch copy."""
        if known.get("service"):
            raise RefusedByDoctorError("flask tenant doctor: a connection by libpq's service file")
        host = str(known.get("host") or known.get("hostaddr") or os.environ.get("PGHOST", ""))
        port = str(known.get("port") or os.environ.get("PGPORT", ""))
        user = str(known.get("user") or os.environ.get("PGUSER", ""))
        name = str(known.get("dbname") or os.environ.get("PGDATABASE", "") or user)
        target = self._target(host, port, name)
        moved = {**known, "host": target.host, "port": target.port, "dbname": target.database}
        if target.host != host:
            moved.pop("hostaddr", None)
        return moved

    def _psycopg(self) -> None:
        import psycopg
        from psycopg import generators
        from psycopg.conninfo import conninfo_to_dict, make_conninfo

        original = generators.connect

        def connect(conninfo: str, *args: Any, **kw: Any) -> Any:
            if not _called_by_sqlalchemy():
                self.note("by hand", "PostgreSQL")
            moved = self._moved_conninfo(dict(conninfo_to_dict(conninfo)))
            return original(make_conninfo("", **moved), *args, **kw)

        generators.connect = connect
        self._watch_execute(psycopg)

    def _watch_execute(self, psycopg: Any) -> None:
        """Note what runs on a connection of psycopg's own class: SQLAlchemy's tenanted engines have another."""
        for cursor in (psycopg.Cursor, psycopg.ClientCursor):
            original = cursor.execute

            def execute(cur: Any, *args: Any, _original: Any = original, **kw: Any) -> Any:
                if type(cur.connection) is psycopg.Connection and not _called_by_sqlalchemy():
                    self.note("by hand", "PostgreSQL")
                return _original(cur, *args, **kw)

            cursor.execute = execute

    def _psycopg2(self) -> None:
        import psycopg2
        from psycopg2.extensions import make_dsn, parse_dsn

        original = psycopg2._connect

        def connect(dsn: str, *args: Any, **kw: Any) -> Any:
            if not _called_by_sqlalchemy():
                self.note("by hand", "PostgreSQL")
            return original(make_dsn(**self._moved_conninfo(dict(parse_dsn(dsn)))), *args, **kw)

        psycopg2._connect = connect

    def _asyncpg(self) -> None:
        asyncpg: Any = import_module("asyncpg")

        async def connect(*args: Any, **kw: Any) -> Any:
            self.note("refused", "a connection by asyncpg")
            raise RefusedByDoctorError(
                "flask tenant doctor: a connection by asyncpg, which is not sent to a copy"
            )

        asyncpg.connect = asyncpg.connection.connect = connect

    # ---- everything else
    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "sqlite3.connect":
            self._check_sqlite(args[0])
        elif event == "socket.connect" or (event == "socket.sendto" and self.armed):
            self._check_address(args[1])
        elif event == "socket.getaddrinfo" and self.armed:
            host = args[0].decode() if isinstance(args[0], bytes) else args[0]
            if host is not None and not _is_loopback(host) and not _is_address(host):
                self._refuse(f"a look-up of the host {host!r}")
        elif not self.armed:
            return
        elif event == "open":
            self._check_open(*args)
        elif event in _PROGRAMS:
            self._refuse(f"starting the program {args[0]!r}")
        elif event in _CHANGES:
            for at in _CHANGES[event]:
                self._check_change(args[at], event)
        elif event == "os.mkdir":
            self._made(args[0])

    def _refuse(self, what: str) -> None:
        self.note("refused", what)
        raise RefusedByDoctorError(f"flask tenant doctor: refused {what}")

    def _check_sqlite(self, database: Any) -> None:
        name = os.fsdecode(database) if isinstance(database, (str, bytes, os.PathLike)) else str(database)
        path = urllib.parse.unquote(name.removeprefix("file:").partition("?")[0])
        if path in ("", ":memory:") or "mode=memory" in name or "mode=ro" in name:
            return
        if not self.inside(os.path.realpath(path)):
            self._refuse(f"opening the database file {path}")

    def _check_address(self, address: Any) -> None:
        if not isinstance(address, tuple):
            self._refuse(f"a connection to the socket {address!r}")
        host, port = str(address[0]), int(address[1])
        if any(port == p and (_is_loopback(host) if _is_loopback(h) else h == host) for h, p in self.allow):
            return
        if _is_loopback(host) and any(str(port) == server.port for server in self.servers.values()):
            return
        self._refuse(f"a connection to {host}:{port}")

    def _check_open(self, path: Any, mode: Any, flags: Any) -> None:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return
        name = os.path.realpath(os.fsdecode(path))
        if not (isinstance(flags, int) and flags & _WRITING):
            if name in self.made or self.inside(name):
                self.note("file read", name)
            return
        # Devices; what lies deeper, as in /dev/shm, are files like any other.
        if name.startswith("/proc/") or Path(name).parent == Path("/dev"):
            return
        if not self.inside(name) and name not in self.made and Path(name).exists():
            self._refuse(f"writing the file {name}")
        self._made(name)

    def _check_change(self, path: Any, event: str) -> None:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return
        name = os.path.realpath(os.fsdecode(path))
        if not self.inside(name) and name not in self.made and Path(name).exists():
            self._refuse(f"changing the file {name}")
        if event == "os.rename":
            self._made(name)

    def _made(self, path: Any) -> None:
        name = os.path.realpath(os.fsdecode(path))
        self.made[name] = None
        self.note("file written", name)

    def remove_made(self) -> list[str]:
        """Remove the files that the examination has made outside its folder; returns what could not be removed."""
        self.armed = False
        left = []
        for name in reversed(self.made):
            path = Path(name)
            if self.inside(name) or not path.exists():
                continue
            try:
                path.rmdir() if path.is_dir() else path.unlink()
            except OSError:
                left.append(name)
        return left


def copy_sqlite(live: str, target: str) -> None:
    """Copy a database file as it is, while others may be writing it."""
    source = _own_connect(f"file:{urllib.parse.quote(live)}?mode=ro", uri=True)
    try:
        copy = _own_connect(target)
        try:
            source.backup(copy)
        finally:
            copy.close()
    finally:
        source.close()


def _no_attaching(action: int, name: Any, *rest: Any) -> int:
    """Another file would be opened past the guard; the name is missing where it is no literal."""
    bad = action == sqlite3.SQLITE_ATTACH and name not in ("", ":memory:")
    return sqlite3.SQLITE_DENY if bad else sqlite3.SQLITE_OK


_own_connect = sqlite3.connect
"""As it was before any guard."""


def _called_by_sqlalchemy() -> bool:
    """Whether a connection is being made, or used, by SQLAlchemy for an engine."""
    return any("/sqlalchemy/" in name.replace("\\", "/") for name in _callers())


def _callers() -> Iterator[str]:
    frame = sys._getframe(2)
    at: Any = frame
    count = 0
    while at is not None and count < 12:
        yield at.f_code.co_filename
        at, count = at.f_back, count + 1


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1", "") or host.startswith("127.") or host.endswith(".localhost")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _same_host(one: Server, other: Server) -> bool:
    same = one.host == other.host or (_is_loopback(one.host) and _is_loopback(other.host))
    return same and one.port == other.port


def resolved(host: str) -> set[str]:
    """The addresses of a host that a connection may be allowed to."""
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None)} | {host}
    except OSError:
        return {host}
