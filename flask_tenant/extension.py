"""The Flask extension: what an application registers, and says about itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask
from sqlalchemy.engine import Engine
from sqlalchemy.orm import scoped_session

from . import refusing, signals
from .application import Application
from .discovery import synchronous
from .engines import _exempt, _watch_engines
from .errors import ConfigurationError
from .hooks import Hooks, Users
from .model import Tenant
from .protocols import ProviderKind, Sender
from .registry import KEY, _apps, _resolution, living, state_of
from .replicas import Engines
from .routes import CentralRoutes
from .rules.events import Events, WebhookNames
from .rules.facts import Facts
from .seeds import Seeds
from .startup import Startup
from .theme import Theme
from .wsgi import TenantMiddleware

if TYPE_CHECKING:
    # At run time SQLAlchemy 2.1's asyncio module needs greenlet, which applications without asyncio do not have.
    from sqlalchemy.ext.asyncio import AsyncEngine


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
        self.engines = Engines(self._look)
        self.events = Events(
            lambda: state_of().events.reaction,
            lambda name, facts, tenant: signals.event_happened.send(
                self, name=name, facts=facts, tenant=tenant
            ),
            lambda: state_of().tenancy is self,
        )
        self.facts = Facts(_resolution)
        self.webhooks = WebhookNames()
        self.routes = CentralRoutes()
        self.provider_kinds: dict[str, ProviderKind] = {}
        self.users = Users()
        self.sender: Sender | None = None
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
        refusing.listen(app)
        app.wsgi_app = TenantMiddleware(  # type: ignore[method-assign]
            state.theming.files(state.people(app.wsgi_app)),
            state.admit,
            state.enter_request,
            state.nobody,
            state.admission.known,
            state.unserved,
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

    def provider_kind(self, kind: ProviderKind) -> None:
        """Let tenants have providers of a kind of the application's own, such as SAML.

        :param kind: takes the place of the built-in one of its name, if there is one
        :raises ConfigurationError: when there is one of that name already, or it has none
        """
        if not kind.name or kind.name in self.provider_kinds:
            raise ConfigurationError(
                f"A kind of provider is called {kind.name!r}{' already' if kind.name else ''}",
                value=kind.name,
                hint="Give each class of your own a name of its own",
            )
        self.provider_kinds[kind.name] = kind

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

    def _look(self) -> None:
        """Let applications that are there already look for engines."""
        for state in living():
            if state.tenancy is self:
                state.discover()

    def exempt(self, engine: Engine | AsyncEngine) -> None:
        """Declare that an engine holds no tenant data: it is left alone."""
        _exempt.add(synchronous(engine).dialect)
