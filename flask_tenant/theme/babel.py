"""Flask-Babel speaks the tenant's language and shows its time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flask
from flask import Flask

from ..context import Scope
from .composing import Theme

_REMEMBERED = ("babel_locale", "babel_tzinfo")
"""What Flask-Babel remembers for the length of an application context."""

_MARK = "flask_tenant"


class Language:
    """Puts the tenant's language and time zone before what the application would choose. Follows each scope.

    :param current: gives the theme that holds
    """

    def __init__(self, current: Callable[[], Theme]) -> None:
        self._current = current
        self._kept: dict[Scope, dict[str, Any]] = {}

    def look(self, app: Flask) -> bool:
        """Put it in place if the application uses Flask-Babel. Cheap, and idempotent.

        :returns: whether it is in place
        """
        babel = app.extensions.get("babel")
        if babel is None or not hasattr(babel, "locale_selector"):
            return False
        if not getattr(babel.locale_selector, _MARK, False):
            babel.locale_selector = self._before("language", babel.locale_selector)
            babel.timezone_selector = self._before("timezone", babel.timezone_selector)
        return True

    def _before(self, token: str, original: Callable[[], Any] | None) -> Callable[[], Any]:
        def select() -> Any:
            return self._current().value(token) or (original() if original is not None else None)

        setattr(select, _MARK, True)
        return select

    def enter(self, scope: Scope) -> None:
        """Forget what the tenant before has chosen."""
        if flask.has_app_context():
            place = self._place()
            self._kept[scope] = {name: vars(place).pop(name) for name in _REMEMBERED if name in vars(place)}

    def leave(self, scope: Scope) -> None:
        """Bring back what was chosen around this tenant."""
        kept = self._kept.pop(scope, None)
        if kept is not None and flask.has_app_context():
            place = self._place()
            for name in _REMEMBERED:
                vars(place).pop(name, None)
            vars(place).update(kept)

    def _place(self) -> Any:
        from flask_babel import _get_current_context

        return _get_current_context()
