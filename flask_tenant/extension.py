"""The Flask extension: finds the application's engines, puts the wall into them, and serves tenants."""

from __future__ import annotations

import logging
import os
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

import flask
import sqlalchemy as sa
from flask import Blueprint, Flask
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import scoped_session
from sqlalchemy.pool import Pool

from . import adapters, pipeline, signals
from .adapters import Around, Surroundings
from .admission import Admission
from .context import NO_TENANT_HINT, Scope, current_scope, internal, nobody
from .decision import Ruling
from .directory import Directory, own_database
from .discovery import Found, LiteSessions, blocking, look_into, same_database, synchronous
from .errors import ConfigurationError, NoTenantError, RuleEngineError, TenancyError, TenantError
from .event_rules import EventRules
from .governance import Governance
from .hooks import Hooks
from .isolate import (
    TEMPLATE,
    Isolation,
    ScopedSessions,
    config_of,
    is_tenanted,
    migrating,
    plainly,
    refuse_unguarded,
)
from .model import Answer, RequestFacts, Resolution, Tenant
from .protocols import Adapter
from .report import Report
from .routes import CentralRoutes
from .rules.events import Events, Postponed, WebhookNames
from .rules.facts import Facts
from .rules.runtime import Rules
from .seeds import Seeds
from .settings import Settings
from .startup import Startup
from .stay import Stay
from .theme import Theme, Theming
from .wsgi import RESOLUTION, TenantMiddleware

if TYPE_CHECKING:
    # At run time SQLAlchemy 2.1's asyncio module needs greenlet, which applications without asyncio do not have.
    from sqlalchemy.ext.asyncio import AsyncEngine

log = logging.getLogger("flask_tenant")

KEY = "tenancy"
COMMANDED = "TENANCY_TENANT"
"""Environment variable in programs that ``flask tenant run`` starts: the tenant that holds where nothing names one."""
_apps: weakref.WeakSet[Application] = weakref.WeakSet()
_exempt: weakref.WeakSet[Any] = weakref.WeakSet()


