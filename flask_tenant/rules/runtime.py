"""Hands what the rules have decided to the wall, statement by statement.

Within a transaction one version of the rules and one ``now`` hold; the facts are those of each statement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from typing import Any, Protocol

from ..context import Scope, _scope
from ..decision import Decision, Ruling
from ..errors import RuleEngineError, TenancyError
from ..model import Tenant
from ..protocols import RuleHolder
from . import facts as known
from .compose import remember
from .decide import Decider, kinds_asked
from .engine import Engine, durable_rules
from .facts import Facts, Moment, Reader, ZoneOf, no_zone, read_all
from .model import RuleSet

PLANS = 1024
"""Tenants of which what was decided is kept."""

_count = count()


class RuleBook(Protocol):
    """Knows the rules of each tenant."""

    def active(self, tenant: Tenant) -> RuleSet | None:
        """Return what a tenant has to obey now, ``None`` when there are no rules for it.

        :raises RuleEngineError: when it cannot be told
        """


@dataclass(frozen=True, slots=True)
class Plan:
    """How one tenant's rules are decided.

    :param generation: of the facts, when they were looked up
    """

    rules: RuleSet
    decider: Decider
    readers: tuple[Reader, ...]
    generation: int


class _Pin:
    """What holds for one holder until its transaction ends, and its last ruling. The holder itself has it."""

    __slots__ = ("last", "moment", "plan", "tenant_id")

    def __init__(self, tenant_id: int, plan: Plan | None, moment: Moment | None) -> None:
        self.tenant_id = tenant_id
        self.plan = plan
        self.moment = moment
        self.last: tuple[list[Any], Ruling] | None = None


class Rules:
    """Says what rules hold for the running code: the wall's :class:`~flask_tenant.protocols.RuleSource`.

    :param here: the scope that holds, whether entered or by default
    :param facts: what is known about a request
    :param book: where the active rules are
    :param tables: names of all tables, which ``"*"`` stands for
    :param engine: made when the first tenant has rules
    :param clock: gives the present moment, in UTC
    :param zone_of: tells in which time zone a tenant's days begin
    """

    def __init__(
        self,
        here: Callable[[], Scope | None],
        facts: Facts,
        book: RuleBook,
        tables: Callable[[], Iterable[str]],
        engine: Callable[[], Engine] = durable_rules,
        clock: Callable[[], datetime] = known.now,
        zone_of: ZoneOf = no_zone,
    ) -> None:
        self.facts = facts
        self.book = book
        self._here = here
        self._tables = tables
        self._engine = engine
        self._clock = clock
        self._zone_of = zone_of
        # Applications may share an engine, and each has rules of its own.
        self._key = f"ft_rules_{next(_count)}"
        self._plans: dict[int, Plan] = {}

    def ruling(self, holder: RuleHolder) -> Ruling | None:
        """Return what holds for the next statement, ``None`` when the current tenant has no rules."""
        scope = _scope.get() or self._here()  # every transaction comes by
        if scope is None or not scope.tenant_id or scope.internal:
            return None  # central work, the template and ourselves
        held: dict[str, Any] = holder.ft_held
        pin: _Pin | None = held.get(self._key)
        if pin is None or pin.tenant_id != scope.tenant_id:
            pin = held[self._key] = self._pin(scope)
        plan, moment = pin.plan, pin.moment
        if plan is None or moment is None:
            return None
        facts = read_all(plan.readers, moment)
        last = pin.last
        if last is not None and last[0] == facts:
            return last[1]
        ruling = self._ruling(plan, facts)
        pin.last = (facts, ruling)
        return ruling

    def decide(self, rules: RuleSet, facts: dict[str, Any]) -> Decision:
        """Return what a rule set decides for given facts: for ``explain`` and cases.

        :param facts: typed, by name; what is missing is unknown
        """
        return Decider(rules, self._engine(), self._tables()).decide(facts)

    def current_facts(self) -> dict[str, Any]:
        """Return every fact that is known about the running code, for ``explain``."""
        scope = self._here()
        if scope is None or scope.tenant is None:
            return {}
        kinds = self.facts.kinds
        readers = [self.facts.reader(name, kind) for name, kind in kinds.items()]
        return dict(zip(kinds, read_all(readers, self.moment(scope)), strict=True))

    def current(self) -> Ruling | None:
        """Return what holds outside any statement, such as for a page's theme."""
        scope = self._here()
        if scope is None or not scope.tenant_id or scope.internal:
            return None
        pin = self._pin(scope)
        if pin.plan is None or pin.moment is None:
            return None
        return self._ruling(pin.plan, read_all(pin.plan.readers, pin.moment))

    def moment(self, scope: Scope, at: datetime | None = None) -> Moment:
        """Return what facts are read in.

        :param at: in UTC; now by default
        """
        return Moment(scope, at or self._clock(), self._zone_of)

    def _ruling(self, plan: Plan, facts: list[Any]) -> Ruling:
        decider = plan.decider
        given = dict(zip(decider.facts, facts, strict=True))
        try:
            return Ruling(decider.decide(given), decider.values(given))
        except TenancyError:
            raise
        except Exception as error:  # whatever it is: without a decision nothing may be executed
            raise RuleEngineError(
                f"The rules of {plan.rules.tenant!r} cannot be decided: {type(error).__name__}: {error}",
                value=plan.rules.tenant,
            ) from error

    def _pin(self, scope: Scope) -> _Pin:
        tenant = scope.tenant
        rules = self.book.active(tenant) if tenant is not None else None
        if tenant is None or rules is None:  # as for most tenants
            return _Pin(scope.tenant_id or 0, None, None)
        return _Pin(tenant.id, self._plan(tenant, rules), self.moment(scope))

    def _plan(self, tenant: Tenant, rules: RuleSet) -> Plan:
        plan = self._plans.get(tenant.id)
        tables = tuple(self._tables())
        if (
            plan is None
            or plan.rules is not rules
            or plan.generation != self.facts.generation
            or plan.decider.tables != tables
        ):
            plan = self._made(rules, tables)
            remember(self._plans, tenant.id, plan, PLANS)
        return plan

    def _made(self, rules: RuleSet, tables: tuple[str, ...]) -> Plan:
        generation = self.facts.generation
        decider = Decider(rules, self._engine(), tables)
        kinds = kinds_asked(rules)
        readers = tuple(self.facts.reader(name, kinds[name]) for name in decider.facts)
        return Plan(rules, decider, readers, generation)
