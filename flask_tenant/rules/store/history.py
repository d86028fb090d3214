"""Reads which rule files are active, and which ones were."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from .home import Home


class RuleFile(NamedTuple):
    """A rule file.

    :param name: its path below the folder of rules, with ``/``
    :param scope: ``all``, ``plan:NAME`` or ``tenant:SLUG``
    """

    name: str
    scope: str
    text: str

    @property
    def digest(self) -> str:
        """SHA-256 of the text, in hexadecimal digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()


class Active(NamedTuple):
    """A file as it holds now.

    :param plan: of which plan, ``""`` for none
    :param tenant_id: of which tenant, 0 for none
    :param source_id: of its content; ``None`` for a file that was removed
    :param activation: which one has switched it last
    """

    name: str
    plan: str
    tenant_id: int
    source_id: int | None
    activation: int
    scope: str
    digest: str


@dataclass(frozen=True, slots=True)
class Chain:
    """What one tenant obeys, or all that have nothing of their own.

    :param plan: whose files it holds, ``""`` for those of no plan
    :param tenant_id: whose files it holds, 0 for those of no tenant
    """

    plan: str
    tenant_id: int
    files: tuple[Active, ...]
    version: int

    @property
    def digest(self) -> str:
        """By which its compiled form is found: over names, scopes and contents."""
        text = "\n".join(f"{file.name}\t{file.scope}\t{file.digest}" for file in self.files)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Switch:
    """What an activation has done with one file.

    :param digest: of its content from then on, ``""`` when it was removed
    :param previous: of its content before, ``""`` when it was new
    """

    name: str
    scope: str
    source_id: int | None
    previous_id: int | None
    digest: str
    previous: str


@dataclass(frozen=True, slots=True)
class Activated:
    """One activation.

    :param back_to: the activation to which it has gone back, for a rollback
    """

    number: int
    at: datetime
    author: str
    reason: str
    back_to: int | None
    switches: tuple[Switch, ...]


def chain_for(files: Iterable[Active], plan: str, tenant_id: int) -> Chain | None:
    """Return what is obeyed by a tenant of a plan, ``None`` when no rule ever was for it.

    :param files: those that could matter, in any order
    """
    mine = [f for f in files if f.plan in ("", plan) and f.tenant_id in (0, tenant_id)]
    if not mine:
        return None
    there = sorted(f for f in mine if f.source_id is not None)
    return Chain(
        plan if any(f.plan for f in there) else "",
        tenant_id if any(f.tenant_id for f in there) else 0,
        tuple(there),
        max(f.activation for f in mine),
    )


class History:
    """Reads the store.

    :param home: the directory
    """

    def __init__(self, home: Home) -> None:
        self._home = home
        self._tables = home.tables
        active, source = self._tables.rule_active, self._tables.rule_source
        self._active = sa.select(
            active,
            sa.func.coalesce(source.c.scope, "").label("scope"),
            sa.func.coalesce(source.c.digest, "").label("digest"),
        ).select_from(active.outerjoin(source, source.c.id == active.c.source_id))
        self._relevant = self._active.where(
            active.c.plan.in_(sa.bindparam("plans", expanding=True)),
            active.c.tenant_id.in_(sa.bindparam("tenants", expanding=True)),
        )

    def newest(self, connection: Connection) -> int:
        """Return the number of the newest activation, 0 before the first."""
        return connection.scalar(sa.select(sa.func.max(self._tables.rule_activation.c.number))) or 0

    def active(self, connection: Connection) -> list[Active]:
        """Return every file that was ever active, as it is now."""
        return [_active(row) for row in connection.execute(self._active)]

    def relevant(self, connection: Connection, plan: str, tenant_id: int) -> list[Active]:
        """Return the files that a tenant of a plan may obey."""
        given = {"plans": ["", plan], "tenants": [0, tenant_id]}
        return [_active(row) for row in connection.execute(self._relevant, given)]

    def payload(self, connection: Connection, digest: str) -> str | None:
        """Return a compiled rule set, if it is kept."""
        table = self._tables.rule_set
        found: str | None = connection.scalar(sa.select(table.c.payload).where(table.c.digest == digest))
        return found

    def texts(self, connection: Connection, ids: Iterable[int]) -> dict[int, RuleFile]:
        """Return contents by their ids."""
        table, wanted, found = self._tables.rule_source, sorted(set(ids)), {}
        for at in range(0, len(wanted), 500):
            query = sa.select(table).where(table.c.id.in_(wanted[at : at + 500]))
            for row in connection.execute(query):
                found[row.id] = RuleFile(row.name, row.scope, row.text)
        return found

    def files(self, *, as_of: int | None = None) -> list[RuleFile]:
        """Return the files that hold now, or that held after an activation, by name.

        :param as_of: number of the activation
        """
        with self._home.connect() as connection:
            if as_of is None:
                ids = [f.source_id for f in self.active(connection)]
            else:
                ids = [row.source_id for row in self.switched(connection, as_of).values()]
            return sorted(self.texts(connection, [i for i in ids if i is not None]).values())

    def switched(self, connection: Connection, as_of: int) -> Mapping[str, Any]:
        """Return the last switch of each file up to an activation, by name."""
        table = self._tables.rule_switch
        query = sa.select(table).where(table.c.activation <= as_of).order_by(table.c.activation)
        return {row.name: row for row in connection.execute(query)}

    def all(self, *, limit: int = 0, name: str = "", number: int = 0) -> list[Activated]:
        """Return activations, the newest first.

        :param limit: how many at most, 0 for all
        :param name: only those that have switched this file
        :param number: only this one
        """
        act, switch, source = self._tables.rule_activation, self._tables.rule_switch, self._tables.rule_source
        query = sa.select(act).order_by(act.c.number.desc())
        if name:
            query = query.where(act.c.number.in_(sa.select(switch.c.activation).where(switch.c.name == name)))
        if number:
            query = query.where(act.c.number == number)
        if limit:
            query = query.limit(limit)
        before = source.alias()
        steps = (
            sa.select(
                switch,
                sa.func.coalesce(source.c.scope, before.c.scope).label("scope"),
                source.c.digest.label("digest"),
                before.c.digest.label("previous"),
            )
            .select_from(
                switch.outerjoin(source, source.c.id == switch.c.source_id).outerjoin(
                    before, before.c.id == switch.c.previous_id
                )
            )
            .order_by(switch.c.name)
        )
        with self._home.connect() as connection:
            rows = connection.execute(query).all()
            numbers = [row.number for row in rows]
            by: dict[int, list[Switch]] = {one: [] for one in numbers}
            for at in range(0, len(numbers), 500):
                for s in connection.execute(steps.where(switch.c.activation.in_(numbers[at : at + 500]))):
                    by[s.activation].append(
                        Switch(
                            s.name,
                            s.scope or "",
                            s.source_id,
                            s.previous_id,
                            s.digest or "",
                            s.previous or "",
                        )
                    )
        return [
            Activated(row.number, _utc(row.at), row.author, row.reason, row.back_to, tuple(by[row.number]))
            for row in rows
        ]


def _active(row: Any) -> Active:
    return Active(row.name, row.plan, row.tenant_id, row.source_id, row.activation, row.scope, row.digest)


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
