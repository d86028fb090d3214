"""An application with background work, built alike by tests and by the workers that they start."""

from __future__ import annotations

import os
from typing import Any

import sqlalchemy as sa
from celery import Celery, Task, chain, chord, group
from flask import Flask, current_app, url_for

from flask_tenant import Tenancy, current_tenant, tenant_context
from flask_tenant.context import current_scope
from flask_tenant.errors import NoTenantError

metadata = sa.MetaData()
note = sa.Table("note", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("title", sa.Text))


def create_app(database: str | None = None, broker: str | None = None, **config: Any) -> Flask:
    """The application; a worker reads from its environment what tests pass."""
    app = Flask("shop")
    app.config.update(
        SECRET_KEY=os.environ.get("SHOP_SECRET", "secret of the tests"), TENANT_BASE_DOMAIN="example.com"
    )
    app.config.update(config)
    engine = sa.create_engine(database or os.environ["SHOP_DATABASE"])
    Tenancy(app, engines=[engine])
    app.extensions["engine"] = engine
    app.extensions["celery"] = make_celery(app, broker or os.environ["SHOP_BROKER"])
    app.add_url_rule("/notes", "notes", lambda: "notes")
    metadata.create_all(engine)
    return app


_kept: list[Any] = []


def forget_to_leave(slug: str) -> None:
    """Enter a tenant for good: a block that is neither left nor collected."""
    _kept.append(tenant_context(slug))
    _kept[-1].__enter__()


def titles(app: Flask) -> list[str]:
    """What the running code sees of the one table."""
    with app.extensions["engine"].connect() as connection:
        return list(connection.execute(sa.select(note.c.title).order_by(note.c.id)).scalars())


def here(app: Flask) -> dict[str, Any]:
    """Whom the running code works for, and what it can see."""
    scope = current_scope()
    try:
        seen: Any = titles(app)
    except NoTenantError as error:
        seen = error.code
    return {"scope": repr(scope) if scope is not None else None, "titles": seen}


def make_celery(app: Flask, broker: str) -> Celery:
    """As Flask's documentation has it."""

    class FlaskTask(Task):  # type: ignore[misc]
        def __call__(self, *args: Any, **kw: Any) -> Any:
            with app.app_context():
                return self.run(*args, **kw)

    celery = Celery("shop", task_cls=FlaskTask, broker=broker, backend=broker, set_as_current=False)
    celery.conf.update(broker_connection_retry_on_startup=False, worker_hijack_root_logger=False)

    @celery.task(name="shop.who", shared=False)
    def who(*_: Any) -> dict[str, Any]:
        return here(app)

    @celery.task(name="shop.link", shared=False)
    def link() -> str:
        return url_for("notes", _external=True)

    @celery.task(name="shop.add", shared=False)
    def add(title: str) -> list[str]:
        with app.extensions["engine"].begin() as connection:
            connection.execute(note.insert().values(title=title))
        return titles(app)

    @celery.task(name="shop.stay", shared=False)
    def stay(slug: str) -> str:
        """Enters another tenant, and forgets to leave it."""
        forget_to_leave(slug)
        return current_tenant().slug

    @celery.task(name="shop.again", shared=False, bind=True, max_retries=2)
    def again(self: Any) -> Any:
        if self.request.retries < 2:
            raise self.retry(countdown=0)
        return here(app)

    @celery.task(name="shop.fail", shared=False)
    def fail() -> None:
        raise ZeroDivisionError

    @celery.task(name="shop.canvas", shared=False)
    def canvas() -> str:
        """Sends more tasks, of each kind."""
        first, second = celery.signature("shop.who"), celery.signature("shop.who")
        made = chain(first, chord(group(second, celery.signature("shop.who")), celery.signature("shop.who")))
        return str(made.apply_async().id)

    return celery


# ---- RQ
def rq_who() -> dict[str, Any]:
    return here(current_app._get_current_object())  # type: ignore[attr-defined]


def rq_stay(slug: str) -> str:
    forget_to_leave(slug)
    return current_tenant().slug


def rq_fail() -> None:
    raise ZeroDivisionError


def rq_success(job: Any, connection: Any, result: Any) -> None:
    scope = current_scope()
    connection.set(f"callback:{job.id}", repr(scope))


def rq_failure(job: Any, connection: Any, *error: Any) -> None:
    rq_success(job, connection, None)
