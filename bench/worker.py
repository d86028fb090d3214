"""A process for one side: it runs a case so many times when it is told to, and says what that took.

Sides are kept in processes of their own, because Tenancy listens to every session and engine of its
process: in one process the others would pay for it too, and the comparison would flatter us.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Engine, make_url

from bench.cases import CASES, Case, Work
from bench.databases import TENANTS, Databases


@dataclass(frozen=True)
class Took:
    """What a block of work took.

    :param wall: nanoseconds on the clock
    :param cpu: nanoseconds of processor, in this process and in the database server's process for it
    """

    wall: int
    cpu: int


class Side:
    """One side, ready to work.

    :param name: ``ours``, ``hand``, ``again`` (the hand-written code once more) or ``plain``
    """

    def __init__(self, name: str, databases: Databases, back_end: str) -> None:
        os.environ["BENCH_BACK_END"] = back_end
        self.scope: Callable[[], AbstractContextManager[Any]] = nullcontext
        self.pages: dict[str, Callable[[], bytes]] = {}
        self.back_end = back_end
        self.servers: list[Path | None] = []
        make = {"ours": self._ours, "hand": self._hand, "again": self._hand, "plain": self._plain}
        self.work = make[name](databases)
        self.servers.append(_server_process(self.work.engine))

    def run(self, case: Case, times: int) -> tuple[Took, Any]:
        """Run a case so many times in a row.

        :returns: what that took, and what the last run returned
        """
        with ExitStack() as stack:
            if case.kind == "request":
                method: Any = lambda _: self.pages[case.method]()  # noqa: E731
            else:
                method = getattr(self.work, case.method)
                stack.enter_context(self.scope())
            self.work.restart()
            handed = stack.enter_context(self.work.opened(case.needs))
            answer = None
            server = self._server_cpu()
            cpu, wall = time.process_time_ns(), time.perf_counter_ns()
            for _ in range(times):
                answer = method(handed)
            took = time.perf_counter_ns() - wall, time.process_time_ns() - cpu
            return Took(took[0], took[1] + self._server_cpu() - server), answer

    def _server_cpu(self) -> int:
        # The first number of schedstat is the time spent on a processor, in nanoseconds.
        return sum(int(server.read_text().split()[0]) for server in self.servers if server is not None)

    # ---- the sides
    def _ours(self, databases: Databases) -> Work:
        from bench.tenanted import Tenanted, tenanted, tenanted_demo
        from flask_tenant.extension import tenant_context

        state, engine = tenanted(databases.ours)
        self.scope = lambda: tenant_context(TENANTS[0], state.app)
        self._page(state.app)
        self._demo(tenanted_demo(databases.demo))
        return Tenanted(state, engine)

    def _hand(self, databases: Databases) -> Work:
        from bench import byhand, byhand_models
        from bench.databases import single_tenant_engine
        from bench.pages import create_app

        engine = single_tenant_engine(databases.hand)
        tenants = {slug: n for n, slug in enumerate(TENANTS, 1)}
        byhand_models.enter(tenants[TENANTS[0]])
        self._page(create_app(engine, byhand.page_query, tenants))
        return byhand.ByHand(engine)

    def _plain(self, databases: Databases) -> Work:
        from bench.databases import single_tenant_engine
        from bench.pages import create_app, demo
        from bench.single import Single, page_query

        engine = single_tenant_engine(databases.plain)
        self._page(create_app(engine, page_query))
        self._demo(demo(databases.demo_plain))
        return Single(engine)

    def _page(self, app: Any) -> None:
        from bench.pages import caller

        self.pages["page"] = caller(app, "/invoices", f"{TENANTS[0]}.localhost")

    def _demo(self, app: Any) -> None:
        from bench.pages import demo_caller
        from demo_app.extensions import db

        self.pages["demo"] = demo_caller(app)
        with app.app_context():
            self.servers.append(_server_process(db.engine))


def _server_process(engine: Engine) -> Path | None:
    """Where the kernel accounts for the server's process behind an engine's one pooled connection."""
    if engine.dialect.name != "postgresql":
        return None
    connection = engine.raw_connection()
    try:
        pid = connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
    finally:
        connection.close()
    return Path(f"/proc/{pid}/schedstat")


def serve(pipe: Pipe, name: str, databases: Databases) -> None:
    """Run until the pipe is closed: ``(index of a case, times)`` in, ``(Took, answer)`` out."""
    side = Side(name, databases, make_url(databases.ours).get_backend_name())
    gc.disable()
    gc.freeze()
    pipe.send(None)
    while (message := pipe.recv()) is not None:
        index, times = message
        gc.collect()
        pipe.send(side.run(CASES[index], times))
