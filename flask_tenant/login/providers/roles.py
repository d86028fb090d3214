"""Which groups of a provider give which roles: the setting ``roles``, which providers of every kind may have."""

from __future__ import annotations

import re
from typing import Any

from ...errors import ProviderError

ROLES = "roles"
"""The setting: ``{"name of a group": ["role", …]}``. Groups that it does not name give nothing."""

_ROLE = re.compile(r"[a-z][a-z0-9_.-]{0,62}\Z")


def check_roles(value: Any) -> None:
    """Make sure that a map from groups to roles makes sense.

    :raises ProviderError: when it does not
    """
    right = isinstance(value, dict) and all(
        isinstance(group, str)
        and group
        and isinstance(roles, list)
        and all(isinstance(role, str) and _ROLE.match(role) for role in roles)
        for group, roles in value.items()
    )
    if not right:
        raise ProviderError(
            f"The setting {ROLES!r} is {value!r}",
            value=value,
            hint='Use {"group": ["role"]}; roles are lower-case: letters, digits, _, . and -, 63 at most',
        )
