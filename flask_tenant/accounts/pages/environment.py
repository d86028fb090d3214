"""The templates of our pages, which operators put their own in place of, as of the application's: see ``theme``."""

from __future__ import annotations

from datetime import datetime

from flask import Flask
from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    PackageLoader,
    StrictUndefined,
    pass_environment,
)
from markupsafe import Markup

from ...theme import Theming
from ...translations import Message, dates, translated
from ...translations.speaking import message_in_language
from ...translations.templates import install, zone_of

OUR_ROLES = (Message("administrator"), Message("operator"))
"""Here for the catalogues. What other roles are called, the application's own catalogue may say."""


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
        finalize=translated,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=bool(app.config["TEMPLATES_AUTO_RELOAD"] or app.debug),
    )
    install(made)
    made.globals["theme"] = theming.look
    made.filters.update(moment=moment, role=message_in_language)
    theming.override(made)
    return made


@pass_environment
def moment(environment: Environment, at: datetime) -> Markup:
    """Show a time, in the tenant's time zone."""
    shown = dates.moment(at, zone_of(environment))
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(timespec="minutes"), shown)
