"""What stands beside django-tenants measures requests that are answered, as many as it says."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.beside import __main__ as beside
from bench.beside import ours
from bench.beside.asking import VIEWS, ask, serve
from flask_tenant.registry import state_of
from tests.services.availability import FULL

pytestmark = pytest.mark.once

Wsgi = Callable[..., Iterator[bytes]]


def answering(found: dict[str, bytes], status: str = "200 OK", busy: float = 0.0) -> tuple[Wsgi, list[str]]:
    """An application of that many answers, and the paths that it was asked for."""
    asked: list[str] = []

    def application(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        asked.append(environ["PATH_INFO"])
        until = time.perf_counter() + busy
        while time.perf_counter() < until:
            pass
        start_response(status, [])
        yield found[environ["PATH_INFO"]]

    return application, asked


RIGHT = {"/nothing": b"hello", "/row": b"7"}


def test_it_asks_as_often_as_it_is_told_and_says_how_long_it_took(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    application, asked = answering(RIGHT, busy=0.001)
    monkeypatch.setattr("sys.stdin", io.StringIO("/row 10\n/nothing 5\n"))
    serve(application)
    ready, *times = capsys.readouterr().out.split()
    assert ready == "ready"
    assert asked == [*VIEWS, *["/row"] * 10, *["/nothing"] * 5]
    assert all(1_000 <= float(microseconds) < 1_000_000 for microseconds in times)
    assert len(times) == 2


@pytest.mark.parametrize(
    "application",
    [
        answering(RIGHT, status="404 NOT FOUND")[0],
        answering({**RIGHT, "/row": b"8"})[0],
        answering({**RIGHT, "/nothing": b""})[0],
    ],
)
def test_an_application_that_does_not_answer_is_not_measured(application: Wsgi) -> None:
    with pytest.raises(RuntimeError, match="/"):
        serve(application)


@pytest.mark.parametrize("bare", [True, False])
def test_our_sides_answer_for_the_tenant_that_is_asked_for(
    tmp_path: Path, bare: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ours, "TENANTS", 9)
    app = ours.make_app(f"sqlite:///{tmp_path / 'beside.db'}", bare=bare)
    assert [ask(app.wsgi_app, path) for path in VIEWS] == [RIGHT[path] for path in VIEWS]
    if not bare:
        assert state_of(app).directory.count() == 9


def test_each_side_takes_its_turns_and_the_fastest_counts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    turns: list[tuple[str, str, int]] = []

    class Fake:
        def __init__(self, stack: Any, name: str, url: Any, python: Path) -> None:
            self.name = name

        def ask(self, view: str, many: int) -> float:
            turns.append((self.name, view, many))
            return 100.0 / sum(turn[:2] == (self.name, view) for turn in turns)

    server = SimpleNamespace(url=lambda name: f"postgresql+psycopg://{name}", database=nullcontext)
    monkeypatch.setattr(beside, "Side", Fake)
    monkeypatch.setattr("tests.services.postgres.postgres", lambda: nullcontext(server))
    found = beside.main(["--turns", "4", "--requests", "3"])
    assert found == {view: dict.fromkeys(beside.SIDES, 25.0) for view in VIEWS}
    assert sorted(turns) == sorted(
        (name, view, 3) for name in beside.SIDES for view in VIEWS for _ in range(4)
    )
    assert "+0.0, x1.00" in capsys.readouterr().out


DJANGO = Path(os.environ.get("TENANCY_BUILD", ".build"), "beside", "bin", "python")


@pytest.mark.skipif(not (FULL and DJANGO.exists()), reason="takes the environment of `make bench`")
def test_beside_django_tenants() -> None:
    found = beside.measure(2, 5, DJANGO)
    assert all(1 < microseconds < 1_000_000 for sides in found.values() for microseconds in sides.values())
    assert all(len(sides) == 4 for sides in found.values())
