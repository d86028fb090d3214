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
    :param table_prefix: ``TENANT_TABLE_PREFIX``: what the names of our own tables start with
    :param directory_url: ``TENANT_DIRECTORY_URL``: database of the directory, if it is to have one of its own
    :param redis_url: ``TENANT_REDIS_URL``: where servers share what they know of tenants
    :param cache_seconds: ``TENANT_CACHE_SECONDS``: how long a tenant may be kept in memory and in Redis
    :param cache_size: ``TENANT_CACHE_SIZE``: how many tenants each process keeps in memory
    """

    shared_tables: frozenset[str] = frozenset()
    column: str = "tenant_id"
    default: str | None = None
    base_domain: str | None = None
    exempt_engines: frozenset[str] = frozenset()
    safe_functions: frozenset[str] = frozenset()
    safe_objects: frozenset[str] = frozenset()
    enforcement: Literal["enforce", "report"] = "enforce"
    table_prefix: str = "tenancy_"
    directory_url: str | None = None
    redis_url: str | None = None
    cache_seconds: float = 60.0
    cache_size: int = 10_000

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
        if not _NAME.match(self.table_prefix) or len(self.table_prefix) > 20:
            raise ConfigurationError(
                f"TENANT_TABLE_PREFIX is {self.table_prefix!r}",
                value=self.table_prefix,
                hint="Use up to 20 lower-case letters, digits and _",
            )
        for name, least in (("cache_seconds", 1), ("cache_size", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or value < least:
                raise ConfigurationError(
                    f"TENANT_{name.upper()} is {value!r}",
                    value=value,
                    hint=f"Use a number that is not below {least}",
                )
        for name in ("directory_url", "redis_url"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, str) or "://" not in value):
                raise ConfigurationError(
                    f"TENANT_{name.upper()} is no URL", hint="Use scheme://host/…, or None"
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
