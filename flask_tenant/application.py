"""What Tenancy keeps for one Flask application, and how its parts are put together."""

from __future__ import annotations

import logging
import os
import weakref
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flask
from flask import Flask
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import scoped_session

from . import pipeline, signals
from .actors import actor_of, whoever
from .adapters import Around, Surroundings, sight
from .admission import Admission
from .audit import Anchor, Keys, Trail
from .context import NO_TENANT_HINT, Scope, internal, nobody
from .databases import Databases
from .directory import Directory
from .errors import ConfigurationError, NoTenantError
from .governance import Governance
from .governance.events import EventRules
from .isolate import TEMPLATE, migrating
from .mail import Composer, Mail, sender_of, templates
from .model import Answer, Refusal, RequestFacts, Resolution, Tenant
from .protocols import Adapter
from .registry import COMMANDED, _here, _resolution
from .report import Report
from .rules.events import Postponed
from .rules.runtime import Rules
from .settings import Settings
from .startup import Startup
from .stay import Stay
from .theme import Theming
from .translations import Catalogues, Language, language

if TYPE_CHECKING:
    # At run time SQLAlchemy 2.1's asyncio module needs greenlet, which applications without asyncio do not have.
    from _typeshed.wsgi import WSGIApplication
    from sqlalchemy.ext.asyncio import AsyncEngine

    from .accounts import Accounts
    from .accounts.pages.serving import PeoplesPages
    from .extension import Tenancy

