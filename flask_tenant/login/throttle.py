"""How often somebody may try: for each account, wherever from; and from each network, whatever account.

An attempt is counted before it is looked at, so that many at once are counted, too; one that succeeds is taken back.
"""

from __future__ import annotations

import ipaddress
import math
import unicodedata
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from limits import RateLimitItem, parse
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter
from sqlalchemy.dialects import postgresql, sqlite

from ..errors import ConfigurationError, TooManyAttemptsError
from .store import Clock, Connect, Tables, Tidying, digest_of, now, utc

LIMITS: Mapping[str, str] = {
    "login.account": "10 per 15 minutes",
    "login.network": "100 per 15 minutes",
    "begin.network": "300 per 15 minutes",
    "reset.account": "3 per hour",
    "reset.network": "30 per hour",
    "invitation.network": "60 per hour",
    "invite.account": "5 per day",
    "invite.network": "200 per day",
    "discovery.account": "5 per hour",
    "discovery.network": "60 per 15 minutes",
    "signup.account": "5 per day",
    "signup.network": "20 per day",
}
"""What is counted, and how often it may be: ``TENANT_LOGIN_LIMITS`` changes it. What is not named is not limited."""


def network_of(address: str | None) -> str:
    """Return what counts as one network: an IPv4 address, or the 64 bits of an IPv6 address that name a network.

    A household gets 2^64 addresses of IPv6 (RFC 6177): counting each of them would count nothing.
    """
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return "unknown"
    found = getattr(found, "ipv4_mapped", None) or found
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(ipaddress.ip_network((found, 64), strict=False))


def plain(account: str) -> str:
    """Return what an account is counted under: the same for all ways to write it.

    What keeps accounts takes many spellings for one (RFC 4518, section 2, for directories; RFC 5895 for domains of
    addresses); each of them must not be worth as many attempts again. Two accounts that only look alike share theirs.
    """
    text = _folded(account.replace("\u3002", ".").replace("\uff61", "."))
    name, at, domain = text.rpartition("@")
    return name + at + ".".join(map(_spelt_out, domain.split("."))) if at else text


def _folded(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text).casefold()
    return "".join(c for c in folded if unicodedata.category(c)[0] not in "CMZ")


def _spelt_out(label: str) -> str:
    """Return a label of a domain in its own letters: ``xn--`` is another way to write these (RFC 5891, section 2)."""
    try:
        return _folded(label[4:].encode().decode("punycode")) if label.startswith("xn--") else label
    except UnicodeError:
        return label


class _Limit(NamedTuple):
    item: RateLimitItem
    key: str
    once: bool
    """Whether a success takes back one attempt, not all: whoever has an account must not wipe out what they tried."""


class Throttle:
    """Counts attempts, and refuses those that are too many.

    :param connect: opens a transaction on the directory's database
    :param limits: in place of those in :data:`LIMITS`
    :raises ConfigurationError: for limits that make no sense
    """

    def __init__(
        self,
        connect: Connect,
        tables: Tables,
        limits: Mapping[str, str] | None = None,
        clock: Clock = now,
    ) -> None:
        self._storage = _Attempts(connect, tables.people.attempt, clock)
        self._limiter = FixedWindowRateLimiter(self._storage)
        self._clock = clock
        self._limits = {name: _parsed(name, text) for name, text in {**LIMITS, **(limits or {})}.items()}

    def hit(self, kind: str, *, account: str = "", network: str = "") -> None:
        """Count an attempt.

        :param kind: what is tried: ``login``, ``reset``, ``signup``, …
        :param account: which account, in whatever way names it; unknown ones count alike
        :param network: from where, see :func:`network_of`
        :raises TooManyAttemptsError: when there were too many
        """
        over = [
            limit
            for limit in self._of(kind, account, network)
            if not self._limiter.hit(limit.item, kind, limit.key)
        ]
        self._refuse(kind, over)

    def check(self, kind: str, *, account: str = "", network: str = "") -> None:
        """Look whether an attempt would be one too many, and count none.

        :raises TooManyAttemptsError: when it would be
        """
        over = [
            limit
            for limit in self._of(kind, account, network)
            if not self._limiter.test(limit.item, kind, limit.key)
        ]
        self._refuse(kind, over)

    def forgive(self, kind: str, *, account: str = "", network: str = "") -> None:
        """Take back what :meth:`hit` has counted: the attempt has succeeded."""
        for limit in self._of(kind, account, network):
            key = limit.item.key_for(kind, limit.key)
            if limit.once:
                self._storage.incr(key, limit.item.get_expiry(), -1)
            else:
                self._storage.clear(key)

    def take_back(self, kind: str, *, account: str = "", network: str = "") -> None:
        """Take back what :meth:`hit` has counted, and no more: nobody could say whether the attempt was right."""
        for limit in self._of(kind, account, network):
            self._storage.incr(limit.item.key_for(kind, limit.key), limit.item.get_expiry(), -1)

    def _of(self, kind: str, account: str, network: str) -> list[_Limit]:
        wanted = (("account", plain(account), False), ("network", network, True))
        return [
            _Limit(item, f"{what}:{key}", once)
            for what, key, once in wanted
            if key and (item := self._limits.get(f"{kind}.{what}")) is not None
        ]

    def _refuse(self, kind: str, over: list[_Limit]) -> None:
        if not over:
            return
        until = max(self._storage.get_expiry(limit.item.key_for(kind, limit.key)) for limit in over)
        seconds = max(1, math.ceil(until - self._clock().timestamp()))
        what = " and ".join(limit.key.partition(":")[0] for limit in over)
        raise TooManyAttemptsError(
            f"Too many attempts ({kind}) for this {what}",
            seconds=seconds,
            value=[str(limit.item) for limit in over],
            hint=f"Try again in {seconds} seconds",
        )


