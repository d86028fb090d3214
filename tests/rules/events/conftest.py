"""Shops on one database for each module, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.rules.events.world import Shop
from tests.services.databases import MakeDatabase


@pytest.fixture(scope="module")
def shops(back_end: str, make_database: MakeDatabase) -> Iterator[tuple[str, list[Shop]]]:
    """The database, and all shops that were opened on it so far."""
    with make_database(back_end) as url:
        opened: list[Shop] = []
        yield url, opened
        for shop in opened:
            shop.close()


@pytest.fixture
def make_shop(shops: tuple[str, list[Shop]]) -> Callable[..., Shop]:
    """Opens a shop; each further one is another server on the same database."""
    url, opened = shops
    used: list[Shop] = []

    def make(*rules: Any, **kw: Any) -> Shop:
        if len(used) == len(opened):
            opened.append(Shop(url))
        shop = opened[len(used)]
        if not used:
            shop.empty()
        used.append(shop)
        return shop.begin(*rules, **kw)

    return make
