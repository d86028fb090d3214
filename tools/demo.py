"""`make demo`: three tenants of demo_app in one SQLite file, each with its own business, and a server.

People log in through flask_tenant. Run `flask --app demo_app.saas run` to see the application's own log-in page.
"""

from __future__ import annotations

import argparse
import logging
import os
import socket
import sys
from pathlib import Path

from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import URL, make_url
from werkzeug.serving import run_simple

from demo_app.seeding.businesses import Business
from flask_tenant.cli import tenant_cli
from flask_tenant.login.people import People

ROOT = Path(__file__).resolve().parent.parent
OPERATOR = "operator@fieldbook.example"

SETTINGS = {
    "DEMO_TENANT_LOGIN": "true",
    "DEMO_TENANT_SIGNUP": '"open"',
    "DEMO_TENANT_MAIL_URL": "console:",
    "DEMO_TENANT_TRANSLATIONS_FOLDER": '"../demo_themes/translations"',
}
"""What is set for the demonstration, unless the environment says otherwise."""


def say(text: str) -> None:
    """Print one line about what happens now."""
    print(f"-- {text}", flush=True)


def short(url: URL) -> str:
    """A database as one would say it: a file by its path from here, a server's without its password."""
    is_file = url.get_backend_name() == "sqlite" and url.database
    return os.path.relpath(str(url.database)) if is_file else url.render_as_string()


RULES = "demo_rules"
"""The folder of the rules that hold in the demonstration."""

TRY = (
    ("acme", "rick@acme-tools.example", "sees the invoices of the last 90 days, and no older ones"),
    ("bella", "tom@bella-flowers.example", "sees no tax numbers, and the end of phone numbers"),
    ("nord", "owner@nordlicht-studio.example", "cannot remove the payments of an invoice of last year"),
)
"""Where a rule shows: at which tenant, for whom, and what it does."""


def prepare(port: int) -> tuple[Flask, list[str]]:
    """The application with its schema and tenants up to date, and a line about each tenant."""
    database = make_url(os.environ["DEMO_DATABASE_URL"])
    say(f"the database: {short(database)}")
    from demo_app.saas import app
    from demo_app.seeding import BUSINESSES, PASSWORD, AlreadySeededError, seed
    from flask_tenant import tenant_context
    from flask_tenant.registry import state_of

    lines = []
    with app.app_context():
        upgrade()
        people = state_of(app).accounts.people if app.config.get("TENANT_LOGIN") else None
        listed = app.test_cli_runner().invoke(tenant_cli, ["list", "--json"])
        for slug, business in BUSINESSES.items():
            if f'"{slug}"' not in listed.output:
                run(app, "create", slug, "--name", business.settings["company_name"])
            with tenant_context(slug):
                try:
                    made = seed(slug)
                except AlreadySeededError:
                    say(f"{business.settings['company_name']}: as you left it")
                else:
                    say(f"{made.company}: {made.customers} customers, {made.invoices} invoices")
            if people is not None:
                add_people(people, state_of(app).directory.get(slug).id, business, PASSWORD)
            _, email, _ = business.users[0]
            url = f"http://{slug}.localhost:{port}"
            lines.append(f"{url:<31}{business.settings['company_name']:<20}log in: {email} / {PASSWORD}")
        run(app, "rules", "activate", "--folder", str(ROOT / RULES), "--yes", "--by", "make demo")
        if people is not None:
            if people.by_email(OPERATOR) is None:
                people.set_operator(people.create(OPERATOR, "Operator", PASSWORD).id, True)
            url = f"http://localhost:{port}{app.config.get('TENANT_LOGIN_PATH', '/_tenant')}"
            lines += [
                "",
                f"{url:<31}{'who runs it all':<20}log in: {OPERATOR} / {PASSWORD}",
                f"{url + '/sign-up':<51}a tenant of your own",
            ]
    return app, lines


def run(app: Flask, *command: str) -> None:
    """Run a command of `flask tenant`; end when it fails."""
    done = app.test_cli_runner().invoke(tenant_cli, list(command))
    if done.exit_code:
        sys.exit(f"flask tenant {' '.join(command)} has failed: {done.output}")


def add_people(people: People, tenant_id: int, business: Business, password: str) -> None:
    """Let the users of a business log in."""
    for name, email, role in business.users:
        person = people.by_email(email) or people.create(email, name, password)
        if people.member(tenant_id, person.id) is None:
            roles = {*business.roles.get(email, "").split(), *(["administrator"] if role == "owner" else [])}
            people.add(tenant_id, person.id, name=name, email=email, roles=roles)


def taken(port: int) -> bool:
    """Whether something listens on `port` already."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def parsed(about: str | None) -> argparse.Namespace:
    """Read the command line, and see that the port is free."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--port", type=int, default=8000, help="on 127.0.0.1")
    parser.add_argument("--no-serve", action="store_true", help="set up only")
    arguments = parser.parse_args()
    if not arguments.no_serve and taken(arguments.port):
        sys.exit(f"Port {arguments.port} is in use. Try: make demo PORT={arguments.port + 1}")
    return arguments


def settle(database: str, port: int) -> None:
    """Set what the environment does not say.

    :param database: name of the file
    :param port: where it will be served, for links in mails
    """
    path = ROOT / ".build" / database
    path.parent.mkdir(exist_ok=True)
    places = {"DEMO_DATABASE_URL": f"sqlite:///{path}", "DEMO_TENANT_BASE_DOMAIN": f'"localhost:{port}"'}
    for name, value in {**places, **SETTINGS}.items():
        os.environ.setdefault(name, value)
    # What is worth a visitor's while is printed below; warnings and errors are still logged.
    logging.disable(logging.INFO)


def serve(app: Flask, lines: list[str], arguments: argparse.Namespace) -> None:
    """Print where to look and how to log in, and serve until interrupted."""
    print("\nOne application, one database, three customers:\n")
    for line in lines:
        print(f"  {line}".rstrip())
    print(f"\nRules hold, too ({RULES}/). With the same password:\n")
    for slug, email, what in TRY:
        print(f"  {slug:<8}{email:<32}{what}")
    print("\nMails are printed here. Ctrl-C ends it; `make clean` forgets it.\n", flush=True)
    if not arguments.no_serve:
        run_simple("127.0.0.1", arguments.port, app, threaded=True)


def main() -> None:
    """Set up, and serve."""
    arguments = parsed(__doc__)
    settle("demo.sqlite", arguments.port)
    app, lines = prepare(arguments.port)
    serve(app, lines, arguments)


if __name__ == "__main__":
    main()
