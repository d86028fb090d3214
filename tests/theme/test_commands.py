"""``flask tenant theme show``, ``set`` and ``check``."""

from __future__ import annotations

import json
from typing import Any

from flask import Flask

from flask_tenant.application import Application
from tests.theme.conftest import Write


def typed(app: Flask, *words: str) -> Any:
    return app.test_cli_runner().invoke(args=["tenant", *words])


def test_set_and_take_back(app: Flask, state: Application) -> None:
    done = typed(app, "theme", "set", "acme", "colours.accent", "brick")
    assert (done.exit_code, done.output) == (0, 'acme: colours.accent = "brick"\n')
    assert typed(app, "theme", "set", "acme", "shape.radius", "4").exit_code == 0
    assert state.directory.get("acme").config["theme"] == {
        "colours": {"accent": "brick"},
        "shape": {"radius": 4},
    }
    shown = json.loads(typed(app, "theme", "show", "acme", "--json").output)
    assert (shown["colours.light.accent"], shown["shape.radius"]) == ("#b3400f", 4)
    typed(app, "theme", "set", "acme", "shape.radius", "null")
    assert state.directory.get("acme").config["theme"] == {"colours": {"accent": "brick"}}
    typed(app, "theme", "set", "acme", "colours.accent", "null")
    assert "theme" not in state.directory.get("acme").config
    assert "--theme-accent:#1d4ed8" in typed(app, "theme", "show", "acme", "--css").output


def test_what_is_wrong_changes_nothing(app: Flask, state: Application) -> None:
    for token, value, problem in (
        ("colours.light.accent", "gold", "the nearest that does is #"),
        ("colours.accent", "red;}", "is not a colour"),
        ("colors.accent", "red", "there is no such token"),
        ("shape", "5", "stands where names and values were expected"),
    ):
        done = typed(app, "theme", "set", "acme", token, value)
        assert done.exit_code == 2, done.output
        assert problem in done.output
    refused = typed(app, "config", "set", "acme", "theme", '{"shape": {"radius": 99}}')
    assert refused.exit_code == 2
    assert typed(app, "config", "set", "acme", "theme", "nowhere").exit_code == 2
    assert "theme" not in state.directory.get("acme").config


def test_a_named_theme_is_not_written_into(app: Flask, write: Write) -> None:
    write("winter.yaml", "colours: {accent: sky}\n")
    assert typed(app, "config", "set", "acme", "theme", "winter").exit_code == 0
    refused = typed(app, "theme", "set", "acme", "shape.radius", "4")
    assert refused.exit_code == 4
    assert "names the theme 'winter'" in refused.output


def test_check(app: Flask, write: Write) -> None:
    fine = typed(app, "theme", "check")
    assert (fine.exit_code, fine.output) == (0, "Checked: 2 tenants, 0 named themes. No mistakes.\n")
    write("winter.yaml", "colours: {light: {accent: gold}}\n")
    write("tenants/bella/theme.yaml", "language: klingon\n")
    wrong = typed(app, "theme", "check")
    assert wrong.exit_code == 1
    assert "themes/winter.yaml:1:27: colours.light.accent: accent #fbbf24 on" in wrong.output
    assert "themes/tenants/bella/theme.yaml:1:11: language: 'klingon' is not a language" in wrong.output
    assert "bella" not in typed(app, "theme", "check", "acme").output
    assert len(json.loads(typed(app, "theme", "check", "--json").output)["findings"]) > 1
