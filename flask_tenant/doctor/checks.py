"""What can be seen of the set-up without calling anything: keys, database role, settings, engines, objects."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from typing import Any

from flask import Flask
from sqlalchemy.engine import Engine

from ..application import Application
from ..discovery import same_database
from ..engines import is_exempt
from ..isolate import VIEW_HINT, Isolation, check_schema, is_tenanted, plainly
from ..settings import Settings
from .findings import Check

SHORT_KEY = 16
"""Characters below which a secret key can be guessed."""

LONG_LIST = 10
"""Entries beyond which a list of safe names is more than exceptions."""

_WEAK = frozenset(
    {"dev", "secret", "secret key", "secret-key", "changeme", "change-me", "test", "key", "password"}
)


def engines_of_process() -> list[Engine]:
    """Every engine that is alive."""
    found = [thing for thing in gc.get_objects() if issubclass(type(thing), Engine)]
    whole = [
        engine for engine in found if type(engine).__name__ not in ("OptionEngine", "TenantOptionEngine")
    ]
    return list({id(engine.pool): engine for engine in whole}.values())


def check_all(app: Flask, state: Application) -> Iterator[Check]:
    """Look at everything."""
    isolations = list(dict.fromkeys(state.databases.isolations.values()))
    for isolation in isolations:
        yield from _keys(isolation)
        yield from _objects(isolation)
        if isolation.engine.dialect.name == "postgresql":
            yield from _role(isolation)
    yield from _shared(isolations, state.settings.shared_tables)
    yield from _engines(state)
    yield from _settings(app, state)


def _keys(isolation: Isolation) -> Iterator[Check]:
    isolation.views.load()
    problems = check_schema(isolation.catalog, isolation.config)
    for problem in problems:
        yield Check("keys", "problem", f"{problem.table} {problem.key}: {problem.why}", problem.what_to_do)
    tables = [view for view in isolation.views.all() if not view.shared]
    if not problems and tables:
        yield Check("keys", "ok", f"the keys of {len(tables)} tables are per tenant")
    if not tables:
        yield Check(
            "keys",
            "problem",
            "there is no tenant table",
            "Run the application's migrations, or create_all(), first",
        )


def _shared(isolations: Iterable[Isolation], shared: Iterable[str]) -> Iterator[Check]:
    views = [view for isolation in isolations for view in isolation.views.all()]
    there = {name.lower() for view in views for name in (view.name, f"{view.schema}.{view.name}")}
    unknown = sorted(name for name in shared if name.lower() not in there)
    if unknown:
        yield _warning(
            f"TENANT_SHARED_TABLES names what the database has not: {', '.join(unknown)}",
            "Mend its name: under the one that it has, the table belongs to each tenant",
        )


def _objects(isolation: Isolation) -> Iterator[Check]:
    objects = isolation.catalog.objects
    unsafe = [str(found) for found in objects if not found.safe]
    vouched = [str(found) for found in objects if found.safe]
    if unsafe:
        yield Check(
            "objects of the database",
            "problem",
            f"run below the wall: {', '.join(unsafe)}",
            "Make sure that each stays inside one tenant, and name it in TENANT_SAFE_OBJECTS",
        )
    if vouched:
        yield Check(
            "objects of the database",
            "warning",
            f"vouched for in TENANT_SAFE_OBJECTS: {', '.join(vouched)}",
            "The wall cannot see inside them: read them again after every change",
        )
    blind = isolation.blind_views()
    if blind:
        yield Check(
            "objects of the database",
            "warning",
            f"views that do not tell whose their rows are; statements that read them are refused: {', '.join(blind)}",
            VIEW_HINT,
        )
    if not objects:
        yield Check(
            "objects of the database", "ok", "no triggers, views, rules or functions of the application's own"
        )


def _role(isolation: Isolation) -> Iterator[Check]:
    with isolation.begin() as connection, plainly(connection):
        role = connection.exec_driver_sql(
            "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        ).one()
        owned = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN "
            "('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND "
            "pg_get_userbyid(c.relowner) = current_user"
        ).scalar_one()
    name = role.rolname
    if role.rolsuper:
        yield Check(
            "database role", "warning", f"{name} is a superuser: it reads files and walks round row level security",
            "Connect as a role that is none",
        )  # fmt: skip
    elif role.rolbypassrls:
        yield Check(
            "database role", "warning", f"{name} has BYPASSRLS: it walks round row level security",
            f'ALTER ROLE "{name}" NOBYPASSRLS',
        )  # fmt: skip
    if owned and not role.rolsuper:
        yield Check(
            "database role", "note", f"{name} owns {owned} tables: it may change the schema",
            "Let another role own the tables and run the migrations",
        )  # fmt: skip
    if not (role.rolsuper or role.rolbypassrls or owned):
        yield Check("database role", "ok", f"{name} owns no tables and has no special rights")


def _engines(state: Application) -> Iterator[Check]:
    clean = True
    for engine in engines_of_process():
        url = engine.url.render_as_string()
        if is_tenanted(engine.dialect):
            continue
        twin = any(same_database(engine, known) for known in state.databases.isolations)
        if not is_exempt(engine):
            clean = False
            yield Check(
                "engines", "problem", f"{url} is neither tenanted nor exempt: it refuses its first statement",
                "Pass it with Tenancy(engines=[…]), or exempt it when it holds no tenants' rows",
            )  # fmt: skip
        elif twin:
            clean = False
            yield Check(
                "engines", "warning", f"{url} is exempt, and goes to the tenants' own database past the wall",
                "Take it off the exempt engines, unless all that uses it is central work",
            )  # fmt: skip
        else:
            yield Check(
                "engines",
                "note",
                f"{url} is exempt: whatever is in it is everybody's",
                "Keep tenants' rows out of it",
            )
    if clean:
        yield Check("engines", "ok", f"{len(list(state.databases.isolations))} tenanted, none undeclared")


def _settings(app: Flask, state: Application) -> Iterator[Check]:
    found = [
        *_secret(app),
        *_talkative(app, state),
        *_tenancy(state.settings),
        *_proxies(app),
        *_cookies(app),
    ]
    yield from found or [Check("settings", "ok", "nothing to say")]


def _warning(what: str, do: str) -> Check:
    return Check("settings", "warning", what, do)


def _talkative(app: Flask, state: Application) -> Iterator[Check]:
    if app.debug:
        yield _warning(
            "DEBUG is on: the debugger runs code for whoever reaches it",
            "Switch it off where others reach the server",
        )
    for engine in list(state.databases.isolations):
        if engine.echo:
            yield _warning(
                f"{engine.url.render_as_string()} has echo on: tenants' values go to the log",
                "Switch SQLALCHEMY_ECHO off",
            )


def _tenancy(settings: Settings) -> Iterator[Check]:
    lists = {
        "TENANT_SAFE_FUNCTIONS": settings.safe_functions,
        "TENANT_SAFE_OBJECTS": settings.safe_objects,
        "TENANT_SHARED_TABLES": settings.shared_tables,
        "TENANT_UNRULED_OBJECTS": settings.unruled_objects,
    }
    for name, listed in lists.items():
        if len(listed) > LONG_LIST:
            yield _warning(
                f"{name} has {len(listed)} entries", "Each is an exception from the wall: go through them"
            )
    if settings.enforcement == "report":
        yield _warning(
            "TENANT_ENFORCEMENT is 'report': refusals are let through while there is one tenant",
            "Set it to 'enforce' before going live",
        )
    if settings.default is not None:
        yield _warning(
            f"TENANT_DEFAULT is {settings.default!r}: whatever names no tenant is served as this one",
            "It is meant for shells and tests: leave it out where customers are served",
        )
    if settings.base_domain is None:
        yield Check(
            "settings",
            "note",
            "TENANT_BASE_DOMAIN is not set: the first label of any host names a tenant",
            "Set it where customers are served",
        )


def _secret(app: Flask) -> Iterator[Check]:
    key: Any = app.config.get("SECRET_KEY")
    if not key:
        yield Check("settings", "note", "SECRET_KEY is not set: there are no sessions")
        return
    text = key.decode("latin-1") if isinstance(key, bytes) else str(key)
    if text.lower() in _WEAK or len(text) < SHORT_KEY or len(set(text)) < 5:
        yield _warning(
            f"SECRET_KEY is short or well known ({len(text)} characters): sessions can be forged",
            "python -c 'import secrets; print(secrets.token_hex())'",
        )


def _proxies(app: Flask) -> Iterator[Check]:
    at: Any = app.wsgi_app
    for _ in range(10):
        if at is None:
            return
        if type(at).__name__ == "ProxyFix" and getattr(at, "x_host", None):
            yield Check(
                "settings", "warning", "ProxyFix takes the host from X-Forwarded-Host",
                "Make sure that every request comes through your proxy, and that it sets this header",
            )  # fmt: skip
        at = getattr(at, "app", None) or getattr(at, "_app", None)


def _cookies(app: Flask) -> Iterator[Check]:
    domain = app.config.get("SESSION_COOKIE_DOMAIN")
    if domain:
        yield _warning(
            f"SESSION_COOKIE_DOMAIN is {domain!r}: every tenant's host gets every session",
            "Leave it out: each host keeps its own cookies",
        )
