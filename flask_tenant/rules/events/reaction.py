"""What one application's rules do about an event: which of them fire, and what they then do.

Nothing here may break the request in which the event has come: what goes wrong is logged, and told to
``signals.event_failed``. What cannot be known counts as true, so that a rule fires rather than not.
"""

from __future__ import annotations

import json
import logging
from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, cast

from ...errors import RuleEngineError, TenancyError
from ...evaluation import evaluate
from ...expressions import ZONE
from ...model import Tenant
from ...transactions import BusyError
from ..model import ALWAYS, CallHook, Effect, Emit, Rule, RuleSet, Webhook
from .keys import key_of, period_end
from .marks import Marks
from .postponed import Postponed
from .webhooks.outbox import Outbox
from .windows import Windows

log = logging.getLogger("flask_tenant")

BODY_BYTES = 16_384
"""How long a webhook's body may be."""


@dataclass(frozen=True, slots=True)
class Event:
    """What a hook is called with.

    :param facts: what the event was sent with
    :param rule: id of the rule that has fired
    :param at: when it came, in UTC
    """

    name: str
    tenant: Tenant
    facts: Mapping[str, Any]
    rule: str
    at: datetime


class Application(Protocol):
    """What event rules need of the application."""

    def rule_set(self, tenant: Tenant) -> RuleSet | None:
        """Return the rules that hold for a tenant."""

    def facts(self, at: datetime) -> Mapping[str, Any]:
        """Return what is known of the request."""

    def hook(self, name: str) -> Callable[[Event], Any]:
        """Return the application's function of that name."""

    def emit(self, name: str, facts: Mapping[str, Any]) -> None:
        """Send another event."""

    def failed(self, event: Event, error: Exception) -> None:
        """Tell observers that a rule could not do its work."""


class Reaction:
    """What one application's rules do about events.

    :param clock: seconds since 1970
    """

    def __init__(
        self,
        application: Application,
        windows: Windows,
        marks: Marks,
        outbox: Outbox,
        postponed: Postponed,
        clock: Callable[[], float],
    ) -> None:
        self._application = application
        self._windows, self._marks, self._outbox = windows, marks, outbox
        self._postponed, self._clock = postponed, clock

    def to(self, name: str, tenant: Tenant, facts: Mapping[str, Any]) -> None:
        """Act on an event in the current tenant."""
        at = datetime.fromtimestamp(self._clock(), UTC)
        try:
            rules = self._application.rule_set(tenant)
        except Exception as error:
            self._failed(Event(name, tenant, facts, "", at), error, "its rules cannot be read")
            return
        if rules is None:
            return
        for rule in rules.rules:
            if "event" in rule.verbs and name in rule.names:
                self._try(rule, rules, Event(name, tenant, facts, rule.id, at))

    def _try(self, rule: Rule, rules: RuleSet, event: Event, *, patient: bool = False) -> None:
        """Let one rule act on an event."""

        def again() -> None:
            self._try(rule, rules, event, patient=True)

        try:
            self._act(rule, rules, event, patient)
        except BusyError as error:
            if not self._postponed.put_off(again):
                self._failed(event, error, "it could not be counted")
        except Exception as error:
            self._failed(event, error, "its rule did not do all that it says")

    def _act(self, rule: Rule, rules: RuleSet, event: Event, patient: bool) -> None:
        request = self._application.facts(event.at)
        known = ChainMap(dict(event.facts), cast(Any, request))
        if not self._applies(rule, rules, known, event):
            return
        by = self._by(rule, known, event)
        key = key_of(rule, rules, event.tenant, by)
        if rule.count is not None:
            window = rule.count
            if self._windows.add(key, window.within, window.at_least, patient=patient) < window.at_least:
                return
        if not rule.once:
            self._do(rule, event, patient)
            return
        until = period_end(rule.once, self._clock(), request.get(ZONE.name) or "UTC")
        if not self._marks.claim(key, until, patient=patient):
            return
        try:
            self._do(rule, event, patient)
        except BaseException:
            self._later(lambda wait: self._marks.release(key, patient=wait), event, patient)
            raise
        self._later(lambda wait: self._marks.keep(key, until, patient=wait), event, patient)

    # ---- does it fire
    def _applies(self, rule: Rule, rules: RuleSet, facts: Mapping[str, Any], event: Event) -> bool:
        try:
            for index, residual in rule.applies.branches:
                guard = rules.guards[index] if index != ALWAYS else None
                held = True if guard is None else evaluate(guard.test, facts=facts)
                if held is False or (held is None and guard is not None and not guard.possible):
                    continue
                if residual is None:
                    return True
                values = [evaluate(slot, facts=facts) for slot in rules.slots]
                if evaluate(residual, facts=facts, values=values) is not False:
                    return True
        except Exception as error:
            self._failed(event, error, "its rule's condition cannot be worked out, and counts as true")
            return True
        return False

    def _by(self, rule: Rule, facts: Mapping[str, Any], event: Event) -> Any:
        if rule.count is None or rule.count.by is None:
            return None
        try:
            return evaluate(rule.count.by, facts=facts)
        except Exception as error:
            self._failed(event, error, "whose it is cannot be worked out; it counts as nobody's")
            return None

    # ---- what it does
    def _do(self, rule: Rule, event: Event, patient: bool) -> None:
        """Do what the rule says, in order, until something fails."""
        log.info("Event rule %s of tenant %s fires on %s", rule.id, event.tenant.slug, event.name)
        for effect in rule.effects:
            self._effect(effect, event, patient)

    def _effect(self, effect: Effect, event: Event, patient: bool) -> None:
        if isinstance(effect, CallHook):
            self._application.hook(effect.hook)(event)
        elif isinstance(effect, Emit):
            self._application.emit(effect.event, event.facts)
        elif isinstance(effect, Webhook):
            name, body = effect.name, body_of(event)
            self._later(
                lambda wait: self._outbox.put(name, event.tenant.id, body, patient=wait), event, patient
            )

    def _failed(self, event: Event, error: Exception, what: str) -> None:
        log.error(
            "Event %s of tenant %s, rule %s: %s: %s",
            event.name,
            event.tenant.slug,
            event.rule or "(none)",
            what,
            error,
            exc_info=None if isinstance(error, TenancyError) else error,
        )
        try:
            self._application.failed(event, error)
        except Exception:
            log.exception("An observer of failed events has failed itself")

    # ---- what had to wait
    def _later(self, write: Callable[[bool], object], event: Event, patient: bool) -> None:
        """Write something now, or at the scope's end when the database is locked."""

        def again() -> None:
            try:
                write(True)
            except Exception as error:
                self._failed(event, error, "what its rule did could not be written down")

        try:
            write(patient)
        except BusyError:
            if not self._postponed.put_off(again):
                raise


def body_of(event: Event) -> str:
    """Return what a webhook tells of an event: what it was sent with, and nothing of the request.

    :raises RuleEngineError: when that is too much
    """
    content = {
        "event": event.name,
        "rule": event.rule,
        "tenant": event.tenant.slug,
        "at": event.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "facts": dict(event.facts),
    }
    text = json.dumps(content, default=str, ensure_ascii=False)
    if len(text.encode()) > BODY_BYTES:
        raise RuleEngineError(
            f"The facts of {event.name!r} are longer than {BODY_BYTES} bytes of JSON",
            value=event.name,
            hint="Send events with keys, and let the receiver ask for the rest",
        )
    return text
