"""What the person who calls the doctor tells it: a TOML file, and options of the command."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError

_ROUTE_KEYS = {"skip", "args", "query", "data", "json", "headers"}


@dataclass(slots=True)
class RoutePlan:
    """What is known of one route.

    :param skip: why it is not to be called
    :param args: values of the rule's arguments; ``{id}`` stands for a row's id
    :param query: the query string to call it with
    :param data: the form to send, for methods that take one
    :param json: the JSON body to send
    :param headers: headers to send
    """

    skip: str = ""
    args: dict[str, Any] = field(default_factory=dict)
    query: str = ""
    data: dict[str, Any] | None = None
    json: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Plan:
    """How to examine the application.

    :param methods: the HTTP methods to call
    :param login: ``package:function`` that logs a test client in; it is called with the client and the tenant
    :param allow: ``host:port`` of services on this machine that the application may reach
    :param values: what to write into columns, by ``table.column``
    :param routes: by endpoint
    """

    methods: tuple[str, ...] = ("GET",)
    login: str = ""
    allow: tuple[str, ...] = ()
    values: dict[str, Any] = field(default_factory=dict)
    routes: dict[str, RoutePlan] = field(default_factory=dict)


def read_plan(path: Path) -> dict[str, Any]:
    """Read a plan file.

    :raises ConfigurationError: when it is no TOML or has a key that means nothing
    """
    try:
        data = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"The plan {path} cannot be read: {error}", value=str(path)) from error
    plan_of(data)
    return data


def plan_of(data: dict[str, Any]) -> Plan:
    """Return the plan that a TOML file says.

    :raises ConfigurationError: for a key that means nothing
    """
    known = {"methods", "login", "allow", "values", "routes"}
    _check(set(data), known, "the plan")
    routes = {}
    for endpoint, route in data.get("routes", {}).items():
        _check(set(route), _ROUTE_KEYS, f"routes.{endpoint!r}")
        routes[endpoint] = RoutePlan(**route)
    return Plan(
        methods=tuple(method.upper() for method in data.get("methods", ["GET"])),
        login=data.get("login", ""),
        allow=tuple(data.get("allow", ())),
        values=dict(data.get("values", {})),
        routes=routes,
    )


def _check(found: set[str], known: set[str], where: str) -> None:
    unknown = sorted(found - known)
    if unknown:
        raise ConfigurationError(
            f"Unknown keys in {where}: {', '.join(unknown)}",
            value=unknown,
            hint=f"Known are: {', '.join(sorted(known))}",
        )
