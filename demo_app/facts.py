"""What an extension may want to know of this application: facts, events, hooks, users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import has_request_context
from flask_login import current_user
from sqlalchemy import select

from demo_app import settings
from demo_app.clock import utcnow
from demo_app.extensions import db
from demo_app.models import ROLES, User
from demo_app.signals import login_failed, usage_changed

KNOWN = {"roles": "list(text)"}
"""Facts by name, with their types."""

EVENTS: dict[str, dict[str, str]] = {
    "login.failed": {"user.id": "int"},
    "account.locked": {"user.id": "int"},
    "usage.changed": {"usage.ratio": "number"},
    "invoice.exported": {},
}
"""Events by name, with the facts that come with each."""

LARGEST_ORDER = 100_000
"""Above this, nobody may order by a form."""


def roles() -> list[str] | None:
    """What the user works at, ``None`` when nobody has logged in; owners are owners, too."""
    if not has_request_context() or not current_user.is_authenticated:
        return None
    return [*current_user.role_list, current_user.role]


def approval(row: Mapping[str, Any]) -> bool:
    """Say whether an order may be written at all."""
    return float(row["total"]) <= LARGEST_ORDER


def lock_account(event: Any) -> None:
    """Let a user not log in any more, until an owner allows it again.

    :param event: has ``facts``, by name
    """
    user = db.session.get(User, event.facts["user.id"]) if event.facts.get("user.id") else None
    if user is not None:
        user.active = False
        db.session.commit()


def begin(company: Any) -> None:
    """Let a new company be called as it is called elsewhere.

    :param company: has ``name``
    """
    settings.save({"company_name": company.name})
    db.session.commit()


def user_of(member: Any) -> User:
    """Return the user that somebody is who has logged in elsewhere, made if there is none.

    :param member: has ``name``, ``email``, ``roles`` and ``is_administrator``
    """
    user = db.session.scalar(select(User).where(User.email == member.email))
    if user is None:
        user = User(email=member.email, name=member.name, password_hash="")
        db.session.add(user)
    return up_to_date(user, member)


def up_to_date(user: User, member: Any) -> User:
    """Let a user be called, and work at, what is said elsewhere."""
    user.name = member.name
    user.role = "owner" if member.is_administrator else "member"
    user.role_list = [role for role in ROLES if role in member.roles]
    user.last_login_at = utcnow()
    db.session.commit()
    return user


def known_to(extension: Any) -> Any:
    """Tell an extension what there is.

    :param extension: has the registries ``facts``, ``events``, ``hooks``, ``webhooks`` and ``users``, and ``seed``
    """
    extension.seed(begin)
    extension.users.create(user_of)
    extension.users.update(up_to_date)
    extension.facts.provider("roles", KNOWN["roles"])(roles)
    for name, facts in EVENTS.items():
        extension.events.declare(name, facts)
    extension.events.connect(
        login_failed, "login.failed", lambda sender, user: {"user.id": user.id if user else None}
    )
    extension.events.connect(usage_changed, "usage.changed", lambda sender, ratio: {"usage.ratio": ratio})
    extension.hooks.register("approval")(approval)
    extension.hooks.register("lock_account")(lock_account)
    extension.webhooks.add("ops")
    return extension
