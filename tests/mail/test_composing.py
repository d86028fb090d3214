"""From templates to messages: overrides, and values that somebody has chosen to do harm."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from jinja2 import UndefinedError

from flask_tenant.errors import ConfigurationError, MailError
from flask_tenant.mail import Composer, templates
from flask_tenant.model import Tenant
from flask_tenant.registry import state_of
from tests.extension.conftest import notes as notes
from tests.extension.notes import Notes
from tests.services.smtp import Post

AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
ACME = Tenant(1, "acme", "Acme")

VALUES: dict[str, dict[str, Any]] = {
    "invitation": {"by": "Ada", "url": "https://acme.example/i", "expires_at": AT},
    "reset": {"name": "Ada", "url": "https://acme.example/r", "minutes": 30},
    "signup-verify": {"slug": "acme", "url": "https://example/v", "expires_at": AT},
    "signup-waiting": {"slug": "acme", "name": "Ada"},
    "signup-refused": {"slug": "acme", "name": "Ada", "reason": "It is too short."},
    "signup-ready": {"name": "Ada", "url": "https://acme.example", "trial_ends_at": AT},
    "signup-reminder": {"name": "Ada", "url": "https://acme.example", "trial_ends_at": AT},
    "signup-grace": {"name": "Ada", "url": "https://acme.example", "expires_at": AT},
    "signup-suspended": {"name": "Ada"},
    "realms": {"places": [{"name": "Acme", "url": "https://acme.example"}]},
    "test": {},
}


def composer(sender: str = "noreply@shop.example") -> Composer:
    return Composer(templates(), sender)


def test_every_template() -> None:
    there = {
        path.stem for path in Path(templates.__code__.co_filename).parent.glob("templates/tenancy/mail/*.txt")
    }
    assert there == VALUES.keys()
    for name, values in VALUES.items():
        message = composer().compose("ada@example.org", name, ACME, values)
        text = message.get_content()
        assert message["Subject"]
        assert "{" not in message["Subject"] + text, name
        for value in values.values():
            if isinstance(value, str):
                assert value in text + message["Subject"], name
        assert not text.startswith("\n"), name
        assert "\n\n\n" not in text, name
        if values:
            with pytest.raises(UndefinedError):
                composer().compose("ada@example.org", name, ACME, {})


@pytest.mark.parametrize(
    "to",
    [
        "",
        "ada",
        "ada@example.org, eve@example.org",
        "ada@example.org\nBcc: eve@example.org",
        "ada@example.org\r\nBcc: eve@example.org",
        "Ada <ada@example.org>",
        "ada@example.org\0",
        "a" * 250 + "@example.org",
        "adä@example.org",
        "@example.org",
    ],
)
def test_one_recipient_and_no_other(to: str) -> None:
    with pytest.raises(MailError):
        composer().compose(to, "test", None, {})


def test_domains_beyond_ascii_are_written_as_servers_know_them() -> None:
    """An address is kept as people write it: `accounts` makes it so."""
    message = composer().compose("ada@bücher.example", "test", None, {})
    assert str(message["To"]) == "ada@xn--bcher-kva.example"


def test_what_somebody_is_called_is_no_template() -> None:
    evil = Tenant(1, "acme", "{{ 7 * 7 }}{% raw %}")
    for name, values in VALUES.items():
        said = {key: "{{ 7 * 7 }}" if isinstance(value, str) else value for key, value in values.items()}
        message = composer().compose("ada@example.org", name, evil, said)
        assert "49" not in message["Subject"] + message.get_content(), name
        assert "{{ 7" in message["Subject"] + message.get_content() or name in ("test", "realms"), name


def test_what_somebody_is_called_makes_no_header_and_no_lines() -> None:
    evil = Tenant(1, "acme", "Acme\r\nBcc: eve@example.org\r\n\r\nClick here")
    message = composer().compose(
        "ada@example.org",
        "invitation",
        evil,
        {**VALUES["invitation"], "by": "Eve\r\n\r\nhttps://evil.example"},
    )
    assert message["Bcc"] is None
    assert message["Subject"] == "You are invited to Acme"
    again = composer().compose(
        "ada@example.org", "signup-ready", Tenant(1, "a", "Ä" * 150), VALUES["signup-ready"]
    )
    assert max(len(line) for line in again.as_bytes().split(b"\r\n")) < 998
    assert again["Subject"] == "Ä" * 150 + " is ready"
    assert "Eve https://evil.example has invited" in message.get_content()


def test_senders_and_templates_that_are_none() -> None:
    for sender in ("", "Shop", "Shop <>", "a@b, c@d"):
        with pytest.raises(ConfigurationError):
            composer(sender)
    with pytest.raises(MailError, match="nosuch"):
        composer().compose("ada@example.org", "nosuch", None, {})


@pytest.fixture
def app(notes: Notes, tmp_path: Path, post: Post) -> Flask:
    app = notes.create_app(
        TENANT_THEME_FOLDER=str(tmp_path), TENANT_MAIL_URL=post.url, TENANT_MAIL_FROM="noreply@shop.example"
    )
    for slug in ("acme", "bella"):
        state_of(app).create(slug, slug.title())
    return app


@pytest.mark.databases("sqlite")
def test_a_tenants_theme_has_other_words(app: Flask, tmp_path: Path, post: Post) -> None:
    folder = tmp_path / "templates" / "tenants" / "acme" / "tenancy" / "mail"
    folder.mkdir(parents=True)
    (folder / "reset.txt").write_text("Acme's own subject\n\nAcme's own words for {{ name }}: {{ url }}\n")
    (folder / "reset.html").write_text("<p lang='{{ theme.language }}'>{{ name }}</p>")
    state = state_of(app)
    acme, bella = (state.directory.get(slug) for slug in ("acme", "bella"))
    name = "Ada <b>&amp;"
    for tenant in (acme, bella, None):
        state.mail.send("ada@example.org", "reset", tenant, **{**VALUES["reset"], "name": name})
    first, second, third = post.messages
    assert (first["Subject"], second["Subject"], third["Subject"]) == (
        "Acme's own subject", "Choose a new password for Bella", "Choose a new password",
    )  # fmt: skip
    html = first.get_body(("html",))
    assert html is not None
    assert "Ada &lt;b&gt;&amp;amp;" in html.get_content()
    assert second.get_body(("html",)) is None


@pytest.mark.databases("sqlite")
def test_the_applications_own_sender_and_the_command(app: Flask, post: Post) -> None:
    result = app.test_cli_runner().invoke(args=["tenant", "mail", "test", "ada@example.org"])
    assert (result.exit_code, len(post.messages)) == (0, 1)
    post.refuse = "550 no such user"
    result = app.test_cli_runner().invoke(args=["tenant", "mail", "test", "ada@example.org"])
    assert result.exit_code == 1
    assert "550" in result.stderr
    assert app.test_cli_runner().invoke(args=["tenant", "mail", "test", "ada"]).exit_code == 1
