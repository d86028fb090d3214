"""The demonstration application as ``demo_app/saas.py`` has it: acme obeys the rule file, bella has none."""

from __future__ import annotations

import runpy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask, jsonify
from flask.testing import FlaskClient
from flask_login import login_user
from flask_migrate import upgrade

from demo_app.extensions import db
from demo_app.models import Customer, Invoice, User
from demo_app.seeding import PASSWORD, seed
from flask_tenant import tenant_context
from flask_tenant.registry import state_of
from tests.rules.language.world import EXAMPLE

ROOT = Path(__file__).resolve().parents[3]
NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
TODAY = NOW.date()

AUDITOR, ACCOUNTING, AGENT = (f"{n}@acme-tools.example" for n in ("owner", "dana", "rick"))
NOBODY = "nora@acme-tools.example"
"""Works at nothing in particular."""
VICTIM = "victor@acme-tools.example"

RULES = (
    "".join(line for line in EXAMPLE.splitlines(keepends=True) if "id: reports" not in line)
    + """\
# not of the documentation: a message that shows what somebody has typed
- {id: no-code, for: {update: ticket}, when: row.subject.contains("<"), deny: "Not “{row.subject}”."}
"""
)
"""The documentation's rule file, but for the replica: the demo has none."""

PAGES = (  # with the first of each
    "/",
    "/invoices/",
    "/invoices/?order=number",
    "/invoices/{invoice}",
    "/customers/",
    "/customers/{customer}",
    "/orders/",
    "/orders/{order}",
    "/tickets/",
    "/tickets/{ticket}",
    "/reports/",
    "/invoices/export.csv",
    "/customers/export.csv",
)


class Demo:
    """The application, and the database past the wall.

    :param folder: for rule files
    """

    def __init__(self, url: str, folder: Path) -> None:
        self.folder = folder
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DEMO_DATABASE_URL", url)
            patch.setenv("DEMO_SECRET_KEY", "only for tests")
            self.app: Flask = runpy.run_path(str(ROOT / "demo_app" / "saas.py"))["app"]
        self.app.config.update(TESTING=True, WTF_CSRF_ENABLED=False)
        self._add_api()
        self.state = state_of(self.app)
        self.physical = sa.create_engine(url)
        self.state.tenancy.exempt(self.physical)
        self.at(NOW)
        with self.app.app_context():
            upgrade()
            for slug in ("acme", "bella"):
                self.state.create(slug, slug)
                with tenant_context(slug):
                    seed(slug, TODAY)
            with tenant_context("acme"):
                self._add_more()
        self.ids = {tenant.slug: tenant.id for tenant in self.state.directory.all()}

    def _add_api(self) -> None:
        """What a program would ask: a whole table at once."""

        @self.app.get("/api/customers")
        def api() -> Any:
            return jsonify([customer.id for customer in db.session.scalars(sa.select(Customer))])

    def _add_more(self) -> None:
        """Give acme so much that caps and exports are reached, and users without a role."""
        customers = [
            Customer(name=f"Shop {n}", email=f"shop{n}@many.example", phone="+1 555 0000", tax_id=f"T{n}")
            for n in range(1010)
        ]
        users = [User(name=mail.partition("@")[0], email=mail) for mail in (NOBODY, VICTIM)]
        for user in users:
            user.set_password(PASSWORD)
        db.session.add_all([*customers, *users])
        db.session.flush()
        days = {"currency": "USD", "issued_on": TODAY, "due_date": TODAY, "iban": "US64SVBKUS6S3300958879"}
        db.session.execute(
            sa.insert(Invoice),
            [
                {"number": f"MANY-{n:04d}", "customer_id": customers[n].id, "status": "sent", **days}
                for n in range(600)
            ],
        )
        db.session.commit()

    def at(self, moment: datetime) -> None:
        """Let it be another time, for rules."""
        self.state.rules._clock = lambda: moment

    def activate(self) -> None:
        """Let acme obey the rule file, as an operator does."""
        (self.folder / "acme.yaml").write_text(RULES)
        words = ["activate", "--yes", "--by", "olga", "--why", "asked for", "--folder", str(self.folder)]
        found = self.app.test_cli_runner().invoke(args=["tenant", "rules", *words])
        assert found.exit_code == 0, found.output

    # ---- as somebody
    @contextmanager
    def as_(self, email: str | None, path: str = "/", slug: str = "acme") -> Iterator[None]:
        """Run code of the application's, as in a request of somebody's."""
        with (
            self.app.test_request_context(path, base_url=f"http://{slug}.localhost"),
            tenant_context(slug),
        ):
            if email is not None:
                assert login_user(db.session.scalars(sa.select(User).where(User.email == email)).one())
            yield
            db.session.rollback()

    def browser(self, email: str, slug: str = "acme") -> Browser:
        """Return a browser in which somebody has logged in."""
        browser = Browser(self.app.test_client(), slug)
        assert browser.post("/login", email=email, password=PASSWORD).status_code == 302
        return browser

    # ---- the database past the wall
    def rows(self, sql: str, slug: str = "acme") -> list[tuple[Any, ...]]:
        """Return a tenant's rows as they really are.

        :param sql: of one table, called ``t``, to which a condition can be added
        """
        head, _, order = sql.partition(" ORDER BY ")
        joint = " AND" if " WHERE " in head else " WHERE"
        text = f"{head}{joint} t.tenant_id = {self.ids[slug]}" + (f" ORDER BY {order}" if order else "")
        with self.physical.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(text))]

    def one(self, sql: str) -> Any:
        """Return the only value of acme's."""
        ((value,),) = self.rows(sql)
        return value

    def close(self) -> None:
        with self.app.app_context():
            db.engine.dispose()
        self.physical.dispose()


class Browser:
    """A test client at a tenant's address."""

    def __init__(self, client: FlaskClient, slug: str) -> None:
        self._client = client
        self._at = f"http://{slug}.localhost"

    def get(self, path: str, **more: Any) -> Any:
        return self._client.get(path, base_url=self._at, **more)

    def post(self, path: str, headers: Mapping[str, str] | None = None, **data: Any) -> Any:
        return self._client.post(path, base_url=self._at, data=data, headers=headers)


WAYS = ("orm", "core", "text", "driver", "raw")


def read(way: str, model: Any, *names: str) -> list[tuple[Any, ...]]:
    """Read columns of a whole table, as applications do; dates as texts."""
    table = model.__table__
    columns = ", ".join(f"t.{name}" for name in names)
    sql = f'SELECT {columns} FROM "{table.name}" t ORDER BY t.id'
    if way == "orm":
        found = [
            tuple(getattr(o, n) for n in names)
            for o in db.session.scalars(sa.select(model).order_by(model.id))
        ]
    elif way == "core":
        found = list(db.session.execute(sa.select(*(table.c[n] for n in names)).order_by(table.c.id)))
    else:
        found = send(way, sql)
    return [tuple(str(v) if isinstance(v, date) else v for v in row) for row in found]


def send(way: str, sql: str) -> Any:
    """Execute SQL text in the session's transaction."""
    if way == "text":
        result = db.session.execute(sa.text(sql))
        return list(result) if result.returns_rows else result.rowcount
    connection = db.session.connection()
    if way == "driver":
        result = connection.exec_driver_sql(sql)
        return list(result) if result.returns_rows else result.rowcount
    cursor = connection.connection.cursor()
    try:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else cursor.rowcount
    finally:
        cursor.close()


def days_ago(number: int) -> date:
    return TODAY - timedelta(days=number)
