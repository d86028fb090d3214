"""Connections to Redis that keep to a deadline, whatever the server does."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection, parse_url
from redis.retry import Retry
from redis.sentinel import Sentinel

from ...errors import ConfigurationError

CONNECT_SECONDS = 1.0
"""For connecting, which no request waits for."""


class _Timed:
    """A socket whose every operation ends at the deadline of its connection.

    Time-outs of redis-py hold for each read; a server that answers in drips would keep a request for long.
    """

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self.deadline: float | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def _left(self) -> None:
        if self.deadline is not None:
            left = self.deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the deadline has passed")
            self._socket.settimeout(left)

    def recv(self, *args: Any) -> Any:
        self._left()
        return self._socket.recv(*args)

    def recv_into(self, *args: Any) -> Any:
        self._left()
        return self._socket.recv_into(*args)

    def sendall(self, data: Any) -> None:
        self._left()
        self._socket.sendall(data)


class _Hooked:
    """Mixed in before a connection class of redis-py."""

    def _connect(self) -> Any:
        return _Timed(super()._connect())  # type: ignore[misc]


class Line:
    """One connection, used by one thread at a time.

    :param connection: of redis-py
    """

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def call(self, *command: Any, within: float) -> Any:
        """Send a command and return its answer.

        :param within: seconds for all of it
        :raises redis.RedisError: when it fails or takes longer; the connection is closed then
        """
        connection = self.connection
        connection._sock.deadline = time.monotonic() + within
        try:
            connection.send_command(*command, check_health=False)
            return connection.read_response()
        except redis.ResponseError:
            raise
        except BaseException:
            connection.disconnect()  # an answer that comes later would be taken for the next command's
            raise

    def script(self, text: str, key: str, *arguments: Any, within: float) -> Any:
        """Run a Lua script on one key."""
        end = time.monotonic() + within
        try:
            return self.call("EVALSHA", _sha(text), 1, key, *arguments, within=within)
        except redis.exceptions.NoScriptError:
            return self.call("EVAL", text, 1, key, *arguments, within=max(0.0, end - time.monotonic()))

    def run_id(self) -> str:
        """Return what tells this run of the server from any other.

        :raises redis.ConnectionError: when the server is no master, or one of a cluster
        """
        info = self.call("INFO", "server", within=CONNECT_SECONDS).decode(errors="replace")
        if "redis_mode:cluster" in info:
            # One script changes many keys at once, which a cluster keeps in different places.
            raise redis.ConnectionError(
                "the server belongs to a Redis Cluster, which is not supported; use one server, or Sentinel"
            )
        role = self.call("ROLE", within=CONNECT_SECONDS)[0]
        if role != b"master":
            raise redis.ConnectionError(f"the server is a {role!r}, not a master")
        found: str = next(line[7:].strip() for line in info.splitlines() if line.startswith("run_id:"))
        return found

    def close(self) -> None:
        """Close the connection."""
        self.connection.disconnect()


_shas: dict[str, str] = {}


def _sha(text: str) -> str:
    if text not in _shas:
        _shas[text] = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
    return _shas[text]


Connect = Callable[[int], Line]


def connector(url: str, seconds: float = CONNECT_SECONDS) -> Connect:
    """Return what opens connections to the master behind a URL, with a protocol version (2 or 3).

    :param url: as redis-py has it, or ``redis+sentinel://[[user]:password@]host:port[,host:port…]/service[/db]``
    :param seconds: how long connecting may take
    :raises ConfigurationError: for a URL that makes no sense
    """
    try:
        target = _sentinel(url) if url.startswith("redis+sentinel://") else _direct(url)
    except (ValueError, KeyError) as error:
        raise ConfigurationError(
            f"TENANT_REDIS_URL makes no sense: {error}",
            hint="redis://host:6379/0, or redis+sentinel://host:26379,host:26379/service/0",
        ) from None

    def connect(protocol: int) -> Line:
        connection_class, options = target()
        hooked = cast(Any, type(connection_class.__name__, (_Hooked, connection_class), {}))
        connection = hooked(
            **{
                **options,
                "protocol": protocol,
                "socket_timeout": seconds,
                "socket_connect_timeout": seconds,
                "retry": Retry(NoBackoff(), 0),
                "decode_responses": False,
            }
        )
        connection.connect()
        return Line(connection)

    return connect


def _direct(url: str) -> Callable[[], tuple[Any, dict[str, Any]]]:
    options: dict[str, Any] = dict(cast(Any, parse_url)(url))
    connection_class = options.pop("connection_class", Connection)
    if connection_class not in (Connection, SSLConnection, UnixDomainSocketConnection):
        raise ValueError(f"unknown kind of connection {connection_class.__name__}")
    return lambda: (connection_class, options)


def _sentinel(url: str) -> Callable[[], tuple[Any, dict[str, Any]]]:
    parts = urlsplit(url)
    login, _, hosts = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    sentinels = []
    for host in hosts.split(","):
        name, _, port = host.rpartition(":")
        sentinels.append((name or port, int(port) if name else 26379))
    service, _, db = parts.path.strip("/").partition("/")
    if not service:
        raise ValueError("the service's name is missing")
    options: dict[str, Any] = {"db": int(db or 0)}
    if password:
        options |= {"username": unquote(user) or None, "password": unquote(password)}
    of_sentinels = parse_qs(parts.query).get("sentinel_password", [None])[0]
    sentinel = cast(Any, Sentinel)(
        sentinels,
        sentinel_kwargs={
            "password": of_sentinels,
            "socket_timeout": CONNECT_SECONDS,
            "socket_connect_timeout": CONNECT_SECONDS,
            "retry": Retry(NoBackoff(), 0),
        },
    )

    def target() -> tuple[Any, dict[str, Any]]:
        host, port = sentinel.discover_master(service)
        return Connection, {**options, "host": host, "port": port}

    return target
