"""``assert_isolated``: what one tenant sees and writes stays away from another.

Two tenants, and three ways to tell a leak:

* a value that only one of them holds turns up in what the other one sees;
* what one of them sees changes when the other one's rows change (counts and sums show nothing else);
* rows of one of them change while the other one works.

The database is read past every wall to know who holds what. It refuses to pass where nothing could have been seen.
"""

from __future__ import annotations

import inspect
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from ..application import Application
from ..model import TEMPLATE_ID, Tenant
from .client import tenant_client
from .marks import HeldRow, Snapshot, found_in, snapshot, text_of
from .tables import table_subject
from .tenants import as_tenant, state_for, tenant_for
from .verdict import LeakFoundError, Look, NothingProvenError

Subject = Callable[..., Any]


def assert_isolated(
    subject: Subject | type | sa.Table | str,
    *,
    fill: Callable[..., Any] | None = None,
    tenants: tuple[Tenant | str, Tenant | str] = ("alpha", "beta"),
    app: Flask | None = None,
    client: Callable[[Tenant], FlaskClient] | None = None,
) -> None:
    """Prove that what one tenant sees and writes stays away from another.

    :param subject: a callable that returns what a tenant sees (with one argument, it gets a test client on the
        tenant's host instead of being called inside the tenant); a path, which is fetched; or a model or table
    :param fill: writes rows of the tenant that is active, and commits; with one argument, it gets a text to put into
        them that is found nowhere else. Needed where subjects return counts and sums, and where tables are empty
    :param tenants: tenants or slugs; created where they are missing. Their rows stay
    :param app: by default the current application, the one of our fixtures, or the only one that has Tenancy
    :param client: returns a test client for a tenant, such as one that is logged in
    :raises LeakFoundError: with the row that leaked
    :raises NothingProvenError: when nothing could have been seen
    """
    state = state_for(app)
    with state.app.app_context():
        first, second = (tenant_for(state, tenant, create=True) for tenant in tenants)
    if first.id == second.id:
        raise NothingProvenError(f"Both tenants are {first.slug!r}")
    if isinstance(subject, (type, sa.Table)):  # noqa: SIM108 - types are told apart by it
        look = table_subject(state, subject)
    else:
        look = _subject(state, subject, client)
    _Trial(state, (first, second), look, fill).run()


def _subject(
    state: Application, subject: Subject | str, client: Callable[[Tenant], FlaskClient] | None
) -> Look:
    clients: dict[int, FlaskClient] = {}

    def client_for(tenant: Tenant) -> FlaskClient:
        if tenant.id not in clients:
            clients[tenant.id] = client(tenant) if client is not None else tenant_client(state.app, tenant)
        return clients[tenant.id]

    if isinstance(subject, str):
        path = subject
        return Look(f"GET {path}", lambda tenant: text_of(client_for(tenant).get(path)))
    name = getattr(subject, "__qualname__", repr(subject))
    if _wants_argument(subject):
        return Look(name, lambda tenant: text_of(subject(client_for(tenant))))

    def see(tenant: Tenant) -> str:
        with as_tenant(tenant, state.app, fresh=True):
            return text_of(subject())  # here: what it returns may still load something

    return Look(name, see)


def _wants_argument(function: Callable[..., Any]) -> bool:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return any(
        p.kind in kinds and p.default is inspect.Parameter.empty
        for p in inspect.signature(function).parameters.values()
    )


