"""The directory's tables can be made on the dialects that it is not run on in these tests."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql, mysql, oracle
from sqlalchemy.schema import CreateIndex, CreateTable

from flask_tenant.directory.tables import Tables

DIALECTS = {"mysql": mysql, "mariadb": mysql, "mssql": mssql, "oracle": oracle}


@pytest.mark.parametrize("name", DIALECTS)
def test_its_tables_can_be_written_down(name: str) -> None:
    """Types without a length, names that are too long and keys that cannot be indexed are errors there."""
    dialect = DIALECTS[name].dialect()
    tables = Tables().metadata.sorted_tables
    assert len(tables) > 20
    for table in tables:
        text = str(CreateTable(table).compile(dialect=dialect))
        assert table.name in text
        for index in table.indexes:
            assert str(CreateIndex(index).compile(dialect=dialect)).strip()
        indexed = [
            *table.primary_key.columns,
            *(column for index in table.indexes for column in index.columns),
            *(c for u in table.constraints if isinstance(u, sa.UniqueConstraint) for c in u.columns),
        ]
        for column in indexed:
            assert not isinstance(column.type, sa.Text), f"{column} is indexed, and MySQL asks for a length"
        keys = [table.primary_key.columns, *(i.columns for i in table.indexes)]
        keys += [u.columns for u in table.constraints if isinstance(u, sa.UniqueConstraint)]
        for key in keys:
            size = sum(4 * column.type.length if isinstance(column.type, sa.String) else 8 for column in key)
            assert size <= 3072, f"a key of {table.name} has {size} bytes: InnoDB takes 3072"
        for column in table.columns:
            assert not (isinstance(column.type, sa.Text) and column.server_default is not None), column
