"""`database_url`: one test, every back end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.services.postgres import PostgresServer

BACK_ENDS = ("sqlite", "postgresql+psycopg", "postgresql+psycopg2")

MakeDatabase = Callable[[str], AbstractContextManager[str]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes `database_url` (or `back_end`) once for each back end.

    `@pytest.mark.databases("sqlite")` restricts it to those named.
    """
    wanted = {"database_url", "back_end"} & set(metafunc.fixturenames)
    if not wanted:
        return
    marker = metafunc.definition.get_closest_marker("databases")
    names = marker.args if marker else BACK_ENDS
    unknown = set(names) - set(BACK_ENDS)
    if unknown or not names:
        raise pytest.UsageError(
            f"{metafunc.definition.nodeid}: databases{tuple(names)}: back ends are {', '.join(BACK_ENDS)}"
        )
    metafunc.parametrize("back_end", names, indirect=True, scope="session")


@pytest.fixture(scope="session")
def back_end(request: pytest.FixtureRequest) -> str:
    """The back end that this run of the test is for, one of `BACK_ENDS`; for fixtures of every scope."""
    return str(request.param)


@pytest.fixture(scope="session")
def make_database(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> MakeDatabase:
    """Makes databases, for fixtures that keep one for a module: `with make_database(back_end) as url: …`."""

    @contextlib.contextmanager
    def make(back_end: str) -> Iterator[str]:
        if back_end == "sqlite":
            yield f"sqlite:///{tmp_path_factory.mktemp('sqlite') / 'test.sqlite'}"
            return
        server: PostgresServer = request.getfixturevalue("postgres_server")
        with server.database() as name:
            yield server.url(name, driver=back_end.partition("+")[2])

    return make


@pytest.fixture
def database_url(back_end: str, make_database: MakeDatabase) -> Iterator[str]:
    """The URL of an empty database, fresh for this test, on each back end in turn."""
    with make_database(back_end) as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of an SQLite file that does not exist yet, fresh for this test."""
    return f"sqlite:///{tmp_path / 'test.sqlite'}"
