"""The page about OpenID providers knows every setting and every reason."""

from __future__ import annotations

import re
from pathlib import Path

import flask_tenant.login.oidc as package
from flask_tenant.login.oidc.settings import OidcSettings
from flask_tenant.login.oidc.tokens import _REASONS
from tests.services.oidc import ROOT

PAGE = (ROOT / "docs" / "how-to" / "openid.md").read_text()


def table(title: str) -> list[list[str]]:
    text = PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]
    return [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in text.splitlines()
        if line.startswith("| `")
    ]


def test_every_setting() -> None:
    assert [row[0].strip("`") for row in table("Settings")] == list(OidcSettings.__dataclass_fields__)


def test_every_reason() -> None:
    shown = {name for row in table("Refused log-ins") for name in re.findall(r"`([\w-]+)`", row[0])}
    (folder,) = package.__path__
    source = "".join(path.read_text() for path in Path(folder).glob("*.py"))
    used = set(re.findall(r'refused\(\s*"([\w-]+)"', source)) | set(_REASONS.values())
    used |= {"client", "key", "signature", "denied", "provider-error"}
    assert len(used) > 20
    assert used <= shown
    assert shown - used == {"not-begun", "no-member", "suspended"}, "made elsewhere"
