"""``python -m bench.beside``: see :mod:`bench.beside`."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy.engine import URL, make_url

from bench.beside.asking import VIEWS

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
DJANGO = ROOT / ".build" / "beside" / "bin" / "python"
SIDES = {
    "Flask": ("ours", True),
    "Flask + Tenancy": ("ours", False),
    "Django": ("theirs", True),
    "Django + django-tenants": ("theirs", False),
}


class Side:
    """One process.

    :param python: the interpreter that has what the side needs
    """

    def __init__(self, stack: ExitStack, name: str, url: URL, python: Path) -> None:
        kind, bare = SIDES[name]
        options = ["--bare"] if bare else []
        command = [sys.executable, "-m", "bench.beside.ours", *options, _shown(url)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        if kind == "theirs":
            where = [str(part) for part in (url.host, url.port, url.username, url.password, url.database)]
            command = [str(python), str(HERE / "theirs.py"), *options, *where]
            environment.pop("PYTHONPATH")
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        stack.callback(process.wait)
        assert process.stdin is not None
        assert process.stdout is not None
        self._orders, self._answers = process.stdin, process.stdout
        stack.callback(self._answers.close)
        stack.callback(self._orders.close)
        self.name = name
        if self._answers.readline() != "ready\n":
            raise RuntimeError(f"{name} does not start")

    def ask(self, view: str, many: int) -> float:
        """Microseconds a request."""
        self._orders.write(f"{view} {many}\n")
        self._orders.flush()
        return float(self._answers.readline())


def _shown(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def measure(turns: int, requests: int, python: Path) -> dict[str, dict[str, float]]:
    """Return microseconds a request of each side, by view."""
    from tests.services.postgres import postgres

    with ExitStack() as stack:
        server = stack.enter_context(postgres())
        sides = [
            Side(stack, name, make_url(server.url(stack.enter_context(server.database()))), python)
            for name in SIDES
        ]
        best = {view: {side.name: float("inf") for side in sides} for view in VIEWS}
        for _ in range(turns):
            for view, found in best.items():
                for side in sides:
                    found[side.name] = min(found[side.name], side.ask(view, requests))
    return best


def main(arguments: list[str] | None = None) -> dict[str, dict[str, float]]:
    """Read the command line, measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.beside", description=__doc__)
    parser.add_argument("--turns", type=int, default=40, help="of each side and view")
    parser.add_argument("--requests", type=int, default=100, help="in each turn")
    parser.add_argument("--django", type=Path, default=DJANGO, help="the Python that has django-tenants")
    parser.add_argument("--json", action="store_true", help="for programs")
    given = parser.parse_args(arguments)
    found = measure(given.turns, given.requests, given.django)
    if given.json:
        print(json.dumps(found))
        return found
    for view, sides in found.items():
        print(view)
        for bare, tenanted in (("Flask", "Flask + Tenancy"), ("Django", "Django + django-tenants")):
            more = sides[tenanted] - sides[bare]
            print(
                f"  {tenanted:24} {sides[tenanted]:8.1f} us: {sides[bare]:.1f} bare, +{more:.1f}, "
                f"x{sides[tenanted] / sides[bare]:.2f}"
            )
    return found


if __name__ == "__main__":
    main()
