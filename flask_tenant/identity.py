"""The frozen nouns of log-in: who somebody is, who says so, and what they are in a tenant.

An identity is a pair: who vouches for it, and what it is called there. It is never an e-mail address: those change
hands, and any provider may claim any of them.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

ADMINISTRATOR = "administrator"
"""The role that manages a tenant's members; each tenant keeps at least one."""

LOCAL = "local"
"""The authority of identities whose password is kept by us; the subject is the person's id."""

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Identity(NamedTuple):
    """Who somebody is.

    :param authority: the issuer's URL, a directory's own name, or ``local``
    :param subject: ``sub``, ``entryUUID``, or the person's id
    """

    authority: str
    subject: str


@dataclass(frozen=True, slots=True)
class Provider:
    """One of a tenant's ways to log in.

    :param name: lower-case, unique in the tenant; part of the callback's URL
    :param kind: ``oidc``, ``ldap`` or ``local``, see :class:`~flask_tenant.protocols.ProviderKind`
    :param label: for people: what stands on the button
    :param authority: the first half of the identities that it vouches for
    :param settings: what the kind needs to know
    :param secrets: what of it is encrypted at rest
    :param joins: whether whom it vouches for becomes a member by logging in
    """

    id: int
    tenant_id: int
    name: str
    kind: str
    label: str
    authority: str
    settings: Mapping[str, Any] = field(default_factory=lambda: NOTHING, hash=False)
    secrets: Mapping[str, str] = field(default_factory=lambda: NOTHING, hash=False, repr=False)
    enabled: bool = True
    joins: bool = False


@dataclass(frozen=True, slots=True)
class Identified:
    """Whom a provider has vouched for.

    :param email: what the provider says; shown, and never an identity
    :param email_verified: whether the provider says that it has verified it
    :param groups: names of groups, for roles
    :param session: the provider's own name for its session (``sid``), for being told when that ends
    :param hint: what the provider wants to see again when somebody logs out there (``id_token_hint``)
    """

    identity: Identity
    name: str = ""
    email: str = ""
    email_verified: bool = False
    groups: tuple[str, ...] = ()
    session: str = ""
    hint: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A log-in that is under way.

    :param callback: absolute URL, on the tenant's own host, to which a provider sends the browser back
    :param memory: what :class:`GoTo` asked to be remembered; kept on the server, and good once
    :param hint: the e-mail address that was typed before, if any
    """

    callback: str
    memory: Mapping[str, str] = field(default_factory=lambda: NOTHING, hash=False, repr=False)
    hint: str = ""


class Ask(NamedTuple):
    """A log-in goes on with a form: the visitor is asked for these fields."""

    fields: tuple[str, ...] = ("username", "password")


class GoTo(NamedTuple):
    """A log-in goes on elsewhere.

    :param memory: what must be there when the browser comes back
    """

    url: str
    memory: Mapping[str, str]


class Ended(NamedTuple):
    """What a provider says has ended there.

    :param session: its own name for the session that has ended; empty for all of the subject's
    :param subject: whose sessions; may be empty when a session is named
    """

    session: str
    subject: str


class MemberState(enum.StrEnum):
    """Whether a member may log in."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may belong to several tenants.

    :param email: the address that we have verified, for those who log in with a password of ours
    :param operator: whether they may do central work, and impersonate
    """

    id: int
    name: str
    email: str | None = None
    operator: bool = False


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in a tenant.

    :param name: as the tenant's own provider says
    :param email: as the tenant's own provider says; decides nothing
    """

    tenant_id: int
    person_id: int
    name: str
    email: str = ""
    roles: frozenset[str] = frozenset()
    state: MemberState = MemberState.ACTIVE

    @property
    def is_administrator(self) -> bool:
        """Whether they manage the tenant's members."""
        return ADMINISTRATOR in self.roles


@dataclass(frozen=True, slots=True)
class Invitation:
    """Leave to become a member, for whoever shows the link's secret and logs in through one of the tenant's providers.

    :param email: to which the link was mailed
    :param roles: what the member gets
    :param invited_by: the person who has invited; ``None`` for the command line and sign-up
    """

    id: int
    tenant_id: int
    email: str
    roles: frozenset[str]
    created_at: datetime
    expires_at: datetime
    invited_by: int | None = None
    accepted_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LoginSession:
    """Somebody who is logged in.

    :param digest: names the session, for ending it; the browser's secret cannot be found out from it
    :param tenant_id: 0 at the central host
    :param provider_id: through which provider; ``None`` for an operator who impersonates
    :param impersonator_id: the operator who acts as the person
    :param reason: why
    """

    digest: str
    tenant_id: int
    person_id: int
    opened_at: datetime
    seen_at: datetime
    expires_at: datetime
    provider_id: int | None = None
    network: str = ""
    agent: str = ""
    impersonator_id: int | None = None
    reason: str = ""


class Finding(NamedTuple):
    """What an examination of a provider has found.

    :param what: what was looked at
    :param ok: whether it is as it should be
    :param detail: what is wrong, with which value, and what to do; or what was found
    """

    what: str
    ok: bool
    detail: str = ""
