"""Handing mail over to a real server: with TLS that is verified, and a word when it was not taken."""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from flask_tenant.errors import ConfigurationError, MailError
from flask_tenant.mail import Composer, ConsoleSender, Mail, SmtpSender, sender_of, templates
from tests.services.authority import CertificateAuthority
from tests.services.smtp import PASSWORD, USER, Post, authenticated, post_running, tls_of

MakeMail = Callable[[str | None], Mail]


def mail_by(url: str | None) -> Mail:
    return Mail(Composer(templates(), "Shop <noreply@shop.example>"), sender_of(url))


def test_a_mail_arrives(post: Post) -> None:
    mail_by(post.url).send("ada@example.org", "test", None)
    (message,) = post.messages
    assert post.recipients == [["ada@example.org"]]
    assert (message["Subject"], message["From"], message["To"]) == (
        "Mail works", "Shop <noreply@shop.example>", "ada@example.org",
    )  # fmt: skip
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@shop.example>")
    assert "It can." in post.text()


def test_what_is_not_taken_is_told_and_can_be_sent_again(post: Post) -> None:
    mail = mail_by(post.url)
    post.refuse = "451 try later"
    with pytest.raises(MailError, match="451"):
        mail.send("ada@example.org", "test", None)
    post.refuse = ""
    post.stop()
    with pytest.raises(MailError, match=f"127.0.0.1:{post.port}"):
        mail.send("ada@example.org", "test", None)
    post.start()
    mail.send("ada@example.org", "test", None)
    assert len(post.messages) == 1


@pytest.mark.timed
def test_a_server_that_says_nothing_costs_little_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        sender = SmtpSender("127.0.0.1", deaf.getsockname()[1], "smtp", seconds=0.2)
        began = time.monotonic()
        with pytest.raises(MailError, match=r"[Tt]ime"):
            sender.send(mail_by(None).composer.compose("ada@example.org", "test", None, {}))
        assert time.monotonic() - began < 3


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("ca"))


@pytest.mark.parametrize("tls", ["smtps", "smtp+starttls"])
def test_tls_is_verified(authority: CertificateAuthority, tmp_path: Path, tls: str) -> None:
    issued = authority.issue("127.0.0.1", "localhost")
    other = CertificateAuthority(tmp_path, "Other CA")
    context = tls_of(str(issued.certificate), str(issued.key))
    how = {"ssl_context": context} if tls == "smtps" else {"tls_context": context, "require_starttls": True}
    log_in = {
        "authenticator": authenticated,
        "auth_required": tls != "smtps",
        "auth_require_tls": tls != "smtps",
    }
    with post_running(**how, **log_in) as post:
        place = f"{tls}://{USER}:{PASSWORD.replace(' ', '%20')}@localhost:{post.port}"
        mail_by(f"{place}?ca={authority.file}").send("ada@example.org", "test", None)
        assert len(post.messages) == 1
        for wrong, why in (
            (place, "certificate verify failed"),
            (f"{place}?ca={other.file}", "certificate verify failed"),
            (f"{place.replace(USER, 'mallory')}?ca={authority.file}", "535"),
        ):
            with pytest.raises(MailError, match=why) as caught:
                mail_by(wrong).send("ada@example.org", "test", None)
            assert "let me send" not in f"{caught.value} {caught.value.value}"
        assert len(post.messages) == 1
    elsewhere = authority.issue("mail.example.com")
    context = tls_of(str(elsewhere.certificate), str(elsewhere.key))
    how = {"ssl_context": context} if tls == "smtps" else {"tls_context": context}
    with post_running(**how) as post, pytest.raises(MailError, match=r"doesn't match|not valid for"):
        mail_by(f"{tls}://localhost:{post.port}?ca={authority.file}").send("ada@example.org", "test", None)


def test_nobody_talks_us_out_of_tls(authority: CertificateAuthority) -> None:
    """A server, or somebody in between, that does not offer STARTTLS gets no password and no mail."""
    with post_running() as post:
        with pytest.raises(MailError, match="STARTTLS"):
            mail_by(f"smtp+starttls://{USER}:x@127.0.0.1:{post.port}?ca={authority.file}").send(
                "ada@example.org", "test", None
            )
        assert post.messages == []


@pytest.mark.parametrize(
    "url",
    [
        "smtp://user:secret@mail.example.com",
        "http://user:secret@mail.example.com",
        "smtps://",
        "smtps://user:secret@mail.example.com/path",
        "smtps://user:secret@mail.example.com:port",
        "smtps://user:secret@mail.example.com?verify=no",
        "user:secret",
    ],
)
def test_urls_that_make_no_sense(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        sender_of(url)
    assert "secret" not in f"{caught.value} {caught.value.value}"


def test_the_console_and_nothing() -> None:
    out = io.StringIO()
    Mail(Composer(templates(), "noreply@shop.example"), ConsoleSender(out)).send(
        "ada@example.org", "test", None
    )
    assert "mail to ada@example.org: Mail works" in out.getvalue()
    assert isinstance(sender_of("console:"), ConsoleSender)
    with pytest.raises(MailError, match="TENANT_MAIL_URL"):
        mail_by(None).send("ada@example.org", "test", None)


def test_several_at_once(post: Post) -> None:
    mail = mail_by(post.url)
    threads = [Thread(target=mail.send, args=(f"{n}@example.org", "test", None)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(to for (to,) in post.recipients) == [f"{n}@example.org" for n in range(8)]
