"""Every error that flask_tenant raises, as one tree.

    TenancyError
    ├── ConfigurationError            the set-up is wrong
    │   ├── UnknownEngineError        an engine is neither tenanted nor exempt
    │   ├── SchemaNotReadyError       the database lacks the tenant column, or has keys that are not per tenant
    │   ├── UnsafeObjectError         triggers, views or functions that nobody has vouched for
    │   ├── ProviderError             a provider's settings make no sense
    │   ├── RuleFileError             a rule file, or a theme, cannot be accepted
    │   └── RuleConflictError         somebody else has activated rules in between
    ├── TenantError                   a tenant is missing or wrong
    │   ├── NoTenantError             tenant data was asked for outside any tenant
    │   ├── TenantNotFoundError       no such tenant
    │   ├── TenantExistsError         the slug is taken
    │   ├── InvalidSlugError          the slug is no host label
    │   ├── CredentialRefusedError    a request's token is unknown, expired, revoked or forged
    │   ├── DomainError               a custom domain is taken, unknown or no host name
    │   ├── TokenError                an API token is unknown
    │   ├── TenantClosedError         a response or web socket has outlived its tenant
    │   ├── TenantConfigError         a tenant's configuration cannot be kept
    │   └── TenantChangedError        a session or connection of one tenant was used under another
    ├── IdentityError                 somebody cannot log in, or a member cannot be what is wanted
    │   ├── LoginRefusedError         a log-in proves nothing, or not enough
    │   │   └── TooManyAttemptsError  there were too many of them
    │   ├── ProviderUnavailableError  a provider does not answer
    │   ├── MemberError               a member or an invitation is unknown, or cannot be changed so
    │   │   └── LastAdministratorError  a tenant would be left without one
    │   └── SignUpError               a sign-up cannot go on
    ├── MailError                     mail was not taken
    ├── AuditError                    the audit trail was tampered with, or cannot be written
    └── RefusedError                  what cannot be proven to stay inside the tenant
        ├── StatementRefusedError     a statement, or a part of one
        ├── HiddenColumnError         the tenant column was named
        ├── DdlRefusedError           schema changes inside a tenant
        ├── CentralRefusedError       what central work may not do
        ├── CacheRefusedError         clearing a cache that cannot tell tenants' keys apart
        ├── FileRefusedError          a file outside the tenant's own folder
        ├── JobRefusedError           a job whose tenant is unknown, not served or not signed by us
        ├── RuleDeniedError           what a tenant's rules forbid
        ├── RuleEngineError           the rules could not be decided
        └── WebhookRefusedError       a webhook's URL leads to where none may go

Each carries a stable ``code``, the offending ``value`` and a ``hint`` that says what to do.
"""

from __future__ import annotations

from click import ClickException
from sqlalchemy.exc import DontWrapMixin


class TenancyError(DontWrapMixin, Exception):
    """Base of all errors of flask_tenant. SQLAlchemy passes them on as they are.

    :param message: what happened, and where
    :param value: the value that was refused or not found, if there is one
    :param hint: what the reader can do about it
    """

    code = "tenancy"

    def __init__(self, message: str, *, value: object = None, hint: str = "") -> None:
        super().__init__(f"{message}. {hint}" if hint else message)
        self.message = message
        self.value = value
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}. {self.hint}" if self.hint else self.message


class ConfigurationError(TenancyError, ClickException):  # type: ignore[misc]  # both have a message
    """The set-up is wrong; nothing was served and nothing was changed.

    Commands of ``flask``, which load the application, show it as a sentence, without a traceback.
    """

    code = "configuration"

    def format_message(self) -> str:
        """What commands show."""
        return str(self)


class UnknownEngineError(ConfigurationError):
    """An engine that is neither tenanted nor exempt was about to run a statement."""

    code = "engine-unknown"


class SchemaNotReadyError(ConfigurationError):
    """The live schema lacks the tenant column, or one of its keys is not per tenant."""

    code = "schema-not-ready"


class UnsafeObjectError(ConfigurationError):
    """The database holds triggers, views or functions that nobody has named as safe."""

    code = "object-unsafe"


class TenantError(TenancyError):
    """A tenant is missing or wrong."""

    code = "tenant"


class NoTenantError(TenantError):
    """Tenant data was asked for while no tenant is active."""

    code = "tenant-missing"


class TenantNotFoundError(TenantError):
    """The directory knows no such tenant."""

    code = "tenant-not-found"


class TenantExistsError(TenantError):
    """A tenant of that slug exists already."""

    code = "tenant-exists"


class InvalidSlugError(TenantError):
    """The slug cannot be a host label."""

    code = "slug-invalid"


class DomainError(TenantError):
    """A custom domain is taken, unknown, or no host name."""

    code = "domain"


class TokenError(TenantError):
    """There is no such API token."""

    code = "token"


class TenantConfigError(TenantError):
    """A key or a value cannot be kept as a tenant's configuration."""

    code = "tenant-config"


class TenantChangedError(TenantError):
    """A session or connection that serves one tenant was used under another."""

    code = "tenant-changed"


class TenantClosedError(TenantError):
    """A response or connection has outlived its tenant, which is suspended, archived or worked on by now."""

    code = "tenant-closed"


