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

from flask import Flask
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

    :param name: ``ours``, ``hand``, ``again`` (the hand-written code once more), ``plain``, ``demo`` and
        ``demo_plain`` (demo_app with and without flask_tenant), ``off`` (ours, without the machinery of rules),
        ``ruled`` and ``hand_ruled`` (a tenant with twenty rules, and the same by hand)
    """

    work: Work | None = None

    def __init__(self, name: str, databases: Databases, back_end: str) -> None:
        os.environ["BENCH_BACK_END"] = back_end
        self._databases = databases
        self.scope: Callable[[], AbstractContextManager[Any]] = nullcontext
        make = {
            "ours": self._ours,
            "hand": self._hand,
            "again": self._hand,
            "plain": self._plain,
            "demo": self._demo,
            "demo_plain": self._demo_plain,
            "off": self._off,
            "ruled": self._ruled,
            "hand_ruled": self._hand_ruled,
        }
        self._server = _server_process(make[name]())

    def run(self, case: Case, times: int) -> tuple[Took, Any]:
        """Run a case so many times in a row.

        :returns: what that took, and what the last run returned
        """
        with ExitStack() as stack:
            handed = None
            if case.kind == "request" or self.work is None:
                method: Any = self._answer
            else:
                self.work.restart()
                stack.enter_context(self.scope())
                handed = stack.enter_context(self.work.opened(case.needs))
                method = getattr(self.work, case.method)
            answer = None
            server = self._server_cpu()
            cpu, wall = time.process_time_ns(), time.perf_counter_ns()
            for _ in range(times):
                answer = method(handed)
            took = time.perf_counter_ns() - wall, time.process_time_ns() - cpu
            return Took(took[0], took[1] + self._server_cpu() - server), answer

    def _answer(self, _: None) -> bytes:
        return self._request()

    def _server_cpu(self) -> int:
        # The first number of schedstat is the time spent on a processor, in nanoseconds.
        return int(self._server.read_text().split()[0]) if self._server is not None else 0

    # ---- the sides
    def _ours(self) -> Engine:
        return self._tenanted()[1]

    def _off(self) -> Engine:
        state, engine = self._tenanted()
        for isolation in state.databases.isolations.values():
            isolation.wall.rules = None
        return engine

    def _ruled(self) -> Engine:
        from bench.ruled import obey

        state, engine = self._tenanted()
        obey(state)
        return engine

    def _tenanted(self) -> tuple[Any, Engine]:
        from bench.tenanted import Tenanted, tenanted
        from flask_tenant.scopes import tenant_context

        state, engine = tenanted(self._databases.ours)
        self.scope = lambda: tenant_context(TENANTS[0], state.app)
        self.work = Tenanted(state, engine)
        self._page(state.app)
        return state, engine

    def _hand(self) -> Engine:
        from bench.byhand import ByHand

        return self._by_hand(ByHand)

    def _hand_ruled(self) -> Engine:
        from bench.ruled import ByHandRuled

        return self._by_hand(ByHandRuled)

    def _by_hand(self, work: Callable[[Engine], Work]) -> Engine:
        from bench import byhand, byhand_models
        from bench.databases import single_tenant_engine
        from bench.pages import create_app

        engine = single_tenant_engine(self._databases.hand)
        tenants = {slug: n for n, slug in enumerate(TENANTS, 1)}
        byhand_models.enter(tenants[TENANTS[0]])
        self.work = work(engine)
        self._page(create_app(engine, byhand.page_query, tenants))
        return engine

    def _plain(self) -> Engine:
        from bench.databases import single_tenant_engine
        from bench.pages import create_app
        from bench.single import Single, page_query

        engine = single_tenant_engine(self._databases.plain)
        self.work = Single(engine)
        self._page(create_app(engine, page_query))
        return engine

    def _page(self, app: Flask) -> None:
        from bench.pages import caller

        self._request = caller(app, "/invoices", f"{TENANTS[0]}.localhost")

    def _demo(self) -> Engine:
        from bench.tenanted import tenanted_demo

        return self._log_in(tenanted_demo(self._databases.demo))

    def _demo_plain(self) -> Engine:
        from bench.pages import demo

        return self._log_in(demo(self._databases.demo_plain))

    def _log_in(self, app: Flask) -> Engine:
        from bench.pages import demo_caller
        from demo_app.extensions import db

        self._request = demo_caller(app)
        with app.app_context():
            return db.engine


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