@dataclass
class _Trial:
    """One run: fill, look, compare."""

    state: Application
    tenants: tuple[Tenant, Tenant]
    look: Look
    fill: Callable[..., Any] | None
    canaries: dict[int, set[str]] = field(default_factory=dict)
    wrote_shared: dict[int, list[HeldRow]] = field(default_factory=dict)
    shown: dict[int, bool] = field(default_factory=dict)
    now: Snapshot = field(default_factory=Snapshot)

    def run(self) -> None:
        first, second = self.tenants
        for tenant in self.tenants:
            self.canaries[tenant.id], self.wrote_shared[tenant.id] = set(), []
            self.shown[tenant.id] = False
        self.now = self._snapshot()
        for tenant in self.tenants:
            self._fill(tenant)
        for tenant in self.tenants:
            self._need_rows(tenant)
        # The first one again after the second: what the second left in a cache is seen by then.
        before = [self._see(tenant) for tenant in (first, second, first, second)][2:]
        if self.fill is not None:
            self._changes(first, second, before)
        for tenant in self.tenants:
            if not self.shown[tenant.id]:
                self._nothing_shown(tenant, before[self.tenants.index(tenant)])

    def _snapshot(self) -> Snapshot:
        return snapshot(self.state, self.tenants)

    def _other(self, tenant: Tenant) -> Tenant:
        return next(t for t in self.tenants if t.id != tenant.id)

    # ---- steps
    def _fill(self, tenant: Tenant) -> None:
        if self.fill is None:
            return
        canary = f"Kx{secrets.token_hex(5)}"
        with as_tenant(tenant, self.state.app, fresh=True):
            if _wants_argument(self.fill):
                self.canaries[tenant.id].add(canary)
                self.fill(canary)
            else:
                self.fill()
        self._compare(tenant, "fill")

    def _see(self, tenant: Tenant) -> str:
        seen = self.look.see(tenant)
        if self._compare(tenant, self.look.what):
            self.shown[tenant.id] = True
        self._search(tenant, seen)
        return seen

    def _changes(self, first: Tenant, second: Tenant, before: list[str]) -> None:
        """Change one tenant's rows, and look whether the other one notices."""
        steady = {t.id: self._see(t) == b for t, b in zip(self.tenants, before, strict=True)}
        seen = {t.id: b for t, b in zip(self.tenants, before, strict=True)}
        for filled, other in ((first, second), (second, first)):
            self._fill(filled)
            there = self._see(other)
            if steady[other.id] and there != seen[other.id]:
                raise LeakFoundError(
                    f"{self.look.what}: what {other.slug} sees has changed with rows of {filled.slug}, "
                    f"from {_short(seen[other.id])} to {_short(there)}"
                )
            here = self._see(filled)
            if steady[filled.id] and here != seen[filled.id]:
                self.shown[filled.id] = True
            seen[filled.id] = here

    # ---- what tells a leak
    def _compare(self, worker: Tenant, what: str) -> bool:
        """Look at whose rows have changed while a tenant worked, and return whether its own have."""
        before, after = self.now, self._snapshot()
        self.now = after
        for owner, name in (
            (self._other(worker).id, self._other(worker).slug),
            (TEMPLATE_ID, "the template"),
        ):
            was, now = before.held.get(owner, {}), after.held[owner]
            changed = [now[key] for key in now.keys() - was.keys()] or [
                was[key] for key in was.keys() - now.keys()
            ]
            if changed:
                verb = "written" if changed[0].key in now else "changed or deleted"
                raise LeakFoundError(f"{what}: {worker.slug} has {verb} a row of {name}: {changed[0]}")
        self.wrote_shared[worker.id] += [
            after.shared[key] for key in after.shared.keys() - before.shared.keys()
        ]
        return before.held.get(worker.id) != after.held[worker.id]

    def _marks(self, owner: Tenant) -> dict[str, str]:
        """What only this tenant has written, and where it stands."""
        written = {row.key: row for row in self.wrote_shared[owner.id]}
        rows = [*written.values(), *self.now.held[owner.id].values()]  # nothing keeps the former apart
        if self.look.table is not None:
            rows = [row for row in rows if row.table == self.look.table]
        anybodys = self.now.texts(self._other(owner).id) | self.now.texts(TEMPLATE_ID)
        for key, row in self.now.shared.items():
            if key not in written:
                anybodys |= set(row.marks())
        found = {mark: str(row) for row in reversed(rows) for mark in row.marks() if mark not in anybodys}
        for canary in self.canaries[owner.id]:
            found[canary] = next((str(row) for row in rows if canary in str(row)), "a row that is gone")
        return found

    def _search(self, reader: Tenant, seen: str) -> None:
        """Look for both tenants' marks in what one has seen."""
        owner = self._other(reader)
        own = self.now.texts(reader.id)
        for mark, where in self._marks(owner).items():
            if found_in(seen, mark) and not any(mark in text for text in own):
                raise LeakFoundError(
                    f"{self.look.what}: {reader.slug} sees {mark!r}, which is {owner.slug}'s: {where}"
                )
        if not self.shown[reader.id]:
            self.shown[reader.id] = any(found_in(seen, mark) for mark in self._marks(reader))

    # ---- what would prove nothing
    def _need_rows(self, tenant: Tenant) -> None:
        rows = [r for r in self.now.held[tenant.id].values() if self.look.table in (None, r.table)]
        if rows:
            return
        where = f"table {self.look.table!r} is empty" if self.look.table else "every table is empty"
        hint = (
            "Does fill() commit, and to a table of this database?" if self.fill
            else "Write rows for both tenants first, or pass fill="
        )  # fmt: skip
        raise NothingProvenError(f"{self.look.what}: in {tenant.slug}, {where}: nothing could leak. {hint}")

    def _nothing_shown(self, tenant: Tenant, seen: str) -> None:
        hint = (
            "Let it return what it reads, and let fill(text) write the text that it is given"
            if self.fill
            else "Give the tenants rows with different texts of 3 characters or more, or pass fill="
        )
        raise NothingProvenError(
            f"{self.look.what}: {tenant.slug} sees nothing that is its own, so nothing is proven: "
            f"{_short(seen)}. {hint}"
        )


def _short(text: str) -> str:
    return repr(text if len(text) <= 200 else f"{text[:200]}…")
