"""A session serves one tenant.

Its identity map answers ``get()`` without any SQL, so a session that outlives its tenant would hand one tenant's
object to another. The map itself remembers whose rows it holds: it is dropped with them when the session closes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from threading import get_ident
from typing import Any, cast

from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session, scoped_session
from sqlalchemy.util import ScopedRegistry

from ..context import Scope, current_scope
from ..errors import TenantChangedError
from .wall import Wall

_HINT = "A session serves one tenant: close() or remove() it before entering another, or open a new one"


@cache
def _bound_map(base: type[Any]) -> type[Any]:
    """An identity map that answers the tenant whose rows it holds, and nobody else."""

    class TenantIdentityMap(base):  # type: ignore[misc]
        ft_wall: Wall
        ft_tenant_id: int

        def _ft_check(self) -> None:
            scope = current_scope() or self.ft_wall.fallback()
            if scope is not None and scope.internal:
                return
            if scope is None or scope.tenant_id != self.ft_tenant_id:
                raise TenantChangedError(
                    f"A session that holds rows of tenant {self.ft_tenant_id} is used in {scope or 'no tenant'}",
                    hint=_HINT,
                )

        def get(self, key: Any, default: Any = None) -> Any:
            self._ft_check()
            return super().get(key, default)

        def __getitem__(self, key: Any) -> Any:
            self._ft_check()
            return super().__getitem__(key)

    TenantIdentityMap.__name__ = f"Tenant{base.__name__.lstrip('_')}"
    return TenantIdentityMap


def bind_session(session: Session, wall: Wall) -> None:
    """Tie a session to the tenant of the current scope.

    :raises TenantChangedError: when it holds, or was begun for, another tenant's rows
    """
    if wall.shape == "central":
        return
    scope = current_scope() or wall.fallback()
    if scope is None or scope.tenant_id is None:
        return
    begun = session.info.get("ft_begun")
    if begun is not None and begun != scope.tenant_id:
        raise TenantChangedError(
            f"A session begun under tenant {begun} reaches the database under tenant {scope.tenant_id}", hint=_HINT
        )
    held: Any = session.identity_map
    if not hasattr(held, "ft_tenant_id"):
        held.__class__ = _bound_map(type(held))
        held.ft_wall = wall
        held.ft_tenant_id = scope.tenant_id
    elif held.ft_tenant_id != scope.tenant_id:
        held._ft_check()


def _begun(session: Session, transaction: Any) -> None:
    # What is added to a session waits for its first flush: it belongs to the tenant in which it was added.
    scope = current_scope()
    if transaction.parent is None:
        session.info["ft_begun"] = scope.tenant_id if scope is not None else None


def _reached(session: Session, transaction: Any, connection: Connection) -> None:
    wall = getattr(connection.dialect, "ft_wall", None)
    if wall is not None:
        bind_session(session, wall)


def listen() -> None:
    """Watch every session of the process. Sessions on engines without a wall are left alone."""
    if not event.contains(Session, "after_transaction_create", _begun):
        event.listen(Session, "after_transaction_create", _begun)
        event.listen(Session, "after_begin", _reached)


def _key(here: Callable[[], Scope | None]) -> Any:
    scope = here()
    return scope.key if scope is not None else None


class ScopedSessions:
    """Gives each scope a session of its own from the application's ``scoped_session``.

    :param registry: the application's ``scoped_session``
    :param here: returns the scope that holds for the running code
    """

    def __init__(self, registry: scoped_session[Any], here: Callable[[], Scope | None]) -> None:
        self._registry = registry
        inner: Any = registry.registry
        original: Callable[[], Any] = getattr(inner, "scopefunc", get_ident)
        self._outer_key = original
        if hasattr(inner, "scopefunc"):
            inner.scopefunc = lambda: (original(), _key(here))
        else:
            # thread-local: make it a registry by thread, then by scope
            registry.registry = ScopedRegistry(
                registry.session_factory, lambda: (get_ident(), _key(here))
            )

    @classmethod
    def of(cls, registry: scoped_session[Any], here: Callable[[], Scope | None]) -> ScopedSessions:
        """Return the adapter of a registry: one, however many applications share it."""
        found = registry.__dict__.get("ft_adapter")
        if found is None:
            found = registry.__dict__["ft_adapter"] = cls(registry, here)
        return cast(ScopedSessions, found)

    def enter(self, scope: Scope) -> None:
        """Nothing to do: the first use makes the scope's session."""

    def leave(self, scope: Scope) -> None:
        """Close the scope's session."""
        try:
            self._outer_key()
        except RuntimeError:
            return  # scoped to an application context that has ended, and closed its session, before us
        self._registry.remove()
