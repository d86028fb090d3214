"""What an attacker, or a broken server, tries on log-in through a directory. All of it is refused, with a reason."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import ldap
import pytest

from flask_tenant.errors import LoginRefusedError, ProviderUnavailableError
from flask_tenant.login.ldap import Ldap
from flask_tenant.login.ldap.line import Line
from tests.login.ldap.conftest import ATTEMPT, Impostor, LogIn, MakeProvider, Slow, provider_of
from tests.services.authority import CertificateAuthority
from tests.services.slapd import ACME, BELLA, READER_PASSWORD, Slapd, password_of, slapd_running, uuid_of

START_TLS_DONE = bytes.fromhex("300c02010178070a010004000400")
"""An extended response to message 1: success."""

START_TLS_REFUSED = bytes.fromhex("300c02010178070a010204000400")
"""The same: protocolError."""


def until(done: Callable[[], object], patience: float = 20) -> None:
    deadline = time.monotonic() + patience
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# ---- injection
@pytest.mark.parametrize(
    "username",
    [
        "*",
        "a*",
        "ann)(uid=*",
        "*)(objectClass=*",
        "ann)(|(uid=*",
        "ann))(|(uid=ann",
        "x)(!(uid=y",
        "\\2a",
        "\\61nn",
        "{dn}",
        "{username}",
        "ann)",
        "(ann",
        "&",
    ],
)
def test_injection_into_the_filter(log_in: LogIn, username: str) -> None:
    for filter in ("(uid={username})", "(&(objectClass=person)(uid={username}))"):  # noqa: A001
        with pytest.raises(LoginRefusedError) as caught:
            log_in(username, password_of("ann"), filter=filter)
        assert caught.value.reason == "unknown", "the filter has another meaning"


def test_a_name_of_special_characters_is_a_name(log_in: LogIn) -> None:
    found = log_in("Kim (Sales) *", password_of("kim"), filter="(cn={username})")
    assert found.identity.subject == uuid_of(ACME, "kim")


def test_injection_into_the_filter_for_groups(log_in: LogIn) -> None:
    groups = {"group_base": f"ou=groups,{ACME}", "group_filter": "(cn={username})"}
    with pytest.raises(LoginRefusedError):
        log_in("*", password_of("ann"), **groups)
    found = log_in("Kim (Sales) *", password_of("kim"), filter="(cn={username})", **groups)
    assert found.groups == ()


# ---- empty passwords
@pytest.mark.parametrize("password", ["", "\0", "\0secret"])
def test_an_empty_password_never_reaches_the_server(slapd: Slapd, log_in: LogIn, password: str) -> None:
    raw = ldap.initialize(slapd.url("127.0.0.1"))
    raw.simple_bind_s(f"uid=ann,ou=people,{ACME}", "")  # this server would have let them in
    assert raw.whoami_s() == ""
    raw.unbind_s()
    before = slapd.log()
    with pytest.raises(LoginRefusedError) as caught:
        log_in("ann", password)
    assert caught.value.reason == "password"
    assert "conn=" in before
    assert slapd.log().count("ACCEPT") == before.count("ACCEPT")


# ---- enumeration
def operations(slapd: Slapd, work: Callable[[], object]) -> list[str]:
    """What the server was asked meanwhile."""
    before = len(slapd.log())
    with pytest.raises(LoginRefusedError):
        work()
    until(lambda: "closed" in slapd.log()[before:])
    return re.findall(r"\b(BIND|SRCH|EXT|UNBIND)\b(?= dn| base| oid|$)", slapd.log()[before:], re.MULTILINE)


def test_as_much_is_done_for_somebody_who_is_not_there(slapd: Slapd, log_in: LogIn) -> None:
    wrong, nobody, two = (
        operations(slapd, lambda name=name: log_in(name, "wrong", base=ACME))
        for name in ("ann", "nobody", "twin")
    )
    assert wrong.count("BIND") >= 2, "the password was not tried"
    assert "SRCH" in wrong
    assert nobody == wrong
    assert two == wrong


# ---- who the server is
def test_a_server_with_another_authoritys_certificate(
    slapd: Slapd, log_in: LogIn, tmp_path: object, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = CertificateAuthority(tmp_path_factory.mktemp("other"), "Other CA")
    for tls in (True, False):
        before = slapd.log().count("BIND dn")
        with pytest.raises(ProviderUnavailableError):
            log_in("ann", url=slapd.url("127.0.0.1", tls=tls), ca_file=str(other.file))
        assert slapd.log().count("BIND dn") == before


def test_without_a_file_the_systems_authorities_count(slapd: Slapd, log_in: LogIn) -> None:
    for tls in (True, False):
        with pytest.raises(ProviderUnavailableError):
            log_in("ann", url=slapd.url("127.0.0.1", tls=tls), ca_file=None)


def test_a_server_of_another_name(slapd: Slapd, log_in: LogIn) -> None:
    for tls in (True, False):
        before = slapd.log().count("BIND dn")
        with pytest.raises(ProviderUnavailableError):
            log_in("ann", url=slapd.url("127.0.0.2", tls=tls))
        assert slapd.log().count("BIND dn") == before


def test_a_certificate_that_has_expired(authority: CertificateAuthority, log_in: LogIn) -> None:
    with slapd_running(authority, days=-1) as server:
        for tls in (True, False):
            with pytest.raises(ProviderUnavailableError):
                log_in("ann", url=server.url("127.0.0.1", tls=tls))
        assert "BIND dn" not in server.log()


def test_the_environment_cannot_weaken_it(slapd: Slapd, tmp_path_factory: pytest.TempPathFactory) -> None:
    """libldap reads variables and files of whoever runs it."""
    other = CertificateAuthority(tmp_path_factory.mktemp("other"), "Other CA")
    provider = provider_of("", other)
    code = f"""
