"""The openings: two methods each, and the built-in parts come through them too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from .context import Scope
from .errors import TenancyError
from .model import RequestFacts, TableView, Tenant


class Strategy(Protocol):
    """Reads from a request's facts which tenant it is for."""

    name: str

    def identify(self, facts: RequestFacts) -> str | None:
        """Return what names the tenant (such as the subdomain), or ``None`` when this strategy has nothing to say."""

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
