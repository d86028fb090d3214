"""Registers Tenancy with every Flask application of the process, for applications that do not know of it.

``flask-tenant run`` and the tests of unmodified third-party applications use it. It acts when an application's own
extensions reach the database for the first time, so the order in which a factory does things does not matter.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from flask import Flask
from flask.cli import NoAppException, locate_app, prepare_import
from sqlalchemy.engine import make_url

from .errors import ConfigurationError, SchemaNotReadyError
from .extension import Tenancy
from .registry import KEY


class NeedsScratchDatabaseError(ConfigurationError):
    """The application's database holds tables of a single tenant.

    :param suggestion: URL of a new SQLite file that could be used instead
    """

    def __init__(self, error: SchemaNotReadyError, suggestion: str) -> None:
        self.suggestion = suggestion
        super().__init__(error.message, value=error.value, hint=error.hint)


def install(configure: Callable[[Flask], None] = lambda app: None) -> None:
    """Register Tenancy with each Flask application that is made from now on.

    :param configure: sets ``TENANT_*`` keys before registration
    """
    original = Flask.__init__

    @wraps(original)
    def made(self: Flask, *args: Any, **kw: Any) -> None:
        original(self, *args, **kw)
        configure(self)
        if KEY not in self.extensions:
            here = sys._getframe(0)
            Tenancy()._register(self, here, factory=here.f_back)

    Flask.__init__ = made  # type: ignore[method-assign]


def load(target: str, *, database: str | None = None, shared: Iterable[str] = ()) -> Flask:
    """Import an application and register Tenancy with it.

    :param target: as for ``flask --app``: ``package.module:app``, or ``package.module:create_app`` for a factory
    :param database: URL that takes the place of the application's own
    :raises NeedsScratchDatabaseError: when the application's database has tables without the tenant column
    :raises ConfigurationError: when the target is no Flask application
    """
    names = tuple(shared)

    def configure(app: Flask) -> None:
        if names:
            app.config["TENANT_SHARED_TABLES"] = list(names)

    if database is not None:
        _replace_database(database)
    install(configure)
    module_name, _, name = target.partition(":")
    try:
        app = locate_app(prepare_import(module_name), name or None)
        with app.app_context():
            app.extensions[KEY].discover()
    except SchemaNotReadyError as error:
        folder = tempfile.mkdtemp(prefix="flask-tenant-")
        raise NeedsScratchDatabaseError(error, f"sqlite:///{folder}/scratch.db") from error
    except NoAppException as error:
        failed = isinstance(error.__context__, ImportError) and "Traceback" in error.message
        raise ConfigurationError(
            f"No application was found as {target!r}: {error.message.strip().rstrip('.')}",
            value=target,
            hint="The application itself cannot be imported: mend that first"
            if failed
            else "Name it as MODULE:APP or MODULE:FACTORY, as for 'flask --app'",
        ) from error
    return app


def _replace_database(url: str) -> None:
    """Let the application's extensions see another database, whatever they were configured with."""
    make_url(url)
    for key in ("DATABASE_URL", "SQLALCHEMY_DATABASE_URI", "DEMO_DATABASE_URL"):
        os.environ[key] = url

    from importlib.util import find_spec

    if find_spec("flask_sqlalchemy") is not None:
        from flask_sqlalchemy import SQLAlchemy

        original = SQLAlchemy.init_app

        @wraps(original)
        def init_app(self: Any, app: Flask) -> None:
            app.config["SQLALCHEMY_DATABASE_URI"] = url
            original(self, app)

        SQLAlchemy.init_app = init_app  # type: ignore[method-assign]
