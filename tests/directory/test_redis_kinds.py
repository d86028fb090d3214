"""Redis over TLS, with a CA made on the spot; and a Redis Cluster, which is noticed and not used."""

from __future__ import annotations

import datetime as dt
import ipaddress
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from flask_tenant.directory import Directory, own_database
from tests.extension.processes import until
from tests.services.redis import free_port, redis_running


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(folder: Path, of: str, address: str, ca: str | None = None) -> None:
    """Write ``of.pem`` and ``of.key``, signed by ``ca`` or, for a CA, by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(of))
        .issuer_name(_name(ca or of))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca is None, path_length=None), critical=True)
    )
    signer = key
    if ca is not None:
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        builder = builder.add_extension(names, critical=False)
        signer = serialization.load_pem_private_key((folder / f"{ca}.key").read_bytes(), None)
    made = builder.sign(signer, hashes.SHA256())
    (folder / f"{of}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / f"{of}.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, *private))


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int, int]]:
    """A folder with certificates, and the ports of two servers: one is what it says, one has another's address."""
    folder = tmp_path_factory.mktemp("tls")
    _certificate(folder, "ours", "")
    _certificate(folder, "strange", "")
    _certificate(folder, "server", "127.0.0.1", "ours")
    _certificate(folder, "other", "127.0.0.2", "ours")

    def options(port: int, name: str) -> tuple[str, ...]:
        return (
            f"tls-port {port}",
            f"tls-cert-file {folder / name}.pem",
            f"tls-key-file {folder / name}.key",
            f"tls-ca-cert-file {folder / 'ours.pem'}",
            "tls-auth-clients no",
        )

    ports = free_port(), free_port()
    with redis_running(*options(ports[0], "server")), redis_running(*options(ports[1], "other")):
        yield folder, *ports


def opened(url: str, database: Path) -> Directory:
    directory = Directory(own_database(sa.create_engine(f"sqlite:///{database / 'd.db'}")), redis_url=url)
    directory.prepare()
    return directory


def test_redis_over_tls(tls: tuple[Path, int, int], tmp_path: Path) -> None:
    folder, port, _ = tls
    directory = opened(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={folder / 'ours.pem'}", tmp_path)
    try:
        made = directory.create("acme", "Acme", lambda *_: None)
        link = directory._lookup.link
        assert link is not None
        until(lambda: link.trusted, "the link is trusted")
        directory.forget()
        assert directory.find("acme") == made
        directory.forget()
        assert directory.find("acme") == made
        assert directory.source == "redis"
    finally:
        directory.close()


@pytest.mark.parametrize("what", ["another CA", "another address"])
def test_a_server_that_is_not_ours_is_not_used(
    tls: tuple[Path, int, int], tmp_path: Path, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    folder, port, other = tls
    ca, at = ("strange", port) if what == "another CA" else ("ours", other)
    with caplog.at_level(logging.WARNING, "flask_tenant"):
        directory = opened(f"rediss://127.0.0.1:{at}/0?ssl_ca_certs={folder / ca}.pem", tmp_path)
        try:
            made = directory.create("acme", "Acme", lambda *_: None)
            until(lambda: "certificate verify failed" in caplog.text, "the warning comes")
            link = directory._lookup.link
            assert link is not None
            assert not link.trusted
            directory.forget()
            assert directory.find("acme") == made
            assert directory.source == "sql"
        finally:
            directory.close()


def test_a_cluster_is_noticed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with redis_running("cluster-enabled yes") as server, caplog.at_level(logging.WARNING, "flask_tenant"):
        directory = opened(server.url(), tmp_path)
        try:
            made = directory.create("acme", "Acme", lambda *_: None)
            until(lambda: "belongs to a Redis Cluster, which is not supported" in caplog.text, "the warning")
            directory.forget()
            assert directory.find("acme") == made
            assert directory.source == "sql"
        finally:
            directory.close()
