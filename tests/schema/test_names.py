"""The names that we make up are those that PostgreSQL makes up, whatever tables and columns are called."""

from __future__ import annotations

import random

import pytest
import sqlalchemy as sa

from flask_tenant.isolate.ddl import translate_ddl
from tests.schema.installing import CONFIG

ALPHABET = "abcdefgh_éü漢𝄞"
MADE_UP = """
    SELECT conname::text FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND conrelid <> 'parent'::regclass AND contype IN ('u', 'f')
    UNION ALL SELECT relname::text FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'i' AND relname !~ '^parent_'
    ORDER BY 1
"""


def _name(chance: random.Random) -> str:
    while True:
        name = "".join(chance.choice(ALPHABET) for _ in range(chance.randint(1, 40)))
        if len(name.encode()) <= 63 and not name.startswith("parent"):
            return name


def _statement(seed: int) -> str:
    chance = random.Random(seed)
    table = f'"{_name(chance)}"'
    columns = [f'"{name}"' for name in dict.fromkeys(_name(chance) for _ in range(chance.randint(1, 5)))]
    listed = ", ".join(columns)
    return (
        f"CREATE TABLE {table} ({', '.join(f'{column} int' for column in columns)}, UNIQUE ({listed}), "
        f"FOREIGN KEY ({columns[0]}) REFERENCES parent (i), UNIQUE ({columns[0]}) INCLUDE ({columns[-1]})); "
        f"CREATE INDEX ON {table} ({listed}, lower('x'), (1 + 1), (2 + 2))"
    )


@pytest.mark.databases("postgresql+psycopg")
def test_made_up_names_are_the_server_s(plain: sa.Engine) -> None:
    compared = 0
    for seed in range(60):
        statement = _statement(seed)
        names = []
        for text in (statement, translate_ddl(statement, "postgresql", CONFIG)):
            with plain.connect() as connection:  # rolled back
                connection.exec_driver_sql(
                    "CREATE TABLE parent (tenant_id bigint, i int, UNIQUE (i), UNIQUE (tenant_id, i))"
                )
                connection.exec_driver_sql(text)
                names.append(connection.exec_driver_sql(MADE_UP).scalars().all())
        assert names[0] == names[1], statement
        compared += len(names[0])
    assert compared >= 60 * 5
