"""What can be configured: read once from ``app.config``, checked, frozen."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, cast

from .errors import ConfigurationError

_NAME = re.compile(r"[a-z_][a-z0-9_]*\Z")
_PATH = re.compile(r"(?:/[A-Za-z0-9~_.-]*[A-Za-z0-9~_-])+\Z")
_HEADER = re.compile(r"[A-Za-z0-9-]+\Z")


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
    :param unruled_objects: ``TENANT_UNRULED_OBJECTS``: triggers and tables whose own writes rules need not look at, and
        views that may show what rules keep from people
    :param enforcement: ``TENANT_ENFORCEMENT``: ``enforce``, or ``report`` before going live
    :param adapters_off: ``TENANT_ADAPTERS_OFF``: names of adapters that are not put in place
    :param upload_folders: ``TENANT_UPLOAD_FOLDERS``: configuration keys that hold a folder, of which each tenant gets
        a part of its own
    :param external_scheme: ``TENANT_EXTERNAL_SCHEME``: ``http`` or ``https`` in URLs that are made outside requests;
        ``None`` takes Flask's ``PREFERRED_URL_SCHEME``
    :param metrics_tenants: ``TENANT_METRICS_TENANTS``: how many tenants Prometheus metrics name; the busiest ones
    :param strategies: ``TENANT_STRATEGIES``: what says who a request is for, in order
    :param central_hosts: ``TENANT_CENTRAL_HOSTS``: host names that name no tenant
    :param redirect_to_primary: ``TENANT_REDIRECT_TO_PRIMARY``: whether other hosts lead to the primary domain
    :param path_prefix: ``TENANT_PATH_PREFIX``: what precedes the tenant in the path, for the strategy ``path``
    :param header: ``TENANT_HEADER``: name of the header, for the strategy ``header``
    :param trusted_proxies: ``TENANT_TRUSTED_PROXIES``: addresses and networks of direct peers whose header counts
    :param jwt_key: ``TENANT_JWT_KEY``: PEM text, JWK or JWK set that verifies JSON Web Tokens
    :param jwt_algorithms: ``TENANT_JWT_ALGORITHMS``: algorithms that are accepted
    :param jwt_issuer: ``TENANT_JWT_ISSUER``: who makes the tokens
    :param jwt_audience: ``TENANT_JWT_AUDIENCE``: whom they are for
    :param jwt_claim: ``TENANT_JWT_CLAIM``: which claim names the tenant
    :param retry_after: ``TENANT_RETRY_AFTER``: seconds after which to ask a tenant in maintenance again
    :param ask_path: ``TENANT_ASK_PATH``: where a TLS proxy asks whether a host is ours; ``None`` for nowhere
    :param theme_folder: ``TENANT_THEME_FOLDER``: where themes and template overrides are, from the application's root
    :param theme_path: ``TENANT_THEME_PATH``: below which stylesheets, logos and fonts are served
    :param translations_folder: ``TENANT_TRANSLATIONS_FOLDER``: where the application's own translations of our pages
        and mails are, from its root
    :param table_prefix: ``TENANT_TABLE_PREFIX``: what the names of our own tables start with
    :param directory_url: ``TENANT_DIRECTORY_URL``: database of the directory, if it is to have one of its own
    :param redis_url: ``TENANT_REDIS_URL``: where servers share what they know of tenants
    :param cache_seconds: ``TENANT_CACHE_SECONDS``: how long a tenant may be kept in memory and in Redis
    :param cache_size: ``TENANT_CACHE_SIZE``: how many tenants each process keeps in memory
    :param login: ``TENANT_LOGIN``: whether members log in through us: local passwords, or the tenants' own providers
    :param login_path: ``TENANT_LOGIN_PATH``: below which our pages for people are served
    :param secret_keys: ``TENANT_SECRET_KEYS``: what encrypts the secrets of tenants' providers, the newest key first;
        without any, a key that is derived from ``SECRET_KEY``
    :param audit: ``TENANT_AUDIT``: whether the audit trail has central work, too; ``None``: where ``login`` is
    :param audit_keys: ``TENANT_AUDIT_KEYS``: what seals the audit trail, the newest first; by default ``SECRET_KEY``
    :param audit_anchor: ``TENANT_AUDIT_ANCHOR``: file in which the ends of the audit trail's chains are noted
    :param login_seconds: ``TENANT_LOGIN_SECONDS``: how long somebody stays logged in at most
    :param login_idle_seconds: ``TENANT_LOGIN_IDLE_SECONDS``: how long somebody stays logged in who does nothing
    :param login_limits: ``TENANT_LOGIN_LIMITS``: how often what may be tried, in place of the usual limits
    :param impersonation_seconds: ``TENANT_IMPERSONATION_SECONDS``: how long an operator may act as somebody else
    :param mail_url: ``TENANT_MAIL_URL``: what sends mail; ``None`` for nothing
    :param mail_from: ``TENANT_MAIL_FROM``: who mail is from
    :param signup: ``TENANT_SIGNUP``: whether tenants sign themselves up: with ``approval``, or ``open`` to all
    :param signup_trial_days: ``TENANT_SIGNUP_TRIAL_DAYS``: how long a trial is; 0 for none
    :param signup_reminder_days: ``TENANT_SIGNUP_REMINDER_DAYS``: how long before its end somebody is reminded
    :param signup_grace_days: ``TENANT_SIGNUP_GRACE_DAYS``: how long after its end the tenant is suspended
    :param signup_reserved: ``TENANT_SIGNUP_RESERVED``: slugs that nobody gets who signs up
    :param webhook_hosts: ``TENANT_WEBHOOK_HOSTS``: hosts and networks that webhooks may call though they are not public
    """

    shared_tables: frozenset[str] = frozenset()
    column: str = "tenant_id"
    default: str | None = None
    base_domain: str | None = None
    exempt_engines: frozenset[str] = frozenset()
    safe_functions: frozenset[str] = frozenset()
    safe_objects: frozenset[str] = frozenset()
    unruled_objects: frozenset[str] = frozenset()
    enforcement: Literal["enforce", "report"] = "enforce"
    adapters_off: frozenset[str] = frozenset()
    upload_folders: frozenset[str] = frozenset()
    external_scheme: str | None = None
    metrics_tenants: int = 50
    strategies: tuple[str, ...] = ("domain", "subdomain")
    central_hosts: frozenset[str] = frozenset()
    redirect_to_primary: bool = False
    path_prefix: str = "/t"
    header: str = "X-Tenant"
    trusted_proxies: frozenset[str] = frozenset()
    jwt_key: str | Mapping[str, Any] | None = None
    jwt_algorithms: frozenset[str] = frozenset()
    jwt_issuer: str | None = None
    jwt_audience: str | None = None
    jwt_claim: str = "tenant"
    retry_after: int = 300
    ask_path: str | None = None
    theme_folder: str = "themes"
    theme_path: str = "/_theme"
    translations_folder: str = "translations"
    table_prefix: str = "tenancy_"
    directory_url: str | None = None
    redis_url: str | None = None
    cache_seconds: float = 60.0
    cache_size: int = 10_000
    webhook_hosts: frozenset[str] = frozenset()
    login: bool = False
    login_path: str = "/_tenant"
    secret_keys: tuple[str, ...] = ()
    audit: bool | None = None
    audit_keys: tuple[str, ...] = ()
    audit_anchor: str | None = None
    mail_url: str | None = None
    mail_from: str = "noreply@localhost"
    signup: Literal["approval", "open"] | None = None
    signup_trial_days: int = 30
    signup_reminder_days: int = 7
    signup_grace_days: int = 7
    signup_reserved: frozenset[str] = frozenset()
    login_seconds: int = 43_200
    login_idle_seconds: int = 7_200
    login_limits: Mapping[str, str] | None = None
    impersonation_seconds: int = 1_800

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
                like = get_close_matches(key, keys, 1)
                raise ConfigurationError(
                    f"Unknown setting {key}",
                    value=value,
                    hint=f"{f'Did you mean {like[0]}? ' if like else ''}Known are: {', '.join(sorted(keys))}",
                )
            name = keys[key]
            if name in _SETS:
                value = frozenset(_names(key, value))
            elif name in _LISTS:
                value = tuple(_names(key, value, secret=name in _SECRET))
            values[name] = value
        settings = cls(**values)
        settings._check()
        hosts = settings.base_domain or settings.central_hosts or config.get("SERVER_NAME")
        if settings.signup is not None and not hosts:
            # Its mails are sent when nobody's request is there any more, and their links would lead nowhere.
            raise ConfigurationError(
                "TENANT_SIGNUP is set, and mails could not say where to go on",
                hint="Set TENANT_BASE_DOMAIN, for example to 'localhost:5000'",
            )
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
        for name, least in (
            ("cache_seconds", 1),
            ("cache_size", 1),
            ("login_seconds", 60),
            ("login_idle_seconds", 60),
            ("impersonation_seconds", 60),
        ):
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
        for name in ("theme_folder", "translations_folder"):
            folder = str(getattr(self, name))
            if not folder.strip():
                raise ConfigurationError(
                    f"TENANT_{name.upper()} is {folder!r}",
                    hint=f"Use a path such as '{type(self).__dataclass_fields__[name].default}'",
                )
        for key, path in (
            ("TENANT_PATH_PREFIX", self.path_prefix),
            ("TENANT_ASK_PATH", self.ask_path),
            ("TENANT_THEME_PATH", self.theme_path),
            ("TENANT_LOGIN_PATH", self.login_path),
        ):
            if path is not None and not _PATH.match(str(path)):
                raise ConfigurationError(f"{key} is {path!r}", value=path, hint="Use a path such as '/t'")
        if not isinstance(self.login, bool):
            raise ConfigurationError(
                f"TENANT_LOGIN is {self.login!r}", value=self.login, hint="Use True or False"
            )
        for number, key in enumerate(self.secret_keys, 1):
            if not _is_key(key):
                raise ConfigurationError(
                    f"Key {number} of TENANT_SECRET_KEYS is none",
                    hint="Make one with: python -c 'from cryptography.fernet import Fernet; "
                    "print(Fernet.generate_key().decode())'",
                )
        limits: Any = self.login_limits
        if limits is not None and not (
            isinstance(limits, Mapping)
            and all(isinstance(part, str) for pair in limits.items() for part in pair)
        ):
            raise ConfigurationError(
                f"TENANT_LOGIN_LIMITS is {limits!r}",
                value=limits,
                hint="Use such as {'login.account': '10 per 15 minutes'}",
            )
        if self.audit not in (None, True, False):
            raise ConfigurationError(
                f"TENANT_AUDIT is {self.audit!r}", value=self.audit, hint="Use True, False or None"
            )
        if any(len(key) < KEY_LENGTH for key in self.audit_keys):
            raise ConfigurationError(
                f"TENANT_AUDIT_KEYS holds a key of fewer than {KEY_LENGTH} characters",
                hint='Make one with: python -c "import secrets; print(secrets.token_hex(32))"',
            )
        if self.audit_anchor is not None and not str(self.audit_anchor).strip():
            raise ConfigurationError("TENANT_AUDIT_ANCHOR is empty", hint="Name a file, or use None")
        if self.signup not in (None, "approval", "open"):
            raise ConfigurationError(
                f"TENANT_SIGNUP is {self.signup!r}", value=self.signup, hint="Use 'approval', 'open' or None"
            )
        if self.signup is not None and not self.login:
            raise ConfigurationError(
                "TENANT_SIGNUP is set, and nobody can log in through us", hint="Set TENANT_LOGIN to True"
            )
        for name in ("signup_trial_days", "signup_reminder_days", "signup_grace_days"):
            days = getattr(self, name)
            if type(days) is not int or not 0 <= days <= 3_650:
                raise ConfigurationError(
                    f"TENANT_{name.upper()} is {days!r}", value=days, hint="Use whole days"
                )
        if not _HEADER.match(self.header):
            raise ConfigurationError(
                f"TENANT_HEADER is {self.header!r}", value=self.header, hint="Use a name such as 'X-Tenant'"
            )
        if type(self.retry_after) is not int or self.retry_after < 0:
            raise ConfigurationError(
                f"TENANT_RETRY_AFTER is {self.retry_after!r}",
                value=self.retry_after,
                hint="Use whole seconds",
            )


_SETS = frozenset(
    {
        "adapters_off",
        "central_hosts",
        "exempt_engines",
        "jwt_algorithms",
        "safe_functions",
        "safe_objects",
        "shared_tables",
        "signup_reserved",
        "trusted_proxies",
        "unruled_objects",
        "upload_folders",
        "webhook_hosts",
    }
)

_LISTS = frozenset({"audit_keys", "secret_keys", "strategies"})

_SECRET = frozenset({"audit_keys", "secret_keys"})

KEY_LENGTH = 32
"""How many characters a key has at least."""

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


def _is_key(text: str) -> bool:
    """Whether this is a key of Fernet's: 32 bytes in base 64 for URLs."""
    try:
        return len(base64.b64decode(text, altchars=b"-_", validate=True)) == 32
    except ValueError:
        return False


def _names(key: str, value: Any, *, secret: bool = False) -> list[str]:
    if isinstance(value, str) or not all(isinstance(v, str) for v in value):
        shown = "no list of strings" if secret else repr(value)
        raise ConfigurationError(
            f"{key} is {shown}", value=None if secret else value, hint="Use a list of strings"
        )
    return list(cast("list[str]", value))
