"""Host names, normalised once: what every strategy compares is what comes out of here.

Two doors, because two kinds of text come in. A *Host header* was written by a program: browsers and libraries send
the ASCII form, so anything else is refused rather than repaired (a repaired name is a second way to write a tenant's
name, and somebody in front of us may read it differently). A name that a *person* has typed, in a setting or on the
command line, may be ``Bücher.example``: it is mapped by UTS 46 and becomes ASCII.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

import idna

LONGEST = 253
"""Characters of a host name, by the rules of DNS."""

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_PORT = re.compile(r"[0-9]{0,5}\Z")
_LONGEST_HEADER = LONGEST + len(".:65535")
_KEPT = 4096
"""Host headers whose result is kept, so that the usual ones cost a look-up; about a megabyte at most."""


class InvalidHostError(ValueError):
    """The text is no host name."""


def host_name(header: str) -> str:
    """Return a Host header's host in its one form: lower case, without port and final dot, addresses as they are
    usually written.

    :param header: as it was sent, such as ``Acme.Example.com.:8000``
    :returns: ``""`` for an empty header; IPv6 addresses in brackets
    :raises InvalidHostError: for what is no host name: bad characters, user names, labels or names that are too long,
        a port that is none
    """
    if len(header) > _LONGEST_HEADER:
        raise InvalidHostError(f"{len(header)} characters are no host name")
    return _host_name(header)


@lru_cache(_KEPT)
def _host_name(header: str) -> str:
    name, port = split_port(header)
    if port and int(port) > 65535:
        raise InvalidHostError(f"{port} is no port")
    return _canonical(name)


def split_port(header: str) -> tuple[str, str]:
    """Return host and port (``""`` if there is none) of a Host header.

    :raises InvalidHostError: when there are brackets or colons in the wrong places
    """
    if header.startswith("["):
        name, closed, rest = header.partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise InvalidHostError(f"{header!r} is no host name")
        name, port = name + "]", rest[1:]
    else:
        name, _, port = header.partition(":")
    if not _PORT.match(port):
        raise InvalidHostError(f"{port!r} is no port")
    return name, port


def _canonical(name: str) -> str:
    if name.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(name[1:-1]).compressed}]" if "%" not in name else _bad(name)
        except ValueError:
            return _bad(name)
    if not name:
        return ""
    if not name.isascii():
        return _bad(name)
    name = name.lower().removesuffix(".")
    labels = name.split(".")
    if len(name) > LONGEST or not all(_LABEL.match(label) for label in labels):
        return _bad(name)
    if labels[-1].isdigit() or labels[-1].startswith("0x"):
        # Ends like a number: then it is an IPv4 address in four decimal parts, or a riddle (127.1, 0x7f000001).
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError:
            return _bad(name)
    for label in labels:
        if label[2:4] == "--":
            _check_a_label(label)
    return name


def _check_a_label(label: str) -> None:
    """``xn--…`` has to be what its own decoded form is written as; ``ab--…`` is nothing at all."""
    try:
        if not label.startswith("xn--") or idna.alabel(idna.ulabel(label)).decode() != label:
            raise InvalidHostError(f"{label!r} is no label of a host name")
    except UnicodeError as error:  # idna's own errors derive from it
        raise InvalidHostError(f"{label!r} is no label of a host name: {error}") from None


def _bad(name: str) -> str:
    raise InvalidHostError(f"{name!r} is no host name")


def typed_name(text: str) -> str:
    """Return the one form of a host name that a person has typed, without a port.

    :param text: such as ``Bücher.example``; mapped by UTS 46 (not transitional), as browsers do
    :raises InvalidHostError: when no host name comes out
    """
    text = text.strip()
    if not text or text.startswith("[") or text.isascii():
        return _canonical(text)
    try:
        return _canonical(idna.encode(text.removesuffix("."), uts46=True, transitional=False).decode())
    except UnicodeError as error:
        raise InvalidHostError(f"{text!r} is no host name: {error}") from None


def is_address(host: str) -> bool:
    """Whether a normalised host is an IP address."""
    return host.startswith("[") or host.rpartition(".")[2].isdigit()
