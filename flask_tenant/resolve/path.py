"""``example.com/t/acme/invoices`` is tenant ``acme``, and its application sees ``/invoices``."""

from __future__ import annotations

import re

from ..model import RequestFacts, Tenant
from ..protocols import Strategy
from .lookups import Lookups

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_DOTS = re.compile(r"(?:\A|[/\\])\.{1,2}(?:[/\\]|\Z)")
NOBODY = "?"
"""What an address that can be read in two ways names: nobody's slug."""


class Path(Strategy):
    """Reads the tenant from the first part of the path.

    An address that somebody in front of us may read differently (dot segments, an encoded slash or letter within the
    prefix) names nobody who exists.

    :param tenants: looks slugs up
    :param mount: what comes before the slug, such as ``/t``
    """

    name = "path"

    def __init__(self, tenants: Lookups, mount: str) -> None:
        self._tenants = tenants
        self.mount = mount
        self._start = f"{mount}/"

    def identify(self, facts: RequestFacts) -> str | None:
        """Return the part of the path after the mount point, or ``None`` for a path elsewhere."""
        if not facts.path.startswith(self._start):
            return None
        slug, slash, rest = facts.path[len(self._start) :].partition("/")
        if not slug and not slash:
            return None
        if not _SLUG.match(slug) or _DOTS.search(rest) or not self._sent_as_read(facts.raw_path, slug):
            return NOBODY
        return slug

    def find(self, identifier: str) -> Tenant | None:
        """Return the tenant of that slug."""
        return self._tenants.find(identifier) if identifier != NOBODY else None

    def _sent_as_read(self, raw: str, slug: str) -> bool:
        """Whether the prefix stood in the request line as it is, and was not made by decoding."""
        if not raw:
            return True  # a server that does not say
        path = raw.partition("?")[0]
        prefix = f"{self._start}{slug}"
        at = path.find(prefix)
        return at >= 0 and path[at + len(prefix) : at + len(prefix) + 1] in ("", "/")
