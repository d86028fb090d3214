"""``flask tenant signup …``"""

from __future__ import annotations

import json
from typing import Any

import pytest

from flask_tenant.errors import ConfigurationError
from flask_tenant.registry import state_of
from flask_tenant.settings import Settings
from tests.extension.notes import Notes
from tests.onboarding.world import PASSWORD, Site

pytestmark = pytest.mark.databases("sqlite")


def typed(site: Site, *words: str) -> tuple[int, Any]:
    result = site.app.test_cli_runner().invoke(args=["tenant", "signup", *words, "--json"])
    return result.exit_code, json.loads(result.stdout or result.stderr)


def test_commands(notes: Notes) -> None:
    site = Site(notes, TENANT_SIGNUP="approval")
    site.ask()
    site.signups.verify(site.box.secret(), PASSWORD)
    site.ask(slug="bella", email="bob@example.org")
    assert [row["state"] for row in typed(site, "list")[1]] == ["requested", "verified"]
    assert [row["slug"] for row in typed(site, "list", "--state", "verified")[1]] == ["acme"]
    code, rows = typed(site, "run")
    assert (code, [row["state"] for row in rows]) == (0, ["verified"])
    code, row = typed(site, "approve", "1", "--slug", "acme-ltd")
    assert (code, row["state"], row["slug"]) == (0, "trial", "acme-ltd")
    assert typed(site, "refuse", "2", "--reason", "No.")[1]["state"] == "refused"
    assert typed(site, "keep", "1")[1]["state"] == "kept"
    code, error = typed(site, "approve", "9")
    assert (code, error["error"]) == (1, "sign-up")
    for words in (("list",), ("run",)):
        assert site.app.test_cli_runner().invoke(args=["tenant", "signup", *words]).exit_code == 0
    actors = {e.actor for e in site.state.trail.entries(0, action="signup.kept")}
    assert len(actors) == 1
    assert actors.pop().startswith("command")


def test_who_offers_no_sign_up_has_none(notes: Notes) -> None:
    app = notes.create_app(TENANT_LOGIN=True)
    with pytest.raises(ConfigurationError, match="TENANT_SIGNUP"):
        _ = state_of(app).accounts.signups
    for wrong in (
        {"TENANT_SIGNUP": "open"},
        {"TENANT_SIGNUP": True, "TENANT_LOGIN": True},
        {"TENANT_SIGNUP_TRIAL_DAYS": -1},
        {"TENANT_SIGNUP_GRACE_DAYS": 1.5},
    ):
        with pytest.raises(ConfigurationError):
            Settings.read(wrong)
