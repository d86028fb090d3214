"""Facts about the running code, which the conditions of rules name.

The application says what it knows::

    @tenancy.facts.provider("roles", Kind.TEXTS)
    def roles():
        return [role.name for role in current_user.roles]

A provider is asked for each statement whose tenant has rules that name its fact, so it should be quick. ``None`` means
that it does not know; an error refuses the statement. While it is being asked, the facts of all providers are unknown
to the statements that it executes itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias, TypeVar

import click
import flask

from ..context import Scope
from ..errors import ConfigurationError, RuleEngineError
from ..evaluation import EXACT, coerce
from ..evaluation.zones import day_of
from ..expressions import ZONE, Kind
from ..model import Resolution, Tenant

Provider: TypeAlias = Callable[[], Any]
P = TypeVar("P", bound=Provider)

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*\Z")
_RESERVED = frozenset({"row", "old", "new", "rows", "true", "false", "null", "in"})
_asking: ContextVar[bool] = ContextVar("flask_tenant_facts_asked", default=False)


ZoneOf: TypeAlias = Callable[[Tenant], str]
"""Tells a tenant's time zone by its name, ``""`` for none."""


def no_zone(tenant: Tenant) -> str:
    """Tell that a tenant has no time zone of its own."""
    return ""


class Moment:
    """What is the same for all statements of a transaction.

    :param scope: the stay in a tenant
    :param now: in UTC
    :param zone_of: asked once, when a rule asks for the calendar first
    """

    __slots__ = ("_today", "_zone", "_zone_of", "now", "scope")

    def __init__(self, scope: Scope, now: datetime, zone_of: ZoneOf = no_zone) -> None:
        self.scope = scope
        self.now = now
        self._zone_of = zone_of
        self._zone = ""
        self._today: date | None = None

    @property
    def zone(self) -> str:
        """Name of the tenant's time zone."""
        if not self._zone:
            tenant = self.scope.tenant
            self._zone = (self._zone_of(tenant) if tenant is not None else "") or "UTC"
        return self._zone

    @property
    def today(self) -> date:
        """The day on which ``now`` is in the tenant's time zone.

        :raises RuleEngineError: when this machine does not know the zone
        """
        if self._today is None:
            self._today = _day(self.now, self.zone)
        return self._today


def _day(now: datetime, zone: str) -> date:
    try:
        return day_of(now, zone)
    except ValueError as error:
        raise RuleEngineError(
            f"What day it is cannot be told: {error}", value=zone, hint="pip install tzdata"
        ) from error


def calendar(now: datetime, zone: str) -> dict[str, Any]:
    """Return the facts that follow from an instant and a time zone: ``today`` and ``month``.

    :raises RuleEngineError: for a zone that there is not
    """
    today = _day(now, zone)
    return {"today": today, "month": today.month}


Reader: TypeAlias = Callable[[Moment], Any]


def read_all(readers: Sequence[Reader], moment: Moment) -> list[Any]:
    """Read facts; those of providers are unknown to the statements that a provider executes itself."""
    if _asking.get():
        return [read(moment) if read in _OWN else None for read in readers]
    token = _asking.set(True)
    try:
        return [read(moment) for read in readers]
    finally:
        _asking.reset(token)


class _Known(NamedTuple):
    kind: Kind
    reader: Reader
    ours: bool


