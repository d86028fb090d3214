"""Nothing is said to a server that cannot prove who it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flask_tenant.errors import ProviderUnavailableError
from flask_tenant.identity import Attempt
from flask_tenant.login.oidc import Oidc
from tests.login.oidc.hostile import CALLBACK, SUBJECT, Hostile, Login
from tests.services.authority import Certificate, CertificateAuthority


@contextmanager
def serving(certificate: Certificate) -> Iterator[Hostile]:
    server = Hostile(certificate)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path)


def refused(kind: Oidc, server: Hostile, ca_file: str) -> None:
    settings = {"ca_file": ca_file} if ca_file else {}
    with pytest.raises(ProviderUnavailableError):
        kind.open(server.provider(settings=settings)).begin(Attempt(CALLBACK))
    assert not server.asked, "it was told something"


def test_an_authority_of_ones_own(
    kind: Oidc, authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = CertificateAuthority(tmp_path, "Other CA")
    with serving(authority.issue("127.0.0.1")) as server:
        refused(kind, server, "")
        refused(kind, server, str(other.file))
        (finding,) = [found for found in kind.examine(server.provider()) if not found.ok]
        assert finding.what == "discovery"
        assert "no certificate that we trust" in finding.detail
        row = server.provider(settings={"ca_file": str(authority.file)})
        # what the environment says does not count in its place
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other.file))
        assert Login(server, kind.open(row)).finish().identity.subject == SUBJECT
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
        asked = len(server.asked)
        with pytest.raises(ProviderUnavailableError):
            kind.open(server.provider(id=9, settings={"ca_file": str(other.file)})).begin(Attempt(CALLBACK))
        assert len(server.asked) == asked


def test_a_certificate_for_another_host(kind: Oidc, authority: CertificateAuthority) -> None:
    with serving(authority.issue("login.example.com")) as server:
        refused(kind, server, str(authority.file))


def test_a_certificate_that_has_expired(kind: Oidc, authority: CertificateAuthority) -> None:
    with serving(authority.issue("127.0.0.1", days=-1)) as server:
        refused(kind, server, str(authority.file))


def test_a_file_that_holds_no_certificates(
    kind: Oidc, authority: CertificateAuthority, tmp_path: Path
) -> None:
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("nothing")
    with serving(authority.issue("127.0.0.1")) as server:
        refused(kind, server, str(nothing))


def test_what_a_provider_names_has_to_be_encrypted_too(kind: Oidc, authority: CertificateAuthority) -> None:
    """An issuer on this very machine may do without TLS; one that has it names nothing that has not."""
    with serving(authority.issue("127.0.0.1")) as server:
        server.discovery = {"token_endpoint": "http://login.example.com/token"}
        row = server.provider(settings={"ca_file": str(authority.file)})
        with pytest.raises(ProviderUnavailableError, match="token_endpoint"):
            kind.open(row).begin(Attempt(CALLBACK))
