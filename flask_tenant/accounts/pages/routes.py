"""Which pages there are: each says by which path, for whom, and where it is served."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from werkzeug.routing import IntegerConverter, Map, Rule
from werkzeug.wrappers import Response

Handler = Callable[..., Response]


class For(enum.Enum):
    """Whom a page is for. Anybody else is asked to log in, or told that it is not theirs."""

    ANYBODY = enum.auto()
    MEMBERS = enum.auto()
    ADMINISTRATORS = enum.auto()
    OPERATORS = enum.auto()


class At(enum.Enum):
    """Where a page is served."""

    TENANT = enum.auto()
    CENTRAL = enum.auto()
    BOTH = enum.auto()

    def holds(self, *, tenant: bool) -> bool:
        """Whether that is here.

        :param tenant: whether this is a tenant's own address
        """
        return self is At.BOTH or (self is At.TENANT) is tenant


@dataclass(frozen=True, slots=True)
class Page:
    """A page.

    :param method: ``GET`` or ``POST``
    :param forged: whether it takes forms that we have not handed out: what a provider's server sends by itself
    :param acting: whether it takes them from an operator who acts as somebody else
    """

    name: str
    path: str
    method: str
    audience: For
    at: At
    handler: Handler
    forged: bool = False
    acting: bool = False


class Pages:
    """The pages of one module. Each name is its handler's."""

    def __init__(self) -> None:
        self.all: list[Page] = []

    def get(self, path: str, audience: For, at: At = At.TENANT) -> Callable[[Handler], Handler]:
        """Show a page: a decorator."""
        return self._add("GET", path, audience, at)

    def post(
        self, path: str, audience: For, at: At = At.TENANT, *, forged: bool = False, acting: bool = False
    ) -> Callable[[Handler], Handler]:
        """Take a form: a decorator. Nobody sends one while acting as somebody else, unless the page says so."""
        return self._add("POST", path, audience, at, forged=forged, acting=acting)

    def _add(
        self, method: str, path: str, audience: For, at: At, **more: Any
    ) -> Callable[[Handler], Handler]:
        def add(handler: Handler) -> Handler:
            name: str = getattr(handler, "__name__")  # noqa: B009
            self.all.append(Page(name, path, method, audience, at, handler, **more))
            return handler

        return add


LARGEST = 2**31 - 1
"""The largest number of a person or an invitation: what is larger is nobody's, and no database's integer."""


class _Number(IntegerConverter):
    def __init__(self, map: Map) -> None:  # noqa: A002 - its name in werkzeug
        super().__init__(map, max=LARGEST)


def mapped(modules: Iterable[Pages], *, tenant: bool) -> tuple[Map, dict[str, Page]]:
    """Return the map of what is served at one kind of address, and the pages by their names.

    :param tenant: whether at a tenant's own address
    """
    pages = {page.name: page for module in modules for page in module.all if page.at.holds(tenant=tenant)}
    rules = [Rule(page.path, methods=[page.method], endpoint=page.name) for page in pages.values()]
    converters = {"int": _Number}
    found = Map(
        rules, strict_slashes=False, merge_slashes=False, redirect_defaults=False, converters=converters
    )
    return found, pages
