"""Isolation equivalence over made-up statements: the single-tenant answer for each, and hardly a refusal."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from random import Random

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.rawsql.corpus import COMMON, POSTGRESQL, SQLITE
from tests.rawsql.oracle import Oracle, PostgresOracle, SqliteOracle
from tests.rawsql.shapes import SHAPES, Maker
from tests.rawsql.test_second_opinions import mutated
from tests.services.availability import examples
from tests.services.postgres import PostgresServer

EXAMPLES = int(os.environ.get("RAWSQL_EXAMPLES", examples(125)))


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


ARBITRARY = re.compile(
    r"limit|offset|fetch|tablesample|random|now\(|current_|local|distinct on|first_value|lag\(|row_number|"
    r"ntile|rank|group_concat|_agg|over|array\(|timestamp|mode\(",
    re.IGNORECASE,
)
"""Answers that depend on an order which nobody asked for, or on the clock."""
STEPS = 40 * 20_000  # a mutilated join can be all rows by all rows


class Patience:
    """Interrupts SQLite when a statement takes too long."""

    left = 0

    def __call__(self) -> int:
        self.left -= 1
        return self.left < 0


def run_mutilated(oracle: Oracle, statements: list[str], patience: Patience) -> None:
    """Whatever is let through of mutilated statements gives the tenant's own answer."""
    oracle.answered = 0
    good = [statement for statement in statements if not ARBITRARY.search(statement)]

    @settings(
        max_examples=EXAMPLES * 20,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        derandomize=EXAMPLES <= 40,
    )
    @given(mutated(good), st.sampled_from([1, 2, 3]))
    def holds(text: str, tenant: int) -> None:
        patience.left = 40
        if not ARBITRARY.search(text):
            oracle.check(text, tenant=tenant, strict=False)

    holds()
    assert oracle.answered > 10


def run(oracle: Oracle, shape: str, record_property: Callable[[str, object], None]) -> None:
    make = SHAPES[shape]
    oracle.answered = oracle.filled = oracle.invalid = 0
    oracle.refused.clear()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        derandomize=EXAMPLES <= 40,
    )
    @given(st.integers(0, 2**32), st.sampled_from([1, 2, 3]))
    def holds(seed: int, tenant: int) -> None:
        statement = make(Maker(Random(seed), sqlite=oracle.dialect == "sqlite"))
        oracle.check(statement, tenant=tenant, strict=False)

    holds()
    refused = len(oracle.refused)
    total = oracle.answered + refused
    record_property(
        "figure",
        f"{oracle.answered} answered, {oracle.filled} not empty, {refused} refused, {oracle.invalid} invalid",
    )
    assert total, "no valid statement was made"
    assert refused <= total * 0.02, oracle.refused[0]
    assert oracle.filled >= total / 2
    assert oracle.invalid <= total / 2


@pytest.mark.parametrize("shape", SHAPES)
def test_sqlite(
    sqlite_oracle: SqliteOracle, shape: str, record_property: Callable[[str, object], None]
) -> None:
    run(sqlite_oracle, shape, record_property)


@pytest.mark.parametrize("shape", SHAPES)
def test_postgresql(
    postgres_oracle: PostgresOracle, shape: str, record_property: Callable[[str, object], None]
) -> None:
    run(postgres_oracle, shape, record_property)


def test_mutilated_on_sqlite() -> None:
    oracle, patience = SqliteOracle(), Patience()
    for connection in (oracle.pool, *oracle.singles.values()):
        connection.set_progress_handler(patience, STEPS // 40)
    run_mutilated(oracle, [*COMMON, *SQLITE], patience)


def test_mutilated_on_postgresql(postgres_oracle: PostgresOracle) -> None:
    run_mutilated(postgres_oracle, [*COMMON, *POSTGRESQL], Patience())