class Application:
    """What Tenancy keeps for one Flask application: ``app.extensions["tenancy"]``.

    :param engines: the engines that hold tenant data, or bind keys of Flask-SQLAlchemy
    :param sessions: the application's own ``scoped_session`` objects
    """

    def __init__(
        self,
        tenancy: Tenancy,
        app: Flask,
        startup: Startup,
        engines: Iterable[Engine | AsyncEngine | str],
        sessions: Iterable[scoped_session[Any]],
    ) -> None:
        self.tenancy = tenancy
        self._app = weakref.ref(app)
        self.settings = Settings.read(app.config)
        self.startup = startup
        # Weak: the compiled statements that SQLAlchemy keeps lead here, and engines hold connections.
        self.isolations: weakref.WeakKeyDictionary[Engine, Isolation] = weakref.WeakKeyDictionary()
        self._postponed = Postponed(
            lambda: nullcontext() if flask.has_app_context() else self.app.app_context()
        )
        # First in, last out: what had to wait is done when all sessions are closed.
        self.governance = Governance(self, _here, tenancy.facts)
        self.adapters: tuple[Adapter, ...] = (self._postponed, self.governance)
        self.report = Report(
            self.settings.enforcement == "report",
            weakref.WeakMethod(self._count),
            lambda error: signals.statement_reported.send(tenancy, error=error),
        )
        self._wanted = list(engines)
        self._own_engines: list[Engine] = []
        self._home: Callable[[], Isolation | None] = lambda: None
        self._template_scope = Scope(TEMPLATE)
        self._directory: Directory | None = None
        self._events: EventRules | None = None
        self._adapted: set[int] = set()
        self._extensions_seen = -1
        for registry in sessions:
            self._adapt(registry)
        self._commanded = os.environ.get(COMMANDED)
        self.around: Around = Around(
            app=lambda: self.app,
            settings=self.settings,
            here=_here,
            find=lambda tenant_id: self.directory.find_id(tenant_id),
            enter=self.enter,
            resolution=_resolution,
        )
        self.surroundings = Surroundings(self.around)
        self.theming = Theming(app, self.settings, _here, lambda: self.rules.current())
        self.admission = Admission(
            self.settings,
            lambda: self.app,
            lambda: self.directory,
            self.default,
            tenancy.routes,
            self.report.active,
        )

    # ---- engines
    def discover(self) -> None:
        """Find engines and sessions of the application that are not tenanted yet."""
        found = look_into(self.app)
        self._follow(found)
        engines = [] if self._wanted else list(found.binds.get(None, ()))
        for wanted in self._wanted:
            if isinstance(wanted, str):
                engines.extend(found.named(wanted))
            else:
                engines.append(synchronous(wanted))
        for key in self.settings.exempt_engines:
            for engine in found.named(key):
                self.tenancy.exempt(engine)
        for engine in sorted(engines, key=lambda e: e.dialect.is_async):
            if engine not in self.isolations:
                self._adopt(engine)
        self.surround()

    def surround(self) -> None:
        """Look for libraries around the SQL that have to follow the tenant. Cheap: for each scope."""
        new = self.surroundings.discover()
        if new:
            self.adapters = (*self.adapters, *new)

    def adopt_twin(self, engine: Engine) -> bool:
        """Put the wall into an engine that goes to a tenanted database, such as one made by a migration script."""
        twin = next((known for known in list(self.isolations) if same_database(engine, known)), None)
        if twin is None:
            return False
        isolation = self.isolations[twin]
        isolation.share(engine)
        self.isolations[engine] = isolation
        return True

    def _follow(self, found: Found) -> None:
        """Let the application's sessions follow the tenant."""
        if found.registry is not None:
            self._adapt(found.registry)
        if found.lite and not any(isinstance(adapter, LiteSessions) for adapter in self.adapters):
            self.adapters = (*self.adapters, LiteSessions(self.app, _here))

    @property
    def rules(self) -> Rules:
        """What rules hold."""
        return self.governance.runtime

    def tables(self) -> tuple[str, ...]:
        """The names of all tables, for rules about ``"*"``."""
        names = {isolation.views.names() for isolation in self.isolations.values()}
        return names.pop() if len(names) == 1 else tuple(sorted({name for some in names for name in some}))

    @property
    def app(self) -> Flask:
        """The Flask application."""
        found = self._app()
        if found is None:
            raise ConfigurationError("The Flask application is gone")
        return found

    def _adapt(self, registry: scoped_session[Any]) -> None:
        if id(registry) not in self._adapted:
            self._adapted.add(id(registry))
            self.adapters = (*self.adapters, ScopedSessions.of(registry, _here))

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
            users = Users(engine, self.settings)
            users.isolation.install()
            _users[engine] = users
        users.join(self)
        isolation = users.isolation
        isolation.check()  # before anything is written
        if self._directory is None:
            self._open_directory(isolation)
        self.isolations[engine] = isolation

    def _open_directory(self, isolation: Isolation) -> None:
        """Open the directory: in a database of its own, or beside the tenants' rows."""
        settings, own = self.settings, self.settings.directory_url
        connect: Callable[[], AbstractContextManager[Connection]] = isolation.begin
        if own is not None:
            engine = sa.create_engine(own)
            self.tenancy.exempt(engine)
            weakref.finalize(self, engine.dispose)
            connect = own_database(engine)
        else:
            self._home = weakref.ref(isolation)
        directory = Directory(
            connect,
            prefix=settings.table_prefix,
            apart=own is not None,
            seconds=settings.cache_seconds,
            size=settings.cache_size,
            redis_url=settings.redis_url,
        )
        directory.prepare()
        self._directory = directory

    @property
    def events(self) -> EventRules:
        """What event rules need and keep."""
        if self._events is None:
            tenancy = self.tenancy
            self._events = EventRules(
                tenancy,
                lambda: self.app,
                self.directory,
                self.settings,
                tenancy.hooks,
                self._postponed,
                self.rules,
                send=tenancy.events.send,
            )
        return self._events

    # ---- tenants
    @property
    def directory(self) -> Directory:
        """The tenants.

        :raises ConfigurationError: when no engine was found that could hold them
        """
        if self._directory is None:
            self.discover()
        if self._directory is None:
            raise ConfigurationError(
                "No database engine was found in the application",
                hint="Register Flask-SQLAlchemy (or -Lite) with it, or pass Tenancy(engines=[engine])",
            )
        return self._directory

    def tenants(self, connection: Connection) -> list[Tenant]:
        """All tenants, read on a connection that is open already where that one can."""
        if self._directory is None:
            return []
        if self.isolations.get(connection.engine) is not self._home():
            return self._directory.all()
        with plainly(connection):
            return self._directory.read(connection)

    def _count(self) -> int:
        with internal():
            return self._directory.count() if self._directory is not None else 0

    def _only(self, *, asked: bool) -> Scope | None:
        """In report-only mode, what forgot to name its tenant works for the only one, and is listed if it ``asked``."""
        with internal():
            tenants = self._directory.all() if self._directory is not None and self.report.active() else []
        if not tenants:
            return None
        if asked:
            self.report.passes(
                NoTenantError("Tenant data was asked for while no tenant is active", hint=NO_TENANT_HINT)
            )
        return Scope(tenants[0], key=("default", tenants[0].id))

    def default(self) -> Tenant | None:
        """The configured default tenant."""
        return self.directory.get(self.settings.default) if self.settings.default else None

    def create(self, slug: str, name: str) -> Tenant:
        """Create a tenant with what start-up and migrations have seeded."""
        return self.create_many([(slug, name)])[0]

    def create_many(self, wanted: Sequence[tuple[str, str]]) -> list[Tenant]:
        """Create tenants, slug and name of each: all of them, or none."""
        directory = self.directory
        for slug, name in wanted:
            signals.tenant_creating.send(self.tenancy, slug=slug, name=name)

        with ExitStack() as others:
            seeders: list[Callable[[int], None]] = []
            left = len(wanted)

            def fill(connection: Connection, tenant: Tenant) -> None:
                nonlocal left
                for isolation in () if seeders else dict.fromkeys(self.isolations.values()):
                    home = isolation is self._home()
                    seeders.append(
                        isolation.seeder(connection if home else others.enter_context(isolation.begin()))
                    )
                for seed in seeders:
                    seed(tenant.id)
                left -= 1
                if not left:
                    others.close()  # committed together, after everything else has gone well

            made = directory.create_many(wanted, fill)
        if self.tenancy.seeds:
            made = self.tenancy.seeds.plant(
                made, self.app, enter=self.enter, set_state=directory.set_state, remove=self._remove
            )
        for tenant in made:
            log.info("Tenant %s created (id %s)", tenant.slug, tenant.id)
            signals.tenant_created.send(self.tenancy, tenant=tenant)
        return made

    def _remove(self, tenant: Tenant) -> None:
        """Remove a tenant whose creation has failed half-way, with its rows in every database."""

        def empty(connection: Connection, tenant: Tenant) -> None:
            with ExitStack() as others:
                for isolation in dict.fromkeys(self.isolations.values()):
                    home = isolation is self._home()
                    isolation.empty(connection if home else others.enter_context(isolation.begin()), tenant)

        self.directory.remove(tenant, empty)

    # ---- scopes
    def fallback(self, *, asked: bool = True) -> Scope | None:
        """What holds outside any scope: the template while the application is built or migrated, else the default.

        :param asked: false when nobody wants tenant data, only to know
        """
        if self.startup.running() or (migrating() and not flask.has_request_context()):
            return self._template_scope
        slug = self._commanded or self.settings.default
        if slug is None or self._directory is None:
            return self._only(asked=asked)
        with internal():
            found = self._directory.find(slug)
        return Scope(found, key=("default", found.id)) if found is not None else None

    def enter(self, scope: Scope) -> AbstractContextManager[Scope]:
        """Enter a scope with everything that must follow it."""
        return Stay(self, scope)

    # ---- the edges
    def admit(self, facts: RequestFacts) -> Resolution | Answer:
        """Decide who a request is for, or what it is answered in place of the application."""
        self.startup.end()
        self._commanded = None  # it was for a script: what serves requests works for whom these name
        return self.admission(facts)

    def nobody(self, environ: dict[str, Any], facts: RequestFacts) -> Answer | None:
        """What a request is told that names no tenant: nothing, if it is served."""
        if self.theming.serves(facts.path):
            return None  # central pages have their looks, too
        return self.admission.nobody(environ, facts)

    def enter_request(self, resolution: Resolution) -> AbstractContextManager[object]:
        """Enter the scope of a resolved request."""
        scope = pipeline.scope_of(resolution)
        if scope is None:
            self._dress()
            return nobody()
        return Stay(self, scope, request=True)

    def discover_for(self, *, request: bool) -> None:
        """Look for engines and sessions; for a request, only when the application has got another extension."""
        count = len(self.app.extensions)
        if not request or count != self._extensions_seen:
            self.discover()
            self._extensions_seen = count
        else:
            self.surround()
        self._dress()

    def _dress(self) -> None:
        """Let pages look as the tenant does. Cheap: for each scope."""
        if not self.startup.running() and self.theming.dress(self.app):
            language = self.theming.language
            if language not in self.adapters:
                self.adapters = (*self.adapters, language)

    def surrounding(self, *, request: bool) -> Scope | None:
        """What holds around a scope that is entered outside any other."""
        if request and self.settings.default is None and self.settings.enforcement != "report":
            return None  # neither the template nor anybody else is around a request
        return self.fallback(asked=False)


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
            return cast(Application, current)
        return next((a for a in alive if a.startup.running()), alive[-1] if alive else None)

    def tenancy(self) -> Tenancy | None:
        """Whose hooks rules call, and who sends what they tell."""
        speaker = self._speaker()
        return speaker.tenancy if speaker is not None else None

    def fallback(self) -> Scope | None:
        """What holds outside any scope."""
        speaker = self._speaker()
        return speaker.fallback() if speaker is not None else None

    def tenants(self, connection: Connection) -> list[Tenant]:
        """All tenants."""
        speaker = self._speaker()
        return speaker.tenants(connection) if speaker is not None else []

    def ruling(self, holder: object) -> Ruling | None:
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

    def ended(self, holder: object) -> None:
        """A transaction has ended."""
        for application in self._alive():
            application.governance.ended(holder)

    def active(self) -> bool:
        """Whether refusals are let through now."""
        speaker = self._speaker()
        return speaker is not None and speaker.report.active()

    def passes(self, error: TenancyError) -> bool:
        """Let a refusal through, and list it, if the mode is active."""
        speaker = self._speaker()
        return speaker is not None and speaker.report.passes(error)


