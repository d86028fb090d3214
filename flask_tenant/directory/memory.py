"""What one process keeps of tenants: bounded, for a stated time, and told of changes.

Changes are numbered. What is kept is current as of the newest change that the process has heard of (``top``): an
answer that was read before that change is not kept, however late it comes.
"""

from __future__ import annotations

import time
from threading import Lock
from typing import Any

from cachetools import FIFOCache

from ..model import Tenant, Token

NEGATIVE_SIZE = 1_000
"""How many keys that lead to nobody are remembered."""

NEGATIVE_SECONDS = 10.0


class Entry:
    """A tenant in memory. All keys that lead to it share one entry, which ends for all of them at once.

    :param until: when it stops being valid, by the monotonic clock
    """

    __slots__ = ("tenant", "until")

    def __init__(self, tenant: Tenant, until: float) -> None:
        self.tenant = tenant
        self.until = until


class _Ids(FIFOCache[int, Entry]):
    """Entries by id. One that is dropped here could not be told of a change any more: it ends."""

    def popitem(self) -> tuple[int, Entry]:
        key, entry = super().popitem()
        entry.until = 0.0
        return key, entry


class Memory:
    """Tenants and tokens in memory. Reading takes no lock, writing does.

    :param size: how many tenants are kept; as many slugs, domains, former slugs and tokens
    :param seconds: how long each is kept
    """

    def __init__(self, size: int, seconds: float) -> None:
        self._size = size
        self._seconds = seconds
        self.top = -1
        self.followed = -1
        self.emptied = 0
        """How often everything was forgotten."""
        self.fresh_until = 0.0
        """Until when nobody has to ask whether there were changes."""
        self._make()
        self.renew_lock()

    def renew_lock(self) -> None:
        """Forget who holds the lock: after a fork it may be a thread that is not there."""
        self._lock = Lock()

    def _make(self) -> None:
        size = self._size
        self.ids: _Ids = _Ids(size)
        self.slugs: FIFOCache[str, Entry] = FIFOCache(size)
        self.domains: FIFOCache[str, Entry] = FIFOCache(size)
        self.formers: FIFOCache[str, Entry] = FIFOCache(min(size, NEGATIVE_SIZE))
        self.tokens: FIFOCache[str, tuple[Token, int]] = FIFOCache(size)
        self._made: dict[str, tuple[Entry, Any]] = {}
        self._by: dict[str, FIFOCache[Any, Entry]] = {
            "id": self.ids, "slug": self.slugs, "domain": self.domains, "former": self.formers,
        }  # fmt: skip
        self._nobody: FIFOCache[tuple[str, str | int], tuple[int, float]] = FIFOCache(NEGATIVE_SIZE)

    def get(self, kind: str, key: Any) -> Tenant | None:
        """Return the tenant that a key leads to, ``None`` when it is not kept."""
        entry = self._by[kind].get(key)
        return entry.tenant if entry is not None and time.monotonic() < entry.until else None

    def is_nobody(self, kind: str, key: str | int) -> bool:
        """Whether a key is known to lead to nobody."""
        found = self._nobody.get((kind, key))
        return found is not None and found[0] >= self.top and time.monotonic() < found[1]

    def put(self, kind: str, key: str | int, tenant: Tenant | None, as_of: int) -> None:
        """Keep an answer, unless something has changed since.

        :param as_of: number of the newest change that it reflects
        """
        now = time.monotonic()
        with self._lock:
            if as_of < self.top:
                return
            if tenant is None:
                self._nobody[kind, key] = as_of, now + min(self._seconds, NEGATIVE_SECONDS)
                return
            entry = self.ids.get(tenant.id)
            if entry is None or now >= entry.until or entry.tenant.version < tenant.version:
                self._end(tenant.id)
                entry = Entry(tenant, now + self._seconds)
                self.ids[tenant.id] = self.slugs[tenant.slug] = entry
                for host in tenant.domains:
                    self.domains[host] = entry
            if kind == "former":
                self.formers[str(key)] = entry

    def put_token(self, digest: str, token: Token | None, version: int, as_of: int) -> None:
        """Keep what is known of a token; it is valid while its tenant has that version."""
        if token is None:
            self.put("token", digest, None, as_of)
            return
        with self._lock:
            if as_of >= self.top:
                self.tokens[digest] = token, version

    # ---- what was made of tenants
    @property
    def mark(self) -> tuple[int, int]:
        """What holds as long as no change is heard of. Read it before the look-ups that something is made of."""
        return self.top, self.emptied

    def keep(self, name: str, made: Any, tenant: Tenant, mark: tuple[int, int]) -> None:
        """Keep what was made of a tenant, and of nothing else but this directory: until any change is heard of.

        :param name: under which :meth:`recall` returns it
        :param mark: as it was before the first look-up
        """
        with self._lock:
            entry = self.ids.get(tenant.id)
            if mark != (self.top, self.emptied) or entry is None or entry.tenant is not tenant:
                return
            if len(self._made) >= self._size:
                del self._made[next(iter(self._made))]
            self._made[name] = entry, made

    def recall(self, name: str) -> Any:
        """Return what was kept under that name, as long as its tenant is; ``None`` without."""
        kept = self._made.get(name)
        if kept is None:
            return None
        now = time.monotonic()
        return kept[1] if now < kept[0].until and now < self.fresh_until else None

    # ---- changes
    def change(self, number: int, tenants: set[int] | None) -> None:
        """Hear of a change.

        :param tenants: whom it concerns, ``None`` for everybody
        """
        with self._lock:
            if number > self.top:
                # It may be a name that led to nobody, of which something was made.
                self.top, self._made = number, {}
            if tenants is None:
                self._make()
                self.emptied += 1
                return
            for tenant_id in tenants:
                entry = self.ids.get(tenant_id)
                if entry is not None and entry.tenant.version < number:
                    self._end(tenant_id)

    def follow(self, number: int, tenants: set[int] | None, before: int) -> bool:
        """Hear from SQL of all changes up to a number.

        :param before: ``top`` as it was when SQL was asked; a lower number means that a backup was restored
        :returns: whether everything was forgotten
        """
        restored = number < before
        self.change(number, None if restored else tenants)
        with self._lock:
            self.followed = number
            if restored and self.top == before:
                self.top = number
        return restored or tenants is None

    def _end(self, tenant_id: int) -> None:
        entry = self.ids.pop(tenant_id, None)
        if entry is not None:
            entry.until = 0.0
