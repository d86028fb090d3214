"""A connection to a directory: encrypted before anything is said, in time, and nowhere else."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any

import ldap

from ...errors import ProviderUnavailableError
from .settings import LdapSettings

Entry = tuple[str, dict[str, list[bytes]]]
"""A distinguished name, and attributes: their names in lower case."""

SCOPES = {"subtree": ldap.SCOPE_SUBTREE, "onelevel": ldap.SCOPE_ONELEVEL, "base": ldap.SCOPE_BASE}

GONE = (
    ldap.SERVER_DOWN,
    ldap.TIMEOUT,
    ldap.CONNECT_ERROR,
    ldap.BUSY,
    ldap.UNAVAILABLE,
    ldap.TIMELIMIT_EXCEEDED,
)
"""The server does not answer, or not in time."""


class Line:
    """A connection; use :func:`connected`.

    :param deadline: when it has to be over, as :func:`time.monotonic` counts
    """

    def __init__(self, settings: LdapSettings, deadline: float) -> None:
        self._settings = settings
        self._deadline = deadline
        self._ldap = ldap.initialize(settings.url)
        self._secure()

    def _secure(self) -> None:
        set_option = self._ldap.set_option
        set_option(ldap.OPT_PROTOCOL_VERSION, ldap.VERSION3)
        # A referral leads to a server that nobody has named to us, with the password that was typed.
        set_option(ldap.OPT_REFERRALS, ldap.OPT_OFF)
        set_option(ldap.OPT_DEREF, ldap.DEREF_NEVER)
        # Without this, libldap with GnuTLS waits for ever for a server that falls silent during the TLS handshake:
        # its network time-out covers that only for connections that do not block.
        set_option(ldap.OPT_CONNECT_ASYNC, ldap.OPT_ON)
        self._hurry()
        set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
        set_option(ldap.OPT_X_TLS_PROTOCOL_MIN, ldap.OPT_X_TLS_PROTOCOL_TLS1_2)
        where = ssl.get_default_verify_paths()
        if self._settings.ca_file or where.cafile:
            set_option(ldap.OPT_X_TLS_CACERTFILE, self._settings.ca_file or where.cafile)
        elif where.capath:
            set_option(ldap.OPT_X_TLS_CACERTDIR, where.capath)
        try:
            set_option(ldap.OPT_X_TLS_NEWCTX, 0)  # last: it makes what was said before hold
        except ValueError:
            raise self.unavailable(
                "cannot be asked: the certificates that count cannot be read",
                f"Look at ca_file, {self._settings.ca_file!r}",
            ) from None

    def _hurry(self) -> None:
        """Let the next step take what is left of the time.

        :raises ProviderUnavailableError: when nothing is
        """
        left = self._deadline - monotonic()
        if left <= 0:
            raise self.unavailable("has not answered in time")
        self._ldap.set_option(ldap.OPT_NETWORK_TIMEOUT, left)
        self._ldap.set_option(ldap.OPT_TIMEOUT, left)

    def encrypt(self) -> None:
        """Begin StartTLS where the connection is not encrypted from its first byte on.

        :raises ldap.LDAPError: when that fails, as with a certificate that proves nothing
        """
        if self._settings.start_tls:
            self._hurry()
            self._ldap.start_tls_s()

    def bind(self, dn: str, password: str) -> None:
        """Prove to be somebody.

        :raises ldap.LDAPError: when the server is not convinced
        """
        if not (dn and password):
            # RFC 4513 5.1.2: servers answer "success", and have let in nobody in particular.
            raise ldap.INAPPROPRIATE_AUTH({"desc": "A name and a password are needed"})
        self._hurry()
        self._ldap.simple_bind_s(dn, password)

    def search(self, base: str, scope: str, filter: str, attributes: Sequence[str], most: int) -> list[Entry]:  # noqa: A002
        """Return entries. References to other servers are left out.

        :param scope: ``subtree``, ``onelevel`` or ``base``
        :param most: ask for no more than so many
        :raises ldap.SIZELIMIT_EXCEEDED: when there are more
        :raises ldap.LDAPError: for all that may go wrong
        """
        self._hurry()
        left = max(1, round(self._deadline - monotonic()))
        found: Any = self._ldap.search_ext_s(
            base, SCOPES[scope], filter, list(attributes), timeout=left, sizelimit=most
        )
        return [
            (dn, {name.lower(): each for name, each in values.items()})
            for dn, values in found
            if dn is not None
        ]

    def first(self, base: str, scope: str, filter: str, attributes: Sequence[str]) -> Entry | None:  # noqa: A002
        """Return an entry, whichever comes first; ``None`` when there is none.

        :raises ldap.LDAPError: for all that may go wrong
        """
        self._hurry()
        number = self._ldap.search_ext(base, SCOPES[scope], filter, list(attributes), sizelimit=1)
        kind, found = self._ldap.result(number, all=0, timeout=max(0.1, self._deadline - monotonic()))[:2]
        if kind != ldap.RES_SEARCH_ENTRY or not found:
            return None
        dn, values = found[0]
        return dn, {name.lower(): each for name, each in values.items()}

    def close(self) -> None:
        """Hang up."""
        with suppress(ldap.LDAPError):
            self._ldap.unbind_ext_s()

    def unavailable(self, problem: str, hint: str = "") -> ProviderUnavailableError:
        """Return the error that says what is wrong with this server."""
        return unavailable(self._settings, problem, hint)


@contextmanager
def connected(settings: LdapSettings) -> Iterator[Line]:
    """Open an encrypted connection, bound as the service account, for the length of the block.

    :raises ProviderUnavailableError: when the server does not answer, does not prove who it is, or does not accept us;
        and for what goes wrong inside the block, unless the block deals with it
    """
    line = Line(settings, monotonic() + settings.timeout)
    try:
        line.encrypt()
        try:
            line.bind(settings.bind_dn, settings.bind_password)
        except (ldap.INVALID_CREDENTIALS, ldap.INAPPROPRIATE_AUTH, ldap.NO_SUCH_OBJECT) as error:
            raise line.unavailable(
                f"does not accept the service account {settings.bind_dn!r}: {said(error)}",
                "Set bind_dn and bind_password anew",
            ) from None
        yield line
    except ldap.LDAPError as error:
        hint = "'flask tenant sso test' says what is wrong" if isinstance(error, GONE) else ""
        raise line.unavailable(f"has failed: {said(error)}", hint) from None
    finally:
        line.close()


def unavailable(settings: LdapSettings, problem: str, hint: str = "") -> ProviderUnavailableError:
    """Return the error that says what is wrong with a server."""
    return ProviderUnavailableError(f"The directory {settings.url} {problem}", value=settings.url, hint=hint)


def said(error: ldap.LDAPError) -> str:
    """Return what libldap says of an error, in one line."""
    told = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    parts = [str(told.get(key, "")) for key in ("desc", "info") if told.get(key)]
    return ": ".join(parts) or type(error).__name__
