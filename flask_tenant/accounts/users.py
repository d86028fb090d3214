"""The application's own users: a member of a tenant is one of them, and Flask-Login sees that one.

While members log in through us, Flask-Login has nobody else to show: neither what an earlier log-in has left in the
browser's session, nor a "remember me" cookie. ``login_required`` sends people to our page; ``logout_user`` logs out
here, too.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import flask
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import IntegrityError

from ..errors import ConfigurationError, LoginRefusedError
from ..identity import Member
from ..login.people import checked_email

if TYPE_CHECKING:
    from .accounts import Accounts

KEY = "_tenancy_user"
"""Under which name the browser's session has what the application's user loader takes."""


class AppUser(NamedTuple):
    """One of the application's own users.

    :param key: what its user loader takes
    :param user: what that returns
    """

    key: str
    user: Any

    @property
    def number(self) -> int | None:
        """The key, where it is a number."""
        return number_of(self.key)


def number_of(key: str | None) -> int | None:
    """Return the key of a user, where it is a number."""
    return int(key) if key is not None and key.isascii() and key.isdecimal() else None


class AppUsers:
    """Finds a member's user, lets the application make one, and shows them to Flask-Login.

    :param accounts: the parts
    """

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    # ---- who is who
    def of(self, member: Member) -> AppUser | None:
        """Return a member's user, made if there was none; ``None`` where the application does not use Flask-Login.

        :raises ConfigurationError: when the application has not said how its users are made
        :raises LoginRefusedError: when the user is not to log in, or is another member's
        """
        manager = _manager(self._accounts.application.app)
        if manager is None or not member.tenant_id:
            return None
        hooks = self._accounts.application.tenancy.users
        key = self._key(member)
        user = manager._user_callback(key) if key is not None and manager._user_callback else None
        if user is None or key is None:
            if hooks.made_by is None:
                raise ConfigurationError(
                    "Somebody has logged in, and nobody says which of the application's own users that is",
                    hint="@tenancy.users.create: a function that takes a Member, and returns the user",
                )
            user = hooks.made_by(member)
            key = str(getattr(user, manager.id_attribute)())
            self._keep(member, key)
        elif hooks.updated_by is not None:
            hooks.updated_by(user, member)
        if not user.is_active:
            raise LoginRefusedError(f"The application's own user {key!r} is not active", reason="app-user")
        return AppUser(key, user)

    def enter(self, found: AppUser | None) -> None:
        """Let Flask-Login know of a log-in, and with it the application."""
        if found is None:
            return
        from flask_login import login_user

        flask.session[KEY] = found.key
        login_user(found.user)

    def key_of(self, tenant_id: int, email: str) -> str | None:
        """Return the user of whoever has a password of ours under this address, in one statement for anybody."""
        people = self._accounts.application.directory.tables.people
        try:
            email = checked_email(email)
        except Exception:  # whatever was typed, it is nobody's address
            email = ""
        query = (
            sa.select(people.app_user.c.key)
            .join(people.person, people.person.c.id == people.app_user.c.person_id)
            .where(people.app_user.c.tenant_id == tenant_id, people.person.c.email == email)
        )
        with self._accounts.application.directory.connect() as connection:
            return connection.scalar(query)

    def _key(self, member: Member) -> str | None:
        table = self._accounts.application.directory.tables.people.app_user
        mine = table.c.tenant_id == member.tenant_id, table.c.person_id == member.person_id
        with self._accounts.application.directory.connect() as connection:
            return connection.scalar(sa.select(table.c.key).where(*mine))

    def _keep(self, member: Member, key: str) -> None:
        table = self._accounts.application.directory.tables.people.app_user
        mine = table.c.tenant_id == member.tenant_id, table.c.person_id == member.person_id
        row = {"tenant_id": member.tenant_id, "person_id": member.person_id, "key": key}
        try:
            with self._accounts.application.directory.connect() as connection:
                connection.execute(table.delete().where(*mine))
                connection.execute(table.insert().values(row))
        except IntegrityError:
            raise LoginRefusedError(
                f"The application's own user {key!r} is another member of the tenant {member.tenant_id} already",
                reason="app-user-taken",
            ) from None

    # ---- Flask-Login
    def look(self, app: Flask) -> None:
        """Put ourselves before Flask-Login, if the application uses it. Cheap: for each scope."""
        manager = _manager(app)
        if manager is None:
            return
        if not isinstance(manager._load_user, partial):
            from flask_login import user_logged_out

            # Weak: it ends with us.
            user_logged_out.connect(self._left, sender=app)
            manager._load_user = partial(self._load, manager)
        views = {manager.login_view, *manager.blueprint_login_views.values()} - {None}
        for endpoint in views & app.view_functions.keys():
            if app.view_functions[endpoint] != self._ask:
                app.view_functions[endpoint] = self._ask
        if not views and manager.unauthorized_callback is None:
            manager.unauthorized_callback = self._accounts.entry.ask_to_log_in

    def _load(self, manager: Any) -> None:
        """Take the place of ``LoginManager._load_user``."""
        from flask_login import user_accessed

        user_accessed.send(flask.current_app._get_current_object())  # type: ignore[attr-defined]
        user, key = None, flask.session.get(KEY)
        if self._accounts.entry.member() is not None:
            user = manager._user_callback(key) if key is not None and manager._user_callback else None
        elif manager._request_callback is not None:
            user = manager._load_user_from_request(flask.request)  # such as the application's own API keys
        manager._update_request_context_with_user(user)

    def _ask(self, **values: Any) -> Any:
        """Take the place of the application's own page for logging in."""
        after = flask.request.args.get("next", "")
        root = flask.request.script_root
        inside = after.startswith(f"{root}/")
        return flask.redirect(self._accounts.entry.login_url(after.removeprefix(root) if inside else ""))

    def _left(self, sender: Flask, **values: Any) -> None:
        """The application has logged somebody out."""
        self._accounts.entry.log_out()


def _manager(app: Flask) -> Any:
    return getattr(app, "login_manager", None)