class Facts:
    """The registry of facts: ``tenancy.facts``.

    :param resolution: who the current request is for
    """

    def __init__(self, resolution: Callable[[], Resolution | None] = lambda: None) -> None:
        self.generation = 0
        """Another number after each registration."""
        self._known: dict[str, _Known] = {
            name: _Known(kind, reader, True) for name, (kind, reader) in _FIXED.items()
        }
        for name, kind, function in (
            ("path", Kind.TEXT, _path),
            ("method", Kind.TEXT, _method),
            ("channel", Kind.TEXT, lambda: _channel(resolution())),
            ("user.id", Kind.INT, _user_id),
        ):
            self._known[name] = _Known(kind, _reader(name, kind, function), True)

    def provider(self, name: str, kind: Kind) -> Callable[[P], P]:
        """Register what tells a fact: a decorator. It may take the place of a built-in one.

        :param name: as rules call it, such as ``roles`` or ``user.department``
        :param kind: type of the values
        :raises ConfigurationError: for a name that rules cannot write, or that is taken
        """
        kind = Kind(kind)
        known = self._known.get(name)
        if name in _FIXED or (known is not None and not known.ours):
            raise ConfigurationError(f"The fact {name!r} has a provider already", value=name)
        if not _NAME.match(name) or name.split(".")[0] in _RESERVED:
            raise ConfigurationError(
                f"{name!r} cannot be the name of a fact",
                value=name,
                hint="Small letters, digits and _, with dots between words: roles, user.department",
            )

        def register(function: P) -> P:
            self._known[name] = _Known(kind, _reader(name, kind, function), False)
            self.generation += 1
            return function

        return register

    def offer(self, name: str, kind: Kind, function: Provider) -> None:
        """Tell a fact, unless the application does."""
        known = self._known.get(name)
        if known is None or (known.ours and name not in _FIXED):
            self._known[name] = _Known(kind, _reader(name, kind, function), True)
            self.generation += 1

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """Every fact that rules may name, with its type."""
        return MappingProxyType({name: known.kind for name, known in sorted(self._known.items())})

    def reader(self, name: str, kind: Kind) -> Reader:
        """Return what reads a fact.

        :param kind: that the rules were checked with
        :raises RuleEngineError: when nobody tells this fact, or as another type by now
        """
        known = self._known.get(name)
        if known is None:
            raise RuleEngineError(
                f"Rules ask for the fact {name!r}, and nobody provides it",
                value=name,
                hint=f'@tenancy.facts.provider("{name}", Kind.{kind.name})',
            )
        if known.kind is not kind:
            raise RuleEngineError(
                f"The fact {name!r} is of type {known.kind.value} now; the rules were activated with {kind.value}",
                value=name,
                hint="Check and activate the rules again",
            )
        return known.reader


def _reader(name: str, kind: Kind, function: Provider) -> Reader:
    exact = EXACT.get(kind)

    def read(moment: Moment) -> Any:
        try:
            value = function()
        except Exception as error:
            raise RuleEngineError(
                f"The fact {name!r} cannot be told: {type(error).__name__}: {error}", value=name
            ) from error
        if value is None or value.__class__ is exact:
            return value
        try:
            return coerce(kind, value)
        except RuleEngineError as error:
            raise RuleEngineError(
                f"The fact {name!r}: {error.message}", value=value, hint=error.hint
            ) from None

    return read


# ---- built-in
def _of_tenant(name: str, kind: Kind, tell: Callable[[Any], Any]) -> tuple[Kind, Reader]:
    def read(moment: Moment) -> Any:
        value = tell(moment.scope.tenant)
        if value is None or value.__class__ is EXACT[kind]:
            return value
        raise RuleEngineError(f"The tenant's {name} is no {kind.value}", value=value)

    return kind, read


_FIXED: dict[str, tuple[Kind, Reader]] = {
    "now": (Kind.TIME, lambda moment: moment.now),
    "today": (Kind.DATE, lambda moment: moment.today),
    "month": (Kind.INT, lambda moment: moment.today.month),
    ZONE.name: (Kind.TEXT, lambda moment: moment.zone),
    "tenant.id": _of_tenant("id", Kind.INT, lambda tenant: tenant.id),
    "tenant.slug": _of_tenant("slug", Kind.TEXT, lambda tenant: tenant.slug),
    "tenant.plan": _of_tenant("plan", Kind.TEXT, lambda tenant: tenant.config.get("plan")),
    "plan": _of_tenant("plan", Kind.TEXT, lambda tenant: tenant.config.get("plan")),
}


_OWN = frozenset(reader for _, reader in _FIXED.values())
"""What executes nothing."""


def _path() -> str | None:
    return flask.request.path if flask.has_request_context() else None


def _method() -> str | None:
    return flask.request.method if flask.has_request_context() else None


_BY_TOKEN = frozenset({"token", "jwt"})


def _channel(resolution: Resolution | None) -> str:
    """How the code was called. Nothing that a client writes into a header makes an API call another kind of call."""
    if flask.has_request_context():
        if resolution is not None and resolution.strategy in _BY_TOKEN:
            return "api"
        path = flask.request.path
        return "api" if path == "/api" or path.startswith("/api/") else "page"
    return "cli" if click.get_current_context(silent=True) is not None else "job"


def _user_id() -> Any:
    """The ``id`` of Flask-Login's user, ``None`` when nobody has logged in."""
    if not flask.has_request_context() or not hasattr(flask.current_app, "login_manager"):
        return None
    from flask_login import current_user

    return getattr(current_user, "id", None) if current_user.is_authenticated else None


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)
