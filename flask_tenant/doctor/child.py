"""The process in which the application is examined: ``python -m flask_tenant.doctor.child ORDER``.

It reads an order (JSON), puts the guard up, and only then imports the application. What it finds goes line by line to
the file descriptor that the order names.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .guard import Guard, Server, resolved

Say = Callable[[dict[str, Any]], None]


class NotPossibleError(Exception):
    """The examination cannot go on."""


def main() -> None:
    """Run an order."""
    order = json.loads(Path(sys.argv[1]).read_text())
    pipe = os.fdopen(order["pipe"], "w", buffering=1)

    def say(event: dict[str, Any]) -> None:
        pipe.write(json.dumps(event) + "\n")

    guard = guard_of(order)
    try:
        guard.install()
        say({"result": examine(order, guard, say)})
    except NotPossibleError as error:
        say({"failed": str(error)})
    except Exception as error:  # whatever the application does when it is loaded
        say({"failed": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()})
    finally:
        left = guard.remove_made()
        if left:
            say({"left": left})
    pipe.close()
    os._exit(0)  # threads of the application may never end


def guard_of(order: dict[str, Any]) -> Guard:
    """Return the guard that an order asks for."""
    folder = Path(order["folder"])
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder / "tmp")
    servers = {Server(*live): Server(*scratch) for live, scratch in order["servers"]}
    allowed = set()
    for address in order["plan"]["allow"]:
        host, _, port = address.rpartition(":")
        allowed |= {(found, int(port)) for found in resolved(host)}
    for server in servers.values():
        allowed |= {(found, int(server.port)) for found in resolved(server.host)}
    return Guard(folder, dict(order["files"]), servers, frozenset(allowed))


def examine(order: dict[str, Any], guard: Guard, say: Say) -> dict[str, Any]:
    """Load the application, and do all of it."""
    from ..application import Application
    from ..context import internal
    from ..model import Tenant
    from ..registry import KEY
    from ..scopes import central_context
    from ..settings import Settings
    from . import login as logins
    from .attacks import Attacks
    from .canary import OWNERS, Canaries, Owner
    from .fill import Filler, Rows, common_ids
    from .findings import Examination
    from .plan import Plan, RoutePlan
    from .rounds import Rounds
    from .visit import Visitor
    from .watch import Watch

    raw = order["plan"]
    plan = Plan(**{**raw, "routes": {k: RoutePlan(**v) for k, v in raw["routes"].items()}})
    found = Examination()

    def progress(done: int, total: int, what: str) -> None:
        say({"done": done, "total": total, "what": what})

    progress(0, 1, "loading the application")
    app = load(order)
    state: Application | None = app.extensions.get(KEY)
    if state is None:
        raise NotPossibleError(f"Tenancy is not registered with {app.name!r}")
    state.startup.end()
    settings: Settings = dataclasses.replace(state.settings, default=None)
    state.settings = settings
    with app.app_context(), internal():
        state.discover()
    isolations = list(dict.fromkeys(state.databases.isolations.values()))
    if not isolations:
        raise NotPossibleError("No tenanted engine was found")
    for isolation in isolations:
        refuse_live(isolation.engine, guard)
    with app.app_context():
        prepare_schema(app, isolations, found, central_context)

    progress(0, 1, "creating two tenants")
    canaries = Canaries()
    tenants: dict[Owner, Tenant] = {}
    with app.app_context():
        for owner in OWNERS:
            name = canaries.word(owner, "tenant", "name")
            tenants[owner] = state.create(f"canary-{owner.lower()}", f"Canary {name}")
    watch = Watch(app)
    guard.note = watch.note
    progress(0, 1, "filling tables")
    rows = Rows(common_ids(isolations))
    for isolation in isolations:
        filler = Filler(app, isolation.engine, isolation, tenants, canaries, plan.values, rows)
        filler.fill()
        found.tables += filler.results

    if not len(canaries) > len(OWNERS):
        problems = "; ".join(f"{t.table}: {t.problem or 'no text'}" for t in found.tables[:5])
        raise NotPossibleError(f"No tenant table could be filled, so that nothing could be seen ({problems})")

    app.config["PROPAGATE_EXCEPTIONS"] = False
    hosts = hosts_of(state, tenants)
    visitor = Visitor(app, tenants, hosts, canaries, watch)
    if plan.login:
        login: Any = logins.named(plan.login)
        found.login = f"by {plan.login}"
    else:
        login, found.login = logins.by_flask_login(app, rows)
    logged_in = False
    for owner in OWNERS if login is not None else ():
        client = visitor.client(owner)
        try:
            with app.app_context() if plan.login else _nothing():
                login(client, tenants[owner])
        except Exception as error:
            if plan.login:
                raise NotPossibleError(
                    f"The login {plan.login} failed: {type(error).__name__}: {error}"
                ) from error
            found.login = f"nobody is logged in: {error}"
            break
        visitor.cookies[owner] = dict(client._cookies or {})
        logged_in = bool(client._cookies)
    watch.start()
    guard.armed = sys.dont_write_bytecode = True
    rounds = Rounds(visitor, rows, plan, progress, logged_in=logged_in)
    watch.tables_of(isolations)
    rounds.walk()
    found.routes = rounds.results
    watch.look_into_shared(isolations, canaries, visitor, rounds.results)
    found.leaks = list(visitor.leaks.values())

    for isolation in isolations:
        attacks = Attacks(
            app, isolation, tenants, canaries, rows, lambda name: progress(1, 1, f"attacking {name}")
        )
        attacks.run()
        found.attacks += attacks.count
        found.leaks += attacks.leaks
    return found.as_dict()


class _nothing:  # noqa: N801 - used like a function
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def load(order: dict[str, Any]) -> Any:
    """Import the application as the ``flask`` command does."""
    from flask.cli import NoAppException, ScriptInfo

    sys.path[:] = order["path"]
    sys.argv[:] = order["argv"]
    info = ScriptInfo(app_import_path=order["app"])
    try:
        return info.load_app()
    except NoAppException as error:
        raise NotPossibleError(f"The application was not found again: {error.message}") from error


def refuse_live(engine: Any, guard: Guard) -> None:
    """Make sure that the engine leads to the scratch copy.

    :raises NotPossibleError: when it does not
    """
    from ..context import internal
    from ..isolate import plainly

    with internal(), engine.connect() as connection, plainly(connection):
        if engine.dialect.name == "sqlite":
            here = connection.exec_driver_sql("PRAGMA database_list").all()[0][2]
            good = bool(here) and guard.inside(os.path.realpath(here))
        else:
            here = connection.exec_driver_sql("SELECT current_database()").scalar_one()
            port = connection.exec_driver_sql("SELECT current_setting('port')").scalar_one()
            good = any(here == s.database for s in guard.servers.values()) and not any(
                here == live.database and port == live.port for live in guard.servers
            )
    if not good:
        raise NotPossibleError(
            f"The application is connected to {here!r}, which is no scratch copy: nothing was done"
        )


def prepare_schema(app: Any, isolations: list[Any], found: Any, central_context: Any) -> None:
    """Let the application make its schema, where the copies have none."""

    def ready() -> bool:
        for isolation in isolations:
            isolation.views.load()
        return any(not view.shared for isolation in isolations for view in isolation.views.all())

    if ready():
        return
    if "migrate" in app.extensions:
        from flask_migrate import upgrade

        upgrade()
        found.notes.append("The scratch copy's schema was made by the application's migrations")
    else:
        extension = app.extensions.get("sqlalchemy")
        if extension is not None and hasattr(extension, "create_all"):
            with central_context(reason="flask tenant doctor makes its scratch copy"):
                extension.create_all()
            found.notes.append("The scratch copy's schema was made by create_all()")
    if not ready():
        raise NotPossibleError(
            "There is no tenant table, neither in the live database nor after the application's start"
        )


def hosts_of(state: Any, tenants: Any) -> dict[Any, str]:
    """A host name for each tenant, and a way for requests to it to be resolved whatever the strategies are."""
    from ..model import RequestFacts, Tenant
    from ..protocols import Strategy

    base = state.settings.base_domain or "localhost"
    hosts = {owner: f"{tenant.slug}.{base}" for owner, tenant in tenants.items()}

    class ByHost(Strategy):
        """The doctor's own strategy: its two hosts, and nothing else."""

        name = "doctor"

        def identify(self, facts: RequestFacts) -> str | None:
            host = re.sub(r":\d+$", "", facts.host)
            return next((tenants[owner].slug for owner, known in hosts.items() if known == host), None)

        def find(self, identifier: str) -> Tenant | None:
            found: Tenant | None = state.directory.find(identifier)
            return found

    state.admission.strategies = (ByHost(), *state.admission.strategies)
    return hosts


if __name__ == "__main__":
    main()
