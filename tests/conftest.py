"""What all tests share: the services, and the promise that the wheel is tested where `make test` says so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest_plugins = ["tests.services.postgres", "tests.services.databases"]


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
