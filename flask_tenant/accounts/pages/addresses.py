"""Where tenants are reached, for links that lead from one host to another and for mails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, Request
from werkzeug.routing import Map

from ...errors import ConfigurationError
from ...model import Tenant
from ...resolve.build import Hosts
from ...resolve.hosts import host_name, split_port
from ...settings import Settings
from ...wsgi import RESOLUTION


class Addresses:
    """Makes absolute addresses.

    A link in a mail must not be made of the request's Host header as it is: who asks for a new password in somebody
    else's name chooses that header, and would be sent the secret. So a host counts only where it is known to be ours:
    the tenant's own domain, one below the base domain, a central host; or one of this very machine.
    """

    def __init__(self, app: Callable[[], Flask], settings: Settings, paths: Mapping[bool, Map]) -> None:
        self._app = app
        self._settings = settings
        self._hosts = Hosts(settings)
        self._paths = {tenant: found.bind("", settings.login_path) for tenant, found in paths.items()}

    def path(self, page: str, tenant: bool, **values: Any) -> str:
        """Return a page's path below where a tenant (or the central host) begins."""
        return self._paths[tenant].build(page, values)

    def of(self, tenant: Tenant | None, request: Request) -> str:
        """Return where a tenant (or the central host) begins: scheme, host and mount point, without a final slash.

        :param request: says the port, and without a base domain whether this is development
        :raises ConfigurationError: when it is not known
        """
        base = self._base(request)
        host, path = base, ""
        if tenant is None:
            asked = host_name(request.host)
            host = asked if asked in self._hosts.central else base
        elif tenant.domains:
            host = tenant.domains[0]
        elif "path" in self._settings.strategies and "subdomain" not in self._settings.strategies:
            path = f"{self._settings.path_prefix}/{tenant.slug}"
        elif base:
            host = f"{tenant.slug}.{base}"
        if not host:
            raise ConfigurationError(
                f"The address of {tenant or 'the central host'} is not known, and a link to it was wanted",
                value=request.host,
                hint="Set TENANT_BASE_DOMAIN",
            )
        port = self._port(host, base, request)
        scheme = self._settings.external_scheme or request.scheme
        return f"{scheme}://{host}{port}{_mount(request)}{path}"

    def _base(self, request: Request) -> str:
        """The configured domain. Without one, names below ``localhost`` will do: they lead nowhere else (RFC 6761)."""
        if self._hosts.base:
            return self._hosts.base
        named = self._app().config.get("SERVER_NAME")
        if named:
            return split_port(named)[0]
        asked = host_name(request.host)
        return "localhost" if asked == "localhost" or asked.endswith(".localhost") else ""

    def _port(self, host: str, base: str, request: Request) -> str:
        for known in (self._settings.base_domain, request.host):
            name, port = split_port(known) if known else ("", "")
            name = name.lower().rstrip(".")
            if port and (name in (host, base) or name.endswith(f".{base}")):
                return f":{port}"
        return ""


def _mount(request: Request) -> str:
    """Where the application is mounted, without the part of the path that names the tenant."""
    resolution = request.environ.get(RESOLUTION)
    named = resolution.script_name if resolution is not None else ""
    return request.script_root.removesuffix(named) if named else request.script_root
