"""Central routes: what is served where no tenant is named, such as a page to sign up, or a health check.

A route that nobody has declared is not served there. Declaring one takes nothing away from isolation: without a
tenant there is no tenant data, and at a tenant's own address the route works inside that tenant, like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Blueprint, Flask
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from .errors import ConfigurationError, TenantError

_MARK = "tenant_central"
View = TypeVar("View", bound=Callable[..., Any])


def central_route(*, reason: str) -> Callable[[View], View]:
    """Declare that a view is also served where no tenant is named. Put it below the route's own decorator.

    :param reason: why; for those who read the code, and for ``flask tenant doctor``
    :raises TenantError: without a reason
    """
    _check(reason)

    def mark(view: View) -> View:
        view.__dict__[_MARK] = reason
        return view

    return mark


def _check(reason: str) -> None:
    if not reason.strip():
        raise TenantError(
            "A central route without a reason", hint="central_route(reason='people sign up here')"
        )


class CentralRoutes:
    """Which routes of an application are central."""

    def __init__(self) -> None:
        self._blueprints: dict[int, tuple[Blueprint, str]] = {}
        self._endpoints: dict[str, str] = {"static": "the application's own static files"}

    def add(self, target: Blueprint | Callable[..., Any] | str, reason: str) -> None:
        """Declare a blueprint (those registered on it included), a view or an endpoint.

        :raises TenantError: without a reason
        """
        _check(reason)
        if isinstance(target, Blueprint):
            self._blueprints[id(target)] = (target, reason)
        elif isinstance(target, str):
            self._endpoints[target] = reason
        elif callable(target):
            target.__dict__[_MARK] = reason
        else:
            raise ConfigurationError(
                f"{target!r} cannot be a central route",
                value=target,
                hint="Pass a blueprint, a view or an endpoint",
            )

    def reason(self, app: Flask, endpoint: str) -> str | None:
        """Return why an endpoint is central, or ``None`` when it is not."""
        if endpoint in self._endpoints:
            return self._endpoints[endpoint]
        view: Any = app.view_functions.get(endpoint)
        for marked in (view, getattr(view, "view_class", None)):
            found = getattr(marked, _MARK, None)
            if isinstance(found, str):
                return found
        name = endpoint
        while "." in name:
            name = name.rpartition(".")[0]
            blueprint: Any = app.blueprints.get(name)
            if id(blueprint) in self._blueprints:
                return self._blueprints[id(blueprint)][1]
        return None

    def serves(self, app: Flask, environ: dict[str, Any]) -> bool:
        """Whether a request that names no tenant is for a central route."""
        try:
            adapter = app.create_url_adapter(app.request_class(environ))
            if adapter is None:
                return False
            rule, _ = adapter.match(return_rule=True)
        except RequestRedirect:
            return True  # to the same address with or without a slash, which is asked for anew
        except HTTPException:
            return False
        return self.reason(app, rule.endpoint) is not None