class _Attempts(Storage):
    """Counts in SQL, which all servers share: those of one process would let an attacker ask each worker in turn."""

    STORAGE_SCHEME = None

    def __init__(self, connect: Connect, table: sa.Table, clock: Clock) -> None:
        super().__init__()
        self._connect, self._table, self._clock = connect, table, clock
        self._tidying = Tidying(table.c.digest, table.c.expires_at)

    @property
    def base_exceptions(self) -> type[Exception]:
        """What going wrong looks like."""
        return sa.exc.SQLAlchemyError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a window, or begin it, and return how many it has."""
        at, table = self._clock(), self._table
        values = {"digest": digest_of(key), "count": amount, "expires_at": at + timedelta(seconds=expiry)}
        with self._connect() as connection:
            make: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
            insert = make(table).values(values)
            over = table.c.expires_at <= at
            added = insert.on_conflict_do_update(
                index_elements=[table.c.digest],
                set_={
                    "count": sa.case((over, amount), else_=table.c.count + amount),
                    "expires_at": sa.case((over, insert.excluded.expires_at), else_=table.c.expires_at),
                },
            ).returning(table.c.count)
            found = connection.scalar(added)
            self._tidying.now_and_then(connection, at)
        return int(found or 0)

    def get(self, key: str) -> int:
        """Return how many a window has."""
        row = self._row(key)
        return 0 if row is None else int(row.count)

    def get_expiry(self, key: str) -> float:
        """Return when a window ends, in seconds since 1970."""
        row = self._row(key)
        until = utc(row.expires_at) if row is not None else None
        return (until or self._clock()).timestamp()

    def _row(self, key: str) -> Any:
        table = self._table
        mine = table.c.digest == digest_of(key), table.c.expires_at > self._clock()
        query = sa.select(table.c["count"].label("count"), table.c.expires_at)
        with self._connect() as connection:
            return connection.execute(query.where(*mine)).one_or_none()

    def check(self) -> bool:
        """Whether the database answers."""
        with self._connect() as connection:
            return connection.scalar(sa.select(1)) == 1

    def clear(self, key: str) -> None:
        """Forget a window."""
        with self._connect() as connection:
            connection.execute(self._table.delete().where(self._table.c.digest == digest_of(key)))

    def reset(self) -> int | None:
        """Forget all windows."""
        with self._connect() as connection:
            connection.execute(self._table.delete())
        return None


def _parsed(name: str, text: str) -> RateLimitItem:
    known = name.rpartition(".")[0] and name.rpartition(".")[2] in ("account", "network")
    try:
        if known:
            return parse(text)
    except ValueError:
        pass
    raise ConfigurationError(
        f"TENANT_LOGIN_LIMITS has {name!r}: {text!r}",
        value=text,
        hint="Such as {'login.account': '10 per 15 minutes', 'login.network': '100 per 15 minutes'}",
    )
