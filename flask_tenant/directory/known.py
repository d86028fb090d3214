"""Which names exist at all: so that a scan of made-up host names asks neither Redis nor SQL.

Each name is eight bytes in a sorted array. A stranger's name that happens to look like one of them costs a query and
nothing else.
"""

from __future__ import annotations

import logging
from array import array
from bisect import bisect_left
from threading import Lock

from .store import Store

log = logging.getLogger("flask_tenant")

LOAD_AFTER = 16
"""Unknown names that are looked up in SQL before it is worth reading all names."""

LIMIT = 4_000_000
"""Names beyond which they are not kept."""

EXTRA_LIMIT = 4_096

_MASK = (1 << 64) - 1


def _hash(kind: str, key: str) -> int:
    # Python's own hash of strings is keyed with a secret of the process.
    return hash((kind, key)) & _MASK


class Known:
    """The names of a directory as of one of its changes.

    :param store: read once, and after changes
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.forget()

    def forget(self) -> None:
        """Begin again; also after a fork."""
        self._lock = Lock()
        self._sorted: array[int] | None = None
        self._extra: set[int] = set()
        self._as_of = -1
        self._unknown = 0
        self._too_many = False

    @property
    def size(self) -> int:
        """How many names are kept."""
        return len(self._sorted or ()) + len(self._extra)

    def may_exist(self, kind: str, key: str, top: int) -> bool:
        """Whether a name may lead somewhere; if not, it led nowhere as of the change ``top``."""
        if self._sorted is None and self._unknown < LOAD_AFTER:
            return True
        # Whoever finds somebody else reading does not wait for it.
        if (self._sorted is None or self._as_of < top) and not self._read(top):
            return True
        names, wanted = self._sorted, _hash(kind, key)
        if names is None or self._as_of < top or wanted in self._extra:
            return True
        at = bisect_left(names, wanted)
        return at < len(names) and names[at] == wanted

    def missed(self) -> None:
        """Note that SQL was asked for a name that is not there."""
        self._unknown += 1

    def _read(self, top: int) -> bool:
        if self._too_many or not self._lock.acquire(blocking=False):
            return False
        try:
            if self._sorted is None or not self._catch_up():
                self._load()
            return not self._too_many
        finally:
            self._lock.release()

    def _catch_up(self) -> bool:
        changes = self._store.changes(self._as_of)
        if changes.tenants is None:
            return False
        if changes.tenants:
            self._extra |= {_hash(kind, key) for kind, key in self._store.names_of(changes.tenants)}
        self._as_of = changes.number
        return len(self._extra) <= EXTRA_LIMIT

    def _load(self) -> None:
        number = self._store.number()
        names = array("Q")
        for kind, key in self._store.names():
            names.append(_hash(kind, key))
            if len(names) > LIMIT:
                self._too_many = True
                log.warning(
                    "The directory has more than %s names: made-up ones are looked up in SQL from now on",
                    LIMIT,
                )
                return
        self._sorted, self._extra, self._as_of = array("Q", sorted(names)), set(), number
