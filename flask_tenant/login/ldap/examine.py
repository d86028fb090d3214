"""Tries a directory out, without logging anybody in, and says precisely what is wrong."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator

import ldap

from ...errors import ProviderUnavailableError
from ...identity import Finding, Provider
from .certificate import fault_of_certificate
from .line import Line, connected, said
from .settings import LdapSettings


def examine(provider: Provider) -> Iterator[Finding]:
    """Yield what is found, in the order in which a log-in would come by it.

    :raises ProviderError: for settings that make no sense
    """
    settings = LdapSettings.of(provider)
    yield Finding("settings", True, f"{settings.bind_dn} looks below {settings.base}")
    try:
        fault = fault_of_certificate(settings)
    except socket.gaierror as error:
        yield Finding("connection", False, f"The host {settings.host!r} is not known: {error.strerror}")
        return
    except OSError as error:
        reason = "no answer in time" if isinstance(error, TimeoutError) else error.strerror or error
        yield Finding("connection", False, f"{settings.host}:{settings.port}: {reason}")
        return
    yield Finding("connection", True, f"{settings.host}:{settings.port}")
    yield Finding("certificate", not fault, fault or f"is good for {settings.host}")
    if fault:
        return
    try:
        with connected(settings) as line:
            yield Finding("service account", True, settings.bind_dn)
            yield from _people(line, settings)
            if settings.group_base:
                yield _groups(line, settings)
    except ProviderUnavailableError as error:
        yield Finding("service account", False, str(error))


def _people(line: Line, settings: LdapSettings) -> Iterator[Finding]:
    nobody = secrets.token_hex(16)
    try:
        found = line.search(
            settings.base, settings.scope, settings.filled(settings.filter, username=nobody), ["1.1"], 2
        )
    except (ldap.NO_SUCH_OBJECT, ldap.REFERRAL, ldap.INSUFFICIENT_ACCESS) as error:
        yield Finding("base", False, f"{settings.base} cannot be searched: {said(error)}")
        return
    except ldap.FILTER_ERROR as error:
        yield Finding("filter", False, f"{settings.filter} is no filter: {said(error)}")
        return
    yield Finding("base", True, settings.base)
    if found:
        yield Finding("filter", False, f"{settings.filter} finds {found[0][0]} whatever the user name is")
        return
    anybody = settings.filter.replace("{username}", "*")
    some = line.first(
        settings.base, settings.scope, anybody, [settings.subject, settings.name, settings.email]
    )
    if some is None:
        yield Finding("people", False, f"{settings.filter} finds nobody, whatever the user name is")
        return
    yield Finding("people", True, f"such as {some[0]}")
    for name, needed in ((settings.subject, True), (settings.name, False), (settings.email, False)):
        values = some[1].get(name.lower(), [])
        wrong = len(values) != 1 if needed else not values
        if needed or wrong:
            yield Finding(
                f"attribute {name}",
                not (wrong and needed),
                f"{some[0]} has {len(values)} values that {settings.bind_dn} may read",
            )


def _groups(line: Line, settings: LdapSettings) -> Finding:
    nobody = f"cn={secrets.token_hex(16)},{settings.base}"
    wanted = settings.filled(settings.group_filter, dn=nobody, username=nobody)
    try:
        found = line.search(settings.group_base, "subtree", wanted, ["1.1"], 1)
    except ldap.SIZELIMIT_EXCEEDED:
        found = [("", {})]
    except ldap.LDAPError as error:
        return Finding("groups", False, f"{settings.group_base} cannot be searched: {said(error)}")
    if found:
        return Finding("groups", False, f"{settings.group_filter} finds groups of somebody who is not there")
    return Finding("groups", True, settings.group_base)