_users: weakref.WeakKeyDictionary[Engine, Users] = weakref.WeakKeyDictionary()


class Tenancy:
    """Turns a single-tenant Flask application into a multi-tenant one.

    :param app: the application, or register it later with :meth:`init_app`
    :param engines: the engines that hold tenant data, or their bind keys (``"default"`` for the default engine,
        which is what holds tenant data if nothing is named)
    :param sessions: ``scoped_session`` objects of the application that Flask-SQLAlchemy does not know
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        engines: Iterable[Engine | AsyncEngine | str] = (),
        sessions: Iterable[scoped_session[Any]] = (),
    ) -> None:
        self._engines = list(engines)
        self._sessions = list(sessions)
        self.seeds = Seeds()
        self.hooks = Hooks()
        self.events = Events(
            lambda: state_of().events.reaction,
            lambda name, facts, tenant: signals.event_happened.send(
                self, name=name, facts=facts, tenant=tenant
            ),
        )
        self.facts = Facts(_resolution)
        self.webhooks = WebhookNames()
        self.routes = CentralRoutes()
        if app is not None:
            self._register(app, sys._getframe(1))

    def init_app(self, app: Flask) -> None:
        """Register the application. Call it before its tables are touched; engines may come later.

        :raises ConfigurationError: for settings that make no sense
        :raises SchemaNotReadyError: when the database holds tables without the tenant column
        """
        self._register(app, sys._getframe(1))

    def _register(self, app: Flask, frame: Any, factory: Any = None) -> None:
        if KEY in app.extensions:
            raise ConfigurationError("Tenancy is registered with this application already")
        state = Application(self, app, Startup(app, frame, factory), self._engines, self._sessions)
        app.extensions[KEY] = state
        _apps.add(state)
        _watch_engines()
        from .cli import tenant_cli

        app.cli.add_command(tenant_cli)
        app.wsgi_app = TenantMiddleware(  # type: ignore[method-assign]
            state.theming.files(app.wsgi_app), state.admit, state.enter_request, state.nobody
        )
        try:
            state.discover()
        except Exception:
            _apps.discard(state)
            raise

    def seed(self, function: Callable[[Tenant], None]) -> Callable[[Tenant], None]:
        """Let ``function`` write what each new tenant begins with: a decorator.

        It is called with the tenant, in the tenant, in an application context. When it raises, the tenant is removed
        again, and the error reaches whoever wanted the tenant.
        """
        self.seeds.add(function)
        return function

    def central(self, target: Blueprint | Callable[..., Any] | str, *, reason: str) -> None:
        """Declare that a blueprint, a view or an endpoint is also served where no tenant is named.

        :param reason: why
        :raises TenantError: without a reason
        """
        self.routes.add(target, reason)

    @property
    def theme(self) -> Theme:
        """How the running code's tenant looks: colours, fonts, logo, language, time zone."""
        return state_of().theming.current()

    @property
    def themes(self) -> list[str]:
        """Names of the themes that rules and configurations may choose."""
        return state_of().theming.store.names()

    def exempt(self, engine: Engine | AsyncEngine) -> None:
        """Declare that an engine holds no tenant data: it is left alone."""
        _exempt.add(synchronous(engine).dialect)


