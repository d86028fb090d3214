"""Lets templates speak: ``{% trans %}``, ``_()``, ``language()``, and dates."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from jinja2 import Environment, pass_environment

from . import dates
from .speaking import language, message_in_language, plural_in_language


def install(environment: Environment) -> None:
    """Let an environment's templates speak the language that holds when they are rendered.

    What they put into a message is escaped where the template is: a translation is trusted, its values are not.
    """
    environment.add_extension("jinja2.ext.i18n")
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        message_in_language, plural_in_language, newstyle=True
    )
    environment.globals["language"] = language
    environment.filters.update(day=_day, moment=_moment)


def zone_of(environment: Environment) -> str:
    """The tenant's time zone; ``""`` where nobody has said one."""
    theme: Any = environment.globals.get("theme")
    return theme.timezone if theme is not None else ""


@pass_environment
def _day(environment: Environment, at: datetime) -> str:
    return dates.day(at, zone_of(environment))


@pass_environment
def _moment(environment: Environment, at: datetime) -> str:
    return dates.moment(at, zone_of(environment))
