"""Which engines hold tenant data: tenanted, exempt, or refused until somebody says."""

from __future__ import annotations

import weakref
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

import flask
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import Pool

from .context import Scope
from .decision import Ruling
from .discovery import synchronous
from .errors import ConfigurationError, RuleEngineError, TenancyError
from .isolate import (
    Isolation,
    config_of,
    is_tenanted,
    refuse_unguarded,
)
from .model import Tenant
from .registry import KEY, _here, living
from .settings import Settings

if TYPE_CHECKING:
    # At run time SQLAlchemy 2.1's asyncio module needs greenlet, which applications without asyncio do not have.
    from sqlalchemy.ext.asyncio import AsyncEngine

    from .application import Application
    from .extension import Tenancy
    from .protocols import RuleHolder

_exempt: weakref.WeakSet[Any] = weakref.WeakSet()


class Users:
    """The applications that share one engine and its wall, as those do that one factory has made.

    The current application speaks for them, or one that is being built, or else the newest. They are held weakly: what
    outlives an application must not keep it, see ``LiveViews``.
    """

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._joined: list[weakref.ref[Application]] = []
        self.isolation = Isolation(
            engine, settings, fallback=self.fallback, tenants=self.tenants, report=cast(Any, self)
        )
        self.isolation.wall.rules = self
        self.isolation.wall.law.tenancy = self.tenancy
        self.isolation.wall.law.routes = self.replica

    def join(self, application: Application) -> None:
        """Add an application.

        :raises ConfigurationError: when its settings are not those that the wall was built with
        """
        if config_of(application.settings) != self.isolation.config:
            raise ConfigurationError(
                f"Two applications share the engine {self.isolation.engine.url!r}, and their TENANT_* settings differ",
                hint="Give them the same settings, or an engine each",
            )
        if application not in self._alive():
            self._joined.append(weakref.ref(application))

    def _alive(self) -> list[Application]:
        return [found for joined in self._joined if (found := joined()) is not None]

    def _speaker(self) -> Application | None:
        alive = self._alive()
        current = flask.current_app.extensions.get(KEY) if flask.has_app_context() else None
        if current in alive:
            return cast("Application", current)
        return next((a for a in alive if a.startup.running()), alive[-1] if alive else None)

    def tenancy(self) -> Tenancy | None:
        """Whose hooks rules call, and who sends what they tell."""
        speaker = self._speaker()
        return speaker.tenancy if speaker is not None else None

    def replica(self, name: str) -> Engine | None:
        """The engine that rules call by this name."""
        speaker = self._speaker()
        return speaker.databases.replicas.get(name) if speaker is not None else None

    def fallback(self, *, asked: bool = True) -> Scope | None:
        """What holds outside any scope.

        :param asked: false when nobody wants tenant data yet, only to know
        """
        speaker = self._speaker()
        return speaker.fallback(asked=asked) if speaker is not None else None

    def tenants(self, connection: Connection) -> list[Tenant]:
        """All tenants."""
        speaker = self._speaker()
        return speaker.databases.tenants(connection) if speaker is not None else []

    def ruling(self, holder: RuleHolder) -> Ruling | None:
        """What the rules of the current tenant have decided for the next statement.

        :raises RuleEngineError: when it cannot be told
        """
        joined = self._joined
        speaker = joined[0]() if len(joined) == 1 else self._speaker()
        if speaker is not None:
            return speaker.governance.ruling(holder)
        if _here() is None:
            return None
        raise RuleEngineError("The application whose rules hold is gone")

    def active(self) -> bool:
        """Whether refusals are let through now."""
        speaker = self._speaker()
        return speaker is not None and speaker.report.active()

    def passes(self, error: TenancyError) -> bool:
        """Let a refusal through, and list it, if the mode is active."""
        speaker = self._speaker()
        return speaker is not None and speaker.report.passes(error)


_users: weakref.WeakKeyDictionary[Engine, Users] = weakref.WeakKeyDictionary()


def exempt_engine(engine: Engine | AsyncEngine) -> None:
    """Leave an engine alone, in every application of the process."""
    _exempt.add(synchronous(engine).dialect)


def is_exempt(engine: Engine) -> bool:
    """Whether an engine was declared to hold no tenant data."""
    return engine.dialect in _exempt


def _watch_engines() -> None:
    """Look at every engine of the process before it hands out a connection.

    SQLAlchemy has no event that comes early enough and names the engine, hence the wrapped methods. Whoever asks a
    pool directly is met by the event, which can only refuse.
    """
    if event.contains(Pool, "checkout", _checkout):
        return
    event.listen(Pool, "checkout", _checkout)
    for name in ("connect", "raw_connection"):
        setattr(Engine, name, _declared_first(getattr(Engine, name)))


def _declared_first(original: Any) -> Any:
    @wraps(original)
    def method(self: Engine) -> Any:
        if getattr(self.dialect, "ft_wall", None) is None:  # is_tenanted(), a call less
            _declared(self)
        return original(self)

    return method


def _states() -> list[Application]:
    """The applications that an undeclared engine may belong to."""
    if not flask.has_app_context():
        return living()
    state = flask.current_app.extensions.get(KEY)
    return [state] if state is not None else []


def _declared(engine: Engine) -> None:
    """Make sure that an engine is tenanted or exempt.

    :raises UnknownEngineError: when nobody has said which
    """
    states = _states()
    if engine.dialect in _exempt or not states:
        return
    for state in states:
        state.discover()
        if is_tenanted(engine.dialect) or engine.dialect in _exempt:
            return
        if state.databases.adopt_twin(engine):
            return
    raise refuse_unguarded(engine.url.render_as_string())


def _checkout(connection: Any, record: Any, fairy: Any) -> None:
    """An engine is tenanted or exempt: a connection of any other does not leave its pool."""
    dialect = fairy._pool._dialect
    if getattr(dialect, "ft_wall", None) is None and dialect not in _exempt and _states():
        raise refuse_unguarded(f"of {dialect.name}+{dialect.driver}")
