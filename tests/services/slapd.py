"""Temporary LDAP servers: Debian's slapd, unprivileged, in a folder and on ports of their own, with TLS.

Each has two suffixes, two customers' directories. It can be stopped, frozen and started again on the same ports.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.authority import Certificate, CertificateAuthority
from tests.services.availability import missing
from tests.services.redis import free_port

PREFIX = "flask-tenant-slapd-"
START_SECONDS = 30
SLAPD = Path("/usr/sbin/slapd")
SCHEMAS = Path("/etc/ldap/schema")
MODULES = Path("/usr/lib/ldap")

READER_PASSWORD = "reader's own"
"""Of the account that may search, ``cn=reader`` in each directory."""

ACME, BELLA = "dc=acme,dc=test", "dc=bella,dc=test"

PEOPLE = {
    ACME: {"ann": "Ann Archer", "bob": "Bob Baker", "twin": "First Twin", "kim": "Kim (Sales) *"},
    BELLA: {"ann": "Annabel Bell", "zoe": "Zoë Bell"},
}
"""uid and name of everybody. Their password is ``secret of `` and their uid, and they are unlike from one directory to
the other: two people are called ``ann``."""

GROUPS = {ACME: {"staff": ["ann", "bob"], "chiefs": ["ann"]}, BELLA: {"staff": ["zoe"]}}


def uuid_of(suffix: str, uid: str) -> str:
    """The entryUUID of a person: the same in each run."""
    number = sorted(PEOPLE).index(suffix) * 100 + list(PEOPLE[suffix]).index(uid)
    return f"00000000-0000-4000-8000-{number:012d}"


def password_of(uid: str) -> str:
    """The password of a person."""
    return f"secret of {uid}"


def _entry(dn: str, *lines: str) -> str:
    return "\n".join([f"dn: {dn}", *lines]) + "\n"


def _person(uid: str, name: str, where: str, *more: str) -> str:
    lines = ("objectClass: inetOrgPerson", f"uid: {uid}", f"cn: {name}", "sn: x", *more)
    return _entry(f"uid={uid},{where}", *lines, f"userPassword: {password_of(uid)}")


def _ldif(suffix: str, referral: str, mail_of_bob: str) -> str:
    """Everything in one directory. In ``acme``, ``hr`` has a second ``twin``, and ``away`` leads to another server."""
    label = suffix.partition(",")[0].removeprefix("dc=")
    entries = [
        _entry(suffix, "objectClass: dcObject", "objectClass: organization", f"dc: {label}", f"o: {label}"),
        _entry(
            f"cn=reader,{suffix}",
            "objectClass: organizationalRole",
            "objectClass: simpleSecurityObject",
            "cn: reader",
            f"userPassword: {READER_PASSWORD}",
        ),
    ]
    for unit in ("people", "hr", "groups"):
        entries.append(_entry(f"ou={unit},{suffix}", "objectClass: organizationalUnit", f"ou: {unit}"))
    for uid, name in PEOPLE[suffix].items():
        mail = mail_of_bob if uid == "bob" and mail_of_bob else f"{uid}@{label}.test"
        more = [f"mail: {mail}", f"entryUUID: {uuid_of(suffix, uid)}"]
        more += ["telephoneNumber: 1", "telephoneNumber: 2"]
        more += [
            f"memberOf: cn={group},ou=groups,{suffix}"
            for group, members in GROUPS[suffix].items()
            if uid in members
        ]
        entries.append(_person(uid, name, f"ou=people,{suffix}", *more))
    for group, members in GROUPS[suffix].items():
        lines = [f"member: uid={uid},ou=people,{suffix}" for uid in members]
        named = (f"cn={group},ou=groups,{suffix}", "objectClass: groupOfNames", f"cn: {group}")
        entries.append(_entry(*named, *lines))
    if suffix == ACME:
        entries.append(_person("twin", "Second Twin", f"ou=hr,{suffix}"))
        away = ("objectClass: referral", "objectClass: extensibleObject", "ou: away")
        entries.append(_entry(f"ou=away,{suffix}", *away, f"ref: {referral}/ou=away,{suffix}"))
    return "\n".join(entries)


class Slapd:
    """A server that keeps its ports when it is started again.

    :param folder: its own
    :param certificate: what it proves itself with; it is reached as ``localhost``, ``127.0.0.1`` and ``127.0.0.2``
    :param referral: ``ldap://host:port`` to which it refers who asks for ``ou=away``
    :param mail_of_bob: an address that it gives to bob, in place of his own
    """

    def __init__(self, folder: Path, certificate: Certificate, referral: str, mail_of_bob: str) -> None:
        self.folder = folder
        self.port, self.tls_port = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._program = _program(folder)
        # A copy: whoever runs the server may not look into the folder of the tests.
        own = Certificate(folder / "certificate.pem", folder / "key.pem")
        shutil.copy(certificate.certificate, own.certificate)
        shutil.copy(certificate.key, own.key)
        self._write(own, referral, mail_of_bob)

    def url(self, host: str = "localhost", *, tls: bool = False) -> str:
        """Where it listens: for StartTLS, or for TLS from the first byte on."""
        return f"ldaps://{host}:{self.tls_port}" if tls else f"ldap://{host}:{self.port}"

    def _write(self, certificate: Certificate, referral: str, mail_of_bob: str) -> None:
        lines = [
            *(f"include {SCHEMAS}/{name}.schema" for name in ("core", "cosine", "inetorgperson")),
            f"modulepath {MODULES}",
            "moduleload back_mdb",
            "moduleload memberof",
            f"pidfile {self.folder}/pid",
            f"TLSCertificateFile {certificate.certificate}",
            f"TLSCertificateKeyFile {certificate.key}",
            # The trap that many servers set: a name with an empty password is let in as nobody.
            "allow bind_anon_cred bind_anon_dn",
            "sizelimit 500",
            "threads 4",
            "loglevel stats",
        ]
        for suffix in (ACME, BELLA):
            data = self.folder / suffix
            data.mkdir()
            lines += [
                "database mdb",
                f"suffix {suffix}",
                f"directory {data}",
                "maxsize 10485760",
                "dbnosync",
                "index uid,member eq",
                "access to attrs=userPassword by anonymous auth by * none",
                f'access to * by dn.exact="cn=reader,{suffix}" read by * none',
                "overlay memberof",
            ]
        (self.folder / "slapd.conf").write_text("\n".join(lines) + "\n")
        for suffix in (ACME, BELLA):
            command = [
                str(self._program),
                "-T",
                "add",
                "-q",
                "-f",
                str(self.folder / "slapd.conf"),
                "-b",
                suffix,
            ]
            done = subprocess.run(
                command,
                input=_ldif(suffix, referral, mail_of_bob),
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise RuntimeError(done.stderr)
        if not os.geteuid():
            for path in (self.folder, *self.folder.rglob("*")):
                shutil.chown(path, "nobody")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        listens = [f"ldap://{host}:{self.port} ldaps://{host}:{self.tls_port}" for host in HOSTS]
        command = ["-f", str(self.folder / "slapd.conf"), "-h", " ".join(listens), "-d", "stats"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_unprivileged(), str(self._program), *command],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                for port in (self.port, self.tls_port):
                    socket.create_connection((HOSTS[-1], port), timeout=2).close()
                return
            time.sleep(0.01)
        raise RuntimeError(self.log())

    def log(self) -> str:
        """Everything that it was asked."""
        return (self.folder / "log").read_text(errors="replace")

    def freeze(self) -> None:
        """Let it answer nobody; connections are accepted by the kernel."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._send(signal.SIGCONT)

    def stop(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)


