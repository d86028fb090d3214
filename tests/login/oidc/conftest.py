"""The hostile provider, and what a log-in needs of others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from flask_tenant.identity import Provider
from flask_tenant.login.oidc import Oidc
from flask_tenant.login.oidc.client import Client
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


class Kind(Oidc):
    """Opens each provider once, as the store of providers does."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(Seen(), clock.time, clock.ticks)
        self.opened: list[tuple[Provider, Client]] = []

    def open(self, provider: Provider) -> Client:
        for known, client in self.opened:
            if known == provider:
                return client
        self.opened.append((provider, super().open(provider)))
        return self.opened[-1][1]


@pytest.fixture
def kind(clock: Clock) -> Oidc:
    return Kind(clock)


@pytest.fixture
def login(hostile: Hostile, kind: Oidc) -> Login:
    return Login(hostile, kind.open(hostile.provider()))
