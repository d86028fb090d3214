"""Class 19, around the SQL: what a neighbour's browser, cache or queue could carry over.

Cookies on sibling subdomains, cache keys that collide or pretend, rows that were cached as objects, files by number,
jobs and names that are not what they seem. Each over rows of two tenants that carry the same ids.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import cachelib
import flask
import pytest
import sqlalchemy as sa
from flask_caching import Cache
from sqlalchemy.orm import Session

from flask_tenant import TenancyError, central_context, current_tenant, tenant_context
from flask_tenant.errors import NoTenantError
from tests.attacks.world import Customer, fill, make_app
from tests.services.databases import MakeDatabase

pytestmark = pytest.mark.databases("sqlite")  # nothing here differs between databases

SLUGS = ("acme", "bella")


@pytest.fixture
def site(make_database: MakeDatabase, back_end: str, tmp_path: Any) -> Iterator[flask.Flask]:
    """An application whose cookies go to every subdomain, as some are set up."""
    with make_database(back_end) as url:
        engine = sa.create_engine(url)
        app, _ = make_app(
            engine,
            SECRET_KEY="one for all tenants",
            SESSION_COOKIE_DOMAIN="example.test",
            UPLOAD_FOLDER=str(tmp_path / "uploads"),
            TENANT_UPLOAD_FOLDERS=["UPLOAD_FOLDER"],
        )
        cache = Cache(app, config={"CACHE_TYPE": "SimpleCache"})
        app.extensions["cached"] = cache

        @app.post("/login/<int:customer>")
        def login(customer: int) -> str:
            flask.session["customer"] = customer
            return "welcome"

        @app.get("/me")
        def me() -> Any:
            if "customer" not in flask.session:
                flask.abort(401)
            with Session(engine) as session:
                return session.get_one(Customer, flask.session["customer"]).name

        @app.get("/cached/<path:key>")
        @cache.cached()
        def cached(key: str) -> str:
            with Session(engine) as session:
                return session.get_one(Customer, 1).name

        @cache.memoize()
        def name_of(customer: int) -> str:
            with Session(engine) as session:
                return session.get_one(Customer, customer).name

        app.add_url_rule("/memoized/<int:customer>", "memoized", name_of)

        for slug in SLUGS:
            app.extensions["tenancy"].create(slug, slug.title())
            with tenant_context(slug, app), engine.begin() as connection:
                fill(connection, slug)
        app.extensions["engine"] = engine
        yield app
        engine.dispose()


def at(slug: str, path: str) -> str:
    return f"http://{slug}.example.test{path}"


def test_one_cookie_for_all_subdomains(site: flask.Flask) -> None:
    """The browser itself brings acme's cookie to bella, under the same name."""
    browser = site.test_client()
    browser.post(at("acme", "/login/1"))
    assert browser.get(at("acme", "/me")).text == "canary-acme-1"
    assert browser.get(at("bella", "/me")).status_code == 401
    browser.post(at("bella", "/login/1"))
    assert browser.get(at("bella", "/me")).text == "canary-bella-1"
    assert browser.get(at("acme", "/me")).status_code == 401


def test_a_cookie_tossed_over_a_siblings(site: flask.Flask) -> None:
    """A page of bella sets a cookie for the parent domain: acme gets both, in whatever order."""
    thief = site.test_client()
    thief.post(at("bella", "/login/2"))
    tossed = thief.get_cookie("session", domain="example.test")
    victim = site.test_client()
    victim.post(at("acme", "/login/1"))
    own = victim.get_cookie("session", domain="example.test")
    assert tossed is not None
    assert own is not None
    for pair in ((own, tossed), (tossed, own)):
        header = "; ".join(f"session={cookie.value}" for cookie in pair)
        answer = site.test_client(use_cookies=False).get(at("acme", "/me"), headers={"Cookie": header})
        assert answer.status_code == 401 or answer.text == "canary-acme-1"
    answer = site.test_client(use_cookies=False).get(
        at("acme", "/me"), headers={"Cookie": f"session={tossed.value}"}
    )
    assert answer.status_code == 401


