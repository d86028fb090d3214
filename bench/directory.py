"""What a look-up in the directory costs, and a tenant: ``python -m bench.directory``.

Look-ups are timed in turns, over tenants in a random order, and the fastest turn counts: what is slower was disturbed.
SQL is SQLite on this machine; Redis is a server of its own, left out when none is installed.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import shutil
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from flask_tenant.directory import Directory, own_database

SIZES = (10, 1_000, 100_000)
LIMIT_US = 2.0
"""What a look-up from memory may take, in microseconds."""

LIMIT_BYTES = 1_024
LIMIT_MS = 1.0
"""What creating a tenant in a batch may take, in milliseconds."""


def opened(folder: Path, redis_url: str | None = None) -> Directory:
    """A directory that keeps all of its tenants in memory."""
    engine = sa.create_engine(f"sqlite:///{folder / 'directory.sqlite'}")
    directory = Directory(own_database(engine), size=max(SIZES), seconds=3600, redis_url=redis_url)
    directory.prepare()
    return directory


def best(turns: int, names: Sequence[str], look: Callable[[str], object]) -> float:
    """Microseconds a look-up."""
    fastest = float("inf")
    for _ in range(turns):
        start = time.perf_counter()
        for name in names:
            look(name)
        fastest = min(fastest, (time.perf_counter() - start) / len(names) * 1e6)
    return fastest


def kept(directory: Directory) -> float:
    """Read all tenants into memory, and return how many bytes each takes there."""
    tenants, as_of = directory._store.all()
    many = len(tenants)
    del tenants
    directory.forget()
    directory.count()
    gc.collect()
    tracemalloc.start()
    held = tracemalloc.get_traced_memory()[0]
    for tenant in directory._store.all()[0]:
        directory._memory.put("slug", tenant.slug, tenant, as_of)
    gc.collect()
    taken = tracemalloc.get_traced_memory()[0] - held
    tracemalloc.stop()
    return taken / many


def measure(turns: int, sizes: Sequence[int]) -> dict[str, float]:
    """Return the figures by name."""
    found: dict[str, float] = {}
    shuffle = random.Random(7).sample
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            directory = opened(Path(folder))
            start = time.perf_counter()
            directory.create_many([(f"t{n}", f"Tenant {n}") for n in range(size)], lambda *_: None)
            created = (time.perf_counter() - start) / size * 1e3
            found[f"bytes a tenant, {size} tenants"] = kept(directory)
            names = shuffle([f"t{n}" for n in range(size)], min(size, 2_000))
            gc.collect()
            gc.freeze()
            assert directory.find(names[0]) is not None
            found[f"memory, {size} tenants: us"] = best(turns, names, directory.find)
            gc.unfreeze()
            for n in range(50):
                directory.find(f"nobody-{n}")
            strangers = [f"stranger-{n}" for n in range(500)]
            found[f"made-up name, {size} tenants: us"] = best(turns, strangers, directory.find)
            found[f"SQL, {size} tenants: us"] = best(3, names[:200], partial(directory._store.find, "slug"))
            found[f"create in a batch of {size}: ms"] = created
    with ExitStack() as stack:
        if shutil.which("redis-server"):
            from tests.services.redis import redis_running

            folder = stack.enter_context(tempfile.TemporaryDirectory())
            directory = opened(Path(folder), stack.enter_context(redis_running()).url())
            stack.callback(directory.close)
            directory.create_many([(f"t{n}", f"Tenant {n}") for n in range(100)], lambda *_: None)
            link = directory._lookup.link
            assert link is not None
            while not link.trusted:
                time.sleep(0.01)
            names = [f"t{n}" for n in range(100)]
            for name in names:
                directory.find(name)
            found["Redis: us"] = best(turns, names, partial(link.look, "slug"))
    return found


def main(arguments: list[str] | None = None) -> dict[str, float]:
    """Read the command line, measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.directory", description=__doc__)
    parser.add_argument("--turns", type=int, default=40, help="of each look-up")
    parser.add_argument("--sizes", type=int, nargs="*", default=list(SIZES), help="how many tenants")
    parser.add_argument("--json", action="store_true", help="for programs")
    given = parser.parse_args(arguments)
    found = measure(given.turns, given.sizes)
    if given.json:
        print(json.dumps(found))
        return found
    for name, value in found.items():
        kind = name.partition(",")[0].partition(" ")[0]
        limit = {"memory": LIMIT_US, "bytes": LIMIT_BYTES, "create": LIMIT_MS}.get(kind)
        judged = "" if limit is None else f"  (at most {limit:g}: {'yes' if value <= limit else 'NO'})"
        print(f"{name:34} {value:10.2f}{judged}")
    return found


if __name__ == "__main__":
    main()
