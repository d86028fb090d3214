"""A session serves one tenant, and so do the objects that it has loaded.

Its identity map answers ``get()`` without any SQL, so a session that outlives its tenant would hand one tenant's
object to another. The map itself remembers whose rows it holds: it is dropped with them when the session closes, and
leaves a mark on the objects that are still alive, so that no session of another tenant takes them in.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from threading import get_ident
from typing import Any, cast

from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.exc import UnboundExecutionError
from sqlalchemy.orm import Mapper, Session, scoped_session
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.sql.selectable import TableClause
from sqlalchemy.util import ScopedRegistry

from ..context import Scope, _scope, current_scope
from ..errors import TenantChangedError
from .guard import OWNER, notes
from .wall import Wall

_HINT = "A session serves one tenant: close() or remove() it before entering another, or open a new one"


_MARK = "ft_tenant_id"
"""Key in an object's ``info``: the tenant of the session that has loaded it. It is pickled with the object."""

_BEGUN = "ft_begun"
"""Where a session keeps the tenant in which its transaction was begun."""


@cache
def _bound_map(base: Any) -> Any:
    """An identity map that answers the tenant whose rows it holds, and nobody else."""

    class TenantIdentityMap(base):  # type: ignore[misc]
        ft_wall: Wall
        ft_tenant_id: int
        ft_marked = False

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
            scope = _scope.get()  # the usual case first: every Session.get() comes by
            if scope is None or scope.tenant_id != self.ft_tenant_id:
                self._ft_check()
            return super().get(key, default)

        def __getitem__(self, key: Any) -> Any:
            self._ft_check()
            return super().__getitem__(key)

        def values(self) -> Any:
            self._ft_check()
            return super().values()

        # ---- leaving a mark on what lives on without the session
        def safe_discard(self, state: Any) -> None:
            state.info[_MARK] = self.ft_tenant_id
            super().safe_discard(state)

        def _kill(self) -> None:
            if self._dict:
                self._ft_mark_all()
                self.ft_marked = True
            super()._kill()

        def __del__(self) -> None:
            if self._dict and not self.ft_marked:  # a session that nobody has closed
                self._ft_mark_all()

        def _ft_mark_all(self) -> None:
            owner = self.ft_tenant_id
            for state in self.all_states():
                if state.obj() is not None:
                    state.__dict__.setdefault("info", {})[_MARK] = (
                        owner  # state.info, made when it is asked for
                    )

    TenantIdentityMap.__name__ = f"Tenant{base.__name__.lstrip('_')}"
    return TenantIdentityMap


@cache
def _central_map(base: Any) -> Any:
    """An identity map that takes no tenant's rows: two tenants' rows of one id would be one object in it."""

    class CentralIdentityMap(base):  # type: ignore[misc]
        ft_wall: Wall

        def _ft_check(self, state: Any) -> None:
            if _is_tenants(state, self.ft_wall):
                raise self.ft_wall.refuse_central(
                    "Central work was about to load entities over several tenants"
                )

        def _add_unpresent(self, state: Any, key: Any) -> None:
            self._ft_check(state)
            super()._add_unpresent(state, key)

        def add(self, state: Any) -> Any:
            self._ft_check(state)
            return super().add(state)

        def replace(self, state: Any) -> Any:
            self._ft_check(state)
            return super().replace(state)

    return CentralIdentityMap


def _is_tenants(state: Any, wall: Wall) -> bool:
    """Whether an object is made of rows that belong to a tenant."""
    return any(
        isinstance(table, TableClause) and wall.config.is_tenant(table.name, table.schema)
        for table in state.manager.mapper.tables
    )


def bind_session(session: Session, wall: Wall) -> None:
    """Tie a session to the tenant of the current scope.

    :raises TenantChangedError: when it holds, or was begun for, another tenant's rows
    """
    held: Any = session.identity_map
    if wall.shape == "central":
        if hasattr(held, "ft_tenant_id"):
            held._ft_check()
        elif not hasattr(held, "ft_wall"):
            held.__class__ = _central_map(cast(Any, type(held)))
            held.ft_wall = wall
        return
    scope = _scope.get() or wall.fallback()
    if scope is None or scope.tenant_id is None:
        return
    begun = getattr(session, _BEGUN, None)
    if begun is not None and begun != scope.tenant_id:
        raise TenantChangedError(
            f"A session begun under tenant {begun} reaches the database under tenant {scope.tenant_id}",
            hint=_HINT,
        )
    if hasattr(held, "ft_tenant_id"):
        if held.ft_tenant_id != scope.tenant_id:
            held._ft_check()
    elif hasattr(held, "ft_wall"):
        raise TenantChangedError(f"A session of central work is used in {scope!r}", hint=_HINT)
    else:
        held.__class__ = _bound_map(cast(Any, type(held)))
        # All at once: an exchanged class takes an object's compact layout away, see ``guard.notes``.
        held.__dict__ = {**held.__dict__, "ft_wall": wall, "ft_tenant_id": scope.tenant_id}


# ---- objects that come from another session
def _owner(state: Any) -> int | None:
    """The tenant whose session has loaded an object."""
    session = state.session
    held = session.identity_map if session is not None else None
    owner = getattr(held, "ft_tenant_id", None)
    if owner is None and "info" in state.__dict__:
        owner = state.info.get(_MARK)
    return cast("int | None", owner)


