"""One stay in a tenant, in central work or with nobody: everything that follows the tenant follows it in and out.

A class, where a generator would read more easily: every request makes one.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Protocol

from . import signals
from .context import Scope, _scope, entered
from .protocols import Adapter


class Application(Protocol):
    """What a stay needs of Tenancy's state of an application."""

    adapters: tuple[Adapter, ...]
    requests_stand_alone: bool
    """Whether neither the template nor anybody else is around a request."""
    home: Hashable
    """Where its directory is."""

    @property
    def tenancy(self) -> object:
        """The sender of signals."""

    def discover_for(self, *, request: bool) -> None:
        """Look for engines and sessions."""

    def surrounding(self) -> Scope | None:
        """What holds around a scope that is entered outside any other."""


class Stay(entered):
    """Enters a scope for the length of a ``with`` block.

    :param application: whose adapters and signals follow
    :param request: whether an edge enters it: then engines are looked for only when extensions have come
    """

    __slots__ = ("_application", "_inside", "_request")

    def __init__(self, application: Application, scope: Scope, *, request: bool = False) -> None:
        self._application = application
        self._scope = scope
        self._request = request
        self._inside = False

    def __enter__(self) -> Scope:
        application, scope = self._application, self._scope
        application.discover_for(request=self._request)
        outer = _scope.get()
        if outer is None and not (self._request and application.requests_stand_alone):
            outer = application.surrounding()
        self._adapters = application.adapters
        scope.home = application.home
        if (
            outer is not None
            and outer.tenant_id == scope.tenant_id
            and not outer.central
            and outer.home in (None, scope.home)
        ):
            # Within the same tenant nothing changes: its sessions go on.
            scope.key, self._adapters = outer.key, ()
        self._opened = 0
        entered.__enter__(self)
        try:
            if signals.tenant_entered.receivers:
                signals.tenant_entered.send(application.tenancy, scope=scope)
        except BaseException as error:
            entered.__exit__(self, type(error), error, error.__traceback__)
            raise
        self._inside = True
        return scope

    def __exit__(self, *exc: Any) -> None:
        if not self._inside:
            return
        self._inside = False
        try:
            if signals.tenant_left.receivers:
                signals.tenant_left.send(self._application.tenancy, scope=self._scope)
        finally:
            entered.__exit__(self, *exc)
