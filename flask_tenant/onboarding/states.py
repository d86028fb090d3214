"""The states of a sign-up, and which may follow which.

requested ── verified ── approved ── provisioned ── administered ── trial ── reminded ── grace ── suspended
    └─ expired    └─ refused                              └───────────┴─ kept ┴──────────┴───────────┘
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


class State(enum.StrEnum):
    """How far a sign-up has come."""

    REQUESTED = "requested"
    VERIFIED = "verified"
    APPROVED = "approved"
    PROVISIONED = "provisioned"
    ADMINISTERED = "administered"
    TRIAL = "trial"
    REMINDED = "reminded"
    GRACE = "grace"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    REFUSED = "refused"
    KEPT = "kept"


WAYS: Mapping[State, frozenset[State]] = {
    State.REQUESTED: frozenset({State.VERIFIED, State.EXPIRED, State.REFUSED}),
    State.VERIFIED: frozenset({State.APPROVED, State.REFUSED}),
    State.APPROVED: frozenset({State.PROVISIONED, State.REFUSED}),
    State.PROVISIONED: frozenset({State.ADMINISTERED}),
    State.ADMINISTERED: frozenset({State.TRIAL, State.KEPT}),
    State.TRIAL: frozenset({State.REMINDED, State.KEPT}),
    State.REMINDED: frozenset({State.GRACE, State.KEPT}),
    State.GRACE: frozenset({State.SUSPENDED, State.KEPT}),
    State.SUSPENDED: frozenset({State.KEPT}),
    State.EXPIRED: frozenset(),
    State.REFUSED: frozenset(),
    State.KEPT: frozenset(),
}
"""Which states may follow."""

OPEN = frozenset({State.VERIFIED, State.APPROVED})
"""In which somebody who has proven an address waits for a name that nobody else gets meanwhile."""

AT_WORK = (State.VERIFIED, State.APPROVED, State.PROVISIONED, State.ADMINISTERED)
"""What goes on as soon as somebody asks it to."""

WAITING = (State.REQUESTED, State.TRIAL, State.REMINDED, State.GRACE)
"""What goes on when its time is over."""


@dataclass(frozen=True, slots=True)
class SignUp:
    """A request for a tenant, and what has become of it.

    :param email: proven to be theirs from ``verified`` on
    :param slug: what the tenant is to be called in addresses
    :param tenant_name: what it is to be called
    :param network: where the request came from
    :param attempts: how often its next step has failed
    :param error: why
    :param expires_at: when the present state ends by itself; while a tenant is made, until when it is left alone
    """

    id: int
    state: State
    email: str
    person_name: str
    slug: str
    tenant_name: str
    created_at: datetime
    changed_at: datetime
    plan: str = ""
    network: str = ""
    tenant_id: int | None = None
    person_id: int | None = None
    attempts: int = 0
    error: str | None = None
    expires_at: datetime | None = None
    trial_ends_at: datetime | None = None
