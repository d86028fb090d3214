"""The table views of one engine, kept in step with its live schema."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterable
from threading import RLock

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from ..context import internal
from ..model import TableView
from .catalog import Catalog
from .plain import plainly

RELOAD_SECONDS = 1.0
"""How long an unknown name is believed to be unknown: another process may have migrated."""


def _nothing() -> None:
    return None


class LiveViews:
    """Finds views by name, and looks at the database again after schema changes.

    :param changed: called when the schema is another, so that what was rendered from the old one is forgotten
    """

    def __init__(self, engine: Engine, catalog: Catalog) -> None:
        self._engine = weakref.ref(engine)
        self.catalog = catalog
        self.changed: Callable[[], None] = _nothing
        self._lock = RLock()
        self._stale = True
        self.suspected = False
        self._on: Callable[[], Connection | None] = _nothing
        self._loaded = 0.0

    def find(self, name: str, schema: str | None = None) -> TableView | None:
        """Return the view of a relation, ``None`` when the database has no such table."""
        if self._stale:
            self.load()
        found = self.catalog.find(name, schema)
        if found is None and time.monotonic() - self._loaded > RELOAD_SECONDS:
            self.load()
            found = self.catalog.find(name, schema)
        return found

    def all(self) -> Iterable[TableView]:
        """Return every view."""
        if self._stale:
            self.load()
        return self.catalog.all()

    def names(self) -> tuple[str, ...]:
        """Return the names of all tables; an equal tuple is the same one."""
        if self._stale:
            self.load()
        return self.catalog.names

    def forget(self, connection: Connection | None) -> None:
        """The schema has changed, in the transaction of ``connection`` if it is known."""
        with self._lock:
            self._stale = True
            self._on = weakref.ref(connection) if connection is not None else _nothing
        if connection is not None and not event.contains(connection, "rollback", self._ended):
            for end in ("commit", "rollback"):  # what we see in between may never be
                event.listen(connection, end, self._ended)
        self.changed()

    def suspect(self) -> None:
        """The database has said that it knows no such table or column: another process may have migrated."""
        if time.monotonic() - self._loaded > RELOAD_SECONDS:
            self.suspected = True

    def look(self, connection: Connection) -> None:
        """Look at what is suspected, where nobody has to wait for it.

        One looks, and the others go on meanwhile with what they have gone by so far. In the middle of a transaction it
        would take a second connection, which behind a pooler may only be free when that transaction has ended.

        :param connection: of the one who looks, in no transaction
        """
        if self._lock.acquire(blocking=False):
            try:
                if self.suspected:
                    self.load(connection)
                    connection.rollback()  # of our own reading
            finally:
                self._lock.release()

    def _ended(self, connection: Connection) -> None:
        self.forget(None)

    def load(self, connection: Connection | None = None) -> None:
        """Inspect the live schema.

        :param connection: sees the schema that matters; by default the one that changed it, or a new one
        """
        before = self.catalog.live
        with self._lock:
            self.suspected = False
            on, engine = connection or self._on(), self._engine()
            if on is not None and not on.closed and not on.invalidated:
                with plainly(on):
                    self.catalog.load(on)
            elif engine is not None:
                # Not from the application's pool: the caller may hold the last connection that it gives.
                own = Engine(engine.pool.recreate(), engine.dialect, engine.url)
                try:
                    with internal(), own.connect() as fresh, plainly(fresh):
                        self.catalog.load(fresh)
                finally:
                    own.dispose()
            self._stale, self._loaded = False, time.monotonic()
        if self.catalog.live != before:
            self.changed()
