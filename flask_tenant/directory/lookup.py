"""The way of a look-up: memory, then Redis, then SQL."""

from __future__ import annotations

import logging
import os
import time
import weakref
from contextvars import ContextVar
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from ..errors import ConfigurationError
from ..model import Tenant, Token
from .flight import Flights
from .known import Known
from .memory import Memory
from .store import Kind, Store

if TYPE_CHECKING:
    from .redis import Link

log = logging.getLogger("flask_tenant")

POLL_SECONDS = 1.0
"""Seconds after which SQL is asked for changes, unless Redis would have told of them."""

ALL_LIMIT = 2_000
"""How many tenants are kept as a list."""

source: ContextVar[str] = ContextVar("flask_tenant_directory_source", default="")
"""Where the last look-up was answered."""

_Answer = tuple[Tenant | None, str]


class Lookup:
    """Looks tenants up, and keeps what it finds.

    :param seconds: how long an answer may be kept
    :param size: how many tenants are kept in memory
    :param redis_url: of the Redis that servers share, if any
    """

    def __init__(self, store: Store, seconds: float, size: int, redis_url: str | None) -> None:
        self._store = store
        self.memory = Memory(size, seconds)
        self._known = Known(store)
        self._flights = Flights()
        self._polling = Lock()
        self._poll = min(POLL_SECONDS, seconds)
        self._all: tuple[list[Tenant], int, int] = ([], -2, -1)
        self._counted = (0, -2, -1)
        self.link: Link | None = None
        if redis_url is not None:
            try:
                from .redis import Link
            except ImportError as error:
                raise ConfigurationError(
                    f"TENANT_REDIS_URL is set, but redis-py cannot be imported: {error}",
                    hint="pip install 'flask-tenant[redis]'",
                ) from None
            self.link = Link(redis_url, store, self.memory, self._known, seconds)
            weakref.finalize(self, self.link.close)
        _alive.add(self)

    def find(self, kind: Kind, key: str | int) -> Tenant | None:
        """Look a tenant up."""
        self._refresh()
        memory = self.memory
        tenant = memory.get(kind, key)
        if tenant is not None or self._is_nobody(kind, key):
            source.set("memory")
            return tenant
        # A change that comes in between begins another flight: nobody gets an answer from before it.
        tenant, where = self._flights.fly((kind, key, memory.top), lambda: self._fetch(kind, key))
        source.set(where)
        return tenant

    def _is_nobody(self, kind: str, key: str | int) -> bool:
        if self.memory.is_nobody(kind, key):
            return True
        return isinstance(key, str) and not self._known.may_exist(kind, key, self.memory.top)

    def _fetch(self, kind: Kind, key: str | int) -> _Answer:
        memory, link, top, epoch = self.memory, self.link, self.memory.top, ""
        if link is not None:
            link.ensure()
            epoch = link.epoch()
            found = link.look(kind, key)
            if found is not None and found.tenant is not None and found.as_of >= top:
                memory.put(kind, key, found.tenant, found.as_of)
                return found.tenant, "redis"
        answer = self._store.find(kind, key)
        memory.put(kind, key, answer.tenant, answer.as_of)
        if answer.tenant is None:
            self._known.missed()
        elif link is not None:
            link.fill(epoch, answer.tenant, answer.as_of, kind, key)
        return answer.tenant, "sql"

    def find_token(self, digest: str) -> Token | None:
        """Look a token up by the digest of its secret; ``None`` when it is not valid now."""
        self._refresh()
        token, where = self._kept_token(digest), "memory"
        if token is None and not self._is_nobody("token", digest):
            key = ("token", digest, self.memory.top)
            token, where = self._flights.fly(key, lambda: self._fetch_token(digest))
        source.set(where)
        if token is None or token.revoked_at is not None:
            return None
        return token if token.expires_at is None or datetime.now(UTC) < token.expires_at else None

    def _kept_token(self, digest: str) -> Token | None:
        kept = self.memory.tokens.get(digest)
        if kept is None:
            return None
        token, version = kept
        tenant = self.memory.get("id", token.tenant_id)
        return token if tenant is not None and tenant.version == version else None

    def _fetch_token(self, digest: str) -> tuple[Token | None, str]:
        memory, link, top, epoch = self.memory, self.link, self.memory.top, ""
        if link is not None:
            link.ensure()
            epoch = link.epoch()
            found = link.look("token", digest)
            if (
                found is not None
                and found.tenant is not None
                and found.token is not None
                and found.as_of >= top
            ):
                memory.put("id", found.tenant.id, found.tenant, found.as_of)
                memory.put_token(digest, *found.token, found.as_of)
                return found.token[0], "redis"
        answer = self._store.find_token(digest)
        memory.put_token(digest, answer.token, answer.version, answer.as_of)
        if answer.token is None:
            self._known.missed()
            return None, "sql"
        tenant = self.find("id", answer.token.tenant_id)
        if link is not None and tenant is not None and tenant.version == answer.version:
            link.fill(epoch, tenant, answer.as_of, "token", digest, answer.token)
        return answer.token, "sql"

    def all(self) -> list[Tenant]:
        """Return all tenants, in the order of their creation."""
        self._refresh()
        kept, as_of, emptied = self._all
        if as_of >= self.memory.top >= 0 and emptied == self.memory.emptied:
            source.set("memory")
            return list(kept)
        source.set("sql")
        emptied = self.memory.emptied
        found, as_of = self._store.all()
        if len(found) <= ALL_LIMIT:
            self._all = list(found), as_of, emptied
        return found

    def count(self) -> int:
        """Return how many tenants there are."""
        self._refresh()
        number, as_of, emptied = self._counted
        if not as_of >= self.memory.top >= 0 or emptied != self.memory.emptied:
            top, emptied = self.memory.top, self.memory.emptied
            number = self._store.count()
            self._counted = number, top, emptied
        return number

    # ---- changes
    def changed(self, number: int, tenants: set[int] | None, made: Tenant | None) -> None:
        """Hear of a change that this process has made, and tell the others."""
        self.memory.change(number, tenants)
        if self.link is not None:
            self.link.announce(number, tenants, made)

    def _refresh(self) -> None:
        """See whether there were changes, if nobody would have told."""
        memory, now = self.memory, time.monotonic()
        # The first one of all is waited for; later ones by nobody else.
        if now < memory.fresh_until or not self._polling.acquire(blocking=memory.followed < 0):
            return
        try:
            if now < memory.fresh_until:
                return
            memory.fresh_until = now + self._poll
            if self.link is not None:
                self.link.ensure()
            top = memory.top
            changes = self._store.changes(memory.followed)
            if memory.follow(changes.number, changes.tenants, top):
                self._known.forget()
        except SQLAlchemyError as error:
            # What is kept still serves for its time-to-live.
            log.warning("The directory cannot be asked for changes: %s", error)
        finally:
            self._polling.release()

    def forget(self) -> None:
        """Drop what is kept in memory."""
        self.memory.change(self.memory.top, None)
        self._known.forget()

    def close(self) -> None:
        """Let go of Redis."""
        if self.link is not None:
            self.link.close()
            self.link = None

    def _renew(self) -> None:
        """Begin again in a forked process: its threads are gone, and may have held locks."""
        self.memory.renew_lock()
        self.memory.fresh_until = 0.0
        self._polling = Lock()
        self._flights.forget()
        self._known.forget()
        if self.link is not None:
            self.link.renew()


_alive: weakref.WeakSet[Lookup] = weakref.WeakSet()


def _forked() -> None:
    for lookup in list(_alive):
        lookup._renew()


os.register_at_fork(after_in_child=_forked)
