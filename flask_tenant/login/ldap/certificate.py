"""Says what is wrong with a server's certificate. libldap says no more than "unknown error code"."""

from __future__ import annotations

import socket
import ssl

from .settings import LdapSettings

START_TLS = bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037"
"""The whole message: an extended request of that name (RFC 4511 sections 4.12 and 4.14), number 1."""


def fault_of_certificate(settings: LdapSettings) -> str:
    """Return what is wrong with the server's certificate, ``""`` when it is as it should be.

    :raises OSError: when the server does not answer
    """
    try:
        context = ssl.create_default_context(cafile=settings.ca_file or None)
    except OSError as error:
        return f"The certificates in {settings.ca_file} cannot be read: {error.strerror or error}"
    with socket.create_connection((settings.host, settings.port), timeout=settings.timeout) as plain:
        if settings.start_tls:
            plain.sendall(START_TLS)
            answer = plain.recv(4096)
            # The result code follows the tags of the message, its number and the extended response: ENUMERATED, 1 byte.
            at = answer.find(b"\x0a\x01")
            if at < 0 or answer[at + 2 : at + 3] != b"\0":
                return "The server does not offer StartTLS"
        try:
            with context.wrap_socket(plain, server_hostname=settings.host):
                return ""
        except ssl.SSLCertVerificationError as error:
            return f"The certificate of {settings.host} is not accepted: {error.verify_message}"
        except ssl.SSLError as error:
            return f"No encrypted connection: {error.reason or error}"
