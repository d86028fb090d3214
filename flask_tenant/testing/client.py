"""Test clients that speak to a tenant's host."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import werkzeug.test
from flask import Flask
from flask.sessions import SessionMixin
from flask.testing import FlaskClient
from werkzeug.test import Cookie
from werkzeug.wrappers import Request

from ..application import Application
from ..model import Tenant
from ..registry import state_of
from .tenants import as_tenant, tenant_for


class TenantClient(FlaskClient):
    """Flask's test client, whose requests go to a tenant's host.

    Set ``app.test_client_class = TenantClient`` and call ``app.test_client(tenant="acme")``, or use
    :func:`tenant_client`. Without a tenant it is Flask's own.

    :param tenant: a tenant or its slug
    :raises TenantNotFoundError: when there is no such tenant
    """

    def __init__(self, *args: Any, tenant: Tenant | str | None = None, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self.tenant: Tenant | None = None
        self.base_url: str | None = None
        self.prefix = ""
        if tenant is not None:
            state = state_of(self.application)
            with self.application.app_context():
                self.tenant = tenant_for(state, tenant, create=False)
                self.base_url, self.prefix = address(state, self.tenant)

    def open(self, *args: Any, **kw: Any) -> Any:
        """Send a request: to the tenant's host, unless ``base_url`` or a ready request says otherwise."""
        ready = args and isinstance(args[0], (werkzeug.test.EnvironBuilder, dict, Request))
        if self.base_url is None or ready or "base_url" in kw:
            return super().open(*args, **kw)
        path = str(args[0] if args else kw.pop("path", "/"))
        if "://" not in path.partition("?")[0]:
            kw["base_url"] = self.base_url
            if not f"{path}/".startswith(f"{self.prefix}/"):
                path = f"{self.prefix}/{path.lstrip('/')}"
        return super().open(path, *args[1:], **kw)

    @contextmanager
    def session_transaction(self, *args: Any, **kw: Any) -> Iterator[SessionMixin]:
        """Change the session that the client uses, inside the tenant."""
        if self.tenant is None:
            with super().session_transaction(*args, **kw) as session:
                yield session
            return
        kw.setdefault("base_url", self.base_url)
        inside = as_tenant(self.tenant, self.application, fresh=True)
        with inside, super().session_transaction(*args, **kw) as session:
            yield session

    @property
    def _domain(self) -> str:
        return (self.base_url or "http://localhost").partition("://")[2].partition("/")[0].partition(":")[0]

    def set_cookie(self, key: str, value: str = "", *, domain: str | None = None, **kw: Any) -> None:
        """Set a cookie, by default for the tenant's host."""
        super().set_cookie(key, value, domain=domain or self._domain, **kw)

    def get_cookie(self, key: str, domain: str | None = None, path: str = "/") -> Cookie | None:
        """Return a cookie, by default of the tenant's host."""
        return super().get_cookie(key, domain or self._domain, path)

    def delete_cookie(self, key: str, *, domain: str | None = None, **kw: Any) -> None:
        """Delete a cookie, by default of the tenant's host."""
        super().delete_cookie(key, domain=domain or self._domain, **kw)


def address(state: Application, tenant: Tenant) -> tuple[str, str]:
    """Return where test clients reach a tenant: the URL of a host, and what precedes paths there."""
    settings, app = state.settings, state.app
    base = settings.base_domain or app.config.get("SERVER_NAME") or "localhost"
    by_host = {"domain", "subdomain"}.intersection(settings.strategies)
    if "path" in settings.strategies and not by_host:
        return f"http://{base}", f"{settings.path_prefix}/{tenant.slug}"
    return f"http://{tenant.slug}.{base}", ""


def tenant_client(app: Flask, tenant: Tenant | str, **kw: Any) -> TenantClient:
    """Return a test client of an application that speaks to a tenant's host.

    :param tenant: a tenant or its slug
    :param kw: passed on to ``app.test_client()``
    :raises TenantNotFoundError: when there is no such tenant
    """
    own = app.test_client_class or FlaskClient
    kind = own if issubclass(own, TenantClient) else type("TenantClient", (TenantClient, own), {})
    return cast(
        TenantClient,
        kind(app, app.response_class, use_cookies=kw.pop("use_cookies", True), tenant=tenant, **kw),
    )
