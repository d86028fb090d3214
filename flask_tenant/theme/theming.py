"""All of a tenant's looks for one application: ``app.extensions["tenancy"].theming``."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask
from jinja2 import Environment

from ..context import Scope
from ..decision import Ruling
from ..errors import RefusedError
from ..model import Tenant
from ..settings import Settings
from . import templates
from .babel import Language
from .composing import Theme
from .look import Look
from .serve import ThemeFiles
from .store import Store

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

log = logging.getLogger("flask_tenant.theme")

_SAID_BY = {"session": "Cookie", "token": "Authorization", "jwt": "Authorization"}
"""Request headers other than Host by which strategies tell tenants apart."""


class Theming:
    """Finds the look of the tenant whose turn it is.

    :param app: the Flask application
    :param here: the scope that holds for the running code
    :param ruling: what the rules of the running code's tenant say, and with it which theme they choose
    """

    def __init__(
        self,
        app: Flask,
        settings: Settings,
        here: Callable[[], Scope | None],
        ruling: Callable[[], Ruling | None] = lambda: None,
    ) -> None:
        self.ruling = ruling
        self._here = here
        self._settings = settings
        self.store = Store(Path(app.root_path) / settings.theme_folder)
        self.look = Look(self.current, settings.theme_path)
        self.language = Language(self.current)

    def current(self) -> Theme:
        """Return the theme that holds for the running code."""
        return self.store.theme(self._tenant(), self._chosen())

    def own(self) -> Theme:
        """Return the tenant's own theme. No rule is asked: once one has refused something, the application's database
        session may not be able to say what they want to know.
        """
        return self.store.theme(self._tenant(), "")

    def _tenant(self) -> Tenant | None:
        scope = self._here()
        return scope.tenant if scope is not None else None

    def _chosen(self) -> str:
        """Name of the theme that a rule has chosen. Looks are no wall: an error leaves the tenant's own."""
        if self._tenant() is None:
            return ""
        try:
            ruling = self.ruling()
        except RefusedError as error:
            log.error("No rule could choose a theme: %s", error)
            return ""
        return (ruling.decision.theme or "") if ruling is not None else ""

    # ---- the application
    def dress(self, app: Flask) -> bool:
        """Put ``theme`` and the overrides into the application's templates. Cheap: for each scope.

        Not before the application is complete: what it says of its templates is read once.

        :returns: whether Flask-Babel follows now, see :class:`Language`
        """
        if not isinstance(app.jinja_env.loader, templates.OverridingLoader):
            app.jinja_env.globals.setdefault("theme", self.look)
            self.override(app.jinja_env)
        return self.language.look(app)

    def override(self, environment: Environment) -> None:
        """Let an environment's templates be overridden for the tenant whose turn it is."""
        templates.install(environment, self.store.folder / "templates", self._tenant)

    def files(self, app: WSGIApplication) -> WSGIApplication:
        """Serve the theme's files in front of an application."""
        said_by = {_SAID_BY[name] for name in self._settings.strategies if name in _SAID_BY}
        if "header" in self._settings.strategies:
            said_by.add(self._settings.header)
        return ThemeFiles(
            app,
            self._settings.theme_path,
            lambda name: self.store.theme(self._tenant(), name),
            sorted(said_by),
        )

    def serves(self, path: str) -> bool:
        """Whether a path is one of ours: they are served where no tenant is named, too."""
        return path.startswith(f"{self._settings.theme_path}/")
