"""``flask tenant sso test`` on a directory: it says precisely what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flask_tenant.identity import Finding
from flask_tenant.login.ldap import Ldap
from tests.login.ldap.conftest import Impostor, MakeProvider, provider_of
from tests.login.ldap.test_attacks import START_TLS_REFUSED
from tests.services.authority import CertificateAuthority
from tests.services.slapd import ACME, READER_PASSWORD, Slapd, slapd_running


@pytest.mark.parametrize("tls", [True, False], ids=["ldaps", "StartTLS"])
def test_all_is_well(slapd: Slapd, make_provider: MakeProvider, tls: bool) -> None:
    url = slapd.url("127.0.0.1", tls=tls)
    found = list(Ldap().examine(make_provider(url=url, group_base=f"ou=groups,{ACME}")))
    assert [finding for finding in found if not finding.ok] == []
    assert [finding.what for finding in found] == [
        "settings",
        "connection",
        "certificate",
        "service account",
        "base",
        "people",
        "attribute entryUUID",
        "groups",
    ]
    assert READER_PASSWORD not in repr(found)


@pytest.mark.parametrize(
    ("settings", "what", "says"),
    [
        ({"url": "ldaps://nowhere.invalid"}, "connection", "'nowhere.invalid' is not known"),
        ({"url": "ldaps://127.0.0.1:1"}, "connection", "refused"),
        ({"bind_password": "wrong"}, "service account", f"'cn=reader,{ACME}': Invalid credentials"),
        ({"base": f"ou=gone,{ACME}"}, "base", "No such object"),
        ({"base": f"ou=away,{ACME}"}, "base", "Referral"),
        ({"filter": "(&(uid={username})"}, "filter", "is no filter"),
        ({"filter": "(|(uid={username})(uid=ann))"}, "filter", "finds uid=ann"),
        ({"filter": "(employeeNumber={username})"}, "people", "finds nobody"),
        ({"subject": "description"}, "attribute description", "has 0 values"),
        ({"subject": "telephoneNumber"}, "attribute telephoneNumber", "has 2 values"),
        ({"group_base": f"ou=gone,{ACME}"}, "groups", "No such object"),
        ({"group_base": ACME, "group_filter": "(|(member={dn})(cn=*))"}, "groups", "who is not there"),
    ],
)
def test_what_is_wrong(make_provider: MakeProvider, settings: dict[str, Any], what: str, says: str) -> None:
    (wrong,) = [finding for finding in Ldap().examine(make_provider(**settings)) if not finding.ok]
    assert wrong.what == what
    assert says in wrong.detail
    assert READER_PASSWORD not in wrong.detail


def test_a_missing_name_is_no_fault(make_provider: MakeProvider) -> None:
    found = list(Ldap().examine(make_provider(name="displayName")))
    assert all(finding.ok for finding in found)
    assert any(f.what == "attribute displayName" and "0 values" in f.detail for f in found)


def certificate(provider: Any) -> Finding:
    (found,) = [finding for finding in Ldap().examine(provider) if finding.what == "certificate"]
    return found


@pytest.mark.parametrize("tls", [True, False], ids=["ldaps", "StartTLS"])
def test_what_is_wrong_with_a_certificate(
    slapd: Slapd, make_provider: MakeProvider, tls: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = CertificateAuthority(tmp_path_factory.mktemp("other"), "Other CA")
    wrong = certificate(make_provider(url=slapd.url("127.0.0.2", tls=tls)))
    assert not wrong.ok
    assert "127.0.0.2" in wrong.detail
    assert "mismatch" in wrong.detail
    wrong = certificate(make_provider(url=slapd.url("127.0.0.1", tls=tls), ca_file=str(other.file)))
    assert not wrong.ok
    assert "issuer certificate" in wrong.detail


def test_a_certificate_that_has_expired(authority: CertificateAuthority) -> None:
    with slapd_running(authority, days=-1) as server:
        wrong = certificate(provider_of(server.url("127.0.0.1", tls=True), authority))
    assert "expired" in wrong.detail


def test_servers_that_are_none(impostor: Callable[..., Impostor], authority: CertificateAuthority) -> None:
    def last(server: Impostor, scheme: str) -> Finding:
        provider = provider_of(f"{scheme}://127.0.0.1:{server.port}", authority, timeout=0.5)
        return list(Ldap().examine(provider))[-1]

    assert last(impostor(START_TLS_REFUSED), "ldap") == Finding(
        "certificate", False, "The server does not offer StartTLS"
    )
    silent = last(impostor(), "ldap")
    assert (silent.ok, silent.what) == (False, "connection")
    assert "no answer in time" in silent.detail
    nonsense = last(impostor(b"220 mail.example ESMTP\r\n"), "ldaps")
    assert (nonsense.ok, nonsense.what) == (False, "certificate")
