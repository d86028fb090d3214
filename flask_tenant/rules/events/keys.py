"""Under which key an event rule remembers, and how long *once* lasts."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from ...errors import RuleEngineError
from ...evaluation.zones import day_end, zone_named
from ...model import Tenant
from ..model import ALWAYS, Rule, RuleSet


def key_of(rule: Rule, rules: RuleSet, tenant: Tenant, by: Any) -> str:
    """Return the key: 64 hexadecimal digits, from which nobody can tell what was counted.

    A rule whose events, condition, ``count`` or ``once`` are edited has another key, and so starts anew; what it
    does, and other rules, may be edited without.

    :param by: what is counted together
    """
    condition = [
        (repr(rules.guards[index]) if index != ALWAYS else "", repr(residual))
        for index, residual in rule.applies.branches
    ]
    content = (rule.id, rule.scope, sorted(rule.names), condition, repr(rule.count), rule.once)
    whose = (tenant.id, type(by).__name__, str(by))
    return hashlib.sha256(repr((content, whose)).encode()).hexdigest()


def period_end(once: str, now: float, zone: str = "UTC") -> float:
    """Return when the hour, day or month ends, in seconds since 1970.

    :param now: in seconds since 1970
    :param zone: name of the time zone whose clocks and calendar count
    :raises RuleEngineError: for any other period, or a zone that there is not
    """
    at = datetime.fromtimestamp(now, UTC)
    try:
        local = at.astimezone(zone_named(zone))
    except ValueError as error:
        raise RuleEngineError(f"When the {once} ends cannot be told: {error}", value=zone) from error
    if once == "hour":  # by the clocks of now: also where they are put forward or back within the hour
        passed = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        return (at - passed + timedelta(hours=1)).timestamp()
    if once == "day":
        last = local.date()
    elif once == "month":
        last = (local.date().replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    else:
        raise RuleEngineError(f"once: {once!r} is no period", value=once, hint="Use hour, day or month")
    end = day_end(last, zone)
    return (end if end > at else at + timedelta(hours=1)).timestamp()  # clocks put back over midnight
