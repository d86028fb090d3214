"""What a process keeps: bounded, current, and quick to ask."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from flask_tenant.directory import Directory, own_database
from flask_tenant.directory.changes import digest_of
from flask_tenant.directory.memory import Memory
from flask_tenant.model import Tenant
from tests.directory.peer import Server
from tests.services.availability import FULL
from tests.services.redis import RedisServer

pytestmark = pytest.mark.once


def tenant(n: int, version: int = 1, *domains: str) -> Tenant:
    return Tenant(n, f"tenant-{n}", f"Tenant {n}", domains=domains, version=version)


def test_an_answer_from_before_a_change_is_not_kept() -> None:
    memory = Memory(10, 60)
    memory.change(5, {1})
    memory.put("slug", "tenant-1", tenant(1), as_of=4)
    assert memory.get("slug", "tenant-1") is None
    memory.put("slug", "tenant-1", tenant(1, 5), as_of=5)
    assert memory.get("slug", "tenant-1") == tenant(1)
    memory.change(7, {2})
    assert memory.get("slug", "tenant-1") == tenant(1)


def test_a_change_ends_every_way_to_a_tenant() -> None:
    memory = Memory(10, 60)
    memory.put("former", "was-1", tenant(1, 1, "a.example", "b.example"), as_of=1)
    ways: list[tuple[str, Any]] = [
        ("id", 1), ("slug", "tenant-1"), ("domain", "a.example"), ("domain", "b.example"), ("former", "was-1"),
    ]  # fmt: skip
    assert all(memory.get(*way) == tenant(1, 1, "a.example", "b.example") for way in ways)
    memory.change(2, {1})
    assert not any(memory.get(*way) for way in ways)


def test_bounded_and_whoever_falls_out_by_one_way_falls_out_by_all() -> None:
    memory = Memory(10, 60)
    for n in range(50):
        memory.put("slug", f"tenant-{n}", tenant(n, 1, *([f"d{n}.example"] if n < 5 else [])), as_of=1)
        memory.put("slug", f"nobody-{n}", None, as_of=1)
    assert len(memory.ids) == len(memory.slugs) == 10
    # Their domains are remembered longer than they are; a change could not end them any more.
    assert len(memory.domains) == 5
    assert [memory.get("domain", f"d{n}.example") for n in range(5)] == [None] * 5
    for n in range(5_000):
        memory.put("slug", f"nobody-{n}", None, as_of=1)
    assert len(memory._nobody) == 1_000


def test_the_time_to_live_ends_an_entry() -> None:
    memory = Memory(10, 0.05)
    memory.put("slug", "tenant-1", tenant(1), as_of=1)
    assert memory.get("slug", "tenant-1") == tenant(1)
    deadline = time.monotonic() + 5
    while memory.get("slug", "tenant-1") is not None:
        assert time.monotonic() < deadline


# ---- scans


@pytest.fixture
def server(sqlite_url: str) -> Iterator[Server]:
    server = Server(sqlite_url, None)
    yield server
    server.close()


def test_a_scan_of_made_up_hosts(server: Server, record_property: Any) -> None:
    many = 1_000_000 if FULL else 200_000
    server.directory.create_many([(f"t{n}", "T") for n in range(100)], lambda *_: None)
    find, find_domain = server.directory.find, server.directory.find_domain
    assert find("t7") is not None
    for n in range(1_000):
        find(f"early{n}")
    before = server.queries
    memory, known = server.directory._memory, server.directory._lookup._known

    def kept() -> int:
        return sum(map(len, (*memory._by.values(), memory.tokens, memory._nobody))) + known.size

    def scan(numbers: range) -> None:
        for n in numbers:
            assert find(f"made-up-{n}") is None
            assert find_domain(f"made-up-{n}.example.com") is None

    tracemalloc.start()  # makes all of it slower
    gc.collect()
    held, was_kept = tracemalloc.get_traced_memory()[0], kept()
    scan(range(5_000))
    gc.collect()
    more = tracemalloc.get_traced_memory()[0] - held
    tracemalloc.stop()
    start = time.perf_counter()
    scan(range(5_000, many // 2))
    took = time.perf_counter() - start
    assert kept() == was_kept
    queries = server.queries - before
    record_property(
        "figure",
        f"{many} made-up hosts: {queries} queries, {more / 1024:.0f} KB more, "
        f"{took / (many - 10_000) * 1e6:.1f} µs each",
    )
    assert queries <= many * 0.01
    assert more < 64 * 1024
    # Nobody is hidden by it.
    server.directory.create("made-up-0", "Real", lambda *_: None)
    found = find("made-up-0")
    assert found is not None
    assert server.directory.add_domain(found, "made-up-1.example.com")
    server.directory.confirm_domain("made-up-1.example.com")
    assert find_domain("made-up-1.example.com") is not None


@pytest.mark.timed
def test_a_scan_hides_nobody_whom_another_server_creates(server: Server, sqlite_url: str) -> None:
    for n in range(100):
        assert server.directory.find(f"nobody-{n}") is None
    other = Server(sqlite_url, None)
    acme = other.directory.create("acme", "Acme", lambda *_: None)
    _, secret = other.directory.create_token(acme, "t")
    deadline = time.monotonic() + 1.3
    while server.directory.find("acme") is None:
        assert time.monotonic() < deadline, "not within a second"
        time.sleep(0.01)
    assert server.directory.find_token(secret) is not None
    other.close()


def test_made_up_tokens_are_told_from_real_ones(server: Server) -> None:
    acme = server.directory.create("acme", "Acme", lambda *_: None)
    token, secret = server.directory.create_token(acme, "t")
    for n in range(200):
        assert server.directory.find_token(f"ft_{n}") is None
    before = server.queries
    for n in range(5_000):
        assert server.directory.find_token(f"ft_made-up-{n}") is None
    assert server.queries - before <= 50
    assert server.directory.find_token(secret) == token
    assert server.directory._lookup._known.may_exist("token", digest_of(secret), 0)


# ---- size and speed


def test_memory_of_10_000_tenants(server: Server, record_property: Any) -> None:
    many = 10_000
    made = server.directory.create_many(
        [(f"customer-{n}", f"Customer {n} Ltd") for n in range(many)], lambda *_: None
    )
    rows = [{"host": f"www.customer-{t.id}.example", "tenant_id": t.id} for t in made]
    now = "'2025-01-01', '2025-01-01'"
    insert = sa.text(
        f"INSERT INTO tenancy_domain (host, tenant_id, created_at, confirmed_at) VALUES (:host, :tenant_id, {now})"
    )
    with server.engine.begin() as connection:
        connection.execute(insert, rows)
    del made, rows
    server.forget()
    server.directory.count()
    tenants, as_of = server.directory._store.all()
    slugs = [t.slug for t in tenants]
    del tenants
    gc.collect()
    tracemalloc.start()
    held, _ = tracemalloc.get_traced_memory()
    memory = server.directory._memory
    for each in server.directory._store.all()[0]:
        memory.put("slug", each.slug, each, as_of)
    gc.collect()
    each_bytes = (tracemalloc.get_traced_memory()[0] - held) / many
    tracemalloc.stop()
    assert len(memory.ids) == many
    assert server.directory.find(slugs[-1]) is not None
    assert server.directory.source == "memory"
    record_property("figure", f"{each_bytes:.0f} bytes for each of {many} tenants with a domain")
    assert each_bytes <= 1024


def test_creating_many_is_quick(server: Server, record_property: Any) -> None:
    start = time.process_time()
    made = server.directory.create_many([(f"t{n}", "T") for n in range(2_000)], lambda *_: None)
    each = (time.process_time() - start) / len(made)
    record_property("figure", f"{each * 1e3:.3f} ms to create one of {len(made)}, without rows")
    assert each < 0.001


# ---- processes


def test_a_forked_process_goes_on_by_itself(sqlite_url: str, redis_url: str) -> None:
    """As under gunicorn with preload_app: threads and connections stay behind."""
    script = f"""
