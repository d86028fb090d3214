"""One entry of the trail, and the MAC that ties it to the one before."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from ..errors import ConfigurationError

CENTRAL = 0
"""The chain of what is done for no tenant."""

BEGINNING = ""
"""What takes the place of the MAC before the first entry."""

PRUNED = "audit.pruned"
"""The action of an entry that says which entries before it were removed: ``through`` which number, and that one's
``mac``."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Entry(NamedTuple):
    """Something that was done.

    :param tenant_id: whose chain it is in; 0 for central work
    :param number: its place in the chain, from 1
    :param at: microseconds since 1970
    :param actor: who did it, such as ``person:7``
    :param action: what, such as ``member.removed``
    :param details: JSON
    :param mac: hexadecimal digits; covers all of it, and the MAC before
    """

    tenant_id: int
    number: int
    at: int
    actor: str
    action: str
    details: str
    mac: str = ""

    @property
    def moment(self) -> datetime:
        """When it was done, in UTC. The end of time when somebody has made it unreadable."""
        try:
            return _EPOCH + timedelta(microseconds=self.at)
        except (OverflowError, TypeError):
            return datetime.max.replace(tzinfo=UTC)

    @property
    def known(self) -> dict[str, Any]:
        """What is known of it, by name. Empty when somebody has made it unreadable."""
        try:
            found = json.loads(self.details)
        except (TypeError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


class Keys:
    """The keys of the trail.

    :param secrets: the newest first: it seals what is written, the others are for what was written before
    """

    def __init__(self, secrets: Sequence[str | bytes]) -> None:
        # Keys of our own: the application signs other things with its SECRET_KEY.
        self._keys = [
            hmac.digest(s.encode() if isinstance(s, str) else s, b"flask_tenant.audit", hashlib.sha256)
            for s in secrets
            if s
        ]

    def seal(self, entry: Entry, before: str) -> Entry:
        """Return the entry with its MAC.

        :param before: MAC of the entry before
        :raises ConfigurationError: without a key
        """
        if not self._keys:
            raise ConfigurationError(
                "The audit trail has no key",
                hint="Set SECRET_KEY, or TENANT_AUDIT_KEYS, in the application's configuration",
            )
        return entry._replace(mac=_mac(self._keys[0], entry, before))

    def which(self, entry: Entry, before: str) -> int | None:
        """Return the number of the key that has sealed the entry, 0 the newest; ``None`` when none has."""
        if not all(isinstance(value, int) for value in entry[:3]) or not all(
            isinstance(value, str) for value in (before, *entry[3:])
        ):
            return None  # SQLite keeps anything in any column; nothing of that kind was ever sealed
        for number, key in enumerate(self._keys):
            if hmac.compare_digest(_mac(key, entry, before).encode(), entry.mac.encode(errors="replace")):
                return number
        return None


def _mac(key: bytes, entry: Entry, before: str) -> str:
    # A JSON list: no value of one column can be moved into the next.
    said = json.dumps([before, *entry[:-1]], ensure_ascii=True, separators=(",", ":"))
    return hmac.new(key, said.encode(), hashlib.sha256).hexdigest()
