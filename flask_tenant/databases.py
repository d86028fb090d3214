"""The databases of one application: which of its engines hold tenant data, and where the directory is."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import scoped_session

from .directory import Directory, own_database
from .discovery import Found, LiteSessions, blocking, look_into, place_of, same_database, synchronous
from .engines import Users, _users
from .errors import ConfigurationError
from .isolate import Isolation, ScopedSessions, plainly, unprepared
from .model import Tenant
from .registry import _here
from .replicas import adopt
from .transactions import following

if TYPE_CHECKING:
    # At run time SQLAlchemy 2.1's asyncio module needs greenlet, which applications without asyncio do not have.
    from sqlalchemy.ext.asyncio import AsyncEngine

    from .application import Application


class Databases:
    """Finds the application's engines and sessions, and puts the wall into them.

    :param application: whose they are
    :param engines: those that hold tenant data, or bind keys of Flask-SQLAlchemy; by default what is found
    :param sessions: the application's own ``scoped_session`` objects
    """

    def __init__(
        self,
        application: Application,
        engines: Iterable[Engine | AsyncEngine | str],
        sessions: Iterable[scoped_session[Any]],
    ) -> None:
        self._application = weakref.ref(application)
        self._wanted = list(engines)
        # Weak: the compiled statements that SQLAlchemy keeps lead here, and engines hold connections.
        self.isolations: weakref.WeakKeyDictionary[Engine, Isolation] = weakref.WeakKeyDictionary()
        self.replicas: weakref.WeakValueDictionary[str, Engine] = weakref.WeakValueDictionary()
        self._own_engines: list[Engine] = []
        self._home: Callable[[], Isolation | None] = lambda: None
        self._directory: Directory | None = None
        self._adapted: set[int] = set()
        for registry in sessions:
            self._adapt(registry)

    @property
    def application(self) -> Application:
        """Whose they are."""
        found = self._application()
        if found is None:
            raise ConfigurationError("The Flask application is gone")
        return found

    # ---- engines
    def want(self, engines: Iterable[Engine | AsyncEngine]) -> None:
        """Name engines that hold tenants' rows, and put the wall into them."""
        self._wanted.extend(engine for engine in engines if engine not in self._wanted)
        self.discover()

    def discover(self) -> None:
        """Find engines and sessions of the application that are not tenanted yet."""
        application = self.application
        found = look_into(application.app)
        self._follow(found)
        engines = [] if self._wanted else list(found.binds.get(None, ()))
        for wanted in self._wanted:
            if isinstance(wanted, str):
                engines.extend(found.named(wanted))
            else:
                engines.append(synchronous(wanted))
        for key in application.settings.exempt_engines:
            for engine in found.named(key):
                application.tenancy.exempt(engine)
        for engine in sorted(engines, key=lambda e: e.dialect.is_async):
            if engine not in self.isolations:
                self._adopt(engine)
        for name, replica in application.tenancy.engines.items():
            if name not in self.replicas:
                adopted = adopt(name, replica, found, self.isolations)
                if adopted is not None:
                    self.replicas[name] = adopted

    def adopt_twin(self, engine: Engine) -> bool:
        """Put the wall into an engine that goes to a tenanted database, such as one made by a migration script."""
        twin = next((known for known in list(self.isolations) if same_database(engine, known)), None)
        if twin is None:
            return False
        isolation = self.isolations[twin]
        isolation.share(engine)
        self.isolations[engine] = isolation
        return True

    def tables(self) -> tuple[str, ...]:
        """The names of all tables, for rules about ``"*"``."""
        names = {isolation.views.names() for isolation in self.isolations.values()}
        return names.pop() if len(names) == 1 else tuple(sorted({name for some in names for name in some}))

    def _follow(self, found: Found) -> None:
        """Let the application's sessions follow the tenant."""
        if found.registry is not None:
            self._adapt(found.registry)
        application = self.application
        if found.lite and not any(isinstance(adapter, LiteSessions) for adapter in application.adapters):
            application.adapters = (*application.adapters, LiteSessions(application.app, _here))

    def _adapt(self, registry: scoped_session[Any]) -> None:
        if id(registry) not in self._adapted:
            self._adapted.add(id(registry))
            application = self.application
            application.adapters = (*application.adapters, ScopedSessions.of(registry, _here))

    def _adopt(self, engine: Engine) -> None:
        if self.adopt_twin(engine):
            return
        if engine.dialect.is_async:
            # What is our own to do cannot wait for an event loop.
            own = blocking(engine)
            self._own_engines.append(own)
            weakref.finalize(self, own.dispose)
            self._adopt(own)
            self.adopt_twin(engine)
            return
        users = _users.get(engine)
        if users is None:
            users = Users(engine, self.application.settings)
            users.isolation.install()
            _users[engine] = users
        users.join(self.application)
        isolation = users.isolation
        isolation.check()  # before anything is written
        if self._directory is None:
            self._open_directory(isolation)
        isolation.wall.law.homes.add(self.application.home)
        self.isolations[engine] = isolation

    # ---- the directory
    def _open_directory(self, isolation: Isolation) -> None:
        """Open the directory: in a database of its own, or beside the tenants' rows."""
        settings = self.application.settings
        own = settings.directory_url
        connect: Callable[[], AbstractContextManager[Connection]] = isolation.begin
        if own is not None:
            engine = sa.create_engine(own, connect_args=unprepared(own))
            self.application.tenancy.exempt(engine)
            weakref.finalize(self, engine.dispose)
            connect = own_database(engine)
            self.application.home = place_of(engine.url)
        else:
            self._home = weakref.ref(isolation)
            self.application.home = place_of(isolation.engine.url)
        directory = Directory(
            following(connect),
            prefix=settings.table_prefix,
            apart=own is not None,
            seconds=settings.cache_seconds,
            size=settings.cache_size,
            redis_url=settings.redis_url,
        )
        directory.prepare()
        self._directory = directory

    @property
    def directory(self) -> Directory | None:
        """The tenants; ``None`` as long as no engine was found that could hold them."""
        return self._directory

    def is_home(self, isolation: Isolation | None) -> bool:
        """Whether the directory lies beside the rows behind this wall."""
        return isolation is not None and isolation is self._home()

    def tenants(self, connection: Connection) -> list[Tenant]:
        """All tenants, read on a connection that is open already where that one can."""
        if self._directory is None:
            return []
        if not self.is_home(self.isolations.get(connection.engine)):
            return self._directory.all()
        with plainly(connection):
            return self._directory.read(connection)
