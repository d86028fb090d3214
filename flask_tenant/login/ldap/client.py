"""Logs people in: find exactly one entry as a service account, then bind as that entry with what was typed."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping

import ldap
import ldap.dn

from ...errors import LoginRefusedError
from ...identity import Ask, Attempt, Identified, Identity, Provider
from ..breaker import Breaker
from .line import GONE, Entry, Line, connected
from .settings import DN, LdapSettings

LONGEST = 256
"""Characters of a user name, or a password."""

MOST_GROUPS = 1_000
"""Of one person."""


class Client:
    """One directory at work.

    :raises ProviderError: for settings that make no sense
    """

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self.settings = LdapSettings.of(provider)
        self._breaker = Breaker(f"The directory {self.settings.url}")

    def begin(self, attempt: Attempt) -> Ask:
        """Ask for a name and a password. The directory is not asked anything yet."""
        return Ask(("username", "password"))

    def finish(self, attempt: Attempt, answer: Mapping[str, str]) -> Identified:
        """Let the directory check a name and a password.

        :raises LoginRefusedError: with the reason ``username``, ``password``, ``unknown``, ``ambiguous``, ``referral``
            or ``subject``
        :raises ProviderUnavailableError: when it does not answer, or cannot be asked
        """
        username, password = answer.get("username", "").strip(), answer.get("password", "")
        if not 0 < len(username) <= LONGEST or not username.isprintable():
            raise LoginRefusedError(
                f"{username[:LONGEST]!r} is no user name", reason="username", value=username
            )
        # RFC 4513 5.1.2: a server may take a name without a password for nobody, and say that all is well. NUL ends
        # a password in programs written in C, so that what is empty to the server need not look so to us.
        if not 0 < len(password) <= LONGEST or "\0" in password or not _encodable(password):
            raise LoginRefusedError(f"{username!r} has typed no password", reason="password", value=username)
        return self._breaker.call(lambda: self._identified(username, password), self.settings.timeout + 1)

    def _identified(self, username: str, password: str) -> Identified:
        settings = self.settings
        with connected(settings) as line:
            found, reason = self._find(line, username)
            dn = found[0] if found is not None else _nobody(settings)
            # Also for somebody who is not there: as much is done, and takes as long.
            refused = self._refused(line, dn, password)
            if found is None:
                raise LoginRefusedError(
                    f"{username!r} is {reason} at {settings.url}", reason=reason, value=username
                )
            if refused:
                raise LoginRefusedError(
                    f"{settings.url} does not accept the password of {username!r}: {refused}",
                    reason="password",
                    value=username,
                )
            subject = _subject(found, settings.subject)
            line.bind(settings.bind_dn, settings.bind_password)
            groups = self._groups(line, found, username)
        return Identified(
            Identity(self._provider.authority, subject),
            name=_text(found, settings.name) or username,
            email=_text(found, settings.email),
            groups=groups,
        )

    def _find(self, line: Line, username: str) -> tuple[Entry | None, str]:
        """Return the one entry of that name, or why there is none."""
        settings = self.settings
        wanted = [settings.subject, settings.name, settings.email]
        if settings.group_attribute:
            wanted.append(settings.group_attribute)
        try:
            found = line.search(
                settings.base, settings.scope, settings.filled(settings.filter, username=username), wanted, 2
            )
        except ldap.SIZELIMIT_EXCEEDED:
            return None, "ambiguous"
        except ldap.REFERRAL:
            return None, "referral"
        if len(found) == 1:
            return found[0], ""
        return None, "ambiguous" if found else "unknown"

    def _refused(self, line: Line, dn: str, password: str) -> str:
        """Return why the server does not let somebody in, ``""`` when it does."""
        try:
            line.bind(dn, password)
        except GONE:
            raise
        except ldap.LDAPError as error:
            return type(error).__name__
        return ""

    def _groups(self, line: Line, found: Entry, username: str) -> tuple[str, ...]:
        settings, names = self.settings, set()
        for value in found[1].get(settings.group_attribute.lower(), ()):
            names.update(_called(value.decode(errors="replace"), settings.group_name))
        if settings.group_base:
            wanted = settings.filled(settings.group_filter, dn=found[0], username=username)
            try:
                groups = line.search(
                    settings.group_base, "subtree", wanted, [_attribute(settings.group_name)], MOST_GROUPS
                )
            except ldap.SIZELIMIT_EXCEEDED:
                raise line.unavailable(f"names more than {MOST_GROUPS} groups of {username!r}") from None
            for dn, values in groups:
                if settings.group_name == DN:
                    names.add(dn)
                names.update(v.decode(errors="replace") for v in values.get(settings.group_name.lower(), ()))
        return tuple(sorted(names))


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _nobody(settings: LdapSettings) -> str:
    """Return the name of an entry that is not there."""
    return f"cn={secrets.token_hex(16)},{settings.base}"


def _attribute(group_name: str) -> str:
    return "1.1" if group_name == DN else group_name  # RFC 4511 4.5.1.8: no attributes


def _subject(found: Entry, attribute: str) -> str:
    """Return what somebody is called for ever.

    :raises LoginRefusedError: when the directory does not say, or says several things
    """
    values = found[1].get(attribute.partition(";")[0].lower(), [])
    if len(values) == 1:
        if attribute.lower() == "objectguid" and len(values[0]) == 16:
            return str(
                uuid.UUID(bytes_le=values[0])
            )  # Active Directory: 16 bytes, the first three parts reversed
        text = values[0].decode(errors="replace").strip()
        if text and text.isprintable() and len(text) <= 255:
            return text
    raise LoginRefusedError(
        f"The entry {found[0]!r} has {len(values)} usable values of {attribute!r}, and needs exactly one",
        reason="subject",
        value=found[0],
        hint="Let the service account read it, or name another attribute as the setting subject",
    )


def _text(found: Entry, attribute: str) -> str:
    """Return an attribute's first value, for people."""
    values = found[1].get(attribute.partition(";")[0].lower(), [])
    return values[0].decode(errors="replace").strip() if values else ""


def _called(dn: str, attribute: str) -> list[str]:
    """Return what a group is called of which the whole name is known: by its first part, if that is the attribute."""
    if attribute == DN:
        return [dn]
    try:
        first = ldap.dn.str2dn(dn)[0]
    except (ldap.DECODING_ERROR, IndexError):
        return []
    return [value for name, value, _ in first if name.lower() == attribute.lower()]