class CredentialRefusedError(TenantError):
    """A request's token is unknown, expired, revoked or forged."""

    code = "credential-refused"


class RefusedError(TenancyError):
    """Something that cannot be proven to stay inside the tenant was refused; nothing was executed."""

    code = "refused"


class StatementRefusedError(RefusedError):
    """A statement, or a part of one, cannot be proven to stay inside the tenant.

    :param position: zero-based offset in ``statement`` at which the trouble starts, if known
    :param statement: the caller's own text (never the rewritten one), if there is one
    """

    code = "statement-refused"

    def __init__(
        self,
        message: str,
        *,
        value: object = None,
        hint: str = "",
        statement: str | None = None,
        position: int | None = None,
    ) -> None:
        self.statement = statement
        self.position = position
        where = ""
        if statement is not None and position is not None:
            line = statement.count("\n", 0, position) + 1
            column = position - (statement.rfind("\n", 0, position) + 1) + 1
            excerpt = statement[position : position + 40].split("\n", 1)[0]
            where = f" (line {line}, column {column}: {excerpt!r})"
        super().__init__(message + where, value=value, hint=hint)


class HiddenColumnError(StatementRefusedError):
    """The application named the tenant column, which is not its to read or set."""

    code = "column-hidden"


class DdlRefusedError(RefusedError):
    """The schema was about to be changed inside a tenant."""

    code = "ddl-refused"


class CentralRefusedError(RefusedError):
    """Central work tried what it may not do, such as loading entities over several tenants."""

    code = "central-refused"


class CacheRefusedError(RefusedError):
    """What was asked of a cache would reach other tenants' values."""

    code = "cache-refused"


class FileRefusedError(RefusedError):
    """A file in an upload folder, but outside the tenant's own part of it."""

    code = "file-refused"


class JobRefusedError(RefusedError):
    """A job names a tenant that is unknown or not served, or the name was not signed by this application."""

    code = "job-refused"


class RuleFileError(ConfigurationError):
    """A rule file cannot be accepted; the version that was active stays active.

    :param findings: everything that is wrong, each as ``file:line:column: what was expected``
    """

    code = "rule-file"

    def __init__(
        self, message: str, *, value: object = None, hint: str = "", findings: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, value=value, hint=hint)
        self.findings = findings


class RuleConflictError(ConfigurationError):
    """Somebody else has activated rules in between; nothing was switched."""

    code = "rule-conflict"


class RuleDeniedError(RefusedError):
    """A tenant's rules forbid it; nothing was executed, or it was rolled back with the caller's transaction.

    :param rule: id of the rule
    """

    code = "rule-denied"

    def __init__(self, message: str, *, rule: str = "", value: object = None, hint: str = "") -> None:
        super().__init__(message, value=value, hint=hint)
        self.rule = rule


class RuleEngineError(RefusedError):
    """The rules could not be decided, so nothing was executed."""

    code = "rule-engine"


class WebhookRefusedError(RefusedError):
    """A webhook's URL leads to where none may go, such as the server's own network; it was not called."""

    code = "webhook-refused"


class ProviderError(ConfigurationError):
    """A provider's settings make no sense."""

    code = "provider"


class IdentityError(TenancyError):
    """Somebody cannot log in, or a member cannot be what is wanted.

    What a visitor or a provider has sent may be part of the message: it begins no line of its own in a log.
    """

    code = "identity"

    def __init__(self, message: str, *, value: object = None, hint: str = "") -> None:
        line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message)
        super().__init__(line, value=value, hint=hint)


class LoginRefusedError(IdentityError):
    """A log-in proves nothing, or not enough. Visitors are told no more than that.

    :param reason: a stable word for the log, such as ``audience``
    """

    code = "login-refused"

    def __init__(self, message: str, *, reason: str, value: object = None, hint: str = "") -> None:
        super().__init__(message, value=value, hint=hint)
        self.reason = reason


class TooManyAttemptsError(LoginRefusedError):
    """There were too many attempts: for the account, or from the network.

    :param seconds: after which to try again
    """

    code = "login-throttled"

    def __init__(self, message: str, *, seconds: int, value: object = None, hint: str = "") -> None:
        super().__init__(message, reason="throttled", value=value, hint=hint)
        self.seconds = seconds


class ProviderUnavailableError(IdentityError):
    """A provider does not answer, or not in time."""

    code = "provider-unavailable"


class MemberError(IdentityError):
    """A member or an invitation is unknown, or cannot be changed so."""

    code = "member"


class LastAdministratorError(MemberError):
    """A tenant would be left without an administrator; nothing was changed."""

    code = "last-administrator"


class SignUpError(IdentityError):
    """A sign-up cannot go on; it stays as it is.

    :param field: of the form, if it is about one: ``slug``, ``tenant_name``, ``person_name``, ``email``, ``password``
    """

    code = "sign-up"

    def __init__(self, message: str, *, field: str = "", value: object = None, hint: str = "") -> None:
        super().__init__(message, value=value, hint=hint)
        self.field = field


class MailError(TenancyError):
    """Mail was not taken; it may be sent again."""

    code = "mail"


class AuditError(TenancyError):
    """The audit trail was tampered with, or cannot be written."""

    code = "audit"
