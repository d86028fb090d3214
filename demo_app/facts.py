"""What can be said of whoever uses the application: for rules about what they may see and do."""

from __future__ import annotations

from typing import Any

from flask import has_request_context
from flask_login import current_user

KNOWN = {"roles": "list(text)"}
"""Facts by name, with their types."""


def roles() -> list[str] | None:
    """What the user works at, ``None`` when nobody has logged in; owners are owners, too."""
    if not has_request_context() or not current_user.is_authenticated:
        return None
    return [*current_user.role_list, current_user.role]


def known_to(extension: Any) -> Any:
    """Tell an extension that decides by facts where to ask for them.

    :param extension: has a registry ``facts``, whose ``provider(name, type)`` is a decorator
    """
    extension.facts.provider("roles", KNOWN["roles"])(roles)
    return extension
