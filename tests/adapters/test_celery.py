"""Celery over a real Redis, with real workers: a task runs in the tenant that sent it, or in none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import sqlalchemy as sa
from celery import chain, chord, group
from celery.result import AsyncResult
from flask import Flask

from flask_tenant import central_context, tenant_context
from flask_tenant.adapters import jobs
from flask_tenant.adapters.jobs import HEADER
from flask_tenant.context import Scope, entered
from flask_tenant.engines import exempt_engine
from flask_tenant.model import Tenant
from flask_tenant.registry import state_of
from tests.adapters.processes import wait_for, worker
from tests.adapters.shop import create_app, note
from tests.services.redis import RedisServer

POOLS = {"prefork": ["-c", "1"], "threads": ["-c", "2"]}
NOBODY = {"scope": None, "titles": "tenant-missing"}


def seen_by(slug: str, number: int) -> dict[str, Any]:
    return {"scope": f"<Scope {slug} ({number})>", "titles": [f"canary of {slug}"]}


ACME, BELLA = seen_by("acme", 1), seen_by("bella", 2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("celery")


@pytest.fixture(scope="module")
def broker(redis_server: RedisServer) -> str:
    """A database of its own in the server."""
    return redis_server.url(5)


@pytest.fixture(scope="module")
def app(folder: Path, broker: str) -> Iterator[Flask]:
    app = create_app(f"sqlite:///{folder / 'shop.sqlite'}", broker)
    for slug in ("acme", "bella", "corto"):
        state_of(app).create(slug, slug.title())
        with tenant_context(slug, app), app.extensions["engine"].begin() as connection:
            connection.execute(note.insert().values(title=f"canary of {slug}"))
    yield app
    app.extensions["celery"].close()
    app.extensions["engine"].dispose()


@pytest.fixture(scope="module", params=POOLS)
def running(request: pytest.FixtureRequest, app: Flask, folder: Path, broker: str) -> Iterator[Path]:
    """A worker; its log."""
    redis.Redis.from_url(broker).flushdb()
    log = folder / f"{request.param}.log"
    command = [
        "celery", "-A", "tests.adapters.celery_worker:celery", "worker", "--pool", request.param, *POOLS[request.param],
        "--loglevel", "INFO", "--without-gossip", "--without-mingle", "--without-heartbeat",
    ]  # fmt: skip
    with worker(
        command, log, SHOP_DATABASE=f"sqlite:///{folder / 'shop.sqlite'}", SHOP_BROKER=broker
    ) as process:

        def ready() -> bool:
            assert process.poll() is None, log.read_text()
            return " ready." in log.read_text()

        wait_for(ready, "the worker")
        yield log


def send(app: Flask, slug: str | None, name: str, *args: Any, **kw: Any) -> Any:
    """Send a task from within a tenant, and return its result."""
    celery = app.extensions["celery"]
    with app.app_context():
        if slug is None:
            return celery.send_task(f"shop.{name}", args, **kw)
        with tenant_context(slug):
            return celery.send_task(f"shop.{name}", args, **kw)


def outcome(result: AsyncResult) -> Any:
    return result.get(timeout=60, interval=0.02)


def test_a_task_runs_in_the_tenant_that_sent_it(app: Flask, running: Path) -> None:
    """Also when the worker has just served another one, and a task that forgot to leave."""
    for _ in range(3):
        assert outcome(send(app, "bella", "who")) == BELLA
        assert outcome(send(app, "acme", "who")) == ACME
        assert outcome(send(app, None, "who")) == NOBODY
        assert outcome(send(app, "acme", "stay", "bella")) == "bella"
        assert outcome(send(app, None, "who")) == NOBODY
        with pytest.raises(ZeroDivisionError):
            outcome(send(app, "bella", "fail"))
        assert outcome(send(app, None, "who")) == NOBODY


def test_many_in_flight(app: Flask, running: Path) -> None:
    sent = [(slug, send(app, slug, "who")) for _ in range(20) for slug in ("acme", "bella", None)]
    wanted = {"acme": ACME, "bella": BELLA, None: NOBODY}
    assert [outcome(result) for _, result in sent] == [wanted[slug] for slug, _ in sent]


def test_central_work_sends_for_nobody(app: Flask, running: Path) -> None:
    with app.app_context(), central_context(reason="a test"):
        result = app.extensions["celery"].send_task("shop.who")
    assert outcome(result) == NOBODY


def test_writes_and_links(app: Flask, running: Path) -> None:
    try:
        assert outcome(send(app, "acme", "add", "new")) == ["canary of acme", "new"]
    finally:
        with tenant_context("acme", app), app.extensions["engine"].begin() as connection:
            connection.execute(note.delete().where(note.c.title == "new"))
    assert outcome(send(app, "bella", "link")) == "http://bella.example.com/notes"


def test_retries_stay_in_the_tenant(app: Flask, running: Path) -> None:
    assert outcome(send(app, "acme", "again")) == ACME


def test_chains_groups_and_chords(app: Flask, running: Path) -> None:
    """Those that the application sends, and those that a task sends in the worker."""
    celery = app.extensions["celery"]

    def who() -> Any:
        return celery.signature("shop.who")

    with app.app_context(), tenant_context("acme"):
        results = [
            chain(who(), who(), who()).apply_async(),
            chord(group(who(), who()), who()).apply_async(),
            who().apply_async(link=who()),
        ]
        many = group(who(), who(), app=celery).apply_async()
    assert [outcome(result) for result in results] == [ACME] * 3
    assert outcome(many) == [ACME, ACME]
    nested = outcome(send(app, "bella", "canvas"))
    assert outcome(AsyncResult(nested, app=celery)) == BELLA


def forged(app: Flask, header: str, task: str = "who") -> Any:
    """A message as somebody makes it who can write to the broker: the worker reads it as any other."""
    celery, client = app.extensions["celery"], redis.Redis.from_url(app.extensions["celery"].conf.broker_url)
    with celery.connection_for_write() as connection, connection.channel() as channel:
        result = AsyncResult(f"forged-{header}-{task}", app=celery)
        headers = {
            "lang": "py",
            "task": f"shop.{task}",
            "id": result.id,
            "root_id": result.id,
            HEADER: header,
        }
        body = json.dumps([[], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}])
        message = channel.prepare_message(
            body, content_type="application/json", content_encoding="utf-8", headers=headers,
            properties={"correlation_id": result.id, "delivery_tag": result.id},
        )  # fmt: skip
        message["properties"]["delivery_info"] = {"exchange": "", "routing_key": "celery"}
        client.lpush("celery", json.dumps(message))
    return result


def test_forged_tenants_are_refused(app: Flask, running: Path) -> None:
    """Made up, taken from another message, or of a tenant that does not exist."""
    with app.app_context(), tenant_context("acme"):
        genuine = _header_of(app)
    tries = [
        "1",
        "2.",
        "1.AAAA",
        "",
        "1.x.y",
        genuine,
        f"2.{genuine.partition('.')[2]}",
        "0.x",
        "-1.x",
        "unsigned",
    ]
    for header in tries:
        result = forged(app, header)
        with pytest.raises(Exception, match="has not signed") as caught:
            outcome(result)
        assert type(caught.value).__name__ == "JobRefusedError"
    assert "refused" in running.read_text()
    assert outcome(send(app, "acme", "who")) == ACME


def _header_of(app: Flask) -> str:
    """The header of a message that is not delivered."""
    celery = app.extensions["celery"]
    client = redis.Redis.from_url(celery.conf.broker_url)
    celery.send_task("shop.who", queue="nowhere")
    _, message = client.blpop(["nowhere"], timeout=20)  # type: ignore[misc]
    return str(json.loads(message)["headers"][HEADER])


def test_a_tenant_that_is_gone_or_not_served(app: Flask, running: Path, folder: Path) -> None:
    with entered(Scope(Tenant(99, "gone", "Gone"))):
        header = jobs.seal(state_of(app).around, "forged-gone", "shop.who")
    assert header is not None
    with pytest.raises(Exception, match="does not exist"):
        outcome(_send_raw(app, "forged-gone", header))
    corto = state_of(app).directory.get("corto")
    suspend(f"sqlite:///{folder / 'shop.sqlite'}")

    def refused() -> str:
        with app.app_context(), tenant_context(corto):
            result = app.extensions["celery"].send_task("shop.who")
        try:
            assert outcome(result) == seen_by("corto", 3)  # the worker has not heard of it yet
        except Exception as error:
            return str(error)
        return ""

    assert "corto, which is suspended" in wait_for(refused, "the worker to hear of it")


def suspend(url: str) -> None:
    """Suspend corto, as an operator would elsewhere."""
    engine = sa.create_engine(url)
    exempt_engine(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE tenancy_tenant SET state = 'suspended' WHERE slug = 'corto'")
        connection.exec_driver_sql("UPDATE tenancy_version SET number = number + 1")
    engine.dispose()


def _send_raw(app: Flask, task_id: str, header: str) -> Any:
    """Send a task outside any tenant with a header of its own, past our own receiver."""
    from celery import signals

    from flask_tenant.adapters.celery import _sent

    signals.before_task_publish.disconnect(_sent, dispatch_uid="flask_tenant")
    try:
        return app.extensions["celery"].send_task("shop.who", task_id=task_id, headers={HEADER: header})
    finally:
        signals.before_task_publish.connect(_sent, weak=False, dispatch_uid="flask_tenant")


def test_eager_tasks_run_where_they_are_called(app: Flask) -> None:
    celery = app.extensions["celery"]
    with app.app_context():
        assert celery.tasks["shop.who"].apply().get() == NOBODY
        for slug, wanted in (("acme", ACME), ("bella", BELLA)):
            with tenant_context(slug):
                assert celery.tasks["shop.who"].apply().get() == wanted
                celery.conf.task_always_eager = True
                try:
                    assert celery.tasks["shop.who"].delay().get() == wanted
                finally:
                    celery.conf.task_always_eager = False


def test_without_a_key_a_worker_refuses(app: Flask, running: Path, caplog: pytest.LogCaptureFixture) -> None:
    key, app.secret_key = app.secret_key, None
    try:
        result = send(app, "acme", "who")
    finally:
        app.secret_key = key
    assert "SECRET_KEY" in caplog.text
    with pytest.raises(Exception, match="has not signed"):
        outcome(result)


def test_switched_off(folder: Path, broker: str) -> None:
    app = create_app(
        f"sqlite:///{folder / 'off.sqlite'}", broker.removesuffix("5") + "6", TENANT_ADAPTERS_OFF=["celery"]
    )
    state_of(app).create("acme", "Acme")
    with app.app_context(), tenant_context("acme"), pytest.raises(KeyError):
        _header_of(app)
    app.extensions["engine"].dispose()
