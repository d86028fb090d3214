"""The small application under flask_tenant, and databases filled through it.

Only the sides that have Tenancy import this.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa
from flask import Flask
from sqlalchemy.engine import Engine

from bench import pages, single
from bench.databases import TENANTS, Databases, load, seed, single_tenant_engine, tidy
from bench.models import Base, Unit
from flask_tenant import Tenancy
from flask_tenant.application import Application
from flask_tenant.registry import state_of
from flask_tenant.scopes import tenant_context

if TYPE_CHECKING:
    from tests.services.postgres import PostgresServer


def tenanted(url: str) -> tuple[Application, Engine]:
    """The small application with Tenancy, its schema and its seeded rows, as its factory makes them."""
    engine = single_tenant_engine(url)

    def create_app() -> Flask:
        app = pages.create_app(engine, single.page_query)
        Tenancy(engines=[engine], sessions=[app.extensions["sessions"]]).init_app(app)
        Base.metadata.create_all(engine)
        with engine.begin() as connection:
            if connection.scalar(sa.select(sa.func.count()).select_from(Unit)) == 0:
                seed(connection)
        return app

    app = create_app()
    created.append(app)
    return state_of(app), engine


created: list[Flask] = []
"""Keeps applications alive for as long as their engines are used."""


REPORT = """
WITH sums AS (
    SELECT l.invoice_id, sum(l.amount) AS total FROM line l JOIN product p ON p.id = l.product_id
    WHERE p.price > 500 GROUP BY l.invoice_id
), late AS (
    SELECT customer_id, count(*) AS many FROM invoice WHERE status = 'open' GROUP BY customer_id
)
SELECT c.city, c.name, i.number, s.total, late.many FROM invoice i
JOIN customer c ON c.id = i.customer_id JOIN sums s ON s.invoice_id = i.id
LEFT JOIN late ON late.customer_id = c.id
WHERE i.status = 'open' AND EXISTS (SELECT 1 FROM note n WHERE n.customer_id = c.id)
UNION ALL
SELECT c.city, c.name, i.number, 0, 0 FROM invoice i JOIN customer c ON c.id = i.customer_id
WHERE i.status = 'void' AND i.id NOT IN (SELECT invoice_id FROM payment)
ORDER BY 1, 2, 3
"""


class Tenanted(single.Single):
    """The untouched application's work, and what only tenancy does."""

    def __init__(self, state: Application, engine: Engine) -> None:
        super().__init__(engine)
        self._state = state
        self._made = count(1)

    def miss_key(self, _: None) -> Any:
        return self._miss(single.BY_KEY.text)

    def miss_join(self, _: None) -> Any:
        return self._miss(single.BY_NAME.text)

    def miss_report(self, _: None) -> Any:
        return self._miss(REPORT)

    def _miss(self, statement: str) -> Any:
        raw = cast(Any, self.engine.dialect).ft_wall.raw
        raw.invalidate()
        return raw.statement(statement, "text").kind

    def create_tenant(self, _: None) -> Any:
        slug = f"t{os.getpid()}-{next(self._made)}"
        return self._state.create(slug, slug).slug == slug


def tenanted_demo(url: str) -> Flask:
    """demo_app with Tenancy, as demo_app/saas.py has it."""
    return pages.demo(url, {"TENANT_SHARED_TABLES": ["country"]}, [Tenancy()])


def fill_demo(databases: Databases) -> None:
    """Migrate and seed demo_app's two databases: three businesses in one, the first of them in the other."""
    from flask_migrate import upgrade

    from demo_app.extensions import db
    from demo_app.seeding import BUSINESSES, seed

    logging.disable(logging.WARNING)  # migrations configure their own loggers, and tell much
    app = tenanted_demo(databases.demo)
    with app.app_context():
        upgrade()
        for slug in BUSINESSES:
            state_of(app).create(slug, slug.title())
            with tenant_context(slug):
                seed(slug)
        db.engine.dispose()
    alone = pages.demo(databases.demo_plain)
    with alone.app_context():
        upgrade()
        seed(next(iter(BUSINESSES)))
        db.engine.dispose()
    logging.disable(logging.NOTSET)


def build(ours: str, plain: str) -> None:
    """Fill the shared database with three tenants, and the other with the first one's rows."""
    state, engine = tenanted(ours)
    for number, slug in enumerate(TENANTS):
        state.create(slug, slug.title())
        with tenant_context(slug, state.app), engine.begin() as connection:
            load(connection, number)
    engine.dispose()
    alone = single_tenant_engine(plain)
    state.tenancy.exempt(alone)
    Base.metadata.create_all(alone)
    with alone.begin() as connection:
        seed(connection)
        load(connection, 0)
    alone.dispose()
    for url in (ours, plain):
        tidy(url)


@contextlib.contextmanager
def on_sqlite(folder: Path) -> Iterator[Databases]:
    """Files in a folder."""
    ours, hand, plain, demo, demo_plain = (
        folder / f"{name}.sqlite" for name in ("ours", "hand", "plain", "demo", "demo_plain")
    )
    build(f"sqlite:///{ours}", f"sqlite:///{plain}")
    shutil.copyfile(ours, hand)
    databases = Databases(*(f"sqlite:///{path}" for path in (ours, hand, plain, demo, demo_plain)))
    yield databases


@contextlib.contextmanager
def on_postgresql(server: PostgresServer) -> Iterator[Databases]:
    """Databases of a temporary server."""
    ours, plain, demo, demo_plain = (server.create_database() for _ in range(4))
    build(server.url(ours), server.url(plain))
    hand = server.create_database(template=ours)
    databases = Databases(*(server.url(name) for name in (ours, hand, plain, demo, demo_plain)))
    yield databases
