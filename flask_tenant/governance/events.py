"""Puts event rules together for one application: its rules, its directory's tables, Redis, its hooks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from flask import Flask

from .. import signals
from ..context import current_scope
from ..directory import Directory
from ..hooks import Hooks
from ..model import Tenant
from ..rules.events import Event, Reaction
from ..rules.events.in_sql import SqlWindows
from ..rules.events.known import Known
from ..rules.events.marks import Marks
from ..rules.events.postponed import Postponed
from ..rules.events.webhooks.address import Allowed
from ..rules.events.webhooks.deliver import Deliverer
from ..rules.events.webhooks.outbox import Outbox
from ..rules.events.windows import Windows
from ..rules.model import RuleSet
from ..rules.runtime import Rules
from ..settings import Settings


class EventRules:
    """What event rules need of one application, and what they keep.

    :param sender: of signals: the Tenancy
    :param rules: what holds, and the facts
    :param send: sends another event
    :param clock: seconds since 1970
    """

    def __init__(
        self,
        sender: object,
        app: Callable[[], Flask],
        directory: Directory,
        settings: Settings,
        hooks: Hooks,
        postponed: Postponed,
        rules: Rules,
        *,
        send: Callable[[str, Mapping[str, Any]], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sender, self._app, self._directory, self._settings = sender, app, directory, settings
        self.hook = hooks.__getitem__
        self._rules, self.emit = rules, send
        tables = directory.tables
        self.outbox = Outbox(directory.connect, tables.webhook, clock)
        windows = Windows(SqlWindows(directory.connect, tables.event_time, clock), self._redis())
        marks = Marks(directory.connect, tables.event_mark, clock)
        self.reaction = Reaction(self, windows, marks, self.outbox, postponed, clock)

    def _redis(self) -> Any:
        url = self._settings.redis_url
        if url is None:
            return None
        from ..directory.redis.connections import connector
        from ..rules.events.in_redis import SECONDS, RedisWindows

        connect, space = connector(url, SECONDS), ""

        def begin() -> str:
            nonlocal space
            space = space or f"ft:{self._directory.identity()}:"
            return space

        return RedisWindows(lambda: connect(2), begin)

    def rule_set(self, tenant: Tenant) -> RuleSet | None:
        """Return the rules that hold for a tenant."""
        return self._rules.book.active(tenant)

    def facts(self, at: datetime) -> Mapping[str, Any]:
        """Return what is known of the request."""
        scope = current_scope()
        return Known(self._rules.facts, self._rules.moment(scope, at)) if scope is not None else {}

    def failed(self, event: Event, error: Exception) -> None:
        """Tell observers that a rule could not do its work."""
        signals.event_failed.send(self._sender, event=event, error=error)

    def deliverer(self) -> Deliverer:
        """Return what delivers the webhooks of all tenants."""
        app = self._app()
        allowed = Allowed(self._settings.webhook_hosts)
        return Deliverer(self.outbox, self._directory.find_id, app.secret_key, allowed)
