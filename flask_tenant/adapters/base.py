"""What a part around the SQL may know: the application, its settings, and whose turn it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import flask
from flask import Flask

from ..context import Scope, current_scope
from ..model import Resolution, Tenant
from ..settings import Settings


@dataclass(frozen=True, eq=False)
class Around:
    """One application, as its surroundings see it.

    :param app: the Flask application
    :param here: the scope that holds for the running code, the application's fallback included
    :param find: looks a tenant up by its id
    :param enter: enters a scope with everything that must follow it
    :param resolution: who the current request is for; ``None`` outside requests, and in one that nobody resolved
    """

    app: Callable[[], Flask]
    settings: Settings
    here: Callable[[], Scope | None]
    find: Callable[[int], Tenant | None]
    enter: Callable[[Scope], AbstractContextManager[Scope]]
    resolution: Callable[[], Resolution | None]

    def tenant(self) -> Tenant | None:
        """The tenant that the running code works for."""
        scope = self.here()
        return scope.tenant if scope is not None else None


class Part:
    """One library that has to follow the tenant. One object for each application.

    A part that has something to open and close with each scope is an :class:`~flask_tenant.protocols.Adapter` too.
    """

    name: str
    """What ``TENANT_ADAPTERS_OFF`` calls it."""

    def look(self, around: Around) -> bool:
        """Put the part in place if the application uses its library. Called often: cheap, and idempotent.

        :returns: whether it is in place
        """
        raise NotImplementedError


_sources: list[Callable[[], Iterable[Around]]] = []


def ask(source: Callable[[], Iterable[Around]]) -> None:
    """Let ``source`` say which applications there are."""
    _sources.append(source)


def registered() -> list[Around]:
    """The applications that parts of the whole process (loggers, caches, workers) may work for."""
    return [around for source in _sources for around in source()]


def current(part: str) -> Around | None:
    """Return the application that the running code belongs to, for parts that serve the whole process.

    :param part: its name; an application that has switched it off does not count
    :returns: ``None`` when Tenancy has nothing to say here
    """
    if flask.has_app_context():
        app = flask.current_app._get_current_object()  # type: ignore[attr-defined]
        found = [around for around in registered() if around.app() is app]
    else:
        found = registered()
    found = [around for around in found if part not in around.settings.adapters_off]
    return found[0] if found else None


def space(part: str) -> str | None:
    """Return the name of the space that the running code keeps its things in.

    :param part: the asking part
    :returns: ``t3`` in the tenant of id 3, ``central`` in central work, ``nobody`` outside any tenant, and ``None``
        where there is no Tenancy
    """
    scope = current_scope()
    if scope is None or scope.internal:
        around = current(part)
        if around is None:
            return None
        scope = around.here()
    elif current(part) is None:
        return None
    if scope is None:
        return "nobody"
    return "central" if scope.tenant is None else f"t{scope.tenant_id}"
