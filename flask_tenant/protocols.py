"""The openings: two methods each, and the built-in parts come through them too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from email.message import EmailMessage
from typing import Protocol, runtime_checkable

from .context import Scope
from .decision import Ruling
from .errors import TenancyError
from .identity import Ask, Attempt, Ended, Finding, GoTo, Identified, Provider
from .model import RequestFacts, TableView, Tenant


class Strategy(Protocol):
    """Reads from a request's facts which tenant it is for.

    Derive from it, and give it a ``name``. A ``claim`` is something that a client carries about (a token, a session):
    it must agree with what any other strategy says, or the request is refused. ``mount`` is what precedes the
    identifier in the path, for a strategy that reads it from there. ``reads`` names the one request header, in lower
    case, that it reads and without which it has nothing to say; ``""`` for a strategy that reads anything else.
    """

    name: str
    claim: bool = False
    mount: str = ""
    reads: str = ""

    def identify(self, facts: RequestFacts) -> str | None:
        """Return what names the tenant (such as the subdomain), or ``None`` when this strategy has nothing to say.

        :raises CredentialRefusedError: for a claim that is forged or no longer good
        """

    def find(self, identifier: str) -> Tenant | None:
        """Return the tenant that the identifier names, or ``None``."""


class Adapter(Protocol):
    """Something that must follow the tenant: opened on entering a scope, closed in reverse order on leaving."""

    def enter(self, scope: Scope) -> None:
        """Called after the scope has become the current one."""

    def leave(self, scope: Scope) -> None:
        """Called before the scope stops being the current one."""


class Report(Protocol):
    """Lets refusals through before going live."""

    def active(self) -> bool:
        """Whether refusals are let through now."""

    def passes(self, error: TenancyError) -> bool:
        """Let a refusal through, and list it; false when it holds."""


class Views(Protocol):
    """Finds a table's view by name, as the database itself would."""

    def find(self, name: str, schema: str | None = None) -> TableView | None:
        """Return the view of the relation, or ``None`` when the name is unknown."""

    def all(self) -> Iterable[TableView]:
        """Return every known view."""


class RuleHolder(Protocol):
    """A connection, or what stands for a transaction before there is one."""

    ft_held: dict[str, object]
    """What holds until its transaction ends, and is dropped then."""


class RuleSource(Protocol):
    """Says what rules hold for the running code."""

    def ruling(self, holder: RuleHolder) -> Ruling | None:
        """Return what holds for the next statement, ``None`` when the current tenant has no rules.

        After ``None`` it is not asked again until the transaction has ended.

        :param holder: within its transaction one version of the rules and one ``now`` hold, whatever is activated
            meanwhile; the facts are those of each statement
        :raises RuleError: when it cannot be decided; nothing may reach the database then
        """


class Authenticator(Protocol):
    """One provider at work. Two steps, so that a form of ours and a trip to another site are one to whoever calls."""

    def begin(self, attempt: Attempt) -> Ask | GoTo:
        """Begin a log-in.

        :raises ProviderUnavailableError: when the provider does not answer
        """

    def finish(self, attempt: Attempt, answer: Mapping[str, str]) -> Identified:
        """End a log-in with what the visitor typed, or what the provider sent along with the browser.

        :raises LoginRefusedError: when it proves nothing; its reason is for the log
        :raises ProviderUnavailableError: when the provider does not answer
        """


@runtime_checkable
class SingleLogout(Protocol):
    """What an :class:`Authenticator` may do besides: logging out here and there belong together."""

    def leave(self, hint: str, back: str) -> str | None:
        """Return where the browser goes to log out there too, ``None`` when that cannot be had.

        Never waits for long, and never fails: who logs out is logged out here already.

        :param hint: what :attr:`~flask_tenant.identity.Identified.hint` said
        :param back: absolute URL to which the browser comes back
        """

    def ended(self, message: Mapping[str, str]) -> Ended:
        """Return what has ended there, as a message says that the provider's server has sent to ours.

        :raises LoginRefusedError: when it proves nothing, or was sent before
        :raises ProviderUnavailableError: when what would prove it cannot be had
        """


class ProviderKind(Protocol):
    """A kind of provider, such as OIDC. SAML would be another.

    Derive from it, and give it a ``name``: what :attr:`~flask_tenant.identity.Provider.kind` says. ``authority`` is the
    setting that says who vouches, such as ``issuer``; without one, each provider knows people of its own. ``secrets``
    are those of its settings that are encrypted at rest.
    """

    name: str
    authority: str = ""
    secrets: frozenset[str] = frozenset()

    def open(self, provider: Provider) -> Authenticator:
        """Return what logs people in through a provider.

        :raises ProviderError: for settings that make no sense
        """

    def examine(self, provider: Provider) -> Iterable[Finding]:
        """Try a provider out, without logging anybody in, and say precisely what is wrong."""


class Sender(Protocol):
    """Sends mail."""

    def send(self, message: EmailMessage) -> None:
        """Hand a message over.

        :raises MailError: when it was not taken; it may be sent again
        """

    def close(self) -> None:
        """Let go of connections."""
