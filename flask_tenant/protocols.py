"""The openings: two methods each, and the built-in parts come through them too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from .context import Scope
from .decision import Ruling
from .errors import TenancyError
from .model import RequestFacts, TableView, Tenant


class Strategy(Protocol):
    """Reads from a request's facts which tenant it is for.

    Derive from it, and give it a ``name``. A ``claim`` is something that a client carries about (a token, a session):
    it must agree with what any other strategy says, or the request is refused. ``mount`` is what precedes the
    identifier in the path, for a strategy that reads it from there.
    """

    name: str
    claim: bool = False
    mount: str = ""

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


class RuleSource(Protocol):
    """Says what rules hold for the running code."""

    def ruling(self, holder: object) -> Ruling | None:
        """Return what holds for the next statement, ``None`` when the current tenant has no rules.

        :param holder: what lives as long as the connection's checkout: within one transaction on it, one version of the
            rules and one ``now`` hold, whatever is activated meanwhile; the facts are those of each statement
        :raises RuleError: when it cannot be decided; nothing may reach the database then
        """

    def ended(self, holder: object) -> None:
        """Called when the holder's transaction has ended: the next statement may be under another version."""
