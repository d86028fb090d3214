"""What ``assert_isolated`` looks at, and what it can conclude."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..model import Tenant


class LeakFoundError(AssertionError):
    """One tenant has seen or changed what is another's."""


class NothingProvenError(AssertionError):
    """Nothing was seen that could have leaked, so nothing is proven."""


@dataclass
class Look:
    """How to see what a tenant sees.

    :param what: for messages
    :param see: returns it as text
    :param table: the only table whose rows count, if it is about one
    """

    what: str
    see: Callable[[Tenant], str]
    table: str | None = None
