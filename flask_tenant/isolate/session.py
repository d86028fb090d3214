"""A session serves one tenant, and so do the objects that it has loaded.

Its identity map answers ``get()`` without any SQL, so a session that outlives its tenant would hand one tenant's
object to another. The map itself remembers whose rows it holds: it is dropped with them when the session closes, and
leaves a mark on the objects that are still alive, so that no session of another tenant takes them in.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import cache, wraps
from threading import get_ident
from typing import Any, cast

from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.exc import UnboundExecutionError
from sqlalchemy.orm import Mapper, Session, identity, scoped_session
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.sql.selectable import TableClause
from sqlalchemy.util import ScopedRegistry

from ..context import Scope, _scope, current_scope
from ..errors import TenantChangedError
from .guard import OWNER, notes
from .wall import Wall

_HINT = "A session serves one tenant: close() or remove() it before entering another, or open a new one"


_MARK = "ft_tenant_id"
"""Key in an object's ``info``: the tenant of the session that has let it go. It is pickled with the object."""

_BEGUN = "ft_begun"
"""Where a session keeps the tenant in which its transaction was begun."""


class _Home(weakref.ref[Any]):
    """What each object keeps of the identity map that it is in. It says whose the object is when the map is gone."""

    __slots__ = ("ft_tenant_id",)

    ft_tenant_id: int


@cache
def _bound_map(base: Any) -> Any:
    """An identity map that answers the tenant whose rows it holds, and nobody else.

    Until a session is bound it is nobody's, and like SQLAlchemy's own.
    """
    plain_get = base.get

    class TenantIdentityMap(base):  # type: ignore[misc]
        ft_wall: Any = None
        ft_tenant_id: int | None = None
        ft_stays = False
        """Whether what it holds is the usual engine's, not a replica's: see ``routing``."""
        ft_fresh = False
        """Whether it is the one that a session got when it forgot its objects."""

        def _ft_check(self) -> None:
            scope = current_scope() or self.ft_wall.fallback()
            if scope is not None and scope.internal:
                return
            if scope is None or scope.tenant_id != self.ft_tenant_id:
                raise TenantChangedError(
                    f"A session that holds rows of tenant {self.ft_tenant_id} is used in {scope or 'no tenant'}",
                    hint=_HINT,
                )

        def ft_bind(self, wall: Wall, tenant_id: int) -> None:
            """Belong to a tenant from now on."""
            self.ft_wall = wall
            self.ft_tenant_id = tenant_id
            home = self._wr = _Home(self)
            home.ft_tenant_id = tenant_id
            if self._dict:
                for state in self.all_states():
                    state._instance_dict = home

        def get(self, key: Any, default: Any = None) -> Any:
            owner = self.ft_tenant_id
            if owner is not None:
                scope = _scope.get()  # the usual case first: every Session.get() comes by
                if scope is None or scope.tenant_id != owner:
                    self._ft_check()
            return plain_get(self, key, default)

        def __getitem__(self, key: Any) -> Any:
            if self.ft_tenant_id is not None:
                self._ft_check()
            return super().__getitem__(key)

        def values(self) -> Any:
            if self.ft_tenant_id is not None:
                self._ft_check()
            return super().values()

        def items(self) -> Any:
            if self.ft_tenant_id is not None:
                self._ft_check()
            return super().items()

        def _manage_removed_state(self, state: Any) -> None:
            # An object that leaves alone, without the others, does not keep where it was.
            super()._manage_removed_state(state)
            if self.ft_tenant_id is not None:
                state.info[_MARK] = self.ft_tenant_id

    TenantIdentityMap.__name__ = f"Tenant{base.__name__.lstrip('_')}"
    return TenantIdentityMap


class _CentralMap:
    """Marks the maps of central work."""


@cache
def _central_map(base: Any) -> Any:
    """An identity map that takes no tenant's rows: two tenants' rows of one id would be one object in it."""

    class CentralIdentityMap(_CentralMap, base):  # type: ignore[misc]
        ft_wall: Wall

        def _add_unpresent(self, state: Any, key: Any) -> None:  # what was loaded; nothing else comes so far
            if _is_tenants(state, self.ft_wall):
                raise self.ft_wall.refuse_central(
                    "Central work was about to load entities over several tenants"
                )
            super()._add_unpresent(state, key)

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
    if not hasattr(held, "ft_wall"):  # of a session that is older than listen()
        held.__class__ = _bound_map(cast(Any, type(held)))
    owner = held.ft_tenant_id
    if wall.shape == "central":
        if owner is not None:
            held._ft_check()
        elif held.ft_wall is None:
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
    if owner is not None:
        if owner != scope.tenant_id:
            held._ft_check()
    elif held.ft_wall is not None:
        raise TenantChangedError(f"A session of central work is used in {scope!r}", hint=_HINT)
    else:
        held.ft_bind(wall, scope.tenant_id)


