"""Shops, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.rules.events.world import Shop


@pytest.fixture
def make_shop(database_url: str) -> Iterator[Callable[..., Shop]]:
    """Opens shops on one database."""
    made: list[Shop] = []

    def make(*rules: Any, **kw: Any) -> Shop:
        made.append(Shop(database_url, *rules, **kw))
        return made[-1]

    yield make
    for shop in made:
        shop.close()
