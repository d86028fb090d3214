"""What can be configured: read once from ``app.config``, checked, frozen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from .errors import ConfigurationError

_NAME = re.compile(r"[a-z_][a-z0-9_]*\Z")


@dataclass(frozen=True)
class Settings:
    """The configuration of one application.

    :param shared_tables: ``TENANT_SHARED_TABLES``: tables that belong to no tenant
    :param column: ``TENANT_COLUMN``: name of the hidden column
    :param default: ``TENANT_DEFAULT``: slug of the tenant that holds where nothing names one (shells, tests, and
        requests to a host that has no tenant part)
    :param base_domain: ``TENANT_BASE_DOMAIN``: what follows the tenant's label in host names; ``None`` takes the
        first label of any host with more than one
    :param exempt_engines: ``TENANT_EXEMPT_ENGINES``: bind keys of engines that hold no tenant data
    :param safe_functions: ``TENANT_SAFE_FUNCTIONS``: SQL functions beyond the built-in list that statements may call
    :param safe_objects: ``TENANT_SAFE_OBJECTS``: triggers, views and functions of the database that are vouched for
    :param enforcement: ``TENANT_ENFORCEMENT``: ``enforce``, or ``report`` before going live
    """

    shared_tables: frozenset[str] = frozenset()
    column: str = "tenant_id"
    default: str | None = None
    base_domain: str | None = None
    exempt_engines: frozenset[str] = frozenset()
    safe_functions: frozenset[str] = frozenset()
    safe_objects: frozenset[str] = frozenset()
    enforcement: Literal["enforce", "report"] = "enforce"

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> Settings:
        """Read the ``TENANT_*`` keys of a Flask configuration.

        :raises ConfigurationError: for an unknown key or a value of the wrong kind
        """
        keys = {f"TENANT_{name.upper()}": name for name in cls.__dataclass_fields__}
        values: dict[str, Any] = {}
        for key, value in config.items():
            if not key.startswith("TENANT_"):
                continue
            if key not in keys:
                raise ConfigurationError(
                    f"Unknown setting {key}", value=value, hint=f"Known are: {', '.join(sorted(keys))}"
                )
            values[keys[key]] = _names(key, value) if keys[key] in _SETS else value
        settings = cls(**values)
        settings._check()
        return settings

    def _check(self) -> None:
        if not _NAME.match(self.column):
            raise ConfigurationError(
                f"TENANT_COLUMN is {self.column!r}",
                value=self.column,
                hint="Use lower-case letters, digits and _",
            )
        if self.enforcement not in ("enforce", "report"):
            raise ConfigurationError(
                f"TENANT_ENFORCEMENT is {self.enforcement!r}",
                value=self.enforcement,
                hint="Use 'enforce' or 'report'",
            )


_SETS = frozenset({"shared_tables", "exempt_engines", "safe_functions", "safe_objects"})


def _names(key: str, value: Any) -> frozenset[str]:
    if isinstance(value, str) or not all(isinstance(v, str) for v in value):
        raise ConfigurationError(f"{key} is {value!r}", value=value, hint="Use a list of strings")
    return frozenset(cast("list[str]", value))
