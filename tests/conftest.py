"""What all tests share: the services, and the promise that the wheel is tested where `make test` says so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest_plugins = ["tests.services.postgres", "tests.services.databases"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests measured, from all workers: `record_property("figure", "…")`."""
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
    if "FLASK_TENANT_TEST_WHEEL" not in os.environ:
        return
    import flask_tenant

    where = Path(flask_tenant.__file__).resolve()
    if "site-packages" not in where.parts:
        raise pytest.UsageError(
            f"the wheel is to be tested, but flask_tenant was imported from {where.parent}"
        )
