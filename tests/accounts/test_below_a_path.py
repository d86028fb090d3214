"""Our pages where tenants are told by their path, and where the application is mounted somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import Client, TestResponse

from tests.accounts.site import ANNA, BERT, PASSWORD, box_of, make_site


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    app = make_site(tmp_path, TENANT_STRATEGIES=["path"], TENANT_BASE_DOMAIN="example.com")
    yield app
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()


class Visitor:
    """A browser that knows nothing of our paths but the first one."""

    def __init__(self, app: Flask, mount: str) -> None:
        self.client = Client(app)
        self.mount = mount

    def go(self, path: str, **more: Any) -> TestResponse:
        environ = {"SCRIPT_NAME": self.mount} if self.mount else {}
        assert path.startswith(f"{self.mount}/"), path
        inner = path.removeprefix(self.mount)
        return self.client.open(
            inner, base_url="http://example.com", environ_overrides=environ, buffered=True, **more
        )

    def send(self, page: str, **fields: str) -> TestResponse:
        text = self.go(page).text
        action = re.search(r'<form method="post" action="([^"]+)"', text)
        token = re.search(r'name="csrf" value="([^"]+)"', text)
        assert action is not None
        assert token is not None
        path = action[1].replace("&amp;", "&")
        return self.go(path, method="POST", data={"csrf": token[1], **fields})


@pytest.mark.parametrize("mount", ["", "/office"])
def test_every_address_is_below_the_tenants_path(app: Flask, mount: str) -> None:
    visitor = Visitor(app, mount)
    root = f"{mount}/t/acme"
    page = visitor.go(f"{root}/_tenant/login")
    assert page.status_code == 200
    found = re.findall(r'(?:href|action)="(/[^"]*)"', page.text)
    assert len(found) >= 4
    assert all(path.startswith(f"{root}/") for path in found), found
    for sheet in (path for path in found if ".css" in path):
        assert visitor.go(sheet.partition("?")[0]).status_code == 200
    done = visitor.send(f"{root}/_tenant/login", username=ANNA, password=PASSWORD)
    assert done.headers["Location"] == f"{root}/"
    assert f"Path={root}" in done.headers["Set-Cookie"]
    assert visitor.go(f"{root}/_tenant/members").status_code == 200
    assert visitor.go(f"{mount}/t/bella/_tenant/sessions").status_code == 303, "the cookie is acme's"
    # next may lead nowhere but below it
    again = Visitor(app, mount)
    asked = again.go(f"{root}/_tenant/login", query_string={"next": f"{mount}/t/bella/"})
    assert "bella" not in asked.text


@pytest.mark.parametrize("mount", ["", "/office"])
def test_links_in_mails_are_too(app: Flask, mount: str) -> None:
    visitor = Visitor(app, mount)
    visitor.send(f"{mount}/t/acme/_tenant/reset", email=BERT)
    (mail,) = box_of(app).mails
    assert mail["url"].startswith(f"http://example.com{mount}/t/acme/_tenant/reset/")
    assert visitor.go(mail["url"].removeprefix("http://example.com")).status_code == 200
