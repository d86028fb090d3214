"""Ordinary statements are answered, with exactly what the single-tenant database gives."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg
import pytest

from tests.rawsql.corpus import COMMON, POSTGRESQL, SQLITE
from tests.rawsql.oracle import PostgresOracle, SqliteOracle
from tests.services.postgres import PostgresServer


@pytest.fixture(scope="module")
def sqlite_oracle() -> SqliteOracle:
    return SqliteOracle()


@pytest.fixture(scope="module")
def postgres_oracle(postgres_server: PostgresServer) -> Iterator[PostgresOracle]:
    with contextlib.ExitStack() as stack:

        def connect(_number: int) -> psycopg.Connection:
            name = stack.enter_context(postgres_server.database())
            connection = psycopg.connect(postgres_server.dsn(name), autocommit=False)
            stack.callback(connection.close)
            return connection

        yield PostgresOracle(connect)


@pytest.mark.parametrize("tenant", [1, 2])
@pytest.mark.parametrize("statement", [*COMMON, *SQLITE])
def test_sqlite(sqlite_oracle: SqliteOracle, statement: str, tenant: int) -> None:
    sqlite_oracle.check(statement, tenant=tenant)


@pytest.mark.parametrize("tenant", [1, 2])
@pytest.mark.parametrize("statement", [*COMMON, *POSTGRESQL])
def test_postgresql(postgres_oracle: PostgresOracle, statement: str, tenant: int) -> None:
    postgres_oracle.check(statement, tenant=tenant)


def test_most_answers_hold_rows(sqlite_oracle: SqliteOracle) -> None:
    oracle = SqliteOracle()
    for statement in [*COMMON, *SQLITE]:
        oracle.check(statement)
    assert oracle.answered == len(COMMON) + len(SQLITE)
    assert oracle.filled > oracle.answered * 0.8