def exempt_engine(engine: Engine | AsyncEngine) -> None:
    """Leave an engine alone, in every application of the process."""
    _exempt.add(synchronous(engine).dialect)


def is_exempt(engine: Engine) -> bool:
    """Whether an engine was declared to hold no tenant data."""
    return engine.dialect in _exempt


def state_of(app: Flask | None = None) -> Application:
    """Return Tenancy's state of an application: the given one, the current one, or the only one.

    :raises ConfigurationError: when none, or more than one, comes into question
    """
    if app is None and flask.has_app_context():
        app = flask.current_app
    if app is not None:
        if KEY not in app.extensions:
            raise ConfigurationError(
                f"Tenancy is not registered with {app.name!r}", hint="Tenancy().init_app(app)"
            )
        return cast(Application, app.extensions[KEY])
    states = list(_apps)
    if len(states) != 1:
        raise ConfigurationError(
            f"{len(states)} applications in this process have Tenancy, and none is current",
            value=len(states),
            hint="Push an application context: with app.app_context()",
        )
    return states[0]


def tenant_context(tenant: Tenant | str, app: Flask | None = None) -> AbstractContextManager[Scope]:
    """Work for one tenant.

    :param tenant: a tenant or its slug
    :param app: by default the current application, or the only one that has Tenancy
    :raises TenantNotFoundError: when there is no such tenant
    """
    state = state_of(app)
    found = tenant if isinstance(tenant, Tenant) else state.directory.get(tenant)
    return state.enter(Scope(found))