def _refuse_stranger(session: Session, state: Any) -> None:
    """Refuse an object of one tenant in a session of another."""
    if state.key is None:
        return  # a new object
    wall = _wall_of(session, state)
    if wall is None:
        return
    owner = _owner(state)
    if owner is None:
        return
    scope = current_scope() or wall.fallback()
    if scope is None or scope.tenant_id != owner:
        raise TenantChangedError(
            f"An object {state.class_.__name__} of tenant {owner} was given to a session in {scope or 'no tenant'}",
            value=state.class_.__name__,
            hint="Load it in the session's own tenant; make_transient() turns it into a new object",
        )


def _wall_of(session: Session, state: Any) -> Wall | None:
    """The wall in front of an object's rows, ``None`` if they belong to no tenant."""
    try:
        wall: Wall | None = getattr(session.get_bind(state.mapper).dialect, "ft_wall", None)
    except UnboundExecutionError:
        return None
    return wall if wall is not None and _is_tenants(state, wall) else None


def _attaching(session: Session, instance: Any) -> None:
    state: Any = instance_state(instance)
    _refuse_stranger(session, state)
    if (
        state.key is not None
        and state.session is not session
        and not hasattr(session.identity_map, "ft_wall")
    ):
        wall = _wall_of(session, state)
        if wall is not None:
            bind_session(session, wall)  # it holds a tenant's object before it has reached the database


def _pickling(state: Any, state_dict: dict[str, Any]) -> None:
    owner = _owner(state) if state.key is not None else None
    if owner is not None:
        state_dict["info"] = {**state_dict.get("info", {}), _MARK: owner}


def _watch_merge() -> None:
    """Look at what ``merge()`` takes in: SQLAlchemy has no event that shows the given object."""
    original: Any = Session._merge

    @wraps(original)
    def merge(self: Session, state: Any, *args: Any, **kw: Any) -> Any:
        _refuse_stranger(self, state)
        return original(self, state, *args, **kw)

    Session._merge = merge  # type: ignore[method-assign]


def _begun(session: Any, transaction: Any) -> None:
    # What is added to a session waits for its first flush: it belongs to the tenant in which it was added.
    if transaction.parent is None:
        scope = _scope.get()
        session.ft_begun = scope.tenant_id if scope is not None else None


def _watch_expunge_all() -> None:
    """Bind the new identity map of a session that forgets its objects and goes on in the same transaction."""
    original: Any = Session.expunge_all

    @wraps(original)
    def expunge_all(self: Session) -> None:
        held: Any = self.identity_map
        original(self)
        if hasattr(held, "ft_wall") and self.in_transaction():
            fresh: Any = self.identity_map
            fresh.__dict__.update({k: v for k, v in vars(held).items() if k.startswith("ft_")})
            fresh.ft_plain = vars(held).get("ft_plain", type(fresh))
            fresh.__class__ = type(held)

    Session.expunge_all = expunge_all  # type: ignore[method-assign]


def _ended(session: Session, transaction: Any) -> None:
    # close() forgets the objects first, and then ends the transaction: the session is nobody's from now on.
    held: Any = session.identity_map
    plain = held.__dict__.get("ft_plain") if transaction.parent is None else None
    if plain is not None and not held.all_states():
        held.__class__ = plain
        for name in [name for name in vars(held) if name.startswith("ft_")]:
            del held.__dict__[name]


def _reached(session: Session, transaction: Any, connection: Connection) -> None:
    wall = getattr(connection.dialect, "ft_wall", None)
    if wall is None:
        return
    try:
        bind_session(session, wall)
    except TenantChangedError:
        # The session keeps the connection, and asks no second time: it is its own tenant's, or nobody's.
        owner = getattr(session.identity_map, "ft_tenant_id", getattr(session, _BEGUN, None))
        notes(connection)[OWNER] = owner if owner is not None else "(central work)"
        raise


def listen() -> None:
    """Watch every session of the process. Sessions on engines without a wall are left alone."""
    if not event.contains(Session, "after_transaction_create", _begun):
        event.listen(Session, "after_transaction_create", _begun)
        event.listen(Session, "after_begin", _reached)
        event.listen(Session, "after_transaction_end", _ended)
        event.listen(Session, "before_attach", _attaching)
        event.listen(Mapper, "pickle", _pickling, raw=True)
        _watch_merge()
        _watch_expunge_all()


def _by_scope(original: Callable[[], Any], here: Callable[[], Scope | None]) -> Callable[[], Any]:
    """Return what tells sessions apart by scope, beside what told them apart before."""

    def key() -> Any:
        scope = _scope.get() or here()
        return original(), scope.key if scope is not None else None

    return key


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
            inner.scopefunc = _by_scope(original, here)
        else:
            # thread-local: make it a registry by thread, then by scope
            registry.registry = ScopedRegistry(registry.session_factory, _by_scope(get_ident, here))

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
        if not getattr(self._registry.registry, "registry", True):
            return  # nobody has one
        try:
            self._outer_key()
        except RuntimeError:
            return  # scoped to an application context that has ended, and closed its session, before us
        self._registry.remove()
