"""A request object that several threads share: the scope says whose data there is, and the request never does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from flask import copy_current_request_context, request

from flask_tenant import in_tenant, tenant_context
from flask_tenant.errors import NoTenantError
from tests.edges.site import ask, make_site


def test_a_request_that_is_shared_across_threads(tmp_path: Path) -> None:
    app = make_site(tmp_path)
    canary = app.extensions["canary"]

    def tried() -> tuple[str, str]:
        """Whose request it is, and whose data comes."""
        try:
            return request.host, canary()
        except NoTenantError:
            return request.host, "refused"

    @app.get("/share")
    def share() -> dict[str, Any]:
        def bella() -> tuple[str, str]:
            with tenant_context("bella", app):
                return tried()

        with ThreadPoolExecutor(2) as pool:
            shared = copy_current_request_context(tried)
            return {
                "outside any": pool.submit(shared).result(),
                "in another tenant": pool.submit(copy_current_request_context(bella)).result(),
                "with our helper": pool.submit(in_tenant(copy_current_request_context(tried))).result(),
                "both at once": [
                    found.result()
                    for found in [pool.submit(copy_current_request_context(bella)) for _ in range(4)]
                ],
                "and here, after all that": tried(),
            }

    host = "acme.example.com"
    for _ in range(3):
        assert ask(app, host, "/share").json == {
            "outside any": [host, "refused"],
            "in another tenant": [host, "canary-bella"],
            "with our helper": [host, "canary-acme"],
            "both at once": [[host, "canary-bella"]] * 4,
            "and here, after all that": [host, "canary-acme"],
        }
    assert ask(app, "bella.example.com").json["canary"] == "canary-bella"
