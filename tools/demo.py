"""`make demo`: three tenants of demo_app in one SQLite file, each with its own business, and a server."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import socket
import sys
from pathlib import Path

from flask import Flask
from flask_migrate import upgrade

ROOT = Path(__file__).resolve().parent.parent
DATABASE = ROOT / ".build" / "demo.sqlite"


def prepare(port: int) -> tuple[Flask, list[str]]:
    """The application with its schema and tenants up to date, and a line about each tenant."""
    from demo_app.saas import app
    from demo_app.seeding import BUSINESSES, PASSWORD, AlreadySeededError, seed
    from flask_tenant import tenant_context
    from flask_tenant.cli import tenant_cli

    lines = []
    with app.app_context():
        upgrade()
        listed = app.test_cli_runner().invoke(tenant_cli, ["list", "--json"])
        for slug, business in BUSINESSES.items():
            if f'"{slug}"' not in listed.output:
                created = app.test_cli_runner().invoke(
                    tenant_cli, ["create", slug, "--name", business.settings["company_name"]]
                )
                if created.exit_code:
                    sys.exit(f"The tenant {slug} could not be created: {created.output}")
            # A second run keeps what visitors have changed.
            with tenant_context(slug), contextlib.suppress(AlreadySeededError):
                seed(slug)
            _, email, _ = business.users[0]
            url = f"http://{slug}.localhost:{port}"
            lines.append(f"{url:<28}{business.settings['company_name']:<24}log in: {email} / {PASSWORD}")
    return app, lines


def taken(port: int) -> bool:
    """Whether something listens on `port` already."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def main() -> None:
    """Set up, print where to look and how to log in, and serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8000, help="on 127.0.0.1")
    parser.add_argument("--no-serve", action="store_true", help="set up only")
    arguments = parser.parse_args()
    if not arguments.no_serve and taken(arguments.port):
        sys.exit(f"Port {arguments.port} is in use. Try: make demo PORT={arguments.port + 1}")
    DATABASE.parent.mkdir(exist_ok=True)
    os.environ.setdefault("DEMO_DATABASE_URL", f"sqlite:///{DATABASE}")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    app, lines = prepare(arguments.port)
    print("\nOne application, one database, three customers:\n")
    for line in lines:
        print(f"  {line}")
    print("\nCtrl-C ends it; `make clean` forgets it.\n", flush=True)
    if not arguments.no_serve:
        app.run(host="127.0.0.1", port=arguments.port)


if __name__ == "__main__":
    main()
