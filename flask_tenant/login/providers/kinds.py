"""Which kinds of providers there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches

from ...errors import ConfigurationError, ProviderError
from ...protocols import ProviderKind


class Kinds:
    """The kinds of providers, by name. Each is made when it is first asked for.

    :param built_in: what makes the kinds that are always there
    """

    def __init__(self, built_in: Mapping[str, Callable[[], ProviderKind]]) -> None:
        self._built_in = dict(built_in)
        self._added: dict[str, ProviderKind] = {}
        self._made: dict[str, ProviderKind] = {}

    def add(self, kind: ProviderKind) -> None:
        """Add a kind, in place of the built-in one of that name if there is one.

        :raises ConfigurationError: when one of that name was added already, or it has none
        """
        name = kind.name
        if not name or name in self._added:
            raise ConfigurationError(
                f"A kind of provider is called {name!r}" + (" already" if name else ""),
                value=name,
                hint="Give each class of your own a name of its own",
            )
        self._added[name] = kind

    def names(self) -> list[str]:
        """Return the names of all kinds."""
        return sorted({*self._built_in, *self._added})

    def get(self, name: str) -> ProviderKind:
        """Return a kind.

        :raises ProviderError: when there is none of that name
        """
        kind = self._added.get(name) or self._made.get(name)
        if kind is None:
            kind = self._made[name] = self._make(name)
        return kind

    def _make(self, name: str) -> ProviderKind:
        if name in self._built_in:
            return self._built_in[name]()
        close = get_close_matches(name, self.names(), n=1)
        raise ProviderError(
            f"There is no kind of provider {name!r}",
            value=name,
            hint=f"Is it {close[0]!r}?" if close else f"There are {', '.join(self.names())}",
        )
