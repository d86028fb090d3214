"""Applications in which people log in through us."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_tenant.registry import state_of
from tests.accounts.site import Browser, empty_box, make_site


@pytest.fixture(scope="package")
def shared_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    app = make_site(tmp_path_factory.mktemp("site"))
    yield app
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()


@pytest.fixture
def app(shared_app: Flask) -> Flask:
    """The application; attempts, invitations and mails are forgotten."""
    empty_box(shared_app)
    directory = state_of(shared_app).directory
    with directory.connect() as connection:
        for table in (directory.tables.people.attempt, directory.tables.people.invitation):
            connection.execute(sa.delete(table))
    return shared_app


@pytest.fixture
def browser(app: Flask) -> Browser:
    """A browser at acme."""
    return Browser(app)


@pytest.fixture
def anna(browser: Browser) -> Browser:
    """A browser in which Anna, administrator of acme, is logged in."""
    assert browser.log_in().status_code == 303
    return browser
