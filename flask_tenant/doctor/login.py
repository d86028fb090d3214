"""Logs canary users in: by the operator's own function, or by Flask-Login."""

from __future__ import annotations

import gc
from collections.abc import Callable
from importlib import import_module
from typing import Any

import flask
from flask import Flask
from flask.testing import FlaskClient

from ..errors import ConfigurationError
from ..model import Tenant
from ..scopes import tenant_context
from .canary import Owner
from .fill import Rows

Login = Callable[[FlaskClient, Tenant], object]


def named(target: str) -> Login:
    """Return the operator's function.

    :param target: ``package.module:function``
    :raises ConfigurationError: when it is not there
    """
    module, _, name = target.partition(":")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"The login {target!r} was not found: {error}",
            value=target,
            hint="Name it as PACKAGE.MODULE:FUNCTION; it is called with a test client and the tenant",
        ) from error
    if not callable(found):
        raise ConfigurationError(f"The login {target!r} is no function", value=target)
    return found  # type: ignore[no-any-return]


def by_flask_login(app: Flask, rows: Rows) -> tuple[Login | None, str]:
    """Return a login for an application with Flask-Login, if its user model is plain enough, and what it does."""
    manager: Any = getattr(app, "login_manager", None)
    if manager is None:
        return None, "nobody is logged in: the application has no Flask-Login; name a function with --login"
    table = _user_table(rows)
    if table is None:
        return (
            None,
            "nobody is logged in: no user model of Flask-Login was found; name a function with --login",
        )
    owners: dict[str, Owner] = {}

    def login(client: FlaskClient, tenant: Tenant) -> None:
        from flask_login import login_user

        owner = owners.setdefault(tenant.slug, "A" if not owners else "B")
        row = rows.rows[table][owner][0]
        keys = [str(row[column.name]) for column in rows.tables[table].primary_key.columns]
        with tenant_context(tenant, app), app.test_request_context(base_url=f"http://{client_host(client)}/"):
            load = manager._user_callback
            user = load(keys[0]) if load is not None else None
            if user is None:
                raise ConfigurationError(
                    f"Flask-Login's user_loader returned nobody for the id {keys[0]!r} of {table!r}",
                    hint="Name a function of your own with --login",
                )
            login_user(user, force=True)
            entries = dict(flask.session)
        with (
            tenant_context(tenant, app),
            client.session_transaction(base_url=f"http://{client_host(client)}/") as session,
        ):
            session.update(entries)

    return login, f"the first canary user of {table!r}, by Flask-Login"


def client_host(client: FlaskClient) -> str:
    """The host that a test client of ours goes to."""
    return str(client.environ_base["flask_tenant.doctor.host"])


def _user_table(rows: Rows) -> str | None:
    from sqlalchemy.orm import Mapper

    for mapper in [thing for thing in gc.get_objects() if issubclass(type(thing), Mapper)]:
        if all(hasattr(mapper.class_, name) for name in ("is_authenticated", "is_active", "get_id")):
            table: Any = mapper.local_table
            name = getattr(table, "fullname", "")
            if rows.rows.get(name, {}).get("A") and rows.rows[name]["B"]:
                return str(name)
    return None