HOSTS = ("127.0.0.1", "127.0.0.2")


def _unprivileged() -> list[str]:
    """The command that starts another without rights, and ends it when this process dies."""
    if os.geteuid():
        return ["setpriv", "--pdeathsig", "KILL"]
    account = pwd.getpwnam("nobody")
    user, group = str(account.pw_uid), str(account.pw_gid)
    return ["setpriv", "--pdeathsig", "KILL", "--clear-groups", "--reuid", user, "--regid", group]


def _program(folder: Path) -> Path:
    """Return the server's program; a copy of it where AppArmor keeps Debian's own in Debian's own folders."""
    with contextlib.suppress(OSError):
        if APPARMOR.read_text().startswith("Y"):
            return Path(shutil.copy(SLAPD, folder / "program"))
    return SLAPD


APPARMOR = Path("/sys/module/apparmor/parameters/enabled")


def need() -> None:
    """Skip, or fail in CI, without slapd."""
    if not SLAPD.exists() or shutil.which("setpriv") is None:
        missing("slapd", "apt-get install --no-install-recommends slapd")
    # Test processes that were killed could not tidy up.
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if not Path("/proc", folder.name.removeprefix(PREFIX).partition("-")[0]).exists():
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def slapd_running(
    authority: CertificateAuthority | None = None,
    names: tuple[str, ...] = ("127.0.0.1", "localhost"),
    *,
    days: int = 1,
    referral: str = "ldap://127.0.0.1:1",
    mail_of_bob: str = "",
) -> Iterator[Slapd]:
    """Run a temporary server for the length of the block.

    :param names: what its certificate is for; ``127.0.0.2`` is not among them
    """
    need()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    server = None
    try:
        issuer = authority or CertificateAuthority(folder)
        server = Slapd(folder, issuer.issue(*names, days=days), referral, mail_of_bob)
        server.start()
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    """Whom our servers' certificates are from."""
    return CertificateAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def slapd(authority: CertificateAuthority) -> Iterator[Slapd]:
    """A server that tests leave running; one for each worker."""
    with slapd_running(authority) as server:
        yield server
