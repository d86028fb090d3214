"""What all tests share: the services, which applications a test sees, and the wheel where `make test` says
so."""

from __future__ import annotations

import os
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import pytest

import flask_tenant
from flask_tenant import registry
from flask_tenant.context import _scope
from tests.services.availability import AGAIN, FULL

pytest_plugins = [
    "tests.services.postgres",
    "tests.services.pgbouncer",
    "tests.services.databases",
    "tests.services.redis",
    "tests.services.slapd",
    "tests.services.smtp",
    "tests.services.oidc",
    "tests.services.browser",
]

# While an application with Tenancy lives in a process, engines that nobody has declared are refused there.
# Tests share their process: each sees the applications that its own fixtures have built, and no other test's.
_built: WeakKeyDictionary[pytest.FixtureDef[Any], WeakSet[Any]] = WeakKeyDictionary()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Iterator[None]:
    """Remember which applications a fixture builds."""
    before = set(registry._apps)
    try:
        return (yield)
    finally:
        _built[fixturedef] = WeakSet(set(registry._apps) - before)


def pytest_fixture_post_finalizer(fixturedef: pytest.FixtureDef[Any]) -> None:
    """Forget them with the fixture: they may live on until they are collected."""
    _built.pop(fixturedef, None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Bring back the applications of those fixtures that the test shares with earlier ones."""
    registry._apps.clear()
    used: Iterable[Any] = getattr(item, "_fixtureinfo").name2fixturedefs.values()  # noqa: B009
    for fixture in (fixture for fixtures in used for fixture in fixtures):
        registry._apps |= _built.get(fixture, WeakSet())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Make sure that no scope outlives its test."""
    yield
    left = _scope.get()
    if left is not None:
        _scope.set(None)
        raise AssertionError(f"{left!r} was left behind in the main context")


ONCE = {
    "accounts",
    "adapters",
    "audit",
    "bench",
    "cli",
    "demo",
    "docs",
    "doctor",
    "edges",
    "login",
    "mail",
    "onboarding",
    "rawsql",
    "soak",
    "testing",
    "thirdparty",
}
"""Folders whose tests run in the main environment only: no other version of SQLAlchemy or Python changes them much."""


ABOVE = {"cli", "demo", "doctor", "testing"}
"""Folders about what stands above the wall: on PostgreSQL a quarter of their tests will do, but for the long run."""

BESIDE = {"accounts", "extension", "integrations", "login", "onboarding", "rules", "schema"}
"""Folders whose tests are about both databases alike: on PostgreSQL a quarter of them will do, but for the long run."""


EACH = {Path("rules/test_async.py")}
"""Files whose tests all run, in both environments: few, and what they are about differs most between versions."""

LONG = {"thirdparty", "test_in_a_browser.py", "test_crashes.py"}
"""Folders and files whose tests begin first."""


def _every(folder: str, name: str) -> int:
    """Of how many tests of this kind one runs. The long run has them all."""
    if FULL:
        return 1
    again = 8 if AGAIN else 1
    if folder == "attacks":
        # The walls before the database are the same code; psycopg2's are psycopg's behind another cursor.
        return again * (8 if "psycopg2" in name else 3 if "postgresql" in name else 1)
    if folder == "rawsql":
        return 3  # each statement of the corpora is also part of what the mutations are made of
    if folder in ABOVE and "postgresql" in name:
        return 4
    if folder == "rules":
        return again * (4 if "postgresql" in name else 2)
    if folder in BESIDE and "postgresql" in name:
        return again * 4
    if folder == "isolation" and "postgresql" in name:
        return again * 2
    return again


ALWAYS = {("attacks",), ("rules", "reads"), ("rules", "writes"), ("rules", "results")}
"""Folders whose tests stand for a promise each: one that would be left out on every database runs on one of them."""

_DATABASE = re.compile(r"(sqlite|postgresql\+psycopg2?)-?")


def _anywhere(item: pytest.Item) -> str:
    """What a test has in common with the same test on another database."""
    return _DATABASE.sub("", item.nodeid, count=1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what runs once, and leave some to the long run."""
    kept, left = [], []
    for item in items:
        path = item.path.relative_to(Path(__file__).parent)
        folder = path.parts[0]
        if folder in ONCE:
            item.add_marker(pytest.mark.once)
        if item.get_closest_marker("timed") is not None:
            item.add_marker(pytest.mark.flaky(reruns=2))
        number = zlib.crc32(item.nodeid.encode())
        each = path in EACH or item.get_closest_marker("every_version") is not None
        each = each or (not AGAIN and item.get_closest_marker("every_driver") is not None)
        every = 1 if each else _every(folder, item.name)
        (kept if number % every == 0 else left).append(item)
    heard, silent = {_anywhere(item) for item in kept}, []
    for item in left:
        within = item.path.relative_to(Path(__file__).parent).parts
        always = not AGAIN and not ALWAYS.isdisjoint({within[:1], within[:2]})
        if always and _anywhere(item) not in heard:
            heard.add(_anywhere(item))
            kept.append(item)
        else:
            silent.append(item)
    if silent:
        config.hook.pytest_deselected(items=silent)
    # The longest tests first, or all workers but one would wait for them in the end.
    items[:] = sorted(kept, key=lambda item: not LONG.intersection(item.path.parts))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests measured (`record_property("figure", "…")`), and where the time went, from all workers."""
    spent: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                spent[report.nodeid.split("/")[1]] += report.duration
    terminalreporter.section("seconds")
    terminalreporter.write_line(
        ", ".join(f"{folder} {seconds:.0f}" for folder, seconds in spent.most_common())
    )
    figures = [
        f"{report.nodeid.rpartition('::')[2]}: {value}"
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        for name, value in report.user_properties
        if name == "figure" and report.when == "call"
    ]
    if figures:
        terminalreporter.section("figures")
        for line in sorted(figures):
            terminalreporter.write_line(line)


def pytest_sessionstart() -> None:
    """Refuse to test the source tree where the installed package is meant."""
    if "TENANCY_TEST_WHEEL" not in os.environ:
        return
    where = Path(flask_tenant.__file__).resolve()
    if "site-packages" not in where.parts:
        raise pytest.UsageError(
            f"the wheel is to be tested, but flask_tenant was imported from {where.parent}"
        )
