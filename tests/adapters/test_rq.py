"""RQ over a real Redis: a job runs in the tenant that enqueued it, or in none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from flask import Flask
from rq import Callback, Queue, Retry, SimpleWorker
from rq.job import Job

from flask_tenant import central_context, tenant_context
from flask_tenant.adapters.jobs import HEADER
from flask_tenant.registry import state_of
from tests.adapters import shop
from tests.adapters.processes import worker
from tests.adapters.test_celery import ACME, BELLA, NOBODY
from tests.services.redis import RedisServer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rq")


@pytest.fixture(scope="module")
def app(folder: Path, redis_server: RedisServer) -> Iterator[Flask]:
    app = shop.create_app(f"sqlite:///{folder / 'shop.sqlite'}", redis_server.url(8))
    for slug in ("acme", "bella"):
        state_of(app).create(slug, slug.title())
        with tenant_context(slug, app), app.extensions["engine"].begin() as connection:
            connection.execute(shop.note.insert().values(title=f"canary of {slug}"))
    yield app
    app.extensions["celery"].close()
    app.extensions["engine"].dispose()


@pytest.fixture
def queue(redis_server: RedisServer) -> Queue:
    client = redis.Redis.from_url(redis_server.url(7))
    client.flushdb()
    return Queue(connection=client)


def enqueue(app: Flask, queue: Queue, slug: str | None, *args: Any, **kw: Any) -> Job:
    with app.app_context():
        if slug is None:
            return queue.enqueue(*args, **kw)
        with tenant_context(slug):
            return queue.enqueue(*args, **kw)


def run(app: Flask, queue: Queue) -> None:
    """A worker in this very process, which remembers what the last job did."""
    with app.app_context():
        SimpleWorker([queue], connection=queue.connection).work(burst=True, logging_level="WARNING")


def test_a_job_runs_in_the_tenant_that_enqueued_it(app: Flask, queue: Queue) -> None:
    """Also when the worker has just served another one, and a job that forgot to leave."""
    wanted: list[tuple[Job, Any]] = []
    for _ in range(3):
        wanted.append((enqueue(app, queue, "bella", shop.rq_who), BELLA))
        wanted.append((enqueue(app, queue, "acme", shop.rq_who), ACME))
        wanted.append((enqueue(app, queue, None, shop.rq_who), NOBODY))
        wanted.append((enqueue(app, queue, "acme", shop.rq_stay, "bella"), "bella"))
        wanted.append((enqueue(app, queue, "bella", shop.rq_fail), None))
        wanted.append((enqueue(app, queue, None, shop.rq_who), NOBODY))
    run(app, queue)
    assert [job.return_value() for job, _ in wanted] == [result for _, result in wanted]


def test_a_worker_within_a_tenant_runs_each_job_in_its_own(app: Flask, queue: Queue) -> None:
    jobs = [enqueue(app, queue, slug, shop.rq_who) for slug in ("acme", None)]
    with tenant_context("bella", app):
        run(app, queue)
    assert [job.return_value() for job in jobs] == [ACME, NOBODY]


def test_central_work_enqueues_for_nobody(app: Flask, queue: Queue) -> None:
    with app.app_context(), central_context(reason="a test"):
        job = queue.enqueue(shop.rq_who)
    run(app, queue)
    assert job.return_value() == NOBODY


def test_callbacks_and_dependents(app: Flask, queue: Queue) -> None:
    first = enqueue(app, queue, "acme", shop.rq_who, on_success=Callback(shop.rq_success))
    failed = enqueue(app, queue, "bella", shop.rq_fail, on_failure=Callback(shop.rq_failure))
    second = enqueue(app, queue, "acme", shop.rq_who, depends_on=first)
    run(app, queue)
    assert second.return_value() == ACME
    assert queue.connection.get(f"callback:{first.id}") == b"<Scope acme (1)>"
    assert queue.connection.get(f"callback:{failed.id}") == b"<Scope bella (2)>"


def test_retries(app: Flask, queue: Queue) -> None:
    job = enqueue(app, queue, "bella", shop.rq_fail, retry=Retry(max=2), on_failure=Callback(shop.rq_failure))
    run(app, queue)
    assert job.get_status() == "failed"
    assert queue.connection.get(f"callback:{job.id}") == b"<Scope bella (2)>"


def test_many_at_once_and_jobs_made_by_hand(app: Flask, queue: Queue) -> None:
    with app.app_context(), tenant_context("acme"):
        many = queue.enqueue_many([Queue.prepare_data(shop.rq_who), Queue.prepare_data(shop.rq_who)])
        made = Job.create(shop.rq_who, connection=queue.connection, meta={"mine": 1})
        queue.enqueue_job(made)
    run(app, queue)
    assert [job.return_value() for job in (*many, made)] == [ACME] * 3
    assert Job.fetch(made.id, connection=queue.connection).meta["mine"] == 1


def test_jobs_that_run_at_once(app: Flask, queue: Queue) -> None:
    at_once = Queue("at-once", is_async=False, connection=queue.connection)
    with app.app_context():
        with tenant_context("acme"):
            assert at_once.enqueue(shop.rq_who).return_value() == ACME
        assert at_once.enqueue(shop.rq_who).return_value() == NOBODY


def test_forged_tenants_are_refused(app: Flask, queue: Queue) -> None:
    """Made up, of another job, of another tenant, of another function."""
    other = enqueue(app, queue, "acme", shop.rq_who).meta[HEADER]
    queue.empty()

    def forged(header: Any = None, function: str | None = None) -> Job:
        job = enqueue(app, queue, "acme", shop.rq_who)
        own = job.meta[HEADER]
        job.meta[HEADER] = header(own) if header is not None else own
        if function is not None:
            job.func_name = function
        job.save()
        return job

    made = [
        forged(lambda own: "2.AAAA"),
        forged(lambda own: other),
        forged(lambda own: "2" + own[1:]),
        forged(lambda own: "1"),
        forged(lambda own: 1),
        forged(function="tests.adapters.shop.rq_fail"),
    ]
    genuine = forged()
    run(app, queue)
    assert genuine.return_value() == ACME
    for job in made:
        result = job.latest_result()
        assert result is not None
        assert "JobRefusedError" in str(result.exc_string)
        assert job.get_status() == "failed"


def test_a_job_that_loses_its_tenant_runs_in_none(app: Flask, queue: Queue) -> None:
    job = enqueue(app, queue, "acme", shop.rq_who)
    job.meta = {"mine": 1}
    job.save()
    run(app, queue)
    assert job.return_value() == NOBODY


def test_a_worker_started_by_an_operator(
    app: Flask, queue: Queue, folder: Path, redis_server: RedisServer
) -> None:
    """It forks for each job, and has to know the application before it looks at one."""
    jobs = [enqueue(app, queue, slug, shop.rq_who) for slug in ("bella", "acme", None)]
    url = redis_server.url(7)
    command = [
        "rq.cli", "worker", "--burst", "--url", url, "--worker-class",
        "flask_tenant.adapters.rq_worker.TenantWorker",
    ]  # fmt: skip
    log = folder / "worker.log"
    with worker(
        command,
        log,
        SHOP_DATABASE=f"sqlite:///{folder / 'shop.sqlite'}",
        SHOP_BROKER=redis_server.url(8),
        FLASK_APP="tests.adapters.celery_worker",
    ) as process:
        assert process.wait(timeout=60) == 0, log.read_text()
    assert [job.return_value() for job in jobs] == [BELLA, ACME, NOBODY], log.read_text()


def test_a_worker_that_does_not_know_the_application(
    app: Flask, queue: Queue, folder: Path, redis_server: RedisServer
) -> None:
    """Nothing of ours is loaded there: the job runs, and sees no tenant's data."""
    job = enqueue(app, queue, "acme", shop.rq_who)
    url = redis_server.url(7)
    with worker(["rq.cli", "worker", "--burst", "--url", url], folder / "plain.log") as process:
        assert process.wait(timeout=60) == 0
    assert job.get_status() == "failed"
    assert job.return_value() is None


def test_switched_off(folder: Path, redis_server: RedisServer, queue: Queue) -> None:
    app = shop.create_app(
        f"sqlite:///{folder / 'off.sqlite'}", redis_server.url(8), TENANT_ADAPTERS_OFF=["rq"]
    )
    state_of(app).create("acme", "Acme")
    assert HEADER not in enqueue(app, queue, "acme", shop.rq_who).meta
    app.extensions["engine"].dispose()
