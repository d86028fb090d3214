"""The rules that a server keeps in memory: one whole version for each tenant, the newest that it has heard of."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace

from sqlalchemy.exc import SQLAlchemyError

from ...errors import RuleEngineError, TenancyError
from ...model import Tenant
from ..model import RuleSet
from .activation import Compile
from .history import Chain, History, RuleFile, chain_for
from .home import Home, plan_of

log = logging.getLogger("flask_tenant")

SIZE = 10_000
"""Of how many tenants rules are kept."""

ASK_AFTER = 1.0
"""Seconds after which a stay in a tenant asks whether its rules have changed; each stay asks at its beginning."""


@dataclass(slots=True)
class _Page:
    """What is known of a tenant's rules.

    :param version: of the tenant as it was when they were read
    :param asked: when that was confirmed, by the monotonic clock
    """

    version: int
    plan: str
    digest: str
    rules: RuleSet | None
    asked: float


_OWN: ContextVar[tuple[int, RuleSet | None] | None] = ContextVar("flask_tenant_rules_tried", default=None)


class RuleBook:
    """The compiled rules of each tenant.

    :param home: the directory
    :param compile: makes a rule set where none is kept, such as for a tenant that has just changed its plan
    :param restore: reads what ``dump`` has written
    :param size: of how many tenants rules are kept
    """

    def __init__(
        self,
        home: Home,
        compile: Compile,  # noqa: A002 - the word for it
        restore: Callable[[str], RuleSet],
        size: int = SIZE,
    ) -> None:
        self._home = home
        self._history = History(home)
        self._compile = compile
        self._restore = restore
        self._size = size
        # Read and written without a lock: each entry is whole, and a lost one is read again.
        self._pages: dict[int, _Page] = {}
        self._sets: dict[str, RuleSet] = {}
        self.loaded = 0
        """How many rule sets were read or compiled: whoever sees another number has not proven those yet."""

    def enter(self, tenant: Tenant) -> None:
        """Hear of a new stay in a tenant: this is when servers look for changes.

        :raises RuleEngineError: when the rules cannot be read
        """
        found = self._home.find_id(tenant.id) or tenant  # it may be a value that somebody has kept for long
        page = self._pages.get(tenant.id)
        if page is None or page.version != found.version:
            self._read(found)
        else:
            page.asked = time.monotonic()

    def active(self, tenant: Tenant) -> RuleSet | None:
        """Return what a tenant has to obey now, ``None`` when there are no rules for it.

        :raises RuleEngineError: when it cannot be told
        """
        tried = _OWN.get()
        if tried is not None and tried[0] == tenant.id:
            return tried[1]
        page = self._pages.get(tenant.id)
        now = time.monotonic()
        if page is not None and now - page.asked < ASK_AFTER:
            return page.rules
        found = self._home.find_id(tenant.id) or tenant
        if page is not None and page.version == found.version:
            page.asked = now
            return page.rules
        return self._read(found)

    @contextmanager
    def trying(self, tenant: Tenant, rules: RuleSet | None) -> Iterator[None]:
        """Let a tenant obey other rules within a block, in the running context only: to explain, or to prove."""
        token = _OWN.set((tenant.id, rules))
        try:
            yield
        finally:
            _OWN.reset(token)

    def forget(self) -> None:
        """Drop what is kept in memory."""
        self._pages.clear()
        self._sets.clear()

    def _read(self, tenant: Tenant) -> RuleSet | None:
        plan = plan_of(tenant)
        had = self._pages.get(tenant.id)
        try:
            with self._home.connect() as connection:
                chain = chain_for(self._history.relevant(connection, plan, tenant.id), plan, tenant.id)
                if chain is None or not chain.files:
                    return self._keep(tenant, plan, "", None)
                if had is not None and had.rules is not None and had.digest == chain.digest:
                    same = (
                        had.rules
                        if had.rules.version == chain.version
                        else replace(had.rules, version=chain.version)
                    )
                    return self._keep(tenant, plan, chain.digest, same)
                made = self._sets.get(chain.digest)
                payload = self._history.payload(connection, chain.digest) if made is None else None
                texts = (
                    self._history.texts(
                        connection, [f.source_id for f in chain.files if f.source_id is not None]
                    )
                    if made is None and payload is None
                    else {}
                )
            if made is None:
                made = self._restore(payload) if payload is not None else self._made(chain, texts, tenant)
                _bounded(self._sets, self._size)
                self._sets[chain.digest] = made
        except TenancyError as error:
            raise RuleEngineError(
                f"The rules of the tenant {tenant.slug!r} cannot be used: {error.message}",
                value=tenant.slug,
                hint="Nothing is shown until they can: 'flask tenant rules check', then activate or roll back",
            ) from error
        except (SQLAlchemyError, ValueError, TypeError, KeyError) as error:
            raise RuleEngineError(
                f"The rules of the tenant {tenant.slug!r} cannot be read: {type(error).__name__}: {error}",
                value=tenant.slug,
                hint="Nothing is shown until they can be",
            ) from error
        self.loaded += 1
        return self._keep(
            tenant, plan, chain.digest, replace(made, tenant=tenant.slug, version=chain.version)
        )

    def _made(self, chain: Chain, texts: dict[int, RuleFile], tenant: Tenant) -> RuleSet:
        """Compile what no activation has seen together, as after a change of the plan."""
        log.info("The rules of %s are compiled: its plan has none that are", tenant.slug)
        files = [texts[f.source_id] for f in chain.files if f.source_id is not None]
        return self._compile(files, tenant)

    def _keep(self, tenant: Tenant, plan: str, digest: str, rules: RuleSet | None) -> RuleSet | None:
        _bounded(self._pages, self._size)
        self._pages[tenant.id] = _Page(tenant.version, plan, digest, rules, time.monotonic())
        return rules


def _bounded(kept: dict[object, object] | dict[int, _Page] | dict[str, RuleSet], size: int) -> None:
    """Let go of the oldest where there are too many. Threads may do so at once: one finds it gone."""
    with suppress(KeyError, StopIteration, RuntimeError):
        while len(kept) >= size:
            kept.pop(next(iter(kept)))  # type: ignore[call-overload]