from flask_tenant.errors import ProviderUnavailableError
from flask_tenant.identity import Attempt, Provider
from flask_tenant.login.ldap import Ldap
for url in {[slapd.url("127.0.0.1", tls=tls) for tls in (True, False)]!r}:
    settings = {{**{provider.settings!r}, "url": url}}
    provider = Provider(1, 1, "x", "ldap", "x", "ldap:x", settings, {provider.secrets!r})
    try:
        print(Ldap().open(provider).finish(Attempt("x"), {{"username": "ann", "password": "secret of ann"}}))
    except ProviderUnavailableError:
        print("refused")
"""
    home = tmp_path_factory.mktemp("home")
    (home / ".ldaprc").write_text("TLS_REQCERT never\n")
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"LDAPTLS_REQCERT": "never", "HOME": str(home), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("refused\nrefused\n", "")


@pytest.mark.parametrize(
    "answer", [START_TLS_REFUSED, b"", b"220 mail.example ESMTP\r\n", b"\x30\x84\x7f\xff\xff\xff"]
)
def test_nothing_is_said_before_it_is_encrypted(
    impostor: Callable[..., Impostor], authority: CertificateAuthority, answer: bytes
) -> None:
    server = impostor(answer)
    provider = provider_of(f"ldap://127.0.0.1:{server.port}", authority, timeout=0.5)
    with pytest.raises(ProviderUnavailableError):
        Ldap().open(provider).finish(ATTEMPT, {"username": "ann", "password": "typed"})
    said = b"".join(server.heard)
    assert b"1.3.6.1.4.1.1466.20037" in said, "StartTLS was not asked for"
    for secret in (READER_PASSWORD, "typed", "ann", "reader"):
        assert secret.encode() not in said


# ---- referrals
@pytest.mark.parametrize("base", [f"ou=away,{ACME}", f"ou=further,ou=away,{ACME}", ACME])
def test_referrals_are_not_followed(
    impostor: Callable[..., Impostor], authority: CertificateAuthority, base: str
) -> None:
    trap = impostor()
    with slapd_running(authority, referral=f"ldap://127.0.0.1:{trap.port}") as server:
        provider = provider_of(server.url("127.0.0.1", tls=True), authority, base=base)
        with pytest.raises(LoginRefusedError) as caught:
            Ldap().open(provider).finish(ATTEMPT, {"username": "stranger", "password": "typed"})
        assert caught.value.reason == ("unknown" if base == ACME else "referral")
    assert trap.callers == 0


# ---- servers that are down, hung or slow
@pytest.mark.timed
def test_a_server_that_is_down_and_comes_back(authority: CertificateAuthority) -> None:
    with slapd_running(authority) as server:
        client = Ldap().open(provider_of(server.url("127.0.0.1", tls=True), authority))
        typed = {"username": "ann", "password": password_of("ann")}
        assert client.finish(ATTEMPT, typed).name == "Ann Archer"
        server.stop()
        begun = time.monotonic()
        with pytest.raises(ProviderUnavailableError):
            client.finish(ATTEMPT, typed)
        assert time.monotonic() - begun < 3
        server.start()
        assert client.finish(ATTEMPT, typed).name == "Ann Archer"


@pytest.mark.timed
@pytest.mark.parametrize("tls", [True, False], ids=["ldaps", "StartTLS"])
def test_a_server_that_hangs(authority: CertificateAuthority, slapd: Slapd, log_in: LogIn, tls: bool) -> None:
    with slapd_running(authority) as server:
        client = Ldap().open(provider_of(server.url("127.0.0.1", tls=tls), authority, timeout=1))
        typed = {"username": "ann", "password": password_of("ann")}
        assert client.finish(ATTEMPT, typed).name == "Ann Archer"
        server.freeze()
        threads = threading.active_count()
        begun = time.monotonic()
        with pytest.raises(ProviderUnavailableError):
            client.finish(ATTEMPT, typed)
        assert time.monotonic() - begun < 2.5
        assert log_in("ann").name == "Ann Archer", "another tenant's log-ins suffer"
        until(lambda: threading.active_count() <= threads, 5)  # libldap has given up as well
        server.thaw()
        assert client.finish(ATTEMPT, typed).name == "Ann Archer"


@pytest.mark.timed
@pytest.mark.parametrize("tls", [True, False], ids=["ldaps", "StartTLS"])
def test_a_server_that_is_slow_at_each_step(slapd: Slapd, authority: CertificateAuthority, tls: bool) -> None:
    slow = Slow(slapd.tls_port if tls else slapd.port, 0.2)
    try:
        url = f"{'ldaps' if tls else 'ldap'}://127.0.0.1:{slow.port}"
        typed = {"username": "ann", "password": password_of("ann")}
        patient = Ldap().open(provider_of(url, authority, timeout=30)).finish(ATTEMPT, typed)
        assert patient.name == "Ann Archer", "it cannot be logged in through at all"
        begun = time.monotonic()
        with pytest.raises(ProviderUnavailableError):
            Ldap().open(provider_of(url, authority, timeout=0.5)).finish(ATTEMPT, typed)
        assert time.monotonic() - begun < 1.4, "the time was for each step"
    finally:
        slow.close()


@pytest.mark.timed
def test_a_server_that_falls_silent_during_the_handshake(
    impostor: Callable[..., Impostor], authority: CertificateAuthority
) -> None:
    for url in (
        f"ldap://127.0.0.1:{impostor(START_TLS_DONE).port}",
        f"ldaps://127.0.0.1:{impostor().port}",
    ):
        threads, begun = threading.active_count(), time.monotonic()
        with pytest.raises(ProviderUnavailableError):
            Ldap().open(provider_of(url, authority, timeout=0.5)).finish(
                ATTEMPT, {"username": "a", "password": "b"}
            )
        assert time.monotonic() - begun < 2
        until(lambda: threading.active_count() <= threads, 5)  # noqa: B023


def test_a_server_that_goes_away_in_the_middle_is_no_wrong_password(
    log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    bind = Line.bind

    def fails(line: Line, dn: str, password: str) -> None:
        if dn.startswith("uid="):
            raise ldap.SERVER_DOWN({"desc": "Can't contact LDAP server"})
        bind(line, dn, password)

    monkeypatch.setattr(Line, "bind", fails)
    with pytest.raises(ProviderUnavailableError):
        log_in("ann")


def test_log_ins_are_turned_away_at_once_when_a_server_has_failed_again_and_again(
    make_provider: MakeProvider,
) -> None:
    client = Ldap().open(make_provider(url="ldaps://127.0.0.1:1"))
    for _ in range(3):
        with pytest.raises(ProviderUnavailableError, match="has failed"):
            client.finish(ATTEMPT, {"username": "ann", "password": "x"})
    with pytest.raises(ProviderUnavailableError, match="times in a row"):
        client.finish(ATTEMPT, {"username": "ann", "password": "x"})
    with pytest.raises(LoginRefusedError):
        client.finish(ATTEMPT, {"username": "ann", "password": ""})


def test_wrong_passwords_do_not_make_a_server_rest(make_provider: MakeProvider) -> None:
    client = Ldap().open(make_provider())
    for _ in range(5):
        with pytest.raises(LoginRefusedError):
            client.finish(ATTEMPT, {"username": "ann", "password": "wrong"})
    assert client.finish(ATTEMPT, {"username": "ann", "password": password_of("ann")})


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"bind_password": "wrong"}, "does not accept the service account"),
        ({"bind_dn": f"cn=gone,{ACME}"}, "does not accept the service account"),
        ({"base": f"ou=gone,{ACME}"}, "No such object"),
        ({"filter": "(&(uid={username})"}, "filter"),
        ({"group_base": f"ou=gone,{ACME}"}, "No such object"),
        ({"url": "ldaps://nowhere.invalid"}, "sso test"),
    ],
)
def test_a_server_that_cannot_be_asked_says_so(log_in: LogIn, settings: dict[str, str], says: str) -> None:
    with pytest.raises(ProviderUnavailableError, match=says) as caught:
        log_in("ann", **settings)
    assert password_of("ann") not in str(caught.value)
    assert READER_PASSWORD not in str(caught.value)


def test_certificates_that_cannot_be_read_any_more(make_provider: MakeProvider, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("nonsense")
    provider = make_provider(ca_file=str(path))
    client = Ldap().open(provider)
    typed = {"username": "ann", "password": password_of("ann")}
    with pytest.raises(ProviderUnavailableError):
        client.finish(ATTEMPT, typed)
    wrong = next(finding for finding in Ldap().examine(provider) if not finding.ok)
    assert wrong.what == "certificate"
    assert f"{path} cannot be read" in wrong.detail
    path.unlink()
    with pytest.raises(ProviderUnavailableError, match="cannot be read"):
        client.finish(ATTEMPT, typed)


def test_one_directorys_password_is_not_tried_at_another(slapd: Slapd, log_in: LogIn) -> None:
    with pytest.raises(LoginRefusedError):
        log_in("ann", password_of("ann") + "!", suffix=BELLA)
    assert f'BIND dn="uid=ann,ou=people,{BELLA}"' in slapd.log()
