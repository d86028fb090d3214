"""Which kinds of providers there are."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module

from ...errors import ConfigurationError, ProviderError
from ...protocols import ProviderKind

BUILT_IN = {
    "oidc": ("flask_tenant.login.oidc", "Oidc"),
    "ldap": ("flask_tenant.login.ldap", "Ldap"),
}
"""Kind to the module and class that make it; the extra that installs what it needs is called like the kind."""


class Kinds:
    """The kinds of providers, by name. Each is made when it is first asked for: what it needs may not be installed."""

    def __init__(self) -> None:
        self._made: dict[str, ProviderKind] = {}
        self._later: dict[str, Callable[[], ProviderKind]] = {}

    def add(self, kind: ProviderKind) -> None:
        """Add a kind, in place of the built-in one of that name if there is one.

        :raises ConfigurationError: when it was added already, or has no name
        """
        self.add_later(kind.name, lambda: kind)

    def add_later(self, name: str, make: Callable[[], ProviderKind]) -> None:
        """Add a kind that is made when it is first asked for.

        :raises ConfigurationError: when it was added already, or has no name
        """
        if not name or name in self._later:
            raise ConfigurationError(
                f"A kind of provider is called {name!r}" + (" already" if name else ""),
                value=name,
                hint="Give each class of your own a name of its own",
            )
        self._later[name] = make
        self._made.pop(name, None)

    def names(self) -> list[str]:
        """Return the names of all kinds."""
        return sorted({*BUILT_IN, *self._later})

    def get(self, name: str) -> ProviderKind:
        """Return a kind.

        :raises ProviderError: when there is none of that name, or what it needs is not installed
        """
        kind = self._made.get(name)
        if kind is None:
            kind = self._made[name] = self._make(name)
        return kind

    def _make(self, name: str) -> ProviderKind:
        if name in self._later:
            return self._later[name]()
        if name not in BUILT_IN:
            close = get_close_matches(name, self.names(), n=1)
            raise ProviderError(
                f"There is no kind of provider {name!r}",
                value=name,
                hint=f"Is it {close[0]!r}?" if close else f"There are {', '.join(self.names())}",
            )
        module, attribute = BUILT_IN[name]
        try:
            made: ProviderKind = getattr(import_module(module), attribute)()
        except ImportError as error:
            raise ProviderError(
                f"Providers of the kind {name!r} cannot be used: {error}",
                value=name,
                hint=f"pip install 'flask-tenant[{name}]'",
            ) from None
        return made
