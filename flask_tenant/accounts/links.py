"""Addresses in mails, also where no request says how the site is reached."""

from __future__ import annotations

import flask
from flask import Flask

from ..adapters.urls import address_of
from ..errors import ConfigurationError
from ..model import Tenant
from ..settings import Settings


class Links:
    """Makes absolute addresses of our own pages.

    A link in a mail is never made of a request's Host header, which whoever asks for the mail has chosen: but for names
    below ``localhost``, which lead nowhere else (RFC 6761, section 6.3).
    """

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._app, self._settings = app, settings

    def to(self, tenant: Tenant | None, path: str) -> str:
        """Return the address of a page.

        :param tenant: at whose site; ``None`` for the central host
        :param path: below ``TENANT_LOGIN_PATH``
        :raises ConfigurationError: when it is not known how the site is reached
        """
        scheme = self._settings.external_scheme or self._app.config["PREFERRED_URL_SCHEME"]
        here = self._development()
        if here:
            scheme, host, mount = "http", here if tenant is None else f"{tenant.slug}.{here}", ""
        elif tenant is None:
            host, mount = self._central(), ""
        else:
            host, mount = address_of(tenant, self._app, self._settings)
        root = self._app.config["APPLICATION_ROOT"].rstrip("/")
        return f"{scheme}://{host}{root}{mount}{self._settings.login_path}{path}"

    def _central(self) -> str:
        found = self._settings.base_domain or self._app.config.get("SERVER_NAME")
        if found:
            return str(found)
        if self._settings.central_hosts:
            return min(self._settings.central_hosts)
        raise ConfigurationError(
            "A link to the central host was wanted, and its name is not known", hint="Set TENANT_BASE_DOMAIN"
        )

    def _development(self) -> str:
        """``localhost``, with the port, where that is what is asked and nothing else is configured."""
        if (
            self._settings.base_domain
            or self._app.config.get("SERVER_NAME")
            or not flask.has_request_context()
        ):
            return ""
        name, _, port = flask.request.host.partition(":")
        below = name.lower().rpartition(".")[2] == "localhost"
        return f"localhost:{port}" if below and port else "localhost" if below else ""
