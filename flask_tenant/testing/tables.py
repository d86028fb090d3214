"""What a tenant sees of one model or table, every way that there is to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from ..application import Application
from ..model import Tenant
from .marks import snapshot, text_of
from .tenants import as_tenant
from .verdict import LeakFoundError, Look


def table_subject(state: Application, subject: type | sa.Table) -> Look:
    """Return how to see what a tenant sees of a model or table.

    :raises LeakFoundError: for a table that belongs to no tenant
    """
    with state.app.app_context():
        state.discover()
        table: Any = subject if isinstance(subject, sa.Table) else sa.inspect(subject).local_table
        name, views = table.fullname, []
        for isolation in dict.fromkeys(state.databases.isolations.values()):
            found = isolation.views.find(table.name, table.schema)
            if found is not None:
                views.append(found)
        if any(view.shared for view in views):
            raise LeakFoundError(
                f"{name} is a shared table (TENANT_SHARED_TABLES): every tenant sees all of its rows"
            )
        if not views:
            raise LeakFoundError(
                f"No tenanted engine holds a table {name!r}: whatever its rows are, no tenant owns them"
            )

    def see(tenant: Tenant) -> str:
        owned = [r for r in snapshot(state, [tenant]).held[tenant.id].values() if r.table == name]
        with as_tenant(tenant, state.app, fresh=True):
            session, close = _session(state)
            try:
                return "\n".join(_ways(session, subject, table, tenant, len(owned)))
            finally:
                session.rollback()  # the UPDATE was a question only
                close()

    what = f"table {name}" if isinstance(subject, sa.Table) else f"model {subject.__name__}"
    return Look(what, see, name)


def _ways(session: Any, subject: Any, table: sa.Table, tenant: Tenant, owned: int) -> list[str]:
    """Go to a table every way; what each shows must be as many rows as the tenant holds."""
    column = next(iter(table.primary_key), table.c[0])
    same = sa.update(table).values({column: column})
    sql = f"SELECT * FROM {session.connection().dialect.identifier_preparer.format_table(table)}"
    unsynchronised = {"synchronize_session": False}
    ways: dict[str, Callable[[], Any]] = {
        "Core": lambda: session.execute(sa.select(table)).all(),
        "SQL text": lambda: session.execute(sa.text(sql)).all(),
        "count(*)": lambda: [None] * session.scalar(sa.select(sa.func.count()).select_from(table)),
        "UPDATE": lambda: [None] * session.execute(same, execution_options=unsynchronised).rowcount,
    }
    if subject is not table:
        ways["ORM"] = lambda: session.scalars(sa.select(subject)).all()
    shown = []
    for way, go in ways.items():
        rows = go()
        if len(rows) != owned:
            raise LeakFoundError(
                f"{table.fullname}, by {way}: {tenant.slug} reaches {len(rows)} rows, and holds {owned}: "
                f"{text_of(rows)[:500]}"
            )
        shown.append(f"{way}: {text_of(rows)}")
    return shown


def _session(state: Application) -> tuple[Any, Callable[[], None]]:
    """Return the application's own session, or one on its only engine."""
    extension = state.app.extensions.get("sqlalchemy")
    if extension is not None:
        return extension.session, lambda: None
    session = Session(next(iter(state.databases.isolations)))
    return session, session.close
