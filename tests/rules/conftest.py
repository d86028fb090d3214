"""One shop for each worker and back end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flask_tenant import registry
from tests.rules.shop import Shop
from tests.services.databases import MakeDatabase


@pytest.fixture(scope="session")
def standing_shop(back_end: str, make_database: MakeDatabase) -> Iterator[Shop]:
    """The shop that all tests on one back end share."""
    with make_database(back_end) as url:
        found = Shop(url)
        yield found
        found.close()


@pytest.fixture
def shop(standing_shop: Shop) -> Iterator[Shop]:
    """A shop as it was in the beginning. Nobody ever changes what is bella's."""
    registry._apps.add(standing_shop.app.extensions[registry.KEY])
    standing_shop.fill()
    before = standing_shop.rows(slug="bella")
    assert before, "there is nobody to protect"
    yield standing_shop
    assert standing_shop.rows(slug="bella") == before
