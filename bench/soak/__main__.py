"""``python -m bench.soak``: see :mod:`bench.soak`. Exits with 1 when something was not as it should be."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from threading import Event
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy.engine import make_url

from bench.soak.clients import Client, Tally
from bench.soak.servers import resident, serving
from bench.soak.site import ROWS, make_site
from bench.soak.trouble import Fate, Operator, RedisServer
from flask_tenant.application import Application
from flask_tenant.registry import state_of

GROWTH = 1.10
"""How much larger the servers may be in the run's last quarter than in its second."""

SPARE_BYTES = 10 * 2**20
BARS = " ▁▂▃▄▅▆▇█"


@dataclass
class Found:
    """What a run has shown.

    :param memory: bytes of all servers, once a second
    :param rate: answers in each second
    """

    seconds: float
    tally: Tally
    operator: dict[str, int]
    fate: dict[str, int]
    memory: list[int] = field(default_factory=list)
    rate: list[int] = field(default_factory=list)

    @property
    def growth(self) -> float:
        """Memory in the last quarter, as a multiple of that in the second one."""
        quarter = max(len(self.memory) // 4, 1)
        return median(self.memory[-quarter:]) / median(self.memory[quarter : 2 * quarter] or self.memory)

    def faults(self, *, flat: bool = True) -> list[str]:
        """What was not as it should be.

        :param flat: whether the run was long enough to say that memory does not grow
        """
        tally, found = self.tally, []
        found += [f"LEAK: {text}" for text in tally.leaks]
        found += [f"wrong: {text}" for text in tally.wrong]
        found += [f"nothing was ever {kind}" for kind in KINDS if not self._happened(kind)]
        quarter = max(len(self.memory) // 4, 1)
        grown = median(self.memory[-quarter:]) - median(self.memory[quarter : 2 * quarter] or self.memory)
        if flat and self.growth > GROWTH and grown > SPARE_BYTES:
            found.append(f"memory has grown to {self.growth:.2f} of what it was")
        return found

    def _happened(self, kind: str) -> int:
        return self.tally.seen[kind] + self.operator.get(kind, 0) + self.fate.get(kind, 0)


KINDS = ("right", "hung up", "injected", "configured", "closed", "suspended", "killed", "frozen", "emptied")
"""What has to happen in a run, or it has shown nothing. *closed* is what the operator did to a tenant, *suspended* what
clients were told."""


@contextmanager
def services(database: str | None) -> Iterator[tuple[str, RedisServer, str]]:
    """PostgreSQL and Redis of this run's own; the database's URL, the server and its URL."""
    from tests.services.postgres import postgres
    from tests.services.redis import redis_running

    with ExitStack() as stack:
        redis = stack.enter_context(redis_running())
        if database is None:
            server = stack.enter_context(postgres())
            database = server.url(stack.enter_context(server.database()))
        yield database, redis, redis.url()


def populate(database: str, redis_url: str, tenants: int) -> tuple[Application, list[str]]:
    """Create tenants, each with its canaries."""
    state = state_of(make_site(database, redis_url))
    slugs = [f"tenant-{number}" for number in range(tenants)]
    state.create_many([(slug, slug.title()) for slug in slugs])
    (isolation,) = set(state.databases.isolations.values())
    with isolation.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO note (tenant_id, text) SELECT t.id, 'canary=' || t.slug || ';' FROM tenancy_tenant t, "
            f"generate_series(1, {ROWS})"
        )
    return state, slugs


def run(
    seconds: float,
    tenants: int,
    clients: int,
    *,
    database: str | None = None,
    every: float = 10.0,
    console: Console | None = None,
) -> Found:
    """Serve, disturb, and watch.

    :param database: URL of an empty PostgreSQL database; a server of its own without
    :param every: seconds from one of Redis' misfortunes to the next
    """
    console = console or Console(stderr=True)
    stop = Event()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="flask-tenant-soak-")))
        url, redis, redis_url = stack.enter_context(services(database))
        state, slugs = populate(url, redis_url, tenants)
        served = [
            stack.enter_context(serving(folder, program, url, redis_url))
            for program in ("gunicorn", "uvicorn")
        ]
        ports = [port for _, port in served]
        fate, tally = Fate(redis, stop, every), Tally()
        operator = Operator(state, slugs, slugs[: max(tenants // 10, 1)], tally.refused, stop)
        client = Client(ports, slugs, operator.may_be_closed, operator.must_be_closed, tally, stop)
        found = Found(seconds, tally, operator.done, fate.done)
        pool = stack.enter_context(ThreadPoolExecutor(clients + 2))
        stack.callback(stop.set)
        jobs = [pool.submit(operator.run), pool.submit(fate.run)]
        jobs += [pool.submit(client.run, seed) for seed in range(clients)]
        _watch(found, [pid for pid, _ in served], seconds, console)
        stop.set()
        for job in jobs:
            job.result()
        state.directory.close()
    return found


def _watch(found: Found, pids: Sequence[int], seconds: float, console: Console) -> None:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[now]}"),
    )
    start, before = time.monotonic(), 0
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("soak", total=seconds, now="")
        while (passed := time.monotonic() - start) < seconds:
            time.sleep(min(1.0, seconds - passed))
            total = found.tally.seen.total()
            found.memory.append(sum(map(resident, pids)))
            found.rate.append(total - before)
            before = total
            now = f"{total} answers, {len(found.tally.leaks)} leaks, {found.memory[-1] / 2**20:.0f} MB"
            progress.update(task, completed=passed, now=now)


def bars(values: Sequence[float], width: int = 60) -> str:
    """Draw values in one line, from nothing to the largest."""
    chunk = max(len(values) // width, 1)
    means = [sum(values[at : at + chunk]) / chunk for at in range(0, len(values) - chunk + 1, chunk)]
    top = max(means, default=0) or 1
    return "".join(BARS[round(mean / top * (len(BARS) - 1))] for mean in means)


def show(found: Found, faults: Sequence[str], console: Console) -> None:
    """Print what a run has shown."""
    seen = found.tally.seen
    console.print(
        f"{seen.total()} answers in {found.seconds:g} s: {seen.total() / found.seconds:.0f} a second"
    )
    for kind, number in sorted(seen.items()):
        console.print(f"  {kind:12} {number:8}")
    for done in (found.operator, found.fate):
        console.print("  " + ", ".join(f"{kind} {number} times" for kind, number in done.items()))
    console.print(f"answers a second, up to {max(found.rate, default=0)}:  {bars(found.rate)}")
    low, high = min(found.memory) / 2**20, max(found.memory) / 2**20
    console.print(f"memory, {low:.0f} to {high:.0f} MB, x{found.growth:.3f}: {bars(found.memory)}")
    for fault in faults:
        console.print(fault, style="red", markup=False)
    console.print("[green]as it should be[/]" if not faults else f"[red]{len(faults)} faults[/]")


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, run, and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--tenants", type=int, default=1_000)
    parser.add_argument("--clients", type=int, default=24, help="at once")
    parser.add_argument("--every", type=float, default=10, help="seconds between Redis' misfortunes")
    parser.add_argument("--database", help="URL of an empty PostgreSQL database")
    parser.add_argument("--json", type=Path, help="write the figures there")
    given = parser.parse_args(arguments)
    if given.database:
        make_url(given.database)
    found = run(given.seconds, given.tenants, given.clients, database=given.database, every=given.every)
    faults = found.faults(flat=given.seconds >= 120)
    show(found, faults, Console())
    if given.json:
        given.json.write_text(json.dumps(_figures(found, faults), indent=2) + "\n")
    sys.exit(1 if faults else 0)


def _figures(found: Found, faults: Sequence[str]) -> dict[str, Any]:
    return {
        "seconds": found.seconds,
        "seen": dict(found.tally.seen),
        "operator": dict(found.operator),
        "redis": dict(found.fate),
        "growth": round(found.growth, 3),
        "memory": found.memory,
        "rate": found.rate,
        "faults": list(faults),
    }


if __name__ == "__main__":
    main()