@contextmanager
def central_context(*, reason: str, app: Flask | None = None) -> Iterator[Scope]:
    """Leave isolation, for work that belongs to no tenant. Every use is logged with its reason.

    :param reason: why; it is written to the log
    :raises TenantError: without a reason
    """
    if not reason.strip():
        raise TenantError(
            "Central work without a reason", hint="central_context(reason='monthly usage report')"
        )
    state = state_of(app)
    outer = current_scope()
    _write_down("Central work begins (%s): %s", outer or "outside any tenant", reason)
    with state.enter(Scope(None, reason=reason)) as scope:
        signals.central_entered.send(state.tenancy, reason=reason)
        yield scope


def for_each_tenant(*, reason: str, app: Flask | None = None) -> Iterator[Tenant]:
    """Run a loop's body once in each tenant. Every use is logged with its reason.

    Use it as ``for tenant in for_each_tenant(reason="..."): ...``; the loop's body runs in the tenant.

    :param reason: why; it is written to the log
    """
    if not reason.strip():
        raise TenantError(
            "A loop over tenants without a reason", hint="for_each_tenant(reason='yearly numbering')"
        )
    state = state_of(app)
    tenants = state.directory.all()
    _write_down("Loop over %s tenants begins: %s", len(tenants), reason)
    for tenant in tenants:
        with state.enter(Scope(tenant)):
            yield tenant


def _write_down(text: str, *values: object) -> None:
    """Log who leaves a tenant's walls, and why."""
    log.disabled = (
        False  # Alembic's env.py, as generated, switches off every logger that its file does not name
    )
    log.warning(text, *values)


def _here() -> Scope | None:
    """The scope that holds for the running code, the application's fallback included."""
    scope = current_scope()
    if scope is None and flask.has_app_context():
        state = flask.current_app.extensions.get(KEY)
        scope = state.fallback(asked=False) if state is not None else None
    return scope


def _resolution() -> Resolution | None:
    """Who the current request is for."""
    return flask.request.environ.get(RESOLUTION) if flask.has_request_context() else None


adapters.ask(lambda: [state.around for state in list(_apps)])


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
    def method(self: Engine, *args: Any, **kw: Any) -> Any:
        if not is_tenanted(self.dialect):
            _declared(self)
        return original(self, *args, **kw)

    return method


def _states() -> list[Application]:
    """The applications that an undeclared engine may belong to."""
    if not flask.has_app_context():
        return list(_apps)
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
        if state.adopt_twin(engine):
            return
    raise refuse_unguarded(engine.url.render_as_string())


def _checkout(connection: Any, record: Any, fairy: Any) -> None:
    """An engine is tenanted or exempt: a connection of any other does not leave its pool."""
    dialect = fairy._pool._dialect
    if not is_tenanted(dialect) and dialect not in _exempt and _states():
        raise refuse_unguarded(f"of {dialect.name}+{dialect.driver}")
