"""Records statements of one tenant for a time, so that a candidate's effect can be seen on what really happens.

An operator switches it on; it ends by itself. Values are left out unless the operator wants them: what stands in the
statement's text too. Whatever goes wrong with it is logged, and nobody's request fails for it.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.engine.default import DefaultDialect

from ..context import Scope, current_scope
from ..directory import Directory
from ..model import Tenant

log = logging.getLogger("flask_tenant")

KEY = "rules.recording"
"""In a tenant's configuration, so that every server hears of it."""

AT_ONCE = 200
"""Statements of one request or job that are recorded at most."""

_LITERAL = re.compile(r"'(?:[^']|'')*'|(?<![\w$:@.])\d+(?:\.\d+)?\b")


@dataclass(frozen=True, slots=True)
class Recorded:
    """One statement.

    :param parameters: by name; ``None`` when they were left out
    :param facts: as they were, by name, typed
    """

    id: int
    at: datetime
    statement: str
    parameters: dict[str, Any] | None
    facts: dict[str, Any]


class Recording:
    """What is recorded of one tenant.

    :param directory: in whose database it is
    """

    def __init__(self, directory: Directory, tenant: Tenant) -> None:
        self._directory, self._tenant = directory, tenant
        self._table = directory.tables.rule_recorded

    def start(self, minutes: float, limit: int, *, values: bool) -> None:
        """Record from now on; what was recorded before is deleted.

        :param minutes: for how long
        :param limit: how many statements
        :param values: whether values are kept as well
        """
        until = datetime.now(UTC) + timedelta(minutes=minutes)
        self.delete()
        told = {"until": until.isoformat(), "limit": limit, "values": values}
        self._directory.set_config(self._tenant, KEY, told)

    def stop(self) -> None:
        """Record no longer. What is recorded stays."""
        self._directory.unset_config(self._tenant, KEY)

    def delete(self) -> None:
        """Delete what is recorded."""
        with self._directory.connect() as connection:
            connection.execute(self._table.delete().where(self._table.c.tenant_id == self._tenant.id))

    def all(self) -> list[Recorded]:
        """Return what is recorded, in the order in which it came."""
        query = (
            sa.select(self._table)
            .where(self._table.c.tenant_id == self._tenant.id)
            .order_by(self._table.c.id)
        )
        with self._directory.connect() as connection:
            return [_read(row) for row in connection.execute(query)]

    def find(self, number: int) -> Recorded | None:
        """Return one of them."""
        mine = (self._table.c.tenant_id == self._tenant.id, self._table.c.id == number)
        with self._directory.connect() as connection:
            row = connection.execute(sa.select(self._table).where(*mine)).first()
        return _read(row) if row is not None else None


def wanted(tenant: Tenant) -> Mapping[str, Any] | None:
    """Return how a tenant is to be recorded, ``None`` when it is not."""
    told = tenant.config.get(KEY)
    if not isinstance(told, Mapping):
        return None
    return told if datetime.now(UTC) < datetime.fromisoformat(str(told["until"])) else None


class Recorder:
    """Takes statements down while a tenant's scope lasts, and writes them when it ends: never in its transaction."""

    def __init__(self) -> None:
        self._open: dict[int, tuple[Mapping[str, Any], list[dict[str, Any]]]] = {}
        self._plain: dict[int, DefaultDialect] = {}

    def begin(self, scope: Scope, told: Mapping[str, Any], engines: Sequence[Engine]) -> None:
        """Begin to record a scope."""
        for engine in engines:
            if not event.contains(engine, "before_execute", self._heard):
                event.listen(engine, "before_execute", self._heard)
        self._open[id(scope)] = told, []

    def end(self, scope: Scope, directory: Directory, facts: Callable[[], Mapping[str, Any]]) -> None:
        """Write what was recorded of a scope.

        :param facts: tells what is known about it
        """
        told, rows = self._open.pop(id(scope), ({}, []))
        if not rows or scope.tenant is None:
            return
        table = directory.tables.rule_recorded
        mine = table.c.tenant_id == scope.tenant.id
        try:
            known = json.dumps({name: encoded(value) for name, value in facts().items()})
            with directory.connect() as connection:
                there = connection.scalar(sa.select(sa.func.count()).select_from(table).where(mine)) or 0
                left = rows[: max(int(told["limit"]) - there, 0)]
                if left:
                    connection.execute(
                        table.insert(),
                        [{**row, "tenant_id": scope.tenant.id, "facts": known} for row in left],
                    )
        except Exception as error:  # nobody's request fails for it
            log.warning("Statements of %s could not be recorded: %s", scope.tenant.slug, error)

    def _heard(self, conn: Any, clause: Any, multiparams: Any, params: Any, options: Any) -> None:
        scope = current_scope()
        if scope is None or scope.internal:
            return
        told, rows = next((self._open[id(s)] for s in scope.chain() if id(s) in self._open), ({}, None))
        if rows is None or len(rows) >= AT_ONCE:
            return
        try:
            rows.append(self._taken(conn.engine, clause, multiparams, params, bool(told.get("values"))))
        except Exception as error:
            log.warning("A statement could not be recorded: %s: %s", type(error).__name__, error)

    def _taken(
        self, engine: Engine, clause: Any, multiparams: Any, params: Any, values: bool
    ) -> dict[str, Any]:
        dialect = self._plain.get(id(engine))
        if dialect is None:
            made: Any = engine.url.get_dialect()
            dialect = self._plain[id(engine)] = made(paramstyle="named")
        given = {**(multiparams[0] if multiparams else {}), **(params or {})}
        compiled = clause.compile(
            dialect=dialect, column_keys=list(given) or None, compile_kwargs={"render_postcompile": True}
        )
        bound = compiled.construct_params(given) if given else dict(compiled.params)
        text, parameters = str(compiled), json.dumps({name: encoded(value) for name, value in bound.items()})
        if values:
            return {"at": datetime.now(UTC), "statement": text, "parameters": parameters}
        bare = _LITERAL.sub("?", text)
        kept = "{}" if bare == text and not bound else None
        return {"at": datetime.now(UTC), "statement": bare, "parameters": kept}


# ---- values as JSON
def encoded(value: Any) -> Any:
    """Return a value as JSON has it, so that :func:`decoded` gives it back; as text what is of no known type."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | list | set | frozenset):
        return [encoded(each) for each in value]
    for name, kind in _TAGS.items():
        if type(value) is kind:
            return {f"${name}": str(value)}  # ISO 8601 for moments and dates
    return str(value)


def decoded(value: Any) -> Any:
    """Return what was encoded."""
    if isinstance(value, list):
        return tuple(decoded(each) for each in value)
    if isinstance(value, dict):
        ((name, text),) = value.items()
        kind: Any = _TAGS[name.removeprefix("$")]
        return Decimal(text) if kind is Decimal else kind.fromisoformat(text)
    return value


_TAGS: Mapping[str, type] = {"datetime": datetime, "date": date, "time": time, "decimal": Decimal}


def _read(row: Any) -> Recorded:
    parameters = json.loads(row.parameters) if row.parameters is not None else None
    if parameters is not None:
        parameters = {name: decoded(value) for name, value in parameters.items()}
    facts = {name: decoded(value) for name, value in json.loads(row.facts).items()}
    at = row.at.replace(tzinfo=UTC) if row.at.tzinfo is None else row.at
    return Recorded(row.id, at, row.statement, parameters, facts)
