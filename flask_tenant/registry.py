"""The applications that have Tenancy in this process, and which of them the running code belongs to."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, cast

import flask
from flask import Flask

from . import adapters
from .context import Scope, current_scope
from .errors import ConfigurationError
from .model import Resolution
from .wsgi import RESOLUTION

if TYPE_CHECKING:
    from .application import Application

KEY = "tenancy"

COMMANDED = "TENANCY_TENANT"
"""Environment variable in programs that ``flask tenant run`` starts: the tenant that holds where nothing names one."""

_apps: weakref.WeakSet[Application] = weakref.WeakSet()


def living() -> list[Application]:
    """Return the states of the applications that are still there: one may be gone, and its state not yet collected."""
    return [state for state in list(_apps) if state.alive]


def state_of(app: Flask | None = None) -> Application:
    """Return Tenancy's state of an application: the given one, the current one, or the only one.

    :raises ConfigurationError: when none, or more than one, comes into question
    """
    if app is None and flask.has_app_context():
        app = flask.current_app
    if app is not None:
        if KEY not in app.extensions:
            raise ConfigurationError(
                f"Tenancy is not registered with {app.name!r}", hint="Tenancy().init_app(app)"
            )
        return cast("Application", app.extensions[KEY])
    states = living()
    if len(states) != 1:
        raise ConfigurationError(
            f"{len(states)} applications in this process have Tenancy, and none is current",
            value=len(states),
            hint="Push an application context: with app.app_context()",
        )
    return states[0]


def _here() -> Scope | None:
    """The scope that holds for the running code, the application's fallback included."""
    scope = current_scope()
    if scope is None and flask.has_app_context():
        state = flask.current_app.extensions.get(KEY)
        scope = state.fallback(asked=False) if state is not None else None
    return scope


def _resolution() -> Resolution | None:
    """Who the current request is for."""
    return flask.request.environ.get(RESOLUTION) if flask.has_request_context() else None


adapters.ask(lambda: [state.around for state in living()])
