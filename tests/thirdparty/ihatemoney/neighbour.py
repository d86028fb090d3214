"""Makes the shared database: the first tenant with rows of its own, and the tenant that the suite is going to
be.

Runs in ihatemoney's environment, as `neighbour.py URL`, and prints the tenants' ids as JSON. The first
tenant's rows come from ihatemoney's own pages, and have the keys that its tests use: projects `raclette` and
`demo`, members and bills from 1."""

from __future__ import annotations

import json
import sys

from flask_tenant import autoregister

autoregister.install()

# ruff: noqa: E402 - the registration comes before the application, as it does with `flask-tenant run`
from flask import Flask
from flask.testing import FlaskClient
from ihatemoney.models import Archive, db
from ihatemoney.run import create_app

from flask_tenant import current_tenant, tenant_context
from flask_tenant.cli import tenant_cli

NEIGHBOUR, SUITE = "neighbour", "suite"
PROJECTS = ("raclette", "demo", "tartiflette")


class Settings:
    """ihatemoney's configuration."""

    SECRET_KEY = "of the neighbour"
    TESTING = True
    WTF_CSRF_ENABLED = False
    ENABLE_CAPTCHA = False
    PASSWORD_HASH_METHOD = "pbkdf2:sha1:1"
    PASSWORD_HASH_SALT_LENGTH = 1
    SQLALCHEMY_DATABASE_URI = sys.argv[1]


def post(client: FlaskClient, path: str, data: dict[str, object]) -> None:
    """Send a form to the neighbour's host; a page that shows the form again is an error."""
    answer = client.post(path, data=data, base_url=f"http://{NEIGHBOUR}.localhost")
    if answer.status_code != 302:
        sys.exit(f"POST {path}: {answer.status}\n{answer.get_data(as_text=True)}")


def fill(app: Flask) -> None:
    """The neighbour's projects: members, bills, one of them edited and one deleted, and an archive."""
    for project in PROJECTS:
        client = app.test_client()
        create = {"id": project, "name": f"of {NEIGHBOUR}", "password": "secret", "default_currency": "XXX"}
        post(client, "/create", {**create, "contact_email": "someone@example.org", "project_history": True})
        for name in ("zorglub", "fred", "tata"):
            post(client, f"/{project}/members/add", {"name": name, "weight": 1})
        with app.app_context(), tenant_context(NEIGHBOUR):
            members = [
                row.id
                for row in db.session.execute(
                    db.text("SELECT id FROM person WHERE project_id = :project ORDER BY id"),
                    {"project": project},
                )
            ]
        bill = {"date": "2011-08-10", "payer": members[0], "payed_for": members, "bill_type": "Expense"}
        for amount in (10, 20, 30):
            post(client, f"/{project}/add", {**bill, "what": f"bill of {amount}", "amount": amount})
        with app.app_context(), tenant_context(NEIGHBOUR):
            bills = [
                row.id
                for row in db.session.execute(
                    db.text("SELECT id FROM bill WHERE payer_id = :payer ORDER BY id"), {"payer": members[0]}
                )
            ]
        post(client, f"/{project}/edit/{bills[0]}", {**bill, "what": "edited", "amount": 11})
        post(client, f"/{project}/delete/{bills[-1]}", {})
    with app.app_context(), tenant_context(NEIGHBOUR):
        db.session.add_all([Archive(project_id=project, name="archive") for project in PROJECTS])
        db.session.commit()


def main() -> None:
    """Create both tenants, fill the first and print their ids."""
    app = create_app(Settings)
    for slug in (NEIGHBOUR, SUITE):
        created = app.test_cli_runner().invoke(tenant_cli, ["create", slug])
        if created.exit_code:
            sys.exit(f"flask tenant create {slug}: {created.output}{created.exception!r}")
    fill(app)
    ids = {}
    for slug in (NEIGHBOUR, SUITE):
        with app.app_context(), tenant_context(slug):
            ids[slug] = current_tenant().id
    sys.stdout.write(json.dumps(ids))


if __name__ == "__main__":
    main()
