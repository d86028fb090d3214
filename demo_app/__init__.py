"""Fieldbook: a small invoicing application (customers, products, orders, invoices, payments, tickets, reports).

Run it::

    flask --app demo_app db upgrade
    flask --app demo_app seed --business acme
    flask --app demo_app run
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from flask import Flask

from demo_app import cli, errors, formatting, settings, views, words
from demo_app.extensions import babel, csrf, db, login_manager, migrate

__all__ = ["create_app"]

MIGRATIONS = Path(__file__).with_name("migrations")


class Extension(Protocol):
    """Anything that follows Flask's ``init_app`` convention."""

    def init_app(self, app: Flask) -> None: ...


def create_app(config: Mapping[str, Any] | None = None, *, extensions: Iterable[Extension] = ()) -> Flask:
    """Build the application.

    :param config: overrides of the configuration, e.g. ``{"TESTING": True}``.
    :param extensions: further Flask extensions to register, once the database is set up.
    """
    app = Flask(__name__, instance_relative_config=True)
    instance = Path(app.instance_path)
    instance.mkdir(parents=True, exist_ok=True)
    app.config.from_mapping(
        SQLALCHEMY_DATABASE_URI=os.environ.get("DEMO_DATABASE_URL", "sqlite:///demo.db"),
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=5 * 1024 * 1024,
        PAGE_SIZE=20,
    )
    app.config.from_prefixed_env("DEMO")
    app.config.from_mapping(config)
    app.config["SECRET_KEY"] = (
        app.config.get("SECRET_KEY") or os.environ.get("DEMO_SECRET_KEY") or _stored_secret_key(instance)
    )

    db.init_app(app)
    migrate.init_app(app, db, directory=str(MIGRATIONS), render_as_batch=True)
    login_manager.init_app(app)
    csrf.init_app(app)
    babel.init_app(app, locale_selector=formatting.company_locale)
    for extension in extensions:
        extension.init_app(app)

    formatting.init_app(app)
    words.init_app(app)
    settings.init_app(app)
    errors.init_app(app)
    views.init_app(app)
    cli.init_app(app)
    return app


def _stored_secret_key(instance: Path) -> str:
    """The key that signs sessions: made once and kept, so that a restart logs nobody out."""
    path = instance / "secret_key"
    try:
        path.touch(0o600, exist_ok=False)
        path.write_text(secrets.token_hex(32))
    except FileExistsError:
        pass
    return path.read_text()