log = logging.getLogger("flask_tenant")


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
        self.postponed = Postponed(
            lambda: nullcontext() if flask.has_app_context() else self.app.app_context()
        )
        # First in, last out: what had to wait is done when all sessions are closed.
        self.governance = Governance(self, _here, tenancy.facts)
        self.adapters: tuple[Adapter, ...] = (self.postponed, self.governance)
        self.report = Report(
            self.settings.enforcement == "report",
            weakref.WeakMethod(self._count),
            lambda error: signals.statement_reported.send(tenancy, error=error),
        )
        self._template_scope = Scope(TEMPLATE)
        self.home: Hashable = None
        """Where its directory is: a tenant's number is good there only."""
        self._events: EventRules | None = None
        self._people: PeoplesPages | None = None
        self._trail: Trail | None = None
        self._extensions_seen = -1
        self._sight: tuple[object, ...] = ()
        self.requests_stand_alone = self.settings.default is None and self.settings.enforcement != "report"
        self.databases = Databases(self, engines, sessions)
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
            self.language,
        )

    # ---- what is found
    def discover(self) -> None:
        """Find what belongs to the application and does not follow the tenant yet."""
        self.databases.discover()
        self.surround()

    def surround(self) -> None:
        """Look for libraries around the SQL that have to follow the tenant. Cheap: for each scope."""
        new = self.surroundings.discover()
        if new:
            self.adapters = (*self.adapters, *new)
        if self.settings.login:
            self.accounts.users.look(self.app)

    @property
    def rules(self) -> Rules:
        """What rules hold."""
        return self.governance.runtime

    @property
    def alive(self) -> bool:
        """Whether the Flask application is still there."""
        return self._app() is not None

    @property
    def app(self) -> Flask:
        """The Flask application."""
        found = self._app()
        if found is None:
            raise ConfigurationError("The Flask application is gone")
        return found

    @cached_property
    def accounts(self) -> Accounts:
        """People and their log-ins."""
        if not self.settings.login:
            raise ConfigurationError("Nobody logs in through us", hint="Set TENANT_LOGIN to True")
        try:
            from .accounts import Accounts
        except ImportError as error:
            raise ConfigurationError(
                f"TENANT_LOGIN is set, but something that it needs cannot be imported: {error}",
                hint="pip install 'flask-tenant[login]'",
            ) from None
        return Accounts(self)

    def people(self, inner: WSGIApplication) -> WSGIApplication:
        """Put the pages for people in front of an application, if they log in through us."""
        if not self.settings.login:
            return inner
        from .accounts.pages.serving import PeoplesPages

        self._people = PeoplesPages(self, inner)
        return self._people

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
                self.postponed,
                self.rules,
                send=tenancy.events.send,
            )
        return self._events

    @property
    def trail(self) -> Trail:
        """The audit trail.

        :raises ConfigurationError: when its anchor cannot be written
        """
        if self._trail is None:
            app, settings = self.app, self.settings
            secrets: tuple[str | bytes, ...] = settings.audit_keys or (
                app.secret_key or "",
                *(app.config.get("SECRET_KEY_FALLBACKS") or ()),
            )
            name = settings.audit_anchor
            anchor = Anchor(Path(app.instance_path, name) if name is not None else None)
            self._trail = Trail(
                self.directory.connect,
                self.directory.tables.audit.entry,
                Keys(secrets),
                anchor,
                put_off=self.postponed.put_off,
            )
        return self._trail

    @cached_property
    def mail(self) -> Mail:
        """What sends mail.

        :raises ConfigurationError: for a ``TENANT_MAIL_URL`` or ``TENANT_MAIL_FROM`` that makes no sense
        """
        environment = templates(self.app.jinja_loader)
        environment.globals["theme"] = self.theming.look
        self.theming.override(environment)

        def spoken() -> Language:
            # Whose language nobody has said, is written to in that of the page at which the mail was asked for.
            return self.catalogues.of(self.theming.look.language) or language()

        composer = Composer(
            environment, self.settings.mail_from, lambda tenant: self.enter(Scope(tenant)), spoken
        )
        return Mail(composer, self.tenancy.sender or sender_of(self.settings.mail_url))

    # ---- languages
    @cached_property
    def catalogues(self) -> Catalogues:
        """The languages of our pages and mails."""
        return Catalogues(Path(self.app.root_path) / self.settings.translations_folder)

    def language(self, tenant: Tenant | None, accepted: str | None) -> Language:
        """Return the language in which to answer somebody who is not served.

        :param accepted: the request's ``Accept-Language``
        """
        return self.catalogues.choose(self.theming.store.theme(tenant).value("language") or "", accepted)

    def zone_of(self, tenant: Tenant) -> str:
        """Return the time zone in which a tenant's days begin, ``""`` for none."""
        return self.theming.store.timezone(tenant)

    def write_down(self, action: str, **details: Any) -> None:
        """Write central work to the audit trail, where it is kept."""
        settings = self.settings
        if settings.login if settings.audit is None else settings.audit:
            self.trail.note(action, actor=self._actor(), **details)

    def _actor(self) -> str:
        """Who is doing what central work does."""
        if self.settings.login and flask.has_request_context():
            session = self.accounts.entry.session()
            if session is not None:
                return actor_of(session)
        return whoever()

    # ---- tenants
    @property
    def directory(self) -> Directory:
        """The tenants.

        :raises ConfigurationError: when no engine was found that could hold them
        """
        if self.databases.directory is None:
            self.discover()
        found = self.databases.directory
        if found is None:
            raise ConfigurationError(
                "No database engine was found in the application",
                hint="Register Flask-SQLAlchemy (or -Lite) with it, or pass Tenancy(engines=[engine]); "
                "'flask-tenant run' takes --engine MODULE:NAME",
            )
        return found

    def _count(self) -> int:
        with internal():
            directory = self.databases.directory
            return directory.count() if directory is not None else 0

    def _only(self, *, asked: bool) -> Scope | None:
        """In report-only mode, what forgot to name its tenant works for the only one, and is listed if it ``asked``."""
        with internal():
            directory = self.databases.directory
            tenants = directory.all() if directory is not None and self.report.active() else []
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

    def create(
        self, slug: str, name: str, claim: Callable[[Connection, Tenant], None] | None = None
    ) -> Tenant:
        """Create a tenant with what start-up and migrations have seeded.

        :param claim: called in the transaction that makes it
        """
        return self.create_many([(slug, name)], claim)[0]

    def create_many(
        self,
        wanted: Sequence[tuple[str, str]],
        claim: Callable[[Connection, Tenant], None] | None = None,
    ) -> list[Tenant]:
        """Create tenants, slug and name of each: all of them, or none."""
        directory, databases = self.directory, self.databases
        for slug, name in wanted:
            signals.tenant_creating.send(self.tenancy, slug=slug, name=name)

        with ExitStack() as others:
            ids: list[int] = []

            def fill(connection: Connection, tenant: Tenant) -> None:
                if claim is not None:
                    claim(connection, tenant)
                ids.append(tenant.id)
                if len(ids) < len(wanted):
                    return
                for isolation in dict.fromkeys(databases.isolations.values()):
                    home = databases.is_home(isolation)
                    isolation.seed(connection if home else others.enter_context(isolation.begin()), ids)
                others.close()  # committed together, after everything else has gone well

            made = directory.create_many(wanted, fill)
        if self.tenancy.seeds:
            made = self.tenancy.seeds.plant(
                made, self.app, enter=self.enter, set_state=directory.set_state, remove=self.remove
            )
        for tenant in made:
            log.info("Tenant %s created (id %s)", tenant.slug, tenant.id)
            signals.tenant_created.send(self.tenancy, tenant=tenant)
        return made

    def remove(self, tenant: Tenant) -> None:
        """Remove a tenant whose creation has failed half-way, with its rows in every database."""
        databases = self.databases

        def empty(connection: Connection, tenant: Tenant) -> None:
            with ExitStack() as others:
                for isolation in dict.fromkeys(databases.isolations.values()):
                    home = databases.is_home(isolation)
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
        directory = self.databases.directory
        if slug is None or directory is None:
            return self._only(asked=asked)
        with internal():
            found = directory.find(slug)
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

    def unserved(self, tenant: Tenant) -> Refusal | None:
        """Why what is still open for a tenant has to end, ``None`` as long as the tenant is served."""
        return pipeline.unserved(self.directory.find_id(tenant.id))

    def nobody(self, environ: dict[str, Any], facts: RequestFacts) -> Answer | None:
        """What a request is told that names no tenant: nothing, if it is served."""
        if self.theming.serves(facts.path) or (self._people is not None and self._people.serves(facts.path)):
            return None  # central pages have their looks, and people log in at the central host, too
        return self.admission.nobody(environ, facts)

    def enter_request(self, resolution: Resolution) -> AbstractContextManager[object]:
        """Enter the scope of a resolved request."""
        if resolution.tenant is None:
            self._dress()
            return nobody()
        return Stay(self, Scope(resolution.tenant), request=True)

    def discover_for(self, *, request: bool) -> None:
        """Look for engines, sessions and libraries; for a request, only when the application looks otherwise."""
        app = self._app() or self.app
        if request and sight(app) == self._sight:
            return
        count = len(app.extensions)
        if not request or count != self._extensions_seen:
            self.discover()
            self._extensions_seen = count
        else:
            self.surround()
        self._dress()
        if request:
            self._sight = sight(app)

    def _dress(self) -> None:
        """Let pages look as the tenant does. Cheap: for each scope."""
        if not self.startup.running() and self.theming.dress(self.app):
            language = self.theming.language
            if language not in self.adapters:
                self.adapters = (*self.adapters, language)

    def surrounding(self) -> Scope | None:
        """What holds around a scope that is entered outside any other."""
        return self.fallback(asked=False)
