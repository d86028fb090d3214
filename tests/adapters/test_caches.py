"""Cached values are their tenant's own: Flask-Caching and cachelib, on each back end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cachelib
import pytest
import redis
from flask import Flask, render_template_string
from flask_caching import Cache

from flask_tenant import central_context, current_tenant, tenant_context
from flask_tenant.errors import CacheRefusedError
from tests.adapters.conftest import SLUGS, MakeApp, at

BACK_ENDS = ("SimpleCache", "FileSystemCache", "RedisCache")


@pytest.fixture(params=BACK_ENDS)
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A cache of cachelib itself, made before anybody has heard of tenants."""
    if request.param == "SimpleCache":
        return cachelib.SimpleCache()
    if request.param == "FileSystemCache":
        return cachelib.FileSystemCache(str(tmp_path / "cache"), threshold=50)
    client = redis.Redis.from_url(request.getfixturevalue("redis_url"))
    client.flushall()
    return cachelib.RedisCache(client, key_prefix="shop[*]?")


@pytest.fixture(params=BACK_ENDS)
def config(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """What Flask-Caching needs for each back end."""
    found: dict[str, Any] = {"CACHE_TYPE": request.param}
    if request.param == "FileSystemCache":
        found["CACHE_DIR"] = str(tmp_path / "cache")
    if request.param == "RedisCache":
        found["CACHE_REDIS_URL"] = request.getfixturevalue("redis_url")
        redis.Redis.from_url(found["CACHE_REDIS_URL"]).flushall()
    return found


def test_one_key_two_tenants(app: Flask, bare: Any) -> None:
    for slug in SLUGS:
        with tenant_context(slug, app):
            assert bare.get("invoice-1") is None, f"{slug} sees a neighbour's value"
            assert bare.set("invoice-1", f"of {slug}")
            assert bare.add("invoice-1", "another") is False
            assert bare.add("invoice-2", 1)
            assert bare.inc("invoice-2") == 2
            assert bare.dec("invoice-2", 2) == 0
            bare.set_many({"a": slug, "b": slug})
            assert bare.get_many("a", "b", "c") == [slug, slug, None]
            assert bare.get_dict("a", "c") == {"a": slug, "c": None}
            assert bare.has("a")
            assert not bare.has("c")
    with tenant_context("acme", app):
        assert bare.get("invoice-1") == "of acme"
        assert bare.delete("invoice-1")
        assert sorted(bare.delete_many("a", "b")) == ["a", "b"]
        assert bare.get_many("invoice-1", "a", "b") == [None, None, None]
    with tenant_context("bella", app):
        assert bare.get_many("invoice-1", "a", "b") == ["of bella", "bella", "bella"]


def test_keys_that_try_to_be_another_tenants(app: Flask, bare: Any) -> None:
    with tenant_context("acme", app):
        bare.set("secret", "of acme")
    tries = ["secret", "ft:t1:secret", "t1:secret", ":secret", "../ft:t1:secret", "shop[*]?ft:t1:secret"]
    for slug in ("bella", None):
        with tenant_context(slug, app) if slug else app.app_context():
            assert [bare.get(key) for key in tries] == [None] * len(tries)
            assert bare.get_many(*tries) == [None] * len(tries)
            for key in tries:
                bare.set(key, "poison")
                bare.delete(key)
    with tenant_context("acme", app):
        assert bare.get("secret") == "of acme"


def test_clear_is_for_this_tenant_only(app: Flask, bare: Any) -> None:
    for slug in SLUGS:
        with tenant_context(slug, app):
            for number in range(20):
                bare.set(f"{number}", slug)
    with app.app_context():
        bare.set("0", "nobody")
    with central_context(reason="a test", app=app):
        bare.set("0", "central")
    with tenant_context("acme", app):
        assert bare.clear()
        assert bare.get_many(*map(str, range(20))) == [None] * 20
        bare.set("0", "again")
    with tenant_context("bella", app):
        assert bare.get_many(*map(str, range(20))) == ["bella"] * 20
    with app.app_context():
        assert bare.get("0") == "nobody"
        assert bare.clear()
        assert bare.get("0") is None
    with central_context(reason="a test", app=app):
        assert bare.get("0") == "central"


def test_a_cache_that_cannot_list_its_keys_is_not_cleared(app: Flask) -> None:
    class Distant(cachelib.BaseCache):
        """As memcached is: keys can be asked for, not listed."""

        def __init__(self) -> None:
            super().__init__()
            self.server: dict[str, Any] = {}

        def get(self, key: str) -> Any:
            return self.server.get(key)

        def set(self, key: str, value: Any, timeout: Any = None) -> bool:
            self.server[key] = value
            return True

        def clear(self) -> bool:
            self.server.clear()
            return True

    cache = Distant()
    for slug in SLUGS:
        with tenant_context(slug, app):
            cache.set("a", slug)
    with tenant_context("acme", app), pytest.raises(CacheRefusedError, match="every tenant"):
        cache.clear()
    assert len(cache.server) == 2
    with tenant_context("acme", app):
        assert cachelib.NullCache().clear()


def test_a_full_cache_of_files_counts_them_right(app: Flask, tmp_path: Path) -> None:
    """The count that pruning goes by is the cache's own, not a tenant's."""
    with tenant_context("acme", app):
        cache = cachelib.FileSystemCache(str(tmp_path / "cache"), threshold=10)
        for number in range(8):
            cache.set(str(number), number)
    with tenant_context("bella", app):
        assert len(list((tmp_path / "cache").iterdir())) == 8 + 1
        for number in range(8):
            cache.set(str(number), number)
    assert len(list((tmp_path / "cache").iterdir())) <= 11 + 1


def shop(app: Flask, config: dict[str, Any]) -> Cache:
    cache = Cache(config=config)
    cache.init_app(app)
    app.debug = True  # errors of the cache are raised, not logged
    calls: list[str] = []
    app.extensions["calls"] = calls

    @app.get("/view")
    @cache.cached()
    def view() -> str:
        calls.append("view")
        return f"view of {current_tenant().slug}"

    @app.get("/query")
    @cache.cached(query_string=True)
    def query() -> str:
        return f"query of {current_tenant().slug}"

    @app.get("/fragment")
    def fragment() -> str:
        return render_template_string(
            "{% cache 60, 'x' %}part of {{ slug }}{% endcache %}", slug=current_tenant().slug
        )

    @cache.memoize()
    def total(customer: int) -> str:
        calls.append("total")
        return f"{current_tenant().slug} {customer}"

    @app.get("/total/<int:customer>")
    def total_of(customer: int) -> str:
        return total(customer)

    @app.post("/forget")
    def forget() -> str:
        cache.delete_memoized(total)
        return "done"

    @app.post("/clear")
    def clear() -> str:
        cache.clear()
        return "done"

    return cache


@pytest.mark.parametrize("path", ["/view", "/query?a=1", "/fragment", "/total/1"])
def test_cached_views_fragments_and_memoized_functions(
    make_app: MakeApp, config: dict[str, Any], path: str
) -> None:
    app = make_app()
    shop(app, config)
    client = app.test_client()
    for _ in range(2):
        for slug in SLUGS:
            assert slug in client.get(at(slug, path)).text
    if path in ("/view", "/total/1"):
        assert len(app.extensions["calls"]) == 2, "nothing was cached, which would prove nothing"


def test_forgetting_and_clearing_through_flask_caching(make_app: MakeApp, config: dict[str, Any]) -> None:
    app = make_app()
    shop(app, config)
    client, calls = app.test_client(), app.extensions["calls"]

    def visit() -> int:
        calls.clear()
        for slug in SLUGS:
            client.get(at(slug, "/view"))
            client.get(at(slug, "/total/1"))
        return len(calls)

    assert [visit(), visit()] == [4, 0]
    client.post(at("acme", "/forget"))
    assert visit() == 1
    client.post(at("acme", "/clear"))
    assert [visit(), visit()] == [2, 0]


def test_unlink_of_redis(app: Flask, redis_url: str) -> None:
    redis.Redis.from_url(redis_url).flushall()
    cache = Cache(app, config={"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": redis_url})
    for slug in SLUGS:
        with app.app_context(), tenant_context(slug):
            cache.set("a", slug)
    with app.app_context(), tenant_context("acme"):
        cache.unlink("a")
        assert cache.get("a") is None
    with app.app_context(), tenant_context("bella"):
        assert cache.get("a") == "bella"


def test_many_threads(app: Flask, bare: Any) -> None:
    barrier = threading.Barrier(8)

    def work(number: int) -> Iterator[str]:
        slug = SLUGS[number % 2]
        barrier.wait(20)
        wrong = []
        for turn in range(25):
            with tenant_context(slug, app):
                bare.set("who", slug)
                found = bare.get("who")
                if found not in (slug, None):
                    wrong.append(f"{slug} read {found}")
                bare.set_many({"a": slug, f"{turn}": slug})
                wrong += [f"{slug} read {v}" for v in bare.get_many("a", f"{turn}") if v not in (slug, None)]
        return iter(wrong)

    with ThreadPoolExecutor(8) as pool:
        assert [wrong for found in pool.map(work, range(8)) for wrong in found] == []


def test_a_cache_made_in_a_tenant_or_later(app: Flask) -> None:
    class Later(cachelib.SimpleCache):
        """Defined after Tenancy was registered, with a method of its own."""

        def get(self, key: str) -> Any:
            return super().get(key)

    cache = Later()
    for slug in SLUGS:
        with tenant_context(slug, app):
            assert cache.get("a") is None
            cache.set("a", slug)
    with tenant_context("acme", app):
        assert cache.get("a") == "acme"


def test_an_application_without_tenancy_keeps_its_keys(app: Flask) -> None:
    cache = cachelib.SimpleCache()
    with Flask("other").app_context():
        cache.set("a", 1)
        assert cache.get("a") == 1
    assert list(cache._cache) == ["a"]


def test_no_adapter_where_it_is_switched_off(make_app: MakeApp) -> None:
    app, cache = make_app(TENANT_ADAPTERS_OFF=["caches"]), cachelib.SimpleCache()
    with tenant_context("acme", app):
        cache.set("a", 1)
    assert list(cache._cache) == ["a"], "this is what the adapter prevents"
    assert "caches" not in app.extensions["tenancy"].surroundings.placed
