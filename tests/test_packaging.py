"""The wheel is fit to publish: what is in it, what it asks for, what it offers."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest

from tests.services.availability import missing

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel() -> importlib.metadata.Distribution:
    """The installed package."""
    try:
        return importlib.metadata.distribution("flask-tenant")
    except importlib.metadata.PackageNotFoundError:
        missing("the built package", "make test")


def test_it_holds_the_package_its_types_and_its_licence_and_nothing_else(
    wheel: importlib.metadata.Distribution,
) -> None:
    files = {str(file) for file in wheel.files or ()}
    assert {"flask_tenant/__init__.py", "flask_tenant/py.typed"} <= files
    for language in ("de", "fr"):
        assert f"flask_tenant/translations/{language}/LC_MESSAGES/flask_tenant.mo" in files
    assert any(re.fullmatch(r"flask_tenant-[^/]+\.dist-info/licenses/LICENSE", file) for file in files)
    tops = {file.split("/")[0] for file in files if not file.startswith("..")}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"flask_tenant"}


def test_its_version_heads_the_changelog(wheel: importlib.metadata.Distribution) -> None:
    headings = re.findall(r"^## (\S+?),? ", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert headings[0] == wheel.version


def test_its_licence_and_versions_of_python_are_declared(wheel: importlib.metadata.Distribution) -> None:
    metadata = wheel.metadata
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert set(metadata["Requires-Python"].split(",")) == {">=3.11", "<3.13"}
    assert set(metadata.get_all("Provides-Extra", [])) >= {
        "asgi",
        "ldap",
        "oidc",
        "postgres",
        "redis",
        "rules",
    }


def test_its_command_loads(wheel: importlib.metadata.Distribution) -> None:
    (found,) = wheel.entry_points.select(group="console_scripts", name="flask-tenant")
    assert callable(found.load())


def test_pins_meet_the_ranges() -> None:
    """The pinned versions that the tests run with are inside the ranges that users get."""
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = dict(
        line.lower().split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    )
    checked = 0
    for text in project["dependencies"]:
        wanted = Requirement(text)
        if wanted.name in pins:
            checked += 1
            assert wanted.specifier.contains(pins[wanted.name]), text
    assert checked >= 3