# ---- objects that come from another session
def _owner(state: Any) -> int | None:
    """The tenant whose session has loaded an object."""
    owner = getattr(state._instance_dict, "ft_tenant_id", None)
    if owner is None and "info" in state.__dict__:
        owner = state.info.get(_MARK)
    return cast("int | None", owner)


def _refuse_stranger(session: Session, state: Any) -> None:
    """Refuse an object of one tenant in a session of another."""
    owner = _owner(state) if state.key is not None else None  # a new object is nobody's
    if owner is None:
        return
    scope = _scope.get()
    if scope is not None and scope.tenant_id == owner:
        return
    wall = _wall_of(session, state)
    if wall is None:
        return
    scope = scope or wall.fallback()
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


def _attaching(session: Any, state: Any) -> None:
    """Look at what a session is given: it goes into the identity map, or is flushed, whatever scope there is then."""
    _refuse_stranger(session, state)
    scope = _scope.get()
    if scope is not None and scope.tenant_id is not None:
        owner = getattr(session.identity_map, "ft_tenant_id", None)
        serves = session.ft_begun if owner is None and state.key is None else owner
        if serves == scope.tenant_id:
            return
    wall = _wall_of(session, state)
    if wall is None:
        return
    if state.key is not None and (scope or wall.scope()).central:
        raise wall.refuse_central("A session was given an entity, which stands for any tenant's row here")
    bind_session(session, wall)


def _pickling(state: Any, state_dict: dict[str, Any]) -> None:
    owner = _owner(state)
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


def _watch_bulk() -> None:
    """Look at the objects that are written without being taken in."""
    original: Any = Session.bulk_save_objects

    @wraps(original)
    def bulk_save_objects(self: Session, objects: Any, *args: Any, **kw: Any) -> Any:
        objects = list(objects)
        for each in objects:
            _refuse_stranger(self, instance_state(each))
        return original(self, objects, *args, **kw)

    Session.bulk_save_objects = bulk_save_objects  # type: ignore[method-assign]


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
        wall = getattr(held, "ft_wall", None)
        if wall is not None and self._transaction is not None:
            fresh: Any = self.identity_map
            if held.ft_tenant_id is not None:
                fresh.ft_bind(wall, held.ft_tenant_id)
            else:
                fresh.__class__ = type(held)
                fresh.ft_wall = wall
            fresh.ft_fresh = True
            if held.ft_stays:
                fresh.ft_stays = True

    Session.expunge_all = expunge_all  # type: ignore[method-assign]


def _ended(session: Session, transaction: Any) -> None:
    # close() forgets the objects first, and then ends the transaction: the session is nobody's from now on.
    held: Any = session.identity_map
    if transaction.parent is None and getattr(held, "ft_fresh", False) and not held._dict:
        held.ft_fresh = held.ft_stays = False
        held.ft_wall = held.ft_tenant_id = None
        if isinstance(held, _CentralMap):
            held.__class__ = type(held).__bases__[1]


def _watch_new_maps() -> None:
    """Let each session begin with a map of ours: objects of two classes in one place make CPython slow there."""
    name = next(name for name in ("_WeakInstanceDict", "WeakInstanceDict") if hasattr(identity, name))
    setattr(identity, name, _bound_map(getattr(identity, name)))


def _reached(session: Session, transaction: Any, connection: Connection) -> None:
    wall = getattr(connection.dialect, "ft_wall", None)
    if wall is None:
        return
    try:
        bind_session(session, wall)
    except TenantChangedError:
        # The session keeps the connection, and asks no second time: it is its own tenant's, or nobody's.
        held: Any = session.identity_map
        owner = held.ft_tenant_id
        if owner is None and held.ft_wall is None:
            owner = getattr(session, _BEGUN, None)
        notes(connection)[OWNER] = owner if owner is not None else "(central work)"
        raise


def listen() -> None:
    """Watch every session of the process. Sessions on engines without a wall are left alone."""
    if not event.contains(Session, "after_transaction_create", _begun):
        event.listen(Session, "after_transaction_create", _begun)
        event.listen(Session, "after_begin", _reached)
        event.listen(Session, "after_transaction_end", _ended)
        event.listen(Session, "before_attach", _attaching, raw=True)
        event.listen(Mapper, "pickle", _pickling, raw=True)
        _watch_merge()
        _watch_bulk()
        _watch_new_maps()
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
