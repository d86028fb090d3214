"""Loaded into ihatemoney's test run with `-p suite_tenancy`: the one registration, and a watch over the
neighbour.

Nothing of ihatemoney is changed: `install()` is what `flask-tenant run` calls before it imports an
application. After each test, and before the suite empties its tables, all rows are read through the plain
driver, and a line is written to the file that `SUITE_WATCH` names: what the suite had written, and whether
the neighbour's rows were as before."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import rows

from flask_tenant import autoregister

URL = os.environ["TESTING_SQLALCHEMY_DATABASE_URI"]
COLUMN = os.environ["SUITE_TENANT_COLUMN"]
NEIGHBOUR = os.environ["SUITE_NEIGHBOUR"]
WATCH = Path(os.environ["SUITE_WATCH"])


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Register before the suite's conftest imports the application."""
    autoregister.install(lambda app: app.config.update(TENANT_DEFAULT="suite"))


def neighbours(found: rows.Rows) -> rows.Rows:
    """The neighbour's rows alone."""
    return {
        table: [row for row in content if str(row[COLUMN]) == NEIGHBOUR] for table, content in found.items()
    }


BEFORE = neighbours(rows.read(URL, COLUMN))


def written(found: rows.Rows) -> dict[str, list[Any]]:
    """The primary keys of all rows that are not the neighbour's, with their tenant, table by table."""
    keys = rows.primary_keys(URL, found)
    return {
        table: [
            [str(row[COLUMN]), [str(row[name]) for name in keys[table] if name != COLUMN]]
            for row in content
            if str(row[COLUMN]) != NEIGHBOUR
        ]
        for table, content in found.items()
    }


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Look at the database while the test's rows are still there."""
    found = rows.read(URL, COLUMN)
    line = {"test": item.nodeid, "intact": neighbours(found) == BEFORE, "written": written(found)}
    with WATCH.open("a") as file:
        file.write(json.dumps(line) + "\n")
