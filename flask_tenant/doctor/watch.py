"""Watches what the application does while it is called: log records, output, caches, files, central work, and the
statements that pass by the wall."""

from __future__ import annotations

import io
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any

import flask
import sqlalchemy as sa
from flask import Flask
from sqlalchemy import event
from sqlalchemy.engine import Engine

from .. import signals
from ..context import current_scope, internal
from ..discovery import same_database
from ..errors import TenancyError
from ..isolate import Isolation, is_tenanted
from .canary import OWNERS, Canaries, Owner
from .findings import RouteResult

if TYPE_CHECKING:
    from .visit import Visitor

SEEN = 2_000_000
"""Characters of output that are kept for one call."""

MOST_ROWS = 10_000
"""Rows of a shared table that are looked through."""

_WRITE = re.compile(r"\s*(INSERT|UPDATE|REPLACE)\b", re.IGNORECASE)


@dataclass(slots=True)
class Traces:
    """What one call left behind besides its answer.

    :param texts: where something can be read: ``log``, ``output``, ``cache KEY``; and what
    :param central: reasons with which isolation was left
    :param exempt: exempt engines that were asked
    :param by_hand: databases that were asked past SQLAlchemy
    :param statements: how many statements ran on tenanted engines
    :param refused: what the doctor has refused
    :param walls: what the wall has refused
    :param errors: what the view has raised
    """

    texts: list[tuple[str, str]] = field(default_factory=list)
    central: list[str] = field(default_factory=list)
    exempt: list[str] = field(default_factory=list)
    by_hand: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    cached: list[str] = field(default_factory=list)
    statements: int = 0
    refused: list[str] = field(default_factory=list)
    walls: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class Watch:
    """Collects traces. One call runs at a time."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self.now: Traces | None = None
        self.owner: Owner = "A"
        self.writers: dict[str, dict[Owner, str]] = {}
        self.route = ""
        self._tables: re.Pattern[str] | None = None
        self._table_writers: dict[str, str] = {}
        self._exempt: dict[str, tuple[Engine, str]] = {}
        self._receivers: list[Callable[..., Any]] = []

    def start(self) -> None:
        """Watch from now on, for the rest of the process."""
        self._logs()
        self._caches()
        sys.stdout = _Tee(self)
        sys.stderr = _Tee(self)
        event.listen(Engine, "before_cursor_execute", self._statement)

        def failed(sender: Any, exception: BaseException, **_: Any) -> None:
            self._failed(exception)

        def central(sender: Any, reason: str, **_: Any) -> None:
            if self.now is not None:
                self.now.central.append(reason)

        self._receivers += [failed, central]
        flask.got_request_exception.connect(failed, self._app)
        signals.central_entered.connect(central)

    @contextmanager
    def call(self, owner: Owner, route: str) -> Iterator[Traces]:
        """Watch one call for a tenant."""
        self.owner, self.route = owner, route
        traces = self.now = Traces()
        try:
            yield traces
        finally:
            self.now = None

    def note(self, kind: str, what: str) -> None:
        """Take a note of the guard."""
        now = self.now
        if now is None:
            return
        if kind == "refused":
            _once(now.refused, what)
        elif kind == "by hand":
            _once(now.by_hand, what)
        elif kind == "file read":
            _once(now.read, what)
        elif kind == "file written":
            _once(now.written, what)
            self.writers.setdefault(what, {}).setdefault(self.owner, self.route)

    # ---- sources
    def _failed(self, error: BaseException) -> None:
        if self.now is None:
            return
        at: BaseException | None = error
        while at is not None and not isinstance(at, TenancyError):
            at = at.__cause__ or at.__context__
        if isinstance(at, TenancyError):
            _once(self.now.walls, f"{at.code}: {at.message}")
        else:
            _once(self.now.errors, f"{type(error).__name__}: {str(error)[:200]}")

    def _statement(self, conn: Any, cursor: Any, statement: Any, *rest: Any) -> None:
        scope = current_scope()
        if self.now is None or (scope is not None and scope.internal):  # the directory's own look-ups
            return
        if is_tenanted(conn.engine.dialect):
            self.now.statements += 1
        else:
            url = conn.engine.url.render_as_string()
            _once(self.now.exempt, url)
            if _WRITE.match(statement):
                self._exempt.setdefault(url, (conn.engine, self.route))
        written = self._tables.match(statement) if self._tables is not None else None
        if written is not None:
            self._table_writers.setdefault(written.group(1), self.route)

    def _logs(self) -> None:
        watch = self
        formatter = logging.Formatter("%(name)s %(levelname)s %(message)s")

        def call_handlers(self: logging.Logger, record: logging.LogRecord) -> None:
            # The application's own handlers are not called: they may write the live log, or send mails.
            if watch.now is not None and record.name != "flask_tenant.doctor":
                try:
                    text = formatter.format(record)
                except Exception as error:  # the application's arguments
                    text = f"{record.msg!r} {record.args!r} ({error})"
                extra = {k: v for k, v in vars(record).items() if k not in _RECORD}
                watch.now.texts.append(("log", f"{text} {extra or ''}"))

        logging.Logger.callHandlers = call_handlers  # type: ignore[method-assign]

    def _caches(self) -> None:
        try:
            from cachelib.base import BaseCache
        except ImportError:
            return
        for cache in _family(BaseCache):
            for name in ("get", "get_many", "get_dict"):
                if name in vars(cache):
                    setattr(cache, name, self._reading(vars(cache)[name]))

    def _reading(self, original: Any) -> Any:
        @wraps(original)
        def get(cache: Any, *keys: Any, **kw: Any) -> Any:
            found = original(cache, *keys, **kw)
            if self.now is not None and found is not None:
                key = ", ".join(map(str, keys))
                _once(self.now.cached, key)
                self.now.texts.append((f"cache {key!r}", _shown(found)))
            return found

        return get

    # ---- what belongs to nobody
    def tables_of(self, isolations: list[Isolation]) -> None:
        """Note who writes shared tables."""
        names = [view.name for isolation in isolations for view in isolation.views.all() if view.shared]
        if names:
            listed = "|".join(map(re.escape, names))
            self._tables = re.compile(
                rf"""\s*(?:INSERT|UPDATE|REPLACE)\b.*?\b({listed})\b""", re.IGNORECASE | re.DOTALL
            )

    def look_into_shared(
        self, isolations: list[Isolation], canaries: Canaries, visitor: Visitor, results: list[RouteResult]
    ) -> None:
        """Look for canaries where no tenant's data should be: shared tables, and exempt engines that were written."""
        by_route = {result.route: result for result in results}
        somewhere = RouteResult("shared tables", "")
        for isolation in isolations:
            for view in [v for v in isolation.views.all() if v.shared]:
                table = sa.table(view.name, *map(sa.column, view.columns), schema=view.schema)
                with isolation.begin() as connection:
                    rows = repr(connection.execute(sa.select(table).limit(MOST_ROWS)).all())
                result = by_route.get(self._table_writers.get(view.name, ""), somewhere)
                marks = [mark for owner in OWNERS for mark in canaries.find(rows, owner)]
                if marks:
                    visitor.leak(
                        result,
                        f"{result.route} wrote it, and every tenant can read it",
                        f"shared table {view.name}",
                        marks,
                        f"Take {view.name!r} off TENANT_SHARED_TABLES, or keep tenants' data out of it",
                    )
        for url, (engine, route) in self._exempt.items():
            if any(same_database(engine, isolation.engine) for isolation in isolations):
                continue
            marks = [mark for owner in OWNERS for mark in canaries.find(_all_rows(engine), owner)]
            if marks:
                visitor.leak(
                    by_route.get(route, somewhere),
                    f"{route} wrote it, and every tenant's request can read it",
                    f"exempt engine {url}",
                    marks,
                    "Make the engine tenanted, or keep tenants' data out of it",
                )

    def output(self, text: str) -> None:
        """Take what the application prints."""
        if self.now is not None:
            self.now.texts.append(("output", text[:SEEN]))


def _all_rows(engine: Engine) -> str:
    metadata = sa.MetaData()
    with internal(), engine.connect() as connection:
        metadata.reflect(connection)
        return "".join(
            repr(connection.execute(sa.select(table).limit(MOST_ROWS)).all())
            for table in metadata.tables.values()
        )


class _Tee(io.TextIOBase):
    """Standard output and error during the examination: looked through, and written nowhere."""

    encoding = "utf-8"

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def write(self, text: str) -> int:
        self._watch.output(text)
        return len(text)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return os.open(os.devnull, os.O_WRONLY)


def _family(cls: type[Any]) -> Iterator[type[Any]]:
    yield cls
    for derived in cls.__subclasses__():
        yield from _family(derived)


def _shown(value: Any) -> str:
    try:
        return value if isinstance(value, str) else repr(value)[:SEEN]
    except Exception as error:  # the application's own __repr__
        return type(error).__name__


def _once(into: list[str], what: str) -> None:
    if what not in into:
        into.append(what)


_RECORD = frozenset(vars(logging.LogRecord("", 0, "", 0, "", (), None))) | {"message", "asctime"}