import os, sys
from tests.directory.peer import Server
server = Server({sqlite_url!r}, {redis_url!r})
server.create("acme")
server.until_trusting()
assert server.ask("acme")[0] == "Acme"
server.engine.dispose()
child = os.fork()
if child == 0:
    try:
        assert not server.trusts
        server.until_trusting()
        server.forget()
        assert server.ask("acme")[:2] == ("Acme", "redis"), server.ask("acme")
        server.set_name("acme", "Changed by the child")
    except BaseException as error:
        print(error, flush=True)
        os._exit(1)
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
server.until_named("acme", "Changed by the child", 5)
assert server.trusts
"""
    done = _python(script)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timed
def test_under_gevent(sqlite_url: str, own_redis: RedisServer) -> None:
    """Other requests go on while one waits for a frozen Redis."""
    script = f"""
from gevent import monkey; monkey.patch_all()
import gevent, os, signal, time
from tests.directory.peer import Server
server = Server({sqlite_url!r}, {own_redis.url()!r})
server.create("acme")
server.until_trusting()
deadline = time.monotonic() + 20
while server.forget() or server.ask("acme")[1] != "redis":  # what was just created is still being told
    assert time.monotonic() < deadline, server.ask("acme")
    gevent.sleep(0.01)
os.kill({own_redis.pid}, signal.SIGSTOP)
beats = []
def beat():
    for _ in range(40):
        beats.append(time.monotonic()); gevent.sleep(0.01)
beating = gevent.spawn(beat)
server.forget()
asked = [gevent.spawn(server.ask, "acme") for _ in range(8)]
gevent.joinall([*asked, beating])
assert all(one.value[0] == "Acme" and one.value[2] < 0.35 for one in asked), [one.value for one in asked]
assert max(b - a for a, b in zip(beats, beats[1:])) < 0.15, "everybody waited"
os.kill({own_redis.pid}, signal.SIGCONT)
server.until_trusting()
assert server.ask("acme")[0] == "Acme"
"""
    done = _python(script)
    own_redis.thaw()
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_old_directory_lets_go_of_redis(sqlite_url: str, redis_url: str) -> None:
    engine = sa.create_engine(sqlite_url)
    directory = Directory(own_database(engine), redis_url=redis_url)
    directory.prepare()
    assert directory.find("nobody") is None
    link = directory._lookup.link
    assert link is not None
    thread = link._thread
    assert thread is not None
    assert thread.is_alive()
    del directory, link
    deadline = time.monotonic() + 10
    while thread.is_alive():
        gc.collect()
        assert time.monotonic() < deadline, "its thread goes on"
        time.sleep(0.02)
    engine.dispose()


def _python(script: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    root = Path(__file__).resolve().parents[2]
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=root,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
