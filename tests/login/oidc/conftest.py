"""The hostile provider, and what a log-in needs of others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from flask_tenant.login.oidc import Oidc
from tests.login.oidc.hostile import Hostile, Login


class Clock:
    """Time that a test can move on: both kinds."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def time(self) -> float:
        return time.time() + self.ahead

    def ticks(self) -> float:
        return time.monotonic() + self.ahead


class Seen:
    """Keeps in mind which logout tokens were seen."""

    def __init__(self) -> None:
        self.numbers: dict[tuple[int, str], float] = {}

    def __call__(self, provider: Any, number: str, seconds: float) -> bool:
        assert seconds > 0
        first = (provider.id, number) not in self.numbers
        self.numbers[provider.id, number] = seconds
        return first


@pytest.fixture(scope="session")
def hostile_server() -> Iterator[Hostile]:
    server = Hostile()
    yield server
    server.close()


@pytest.fixture
def hostile(hostile_server: Hostile) -> Hostile:
    hostile_server.reset()
    return hostile_server


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kind(clock: Clock) -> Oidc:
    return Oidc(Seen(), clock.time, clock.ticks)


@pytest.fixture
def login(hostile: Hostile, kind: Oidc) -> Login:
    return Login(hostile, kind.open(hostile.provider()))
