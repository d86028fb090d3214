"""Under which key an event rule remembers, and how long *once* lasts."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from ...errors import RuleEngineError
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


def period_end(once: str, now: float) -> float:
    """Return when the hour, day or month ends, in UTC and seconds since 1970.

    :raises RuleEngineError: for any other period
    """
    at = datetime.fromtimestamp(now, UTC).replace(minute=0, second=0, microsecond=0)
    if once == "hour":
        end = at + timedelta(hours=1)
    elif once == "day":
        end = at.replace(hour=0) + timedelta(days=1)
    elif once == "month":
        end = (at.replace(day=1, hour=0) + timedelta(days=32)).replace(day=1)
    else:
        raise RuleEngineError(f"once: {once!r} is no period", value=once, hint="Use hour, day or month")
    return end.timestamp()
