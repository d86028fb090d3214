"""The templates of our pages, which operators put their own in place of, as of the application's: see ``theme``."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from flask import Flask
from jinja2 import BaseLoader, ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ...theme import Theming


def environment_of(app: Flask, theming: Theming) -> Environment:
    """Return the environment: the application's own ``templates/tenancy/`` comes before what is here.

    One of our own, since the application's has whatever it puts there: what reads its tables for each page, and
    expects somebody to be logged in.
    """
    loaders: list[BaseLoader] = [PackageLoader(__package__)]
    if app.jinja_loader is not None:
        loaders.insert(0, app.jinja_loader)
    made = Environment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=bool(app.config["TEMPLATES_AUTO_RELOAD"] or app.debug),
    )
    made.globals["theme"] = theming.look
    made.filters["moment"] = partial(moment, theming)
    theming.override(made)
    return made


def moment(theming: Theming, at: datetime) -> Markup:
    """Show a time, in the tenant's time zone."""
    zone = theming.look.timezone
    local = at.astimezone(ZoneInfo(zone)) if zone else at
    shown = f"{local.day} {local:%b %Y, %H:%M} {local.tzname()}"
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(timespec="minutes"), shown)
