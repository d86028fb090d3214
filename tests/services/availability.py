"""What a missing service does to a test: a failure in CI, a skip with its reason elsewhere."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

FULL = "TENANCY_FULL" in os.environ
"""Whether this is the long run, `make test-full`."""

AGAIN = "TENANCY_AGAIN" in os.environ and not FULL
"""Whether everything ran already, and runs again with other versions: every second case of the large tables will do."""


def examples(many: int) -> int:
    """How many made-up cases to try: `many` in the long run, and else an eighth, the same ones each time."""
    return many if FULL else max(many // 8, 10)


def in_ci() -> bool:
    """Whether this run is continuous integration (`CI=true`)."""
    return os.environ.get("CI", "").lower() in {"1", "true"}


def missing(service: str, remedy: str) -> NoReturn:
    """End the test that needs `service`; `remedy` is the command that installs it."""
    reason = f"{service} is missing; install it with: {remedy}"
    if in_ci():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
