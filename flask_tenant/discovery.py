"""Finds the engines and sessions of an application: Flask-SQLAlchemy's, and Flask-SQLAlchemy-Lite's."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import flask
from flask import Flask
from sqlalchemy import create_engine
from sqlalchemy.engine import URL, Engine
from sqlalchemy.orm import scoped_session

from .context import Scope
from .errors import ConfigurationError

if TYPE_CHECKING:
    # At run time SQLAlchemy 2.1's asyncio module needs greenlet, which applications without asyncio do not have.
    from sqlalchemy.ext.asyncio import AsyncEngine

_BLOCKING = {"aiosqlite": "pysqlite", "psycopg_async": "psycopg"}
"""Drivers of asyncio, and which take their place in blocking code, where those are others."""


@dataclass
class Found:
    """What an application has registered.

    :param binds: engines by bind key, ``None`` for the default
    :param registry: Flask-SQLAlchemy's sessions
    :param lite: whether the application has Flask-SQLAlchemy-Lite, whose sessions live in ``flask.g``
    """

    binds: dict[str | None, list[Engine]] = field(default_factory=dict)
    registry: scoped_session[Any] | None = None
    lite: bool = False

    def named(self, key: str) -> list[Engine]:
        """Return the engines of a bind key; ``default`` names the default engine."""
        return self.binds.get(None if key == "default" and key not in self.binds else key, [])

    def add(self, key: str | None, engine: Engine) -> None:
        """Add an engine under its bind key."""
        self.binds.setdefault(key, []).append(engine)


def look_into(app: Flask) -> Found:
    """Return what an application has registered. Both extensions go by the name ``sqlalchemy``."""
    found = Found()
    extension: Any = app.extensions.get("sqlalchemy")
    if extension is None:
        return found
    if not type(extension).__module__.startswith("flask_sqlalchemy_lite"):
        for key, engine in extension._app_engines.get(app, {}).items():
            found.add(key, engine)
        found.registry = extension.session
        return found
    state = extension._app_state[app]
    for key, engine in (*state.engines.items(), *state.async_engines.items()):
        found.add(None if key == "default" else key, synchronous(engine))
    found.lite = True
    return found


def synchronous(engine: Engine | AsyncEngine) -> Engine:
    """Return the engine below an asynchronous one."""
    return engine if isinstance(engine, Engine) else engine.sync_engine


def blocking(engine: Engine) -> Engine:
    """Return an engine for flask_tenant's own work on the database of an asynchronous one.

    :raises ConfigurationError: for a database in memory, which has one connection only, and for a driver without guard
    """
    if engine.url.get_backend_name() == "sqlite" and place_of(engine.url) is None:
        raise ConfigurationError(
            "An asynchronous engine on a database in memory", value=str(engine.url), hint="Use a file"
        )
    driver = _BLOCKING.get(engine.dialect.driver, engine.dialect.driver)
    made = create_engine(engine.url.set(drivername=f"{engine.dialect.name}+{driver}"))
    if made.dialect.is_async:  # it has no counterpart
        known = ", ".join(sorted(_BLOCKING))
        raise ConfigurationError(
            f"The database driver {driver!r} has no guard",
            value=driver,
            hint=f"For asyncio use one of: {known}",
        )
    return made


def same_database(one: Engine, other: Engine) -> bool:
    """Whether two engines go to the same database, as far as their URLs tell."""
    place = place_of(one.url)
    return place is not None and place == place_of(other.url)


def place_of(url: URL) -> tuple[object, ...] | None:
    """Where a database is, as far as its URL tells; ``None`` for one that nobody else can reach."""
    kind, name = url.get_backend_name(), url.database
    if kind != "sqlite":
        return kind, url.host, url.port, name
    return (kind, os.path.realpath(name)) if name and ":memory:" not in name else None


class LiteSessions:
    """Gives each scope sessions of its own from Flask-SQLAlchemy-Lite, which keeps them in ``flask.g``.

    Asynchronous sessions end with the application context at the latest: nothing can wait for them when a scope is
    left.

    :param here: returns the scope that holds for the running code
    """

    _NAMES = ("_sqlalchemy_sessions", "_sqlalchemy_async_sessions")

    def __init__(self, app: Flask, here: Callable[[], Scope | None]) -> None:
        self._here = here
        flask.appcontext_pushed.connect(self._prepare, app)

    def _prepare(self, sender: Flask, **_: Any) -> None:
        for name in self._NAMES:
            if not isinstance(flask.g.get(name), _ByScope):
                setattr(flask.g, name, _ByScope(self._here, flask.g.get(name, {})))

    def enter(self, scope: Scope) -> None:
        """Nothing to do, unless the application context is older than Tenancy."""
        if flask.has_app_context():
            self._prepare(flask.current_app)

    def leave(self, scope: Scope) -> None:
        """Close the scope's sessions."""
        kept = flask.g.get(self._NAMES[0]) if flask.has_app_context() else None
        if isinstance(kept, _ByScope):
            for session in kept.take(scope.key):
                session.close()


class _ByScope(dict[Any, Any]):
    """Sessions under a name, in the scope that holds when they are asked for."""

    def __init__(self, here: Callable[[], Scope | None], earlier: dict[str, Any]) -> None:
        super().__init__({(None, name): session for name, session in earlier.items()})
        self._here = here

    def _key(self, name: object) -> tuple[Hashable, object]:
        scope = self._here()
        return (scope.key if scope is not None else None, name)

    def __contains__(self, name: object) -> bool:
        return super().__contains__(self._key(name))

    def __getitem__(self, name: Any) -> Any:
        return super().__getitem__(self._key(name))

    def __setitem__(self, name: Any, session: Any) -> None:
        super().__setitem__(self._key(name), session)

    def take(self, scope_key: Hashable) -> list[Any]:
        """Remove a scope's sessions, and return them."""
        return [self.pop(key) for key in list(self) if cast("tuple[Hashable, object]", key)[0] == scope_key]
