"""A small application: one page that lists invoices. And demo_app, logged in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flask import Flask, g, render_template_string, request
from sqlalchemy.engine import Engine
from sqlalchemy.orm import scoped_session, sessionmaker
from werkzeug.test import Client, EnvironBuilder, run_wsgi_app

PAGE = """<!doctype html><title>Invoices</title><table>
{% for i in invoices %}<tr><td>{{ i.number }}<td>{{ i.issued }}<td>{{ i.customer.name }}<td>{{ i.status }}
{% endfor %}</table>"""


def create_app(engine: Engine, query: Callable[[], Any], by_hand: dict[str, int] | None = None) -> Flask:
    """An application with one page.

    :param query: makes the statement behind the page
    :param by_hand: tenants by host label, for an application that looks them up itself
    """
    app = Flask("bench")
    sessions = scoped_session(sessionmaker(engine))
    app.extensions["sessions"] = sessions

    if by_hand is not None:
        from bench.byhand_models import enter

        @app.before_request
        def find_tenant() -> tuple[str, int] | None:
            found = by_hand.get(request.host.partition(".")[0])
            if found is None:
                return "No such tenant", 404
            g.tenant_id = found
            enter(found)
            return None

    @app.get("/invoices")
    def index() -> str:
        return render_template_string(PAGE, invoices=sessions.scalars(query()).all())

    @app.teardown_appcontext
    def close(_: BaseException | None) -> None:
        sessions.remove()

    return app


def caller(app: Flask, path: str, host: str, cookie: str = "") -> Callable[[], bytes]:
    """Return what calls an application as a server does, without the cost of a test client."""
    headers = [("Cookie", cookie)] if cookie else []
    environ = EnvironBuilder(path=path, base_url=f"http://{host}/", headers=headers).get_environ()

    def call() -> bytes:
        body, status, _ = run_wsgi_app(app.wsgi_app, dict(environ), buffered=True)
        if not status.startswith("200"):
            raise AssertionError(f"{path} at {host} answered {status}")
        return b"".join(body)

    return call


def demo(url: str, config: Mapping[str, Any] | None = None, extensions: Iterable[Any] = ()) -> Flask:
    """demo_app on a database."""
    from demo_app import create_app

    base = {"SQLALCHEMY_DATABASE_URI": url, "WTF_CSRF_ENABLED": False, "SECRET_KEY": "for measuring"}
    return create_app({**base, **(config or {})}, extensions=extensions)


def demo_caller(app: Flask) -> Callable[[], bytes]:
    """Log in to demo_app's first business, and return what calls its list of invoices."""
    from demo_app.seeding import BUSINESSES, PASSWORD

    slug, business = next(iter(BUSINESSES.items()))
    host, (_, email, _) = f"{slug}.localhost", business.users[0]
    client = Client(app)
    answer = client.post("/login", data={"email": email, "password": PASSWORD}, base_url=f"http://{host}/")
    if answer.status_code != 302:
        raise AssertionError(f"Logging in at {host} answered {answer.status}")
    cookie = client.get_cookie("session", domain=host)
    assert cookie is not None
    return caller(app, "/invoices/", host, f"session={cookie.value}")
