"""Registers Tenancy with every Flask application of the process, for applications that do not know of it.

``flask-tenant run`` and the tests of unmodified third-party applications use it. It acts when an application's own
extensions reach the database for the first time, so the order in which a factory does things does not matter.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import wraps
from importlib import import_module
from pathlib import Path
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
        super().__init__(error.message, value=error.value, hint="Nothing was changed")


def install(
    configure: Callable[[Flask], None] = lambda app: None, engines: Callable[[], Iterable[Any]] = tuple
) -> None:
    """Register Tenancy with each Flask application that is made from now on.

    :param configure: sets ``TENANT_*`` keys before registration
    :param engines: returns engines of the application's own that hold tenants' rows
    """
    original = Flask.__init__

    @wraps(original)
    def made(self: Flask, *args: Any, **kw: Any) -> None:
        original(self, *args, **kw)
        configure(self)
        if KEY not in self.extensions:
            here = sys._getframe(0)
            Tenancy(engines=engines())._register(self, here, factory=here.f_back)

    Flask.__init__ = made  # type: ignore[method-assign]


def load(
    target: str,
    *,
    database: str | None = None,
    shared: Iterable[str] = (),
    engines: Iterable[str] = (),
) -> Flask:
    """Import an application and register Tenancy with it.

    :param target: as for ``flask --app``: ``package.module:app``, or ``package.module:create_app`` for a factory
    :param database: URL that takes the place of the application's own
    :param engines: ``package.module:name`` of each engine that the application makes itself
    :raises NeedsScratchDatabaseError: when the application's database has tables without the tenant column
    :raises ConfigurationError: when the target is no Flask application, or an engine's name leads to none
    """
    names = tuple(shared)
    wanted = tuple(engines)

    def configure(app: Flask) -> None:
        if names:
            app.config["TENANT_SHARED_TABLES"] = list(names)

    if database is not None:
        _replace_database(database)
    install(configure, lambda: _engines(wanted))
    module_name, _, name = target.partition(":")
    try:
        app = locate_app(prepare_import(module_name), name or None)
        with app.app_context():
            app.extensions[KEY].databases.want(_engines(wanted, all_of_them=True))
    except SchemaNotReadyError as error:
        if wanted:  # nobody but the application knows where these go
            hint = "Nothing was changed. Let the application use an empty database, by its own means"
            raise SchemaNotReadyError(error.message, value=error.value, hint=hint) from None
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


def _engines(names: Iterable[str], *, all_of_them: bool = False) -> list[Any]:
    """Return the engines that go by these names.

    :param all_of_them: false while modules are being imported, and some engines may not be there yet
    :raises ConfigurationError: when one leads to no engine
    """
    found = []
    for name in names:
        module, _, attribute = name.partition(":")
        if all_of_them:
            with suppress(ImportError):
                import_module(module)
        engine = getattr(sys.modules.get(module), attribute or "engine", None)
        if hasattr(engine, "dialect"):
            found.append(engine)
        elif all_of_them:
            raise ConfigurationError(
                f"No engine was found as {name!r}",
                value=name,
                hint="Name it as MODULE:NAME, as it is called in the application's code",
            )
    return found


def make_tables(app: Flask) -> None:
    """Make the tables of a scratch database, where the application leaves that to a command.

    Flask-Migrate's scripts are run, if there are any; else tables are made from Flask-SQLAlchemy's models.

    :param app: the current application
    """
    migrate, models = app.extensions.get("migrate"), app.extensions.get("sqlalchemy")
    if migrate is not None and Path(migrate.directory, "env.py").is_file():
        from flask_migrate import upgrade

        upgrade()
    elif models is not None and hasattr(models, "create_all") and not app.extensions[KEY].databases.tables():
        models.create_all()


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
