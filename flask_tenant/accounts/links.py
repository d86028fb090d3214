"""Where our pages are reached: for links in mails, and from one host to another."""

from __future__ import annotations

from collections.abc import Callable

import flask
from flask import Flask, Request

from ..adapters.urls import address_of
from ..errors import ConfigurationError
from ..model import Tenant
from ..resolve.build import Hosts
from ..resolve.hosts import InvalidHostError, host_name, split_port
from ..settings import Settings
from ..wsgi import RESOLUTION


class Links:
    """Makes absolute addresses of our own pages.

    A link in a mail must not be made of the request's Host header as it is: who asks for a new password in somebody
    else's name chooses that header, and would be sent the secret. So a host counts only where it is known to be ours:
    the tenant's own domain, one below the base domain, a central host; or one below ``localhost``, which leads nowhere
    else (RFC 6761, section 6.3).
    """

    def __init__(self, app: Callable[[], Flask], settings: Settings) -> None:
        self._app, self._settings = app, settings
        hosts = Hosts(settings)
        self._central = hosts.central
        port = split_port(settings.base_domain)[1] if settings.base_domain else ""
        self._configured = f"{hosts.base}:{port}" if port else hosts.base

    def to(self, tenant: Tenant | None, path: str, request: Request | None = None) -> str:
        """Return the address of a page.

        :param tenant: at whose site; ``None`` for the central host
        :param path: below ``TENANT_LOGIN_PATH``
        :param request: says the scheme, the port, and where the application is mounted; by default the current one.
            Without any, the configuration does
        :raises ConfigurationError: when it is not known how the site is reached
        """
        if request is None and flask.has_request_context():
            request = flask.request
        base = self._base(request)
        host, mount = (
            (self._central_host(base, request), "")
            if tenant is None
            else address_of(tenant, base, self._settings)
        )
        if request is None:
            scheme = self._app().config["PREFERRED_URL_SCHEME"]
            root = self._app().config["APPLICATION_ROOT"].rstrip("/")
        else:
            scheme, root = request.scheme, _root(request)
            host += _port(host, base, request)
        scheme = self._settings.external_scheme or scheme
        return f"{scheme}://{host}{root}{mount}{self._settings.login_path}{path}"

    def _base(self, request: Request | None) -> str | None:
        """What follows a tenant's label: as it is configured, or ``localhost`` where that is asked."""
        configured: str | None = self._configured or self._app().config.get("SERVER_NAME")
        if configured or request is None:
            return configured
        return "localhost" if _name(request.host).rpartition(".")[2] == "localhost" else None

    def _central_host(self, base: str | None, request: Request | None) -> str:
        asked = _name(request.host) if request is not None else ""
        found = asked if asked in self._central else base or min(self._settings.central_hosts, default=None)
        if found is None:
            raise ConfigurationError(
                "A link to the central host was wanted, and its name is not known",
                hint="Set TENANT_BASE_DOMAIN",
            )
        return found


def _name(host: str) -> str:
    """A host without its port; ``""`` for what is none."""
    try:
        return host_name(host)
    except InvalidHostError:
        return ""


def _port(host: str, base: str | None, request: Request) -> str:
    """The port at which the request has come, for hosts that are reached like the one that was asked."""
    if split_port(host)[1]:
        return ""
    asked, near = _name(request.host), split_port(base)[0] if base else host
    port = split_port(request.host)[1] if asked in (host, near) or asked.endswith(f".{near}") else ""
    return f":{port}" if port else ""


def _root(request: Request) -> str:
    """Where the application is mounted, without the part of the path that names the tenant."""
    resolution = request.environ.get(RESOLUTION)
    named = resolution.script_name if resolution is not None else ""
    return request.script_root.removesuffix(named) if named else request.script_root
