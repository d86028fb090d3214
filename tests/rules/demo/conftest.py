"""One application for each back end, in which the rules hold."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.rules.demo.world import PAGES, Demo
from tests.services.databases import MakeDatabase

# Tokens, names of plots, and the time of day.
MADE_UP = re.compile(r'(name="csrf_token"[^>]*value=)"[^"]*"|chart-[0-9a-f-]{36}|\b\d\d:\d\d\b')
"""What is another for each answer."""
BELLA = "owner@bella-flowers.example"


def of_bella(demo: Demo) -> dict[str, str]:
    """Everything that bella sees."""
    browser = demo.browser(BELLA, "bella")
    tables = ("invoice", "customer", "order", "ticket")
    ids = {name: min(demo.rows(f'SELECT t.id FROM "{name}" t', "bella"))[0] for name in tables}
    found = {}
    for page in (page.format_map(ids) for page in PAGES):
        response = browser.get(page)
        assert response.status_code == 200, page
        found[page] = MADE_UP.sub(r"\1", response.text)
    return found


@pytest.fixture(scope="session")
def demo_and_before(
    back_end: str, make_database: MakeDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Demo, dict[str, str]]]:
    """The application, and what bella has seen before there were any rules."""
    with make_database(back_end) as url:
        demo = Demo(url, tmp_path_factory.mktemp("rules"))
        before = of_bella(demo)
        demo.activate()
        yield demo, before
        demo.close()


@pytest.fixture
def demo(demo_and_before: tuple[Demo, dict[str, str]]) -> Demo:
    return demo_and_before[0]
