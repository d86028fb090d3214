"""A real browser: Debian's Chromium, driven by Playwright, and axe-core, which looks for barriers in pages."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.services.availability import missing
from tests.services.oidc import modules

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
"""What axe looks at: everything that it knows of WCAG 2.2 AA, and its own advice."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The browser. While it is there, an event loop runs in the worker, and other modules' tests may want their own."""
    executable = shutil.which("chromium")
    if executable is None:
        missing("Chromium", "apt-get install --no-install-recommends chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Chromium's own sandbox does not run as root, as which containers run tests.
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core."""
    return (modules() / "axe-core" / "axe.min.js").read_text()


def barriers(page: Any, axe: str, rule: str = "") -> list[str]:
    """What axe-core finds wrong with a page, one line each.

    :param rule: look at this alone
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe)  # by the browser's debugger, past the page's own policy
    only = {"type": "rule", "values": [rule]} if rule else {"type": "tag", "values": RULES}
    found = page.evaluate("only => axe.run(document, {runOnly: only})", only)
    assert found["passes"], f"axe has looked at nothing on {page.url}"
    return [
        f"{page.url}: {violation['id']}: {node['html'][:200]} {json.dumps(node['any'])[:300]}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
        pass


@contextmanager
def served(app: Flask) -> Iterator[int]:
    """Serve an application on 127.0.0.1 for the length of the block, and return the port."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
