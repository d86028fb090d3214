"""``make bench``: what the wall costs."""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from bench.cases import BACK_ENDS, CASES
from bench.databases import Databases
from bench.report import figure, show, write_json, write_plot
from bench.run import Measured, Plan, measure

QUICK = Plan(generations=1, rounds=3, block_ms=1.0)


@contextmanager
def databases_on(back_end: str, folder: Path) -> Iterator[Databases]:
    """Filled databases, gone afterwards."""
    from bench.tenanted import on_postgresql, on_sqlite

    if back_end == "sqlite":
        with on_sqlite(folder) as found:
            yield found
        return
    from tests.services.postgres import postgres

    with postgres() as server, on_postgresql(server) as found:
        yield found


def main(arguments: list[str] | None = None) -> None:
    """Read the command line, measure, and report."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "cases", nargs="*", help=f"only these: {', '.join(dict.fromkeys(c.method for c in CASES))}"
    )
    parser.add_argument("--on", choices=BACK_ENDS, action="append", help="a database; both by default")
    parser.add_argument(
        "--generations", type=int, default=Plan.generations, help="new processes so many times"
    )
    parser.add_argument(
        "--rounds", type=int, default=Plan.rounds, help="turns of each side in each generation"
    )
    parser.add_argument(
        "--turn",
        type=float,
        default=Plan.block_ms,
        metavar="MS",
        help="how long one turn takes, in milliseconds: in short ones the processor's caches are the other sides'",
    )
    parser.add_argument(
        "--quick", action="store_true", help="only prove that all of it runs; figures mean nothing"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the figures, and a plot (.svg) beside them"
    )
    given = parser.parse_args(arguments)
    unknown = set(given.cases) - {case.method for case in CASES}
    if unknown:
        parser.error(f"no such case: {', '.join(sorted(unknown))}")

    plan = QUICK if given.quick else Plan(given.generations, given.rounds, given.turn)
    chosen = [case for case in CASES if not given.cases or case.method in given.cases]
    logging.getLogger("flask_tenant").setLevel(logging.ERROR)
    console = Console()
    measured: list[Measured] = []
    with console.status("building databases") as status, tempfile.TemporaryDirectory() as folder:
        for back_end in given.on or BACK_ENDS:
            status.update(f"{back_end}: building databases")
            with databases_on(back_end, Path(folder)) as databases:
                measured += measure(back_end, databases, chosen, plan, status.update)
        status.update("working out intervals")
        figures = [figure(found) for found in measured]
    # No window to fit into when the output goes to a file.
    show(figures, console if console.is_terminal else Console(width=160))
    if given.json:
        write_json(figures, given.json, plan)
        write_plot(figures, given.json.with_suffix(".svg"))


if __name__ == "__main__":
    main()
