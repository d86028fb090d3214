"""Who is doing what is written to the audit trail, where nobody has logged in through us."""

from __future__ import annotations

import getpass

import click
import flask


def whoever() -> str:
    """Return who it is, as far as is known: whoever types a command, or the application itself."""
    if flask.has_request_context() or click.get_current_context(silent=True) is None:
        return "application"
    try:
        return f"command:{getpass.getuser()}"
    except (KeyError, OSError):  # no such user in this container
        return "command"
