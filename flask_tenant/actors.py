"""Who is doing what is written to the audit trail."""

from __future__ import annotations

import getpass

import click
import flask

from .identity import LoginSession


def actor_of(session: LoginSession) -> str:
    """Return who it is that has logged in; an operator who acts as somebody else is named first."""
    person = f"person:{session.person_id}"
    return person if session.impersonator_id is None else f"person:{session.impersonator_id} as {person}"


def whoever() -> str:
    """Return who it is where nobody has logged in through us: whoever types a command, or the application itself."""
    if flask.has_request_context() or click.get_current_context(silent=True) is None:
        return "application"
    try:
        return f"command:{getpass.getuser()}"
    except (KeyError, OSError):  # no such user in this container
        return "command"
