"""The frozen nouns that all stages share. No behaviour beyond what a value can say of itself."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

TEMPLATE_ID = 0
"""Id of the template: the rows that start-up and migrations seeded, from which a new tenant is made."""


class TenantState(enum.StrEnum):
    """Whether a tenant is served."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    ARCHIVED = "archived"
    MAINTENANCE = "maintenance"


NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Tenant:
    """One customer organisation.

    :param id: never changes, never reused, positive; the value of the hidden column
    :param slug: the tenant's name in host names and on the command line; may change
    :param name: for people
    :param domains: its confirmed custom domains, the primary one first
    :param config: what operators have set for it; read-only
    :param version: number of the directory's change that made it what it is
    """

    id: int
    slug: str
    name: str
    state: TenantState = TenantState.ACTIVE
    created_at: datetime | None = None
    domains: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=lambda: NOTHING, hash=False)
    version: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        return self.slug

    def __reduce__(self) -> tuple[Any, ...]:
        # A read-only mapping cannot be pickled by itself.
        values = (self.id, self.slug, self.name, self.state, self.created_at, self.domains)
        return _unpickled, (dict(self.config), self.version, *values)


def _unpickled(config: dict[str, Any], version: int, *values: Any) -> Tenant:
    made: Any = Tenant
    found: Tenant = made(*values, MappingProxyType(config), version)
    return found


@dataclass(frozen=True, slots=True)
class Domain:
    """A host name of a tenant's own. It counts once an operator has confirmed it.

    :param host: lower-case, as it stands in certificates (``xn--`` for what is beyond ASCII)
    :param primary: whether it is the one that links are made with
    """

    host: str
    tenant_id: int
    confirmed_at: datetime | None = None
    primary: bool = False


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of an API token; its secret is not.

    :param name: for people
    :param expires_at: when it stops being valid, ``None`` for never
    :param revoked_at: since when it is not valid any more, ``None`` while it is
    :param scopes: what it is good for; ``None`` for everything
    """

    id: int
    tenant_id: int
    name: str
    created_at: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    scopes: frozenset[str] | None = None


_NONE: Mapping[str, str] = MappingProxyType({})


class RequestFacts(NamedTuple):
    """What an edge knows of a request before Flask sees it; strategies decide on nothing else.

    :param host: the Host header as sent, port included
    :param path: the decoded path below the mount point
    :param headers: lower-case header names to values
    :param peer: address of the direct peer, as the server's own socket has it and no header can change it; empty for
        a Unix socket
    :param script_name: the mount point
    :param query: what follows the question mark, still encoded
    :param raw_path: the path as it stood in the request line, still encoded; empty when the server does not say
    """

    host: str
    path: str = "/"
    scheme: str = "http"
    headers: Mapping[str, str] = _NONE
    peer: str = ""
    script_name: str = ""
    query: str = ""
    raw_path: str = ""


class Refusal(enum.StrEnum):
    """Why a request is not served. The values are the codes that API clients see."""

    UNKNOWN = "tenant-unknown"
    NOBODY = "tenant-missing"
    SUSPENDED = "tenant-suspended"
    ARCHIVED = "tenant-archived"
    MAINTENANCE = "tenant-maintenance"
    CONFLICT = "tenant-conflict"
    CREDENTIAL = "credential-refused"
    MOVED = "tenant-moved"


class Resolution(NamedTuple):
    """Who a request is for, and which strategy said so.

    :param tenant: ``None`` when the request is for nobody, or is not served
    :param strategy: name of the strategy that won, or that failed last
    :param identifier: what the strategy read, such as the subdomain; never a secret
    :param store: where the directory had the tenant from: ``memory``, ``redis`` or ``sql``
    :param script_name: the part of the path that named the tenant, such as ``/t/acme``
    :param refused: why the request is not served
    :param location: for a tenant that has moved: its present address
    :param unserved: the tenant that is not served: it says which language the page has that says so
    """

    tenant: Tenant | None
    strategy: str = ""
    identifier: str = ""
    store: str = ""
    script_name: str = ""
    refused: Refusal | None = None
    location: str = ""
    unserved: Tenant | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response that an edge gives by itself.

    :param status: HTTP status code
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class TableView:
    """What one tenant sees of one table: the value that each enforcer renders.

    :param name: the table's name as the database stores it
    :param schema: its schema, ``None`` for the default one
    :param columns: visible columns in physical order, hidden one excluded
    :param primary_key: the application's own key columns, hidden one excluded
    :param auto_id: the column that the database numbers by itself, if any
    :param never_reused: whether an automatic id comes once only, even after its row is gone (``AUTOINCREMENT``)
    :param shared: true for a tenant-free table: it is rendered as it is
    """

    name: str
    schema: str | None = None
    columns: tuple[str, ...] = ()
    primary_key: tuple[str, ...] = ()
    auto_id: str | None = None
    never_reused: bool = False
    shared: bool = False
