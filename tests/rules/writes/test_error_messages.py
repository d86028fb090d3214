"""PostgreSQL's messages quote rows and keys as they are stored, in the language of the server."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask
from psycopg import sql

from flask_tenant import Tenancy, central_context, registry, tenant_context
from flask_tenant.decision import Mask, Means, Overlay
from flask_tenant.registry import state_of
from tests.rules.writes.test_ways_around import Fixed
from tests.services.postgres import PostgresServer

metadata = sa.MetaData()
part = sa.Table(
    "part",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("code", sa.String),
    sa.Column("region", sa.String, nullable=False),
    sa.Column("size", sa.Integer),
    sa.CheckConstraint("size < 10"),
)
sa.Index("part_code", part.c.code, part.c.region, unique=True)
owner = sa.Table(
    "owner",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("code", sa.String, unique=True),
)
pet = sa.Table(
    "pet",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("code", sa.ForeignKey("owner.code")),
)
SECRET = "a) secret (=of) theirs"
CODES = Overlay(masks=(("code", Mask(Means.EMPTY)),))

WAYS = {
    "a key of two columns": "UPDATE part SET region = 'b' WHERE id = 1",
    "a row that is filtered": "UPDATE part SET region = 'c' WHERE id = 1",
    "a key that is referred to": "DELETE FROM owner WHERE id = 1",
    "a row without what it must have": "UPDATE part SET region = NULL WHERE id = 1",
    "a row that fails a check": "UPDATE part SET size = 11 WHERE id = 1",
    "an exclusion": "UPDATE part SET size = 2 WHERE id = 1",
}


@pytest.fixture(scope="module", params=["C", "C.UTF-8"], ids=["english", "german"])
def shop(
    request: pytest.FixtureRequest, postgres_server: PostgresServer
) -> Iterator[tuple[Flask, Fixed, list[sa.Engine]]]:
    with postgres_server.database() as name:
        with psycopg.connect(postgres_server.dsn("postgres", admin=True), autocommit=True) as connection:
            connection.execute(
                sql.SQL("ALTER DATABASE {} SET lc_messages = {}").format(sql.Identifier(name), request.param)
            )
        with psycopg.connect(postgres_server.dsn(name, admin=True), autocommit=True) as connection:
            connection.execute("CREATE EXTENSION btree_gist")
        engines = [sa.create_engine(postgres_server.url(name, driver=d)) for d in ("psycopg", "psycopg2")]
        physical = sa.create_engine(postgres_server.url(name))
        app = Flask("parts")
        tenancy = Tenancy(app, engines=engines)
        tenancy.exempt(physical)
        with central_context(reason="set-up", app=app):
            metadata.create_all(engines[0])
        with physical.begin() as connection:
            connection.exec_driver_sql(
                "ALTER TABLE part ADD CONSTRAINT apart EXCLUDE USING gist "
                "(tenant_id WITH =, code WITH =, size WITH =)"
            )
        state = state_of(app)
        for n in range(4):
            state.create(f"nobody{n}", "nobody")  # so that acme's id is no value of its rows
        state.create("acme", "acme")
        rules = Fixed()
        for engine in engines:
            state.databases.isolations[engine].wall.rules = rules
        with tenant_context("acme", app), engines[0].begin() as connection:
            connection.execute(
                part.insert(),
                [
                    {"id": 1, "code": SECRET, "region": "a", "size": 1},
                    {"id": 2, "code": SECRET, "region": "b", "size": 2},
                    {"id": 3, "code": SECRET, "region": "c", "size": 3},
                ],
            )
            connection.execute(owner.insert(), {"id": 1, "code": SECRET})
            connection.execute(pet.insert(), {"id": 1, "code": SECRET})
        yield app, rules, engines
        for engine in (*engines, physical):
            engine.dispose()
        registry._apps.discard(state)


@pytest.mark.parametrize("way", WAYS)
def test_no_message_shows_what_is_masked(shop: tuple[Flask, Fixed, list[sa.Engine]], way: str) -> None:
    app, rules, engines = shop
    own = state_of(app).directory.get("acme").id
    for engine in engines:
        shown = []
        for overlays in ({}, {"part": CODES, "owner": CODES, "pet": CODES}):
            rules.found = None
            if overlays:
                rules.obey(overlays=overlays)
            with (
                tenant_context("acme", app),
                pytest.raises(sa.exc.IntegrityError) as failed,
                engine.begin() as connection,
            ):
                connection.execute(sa.text(WAYS[way]))
            error: object = failed.value.orig
            diag = getattr(error, "diag", None)
            fields = [getattr(diag, name, None) for name in ("message_primary", "message_detail", "context")]
            shown.append(f"{error} {getattr(error, 'args', ())} {getattr(error, 'pgerror', '')} {fields}")
            assert "tenant_id" not in shown[-1]
        plain, ruled = shown
        assert "secret" in plain, "the way has no teeth"
        assert "secret" not in ruled
        assert "theirs" not in ruled
        assert "(not shown)" in ruled
        for text in shown:
            assert f"({own}, " not in text, "the tenant's id"
