"""Which tenant the running code works for.

A :class:`Scope` is entered by an edge (WSGI, CLI, job) or by ``tenant_context``, and left in reverse order. It lives
in a context variable, so that threads, greenlets and asyncio tasks each see their own.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING

import click
import flask

from .errors import NoTenantError, TenantError
from .model import Tenant

if TYPE_CHECKING:
    from .protocols import Adapter

NO_TENANT_HINT = (
    "Enter one with tenant_context('slug') or, for a command, 'flask tenant run --tenant slug COMMAND'; name a default "
    "for shells and tests with TENANT_DEFAULT, or do central work in central_context(reason=...)"
)


def commanded() -> bool:
    """Whether a command of Flask's is running, such as ``flask init-db``, outside any request."""
    return click.get_current_context(silent=True) is not None and not flask.has_request_context()


class Scope:
    """One stay in a tenant, in central work or in the template.

    :param tenant: ``None`` in central work
    :param reason: why isolation was left; only in central work
    :param internal: true while flask_tenant itself talks to the database
    :param key: whose sessions it uses: equal for a scope and those within it for the same tenant; by default its own

    ``capped`` lists the results that rules have cut in this scope: (table, rows that are left, rule). ``home`` is where
    the directory is that knows the tenant; ``None`` if only one can be meant.
    """

    __slots__ = ("capped", "ended", "home", "internal", "key", "outer", "reason", "tenant", "tenant_id")

    def __init__(
        self, tenant: Tenant | None, *, reason: str = "", internal: bool = False, key: Hashable = None
    ) -> None:
        if tenant is not None and (type(tenant.id) is not int or tenant.id < 0):
            raise TenantError(f"The tenant id {tenant.id!r} is no positive integer", value=tenant.id)
        self.outer: Scope | None = None
        self.home: Hashable = None
        self.ended = False
        self.key: Hashable = key if key is not None else object()
        self.tenant = tenant
        self.tenant_id = tenant.id if tenant is not None else None
        self.reason = reason
        self.internal = internal
        self.capped: tuple[tuple[str, int, str], ...] = ()

    @property
    def central(self) -> bool:
        """Whether this is central work."""
        return self.tenant is None

    def chain(self) -> Iterator[Scope]:
        """Return this scope and those around it, innermost first."""
        at: Scope | None = self
        while at is not None:
            yield at
            at = at.outer

    def __repr__(self) -> str:
        if self.tenant is None:
            return f"<Scope central: {self.reason}>"
        return f"<Scope {self.tenant.slug} ({self.tenant.id})>"


_scope: ContextVar[Scope | None] = ContextVar("flask_tenant_scope", default=None)


def current_scope() -> Scope | None:
    """Return the innermost scope, or ``None`` outside any."""
    return _scope.get()


def current_tenant() -> Tenant:
    """Return the tenant that the running code works for.

    :raises NoTenantError: outside any tenant
    """
    scope = _scope.get()
    if scope is None or scope.tenant is None:
        raise NoTenantError("No tenant is active", hint=NO_TENANT_HINT)
    return scope.tenant


class entered:  # noqa: N801 - read as a word: with entered(scope)
    """Make ``scope`` the current one for the length of a ``with`` block.

    A class, where a generator would read more easily: every request makes one.

    :param adapters: opened in order, closed in reverse order
    """

    __slots__ = ("_adapters", "_opened", "_scope")

    def __init__(self, scope: Scope, adapters: tuple[Adapter, ...] = ()) -> None:
        self._scope = scope
        self._adapters = adapters
        self._opened = 0

    def __enter__(self) -> Scope:
        scope = self._scope
        outer = _scope.get()
        if outer is not None and scope in outer.chain():
            raise TenantError(f"{scope!r} is entered a second time", hint="Enter a new scope")
        scope.outer = outer
        _scope.set(scope)
        try:
            for adapter in self._adapters:
                adapter.enter(scope)
                self._opened += 1
        except BaseException:
            entered.__exit__(self)  # and not a derived class's, which has not been entered yet
            raise
        return scope

    def __exit__(self, *exc: object) -> None:
        scope = self._scope
        here = _scope.get()
        # A response that nobody closed is collected some time later, in somebody else's context: leave that alone.
        # A scope within this one that nobody left, such as a loop's that was ended by break, ends with it.
        if here is scope or (here is not None and scope in here.chain()):
            _scope.set(scope)
            failed: BaseException | None = None
            for adapter in reversed(self._adapters[: self._opened]):
                try:
                    adapter.leave(scope)
                except BaseException as error:
                    failed = failed or error  # the others are closed nevertheless
            _scope.set(scope.outer)
            if failed is not None:
                raise failed


class nobody:  # noqa: N801
    """Work for nobody, whatever scope is around: a request that names no tenant."""

    __slots__ = ("_token",)

    def __enter__(self) -> None:
        self._token = _scope.set(None)

    def __exit__(self, *exc: object) -> None:
        with suppress(ValueError):  # collected in another context, see above
            _scope.reset(self._token)


class internal:  # noqa: N801
    """Let flask_tenant's own statements (directory, inspection) through, unchanged."""

    __slots__ = ("_mine",)

    def __enter__(self) -> None:
        # A scope of its own: a block in a generator that is collected some time later must not bring back, in the
        # middle of somebody else's, what held when it was entered.
        self._mine = Scope(None, reason="flask_tenant itself", internal=True)
        self._mine.outer = _scope.get()
        _scope.set(self._mine)

    def __exit__(self, *exc: object) -> None:
        self._mine.ended = True
        if _scope.get() is not self._mine:
            return
        outer = self._mine.outer
        while (
            outer is not None and outer.ended
        ):  # blocks that were not left in the order in which they were entered
            outer = outer.outer
        _scope.set(outer)
