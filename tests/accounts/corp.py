"""Tenants whose people log in through OpenID providers of their own, and somebody who does."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from werkzeug.test import TestResponse

from flask_tenant.registry import state_of
from tests.accounts.site import Browser, accounts_of
from tests.services.oidc import Listener, OidcServer, Visitor

SECRET = "between us: 100 % secret+"
SLUGS = ("acme", "bella")


def provide(app: Flask, servers: list[OidcServer], port: str = "", listener: Listener | None = None) -> None:
    """Give acme the first provider, and bella the second. Whom bella's vouches for becomes a member."""
    accounts, directory = accounts_of(app), state_of(app).directory
    for slug, server in zip(SLUGS, servers, strict=True):
        tenant, base = directory.get(slug), f"http://{slug}.localhost{port}"
        client = f"{slug}{port}"
        more: dict[str, Any] = {"post_logout_redirect_uris": [f"{base}/_tenant/logged-out"]}
        if listener is not None:
            more |= {"backchannel_logout_uri": listener.url, "backchannel_logout_session_required": True}
        server.register(client, SECRET, f"{base}/_tenant/callback/corp", **more)
        settings = {
            "issuer": server.issuer,
            "client_id": client,
            "scopes": ["openid", "email", "profile", "groups"],
            "roles": {"bosses": ["administrator"]},
        }
        accounts.providers.add(
            tenant,
            "corp",
            "oidc",
            settings,
            {"client_secret": SECRET},
            label="Corp",
            joins=True,
            replace=True,
        )


class Person:
    """Somebody with one browser for our hosts and the providers'."""

    def __init__(self, app: Flask, servers: list[OidcServer]) -> None:
        self.ours = Browser(app)
        self.theirs = Visitor()
        self.servers = dict(zip(SLUGS, servers, strict=True))

    def at(self, slug: str) -> Browser:
        return self.ours.at(f"{slug}.localhost")

    def begin(self, slug: str) -> str:
        """Click on the button: to which URL at the provider that leads."""
        response = self.at(slug).get("/login/corp")
        assert response.status_code == 302, response.text
        return response.headers["Location"]

    def identify(self, slug: str, url: str, who: str = "anna") -> str:
        """Log in at the provider: to which path of ours it leads back, with its query."""
        back = urlsplit(self.theirs.go(url, self.servers[slug], login=who, password="x"))
        assert back.netloc == f"{slug}.localhost"
        return f"/{back.path.removeprefix('/')}?{back.query}"

    def come_back(self, slug: str, path: str) -> TestResponse:
        return self.at(slug).get(f"/{path}")

    def log_in(self, slug: str, who: str = "anna") -> TestResponse:
        return self.come_back(slug, self.identify(slug, self.begin(slug), who))

    def sees(self, slug: str) -> str:
        """Whom the application greets, ``""`` for nobody."""
        response = self.at(slug).get("//")
        found = re.search("Hello ([^<]*)<", response.text)
        return found[1] if found else ""
