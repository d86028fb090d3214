"""Which kinds of providers there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches

from ...errors import ProviderError
from ...protocols import ProviderKind


class Kinds:
    """The kinds of providers, by name. Each is made when it is first asked for.

    :param built_in: what makes the kinds that are always there
    :param added: the application's own; such a one takes the place of a built-in one of its name
    """

    def __init__(
        self, built_in: Mapping[str, Callable[[], ProviderKind]], added: Mapping[str, ProviderKind]
    ) -> None:
        self._built_in = built_in
        self._added = added
        self._made: dict[str, ProviderKind] = {}

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
