"""`make demo-sso`: as `make demo`, but people log in through providers of their tenants' own, real ones on loopback.

Acme has an OpenID provider, Bella an LDAP directory, Nordlicht an OpenID provider beside passwords of ours. They are
those of the tests, see tests/services.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from demo_app.seeding import BUSINESSES
from flask_tenant.accounts import Accounts
from flask_tenant.model import Tenant
from flask_tenant.registry import state_of
from tests.services.authority import CertificateAuthority
from tests.services.oidc import OidcServer
from tests.services.slapd import BELLA, READER_PASSWORD, password_of, slapd_running
from tools import demo

CLIENT_SECRET = "between the demonstration and its providers"
ROLES = {"owners": ["administrator", "accounting"], "staff": ["agent"]}
"""What groups of the providers give."""


def openid(server: OidcServer, accounts: Accounts, tenant: Tenant, port: int) -> None:
    """Let the users of a business log in through an OpenID provider."""
    server.accounts = {
        email.partition("@")[0]: {
            "sub": email,
            "name": name,
            "email": email,
            "email_verified": True,
            "groups": ["owners" if role == "owner" else "staff"],
        }
        for name, email, role in BUSINESSES[tenant.slug].users
    }
    base = f"http://{tenant.slug}.localhost:{port}/_tenant"
    server.register(
        tenant.slug,
        CLIENT_SECRET,
        f"{base}/callback/openid",
        post_logout_redirect_uris=[f"{base}/logged-out"],
    )
    settings = {
        "issuer": server.issuer,
        "client_id": tenant.slug,
        "scopes": ["openid", "email", "profile", "groups"],
        "roles": ROLES,
    }
    provide(
        accounts,
        tenant,
        "openid",
        "oidc",
        settings,
        {"client_secret": CLIENT_SECRET},
        f"{tenant.name} account",
    )


def directory(url: str, authority: CertificateAuthority, accounts: Accounts, tenant: Tenant) -> None:
    """Let people of an LDAP directory log in."""
    settings = {
        "url": url,
        "base": f"ou=people,{BELLA}",
        "bind_dn": f"cn=reader,{BELLA}",
        "group_base": f"ou=groups,{BELLA}",
        "ca_file": str(authority.file),
        "roles": {"staff": ["administrator", "agent"]},
    }
    secrets = {"bind_password": READER_PASSWORD}
    provide(accounts, tenant, "directory", "ldap", settings, secrets, f"{tenant.name} directory")


def provide(
    accounts: Accounts,
    tenant: Tenant,
    name: str,
    kind: str,
    settings: dict[str, Any],
    secrets: dict[str, str],
    label: str,
) -> None:
    """Give a tenant a provider whose people become members by logging in; a second run keeps what they are."""
    accounts.providers.add(
        tenant, name, kind, settings, secrets, label=label, joins=True, replace=True, by="make demo-sso"
    )


def main() -> None:
    """Start the providers, set up, print how to log in, and serve until interrupted."""
    arguments = demo.parsed(__doc__)
    demo.settle("demo-sso.sqlite", arguments.port)
    app, passwords = demo.prepare(arguments.port)
    state = state_of(app)
    with ExitStack() as providers:
        folder = Path(providers.enter_context(tempfile.TemporaryDirectory(prefix="flask-tenant-demo-")))
        # At the same ports each time: who vouches for somebody is part of who they are.
        for place, slug in enumerate(("acme", "nord"), 1):
            server = OidcServer(slug, folder / f"{slug}.log")
            server.port = arguments.port + place
            server.issuer = f"http://127.0.0.1:{server.port}"
            if demo.taken(server.port):
                sys.exit(f"Port {server.port} is in use, for the provider of {slug}")
            with app.app_context():
                openid(server, state.accounts, state.directory.get(slug), arguments.port)
            providers.callback(server.stop)
            server.start()
        authority = CertificateAuthority(folder)
        slapd = providers.enter_context(slapd_running(authority))
        with app.app_context():
            directory(
                slapd.url("127.0.0.1", tls=True), authority, state.accounts, state.directory.get("bella")
            )
        own = {
            "acme": "“Acme Tools account” (OpenID): owner, and any password",
            "bella": f"“Bella Flowers directory” (LDAP): zoe / {password_of('zoe')}",
            "nord": "“Nordlicht Studio account” (OpenID): owner, and any password",
        }
        lines = [f"http://{slug + f'.localhost:{arguments.port}':<24}{how}" for slug, how in own.items()]
        lines += ["", "At each of them, people can also log in with passwords of ours:", "", *passwords]
        demo.serve(app, lines, arguments)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