def test_cookies_signed_with_the_key_that_name_a_tenant(site: flask.Flask) -> None:
    """Whoever has the key has everything; whoever lets the application sign what they like has one tenant."""
    serializer: Any = site.session_interface.get_signing_serializer(site)  # type: ignore[attr-defined]
    owners: list[Any] = [1, 2, "1", True, None, [1], {"id": 1}, 1.0, -1, 0]
    seen = []
    for owner in owners:
        value = serializer.dumps({"customer": 2, "_tenant": owner})
        headers = {"Cookie": f"session={value}"}
        answer = site.test_client(use_cookies=False).get(at("acme", "/me"), headers=headers)
        seen.append((answer.status_code, "canary" in answer.text))
    assert seen == [(200, True)] + [(401, False)] * (len(owners) - 1)


@pytest.mark.parametrize("path", ["/cached/a", "/memoized/1"])
def test_cached_answers(site: flask.Flask, path: str) -> None:
    browser = site.test_client()
    for _ in range(2):
        for slug in SLUGS:
            assert browser.get(at(slug, path)).text == f"canary-{slug}-1"
    cache = site.extensions["cached"]
    assert cache.app is site
    with site.app_context():
        assert len(cache.cache._cache) >= 2, "nothing was cached"


KEYS = [
    "view//cached/a",
    "ft:t1:view//cached/a",
    "ft:t1:x",
    "../ft:t1:x",
    "ft:t1:\x00x",
    "ft:central:x",
    "ft:nobody:x",
]


def test_keys_that_are_made_up(site: flask.Flask) -> None:
    """A key that a user may choose, such as a search, poisons nobody else's."""
    cache = site.extensions["cached"]
    browser = site.test_client()
    browser.get(at("acme", "/cached/a"))
    with site.app_context():
        with tenant_context("acme"):
            cache.set("x", "canary-acme")
        for key in KEYS:
            with tenant_context("bella"):
                assert cache.get(key) is None
                cache.set(key, "poison")
                cache.delete("x")
            with central_context(reason="a test"):
                assert cache.get(key) is None
            with tenant_context("acme"):
                assert cache.get("x") == "canary-acme"
                assert cache.get(key) != "poison"
    assert browser.get(at("acme", "/cached/a")).text == "canary-acme-1"


def test_a_row_that_was_cached_as_an_object(site: flask.Flask) -> None:
    """Out of the cache it is acme's still: bella gets nothing, and cannot load what belongs to it."""
    engine, cache = site.extensions["engine"], cachelib.SimpleCache()
    with site.app_context():
        with tenant_context("acme"), Session(engine) as session:
            cache.set("customer", session.get_one(Customer, 1))
        with tenant_context("bella"):
            assert cache.get("customer") is None
        with tenant_context("acme"):
            assert cache.get("customer").name == "canary-acme-1"


def test_no_tenant_sees_no_tenants_values(site: flask.Flask) -> None:
    cache = site.extensions["cached"]
    with site.app_context():
        with tenant_context("acme"):
            cache.set("a", "canary-acme")
        assert cache.get("a") is None
        with pytest.raises(NoTenantError):
            current_tenant()


NAMES = ["<script>alert(1)</script>", "'; DROP TABLE customer; --", "a\r\nSet-Cookie: x=1", "%(x)s", "{0}"]


def test_names_that_are_something_else(site: flask.Flask, caplog: pytest.LogCaptureFixture) -> None:
    """What a tenant calls itself is in no log record's fields, no metric, no cookie and no path: its id or slug is."""
    from prometheus_client import generate_latest

    browser = site.test_client()
    for number, name in enumerate(NAMES):
        site.extensions["tenancy"].create(f"evil{number}", name)
        answer = browser.post(at(f"evil{number}", "/login/1"))
        with caplog.at_level(logging.INFO), tenant_context(f"evil{number}", site):
            logging.getLogger("shop").warning("hello")
            folder = site.config["UPLOAD_FOLDER"]
        record: Any = caplog.records[-1]
        fields = json.dumps([record.tenant, record.tenant_id])
        assert name not in "".join([str(answer.headers), generate_latest().decode(), folder, fields])
        assert record.tenant == f"evil{number}"


def test_slugs_cannot_be_labels_or_paths(site: flask.Flask) -> None:
    for slug in ('a"}', "a\nb", "..", "../x", "tenant-1/../tenant-2", "a b", "%(tenant)s"):
        with pytest.raises(TenancyError):
            site.extensions["tenancy"].create(slug, "x")
