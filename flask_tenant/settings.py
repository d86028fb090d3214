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
    :param adapters_off: ``TENANT_ADAPTERS_OFF``: names of adapters that are not put in place
    :param upload_folders: ``TENANT_UPLOAD_FOLDERS``: configuration keys that hold a folder, of which each tenant gets
        a part of its own
    :param external_scheme: ``TENANT_EXTERNAL_SCHEME``: ``http`` or ``https`` in URLs that are made outside requests;
        ``None`` takes Flask's ``PREFERRED_URL_SCHEME``
    :param metrics_tenants: ``TENANT_METRICS_TENANTS``: how many tenants Prometheus metrics name; the busiest ones
    """

    shared_tables: frozenset[str] = frozenset()
    column: str = "tenant_id"
    default: str | None = None
    base_domain: str | None = None
    exempt_engines: frozenset[str] = frozenset()
    safe_functions: frozenset[str] = frozenset()
    safe_objects: frozenset[str] = frozenset()
    enforcement: Literal["enforce", "report"] = "enforce"
    adapters_off: frozenset[str] = frozenset()
    upload_folders: frozenset[str] = frozenset()
    external_scheme: str | None = None
    metrics_tenants: int = 50

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
        unknown = self.adapters_off - ADAPTERS
        if unknown:
            raise ConfigurationError(
                f"TENANT_ADAPTERS_OFF names {', '.join(sorted(unknown))}",
                value=sorted(unknown),
                hint=f"Known are: {', '.join(sorted(ADAPTERS))}",
            )
        if self.external_scheme not in (None, "http", "https"):
            raise ConfigurationError(
                f"TENANT_EXTERNAL_SCHEME is {self.external_scheme!r}",
                value=self.external_scheme,
                hint="Use 'http' or 'https'",
            )
        if type(self.metrics_tenants) is not int or self.metrics_tenants < 0:
            raise ConfigurationError(
                f"TENANT_METRICS_TENANTS is {self.metrics_tenants!r}",
                value=self.metrics_tenants,
                hint="Use a whole number, 0 or more",
            )


_SETS = frozenset(
    {"adapters_off", "exempt_engines", "safe_functions", "safe_objects", "shared_tables", "upload_folders"}
)

ADAPTERS = frozenset(
    {
        "caches",
        "celery",
        "flask-login",
        "logging",
        "opentelemetry",
        "prometheus",
        "rq",
        "sessions",
        "structlog",
        "uploads",
        "urls",
    }
)
"""What ``TENANT_ADAPTERS_OFF`` may name; see :mod:`flask_tenant.adapters`."""


def _names(key: str, value: Any) -> frozenset[str]:
    if isinstance(value, str) or not all(isinstance(v, str) for v in value):
        raise ConfigurationError(f"{key} is {value!r}", value=value, hint="Use a list of strings")
    return frozenset(cast("list[str]", value))
