"""Where events come in: from the application, from blinker signals, and from rules that emit them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

from blinker import Signal

from ...context import current_scope, current_tenant
from ...errors import ConfigurationError, RuleEngineError
from ...expressions import Kind
from ...model import Tenant
from .reaction import Reaction

log = logging.getLogger("flask_tenant")

DEPTH_LIMIT = 8
"""How deep events may cause events."""

CAUSED_LIMIT = 100
"""How many events one event may cause in all."""

_NOTHING: Mapping[str, Any] = {}
_NO_KINDS: Mapping[str, Kind] = {}


class _Cause:
    """What one event from outside has caused so far."""

    __slots__ = ("caused", "depth")

    def __init__(self) -> None:
        self.depth = 0
        self.caused = 0


_cause: ContextVar[_Cause | None] = ContextVar("flask_tenant_event_cause", default=None)


class Events(Mapping[str, Mapping[str, Kind]]):
    """Takes events in: ``tenancy.events``. As a mapping: the facts that come with each event that rules may name.

    :param reaction: what the current application's rules do about events
    :param observe: tells observers of an event
    :param mine: whether the current application is one of those whose events these are
    """

    def __init__(
        self,
        reaction: Callable[[], Reaction],
        observe: Callable[[str, Mapping[str, Any], Tenant], object],
        mine: Callable[[], bool] = lambda: True,
    ) -> None:
        self._reaction = reaction
        self._observe = observe
        self._mine = mine
        self._declared: dict[str, Mapping[str, Kind]] = {}

    def declare(self, name: str, facts: Mapping[str, Kind] = _NO_KINDS) -> None:
        """Let rules be about an event.

        :param name: such as ``login.failed``
        :param facts: what comes with it, beside the facts of the request: ``{"user.id": Kind.INT}``
        :raises ConfigurationError: when it was declared with other facts
        """
        known = {fact: Kind(kind) for fact, kind in facts.items()}
        if self._declared.setdefault(name, known) != known:
            raise ConfigurationError(
                f"The event {name!r} is declared twice, with different facts",
                value=name,
                hint="Declare it once, with all facts that come with it",
            )

    def __getitem__(self, name: str) -> Mapping[str, Kind]:
        return self._declared[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._declared)

    def __len__(self) -> int:
        return len(self._declared)

    __hash__ = object.__hash__

    def send(self, name: str, facts: Mapping[str, Any] = _NOTHING, /, **more: Any) -> None:
        """Say that something has happened in the current tenant; its event rules act on it before this returns.

        Whatever goes wrong with rules, hooks or counting is logged and never reaches the caller.

        :param name: such as ``login.failed``
        :param facts: what is known of it, by name, such as ``{"user.id": 7}``; rules see them in place of the
            request's facts of the same name
        :param more: further facts whose names have no dots
        :raises NoTenantError: outside any tenant, where no rules hold
        :raises RuleEngineError: when events have caused this one in a circle; only rules and hooks can meet it
        """
        tenant = current_tenant()
        known = {**facts, **more}
        cause = _cause.get()
        token = None
        if cause is None:
            cause = _Cause()
            token = _cause.set(cause)
        elif cause.depth >= DEPTH_LIMIT or cause.caused >= CAUSED_LIMIT:
            raise RuleEngineError(
                f"The event {name!r} was not acted on: events have caused {cause.caused} others, {cause.depth} deep",
                value=name,
                hint="Some rules emit events that make each other fire; break the circle",
            )
        else:
            cause.caused += 1
        cause.depth += 1
        try:
            self._observe(name, known, tenant)
            self._reaction().to(name, tenant, known)
        finally:
            cause.depth -= 1
            if token is not None:
                _cause.reset(token)

    def connect(
        self,
        signal: Signal,
        name: str,
        facts: Callable[..., Mapping[str, Any] | None] = lambda sender, **values: values,
    ) -> None:
        """Let a blinker signal be an event from now on. Where no tenant is active, it is none.

        :param signal: such as ``flask_login.user_logged_in``
        :param name: of the event
        :param facts: called with what the signal is sent with; returns the event's facts, or ``None`` for no event
        """

        def receive(sender: Any, **values: Any) -> None:
            scope = current_scope()
            if scope is None or scope.tenant is None:
                log.debug("The signal for the event %s came outside any tenant", name)
                return
            if not self._mine():
                return  # signals are the process's: a factory may have built several applications in it
            try:
                found = facts(sender, **values)
            except Exception:
                log.exception("The facts of the event %s could not be read from its signal", name)
                return
            if found is not None:
                self.send(name, found)

        signal.connect(receive, weak=False)


class WebhookNames(set[str]):
    """Names of webhooks that rules may call: ``tenancy.webhooks.add("ops")``. URLs are in tenants' configuration."""
