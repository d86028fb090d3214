"""What to do about a leak, by what was seen when it happened."""

from __future__ import annotations

from .watch import Traces


def advice(where: str, traces: Traces) -> str:
    """Return what to do.

    :param where: where the canary showed
    :param traces: what the call left behind
    """
    if where.startswith("cache "):
        return "This entry of the cache serves both tenants: put the tenant into the cache's keys"
    if traces.cached:
        return f"It came out of the cache (key {traces.cached[0]!r}): put the tenant into the cache's keys"
    if traces.central:
        return (
            f"The request leaves isolation ({traces.central[0]!r}): keep central_context() out of tenants' requests, "
            "or filter what it returns"
        )
    if traces.by_hand:
        return (
            f"The request asks {traces.by_hand[0]} through a connection that was made past SQLAlchemy: use the "
            "tenanted engine or session"
        )
    if traces.exempt:
        return f"The request asks the exempt engine {traces.exempt[0]}: make it tenanted, or keep tenants' rows away"
    if traces.read:
        return f"It was read from the file {traces.read[0]}: keep each tenant's files in a folder of its own"
    if not traces.statements:
        return (
            "No statement ran for this answer: it was kept in the process's memory (a module-level variable, "
            "lru_cache, a kept object). Put the tenant's id into its key, or keep it in flask.g"
        )
    return (
        "Something was kept from another tenant's request (a module-level variable, a memoized function, a kept object "
        "or a table that all tenants share): put the tenant's id into its key, or keep it in flask.g"
    )
