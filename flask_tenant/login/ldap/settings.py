"""What a directory's row says, checked."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from urllib.parse import urlsplit

import ldap.dn
from ldap.filter import escape_filter_chars

from ...errors import ProviderError
from ...identity import Provider

DN = "dn"
"""As ``group_name``: groups are called by their whole distinguished names."""

_PORTS = {"ldap": 389, "ldaps": 636}
_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9-]*(?:;[A-Za-z0-9-]+)*\Z")
_PLACE = re.compile(r"\{(\w*)\}")


@dataclass(frozen=True, slots=True)
class LdapSettings:
    """How to reach a directory, and where in it people are.

    :param url: ``ldaps://host:636``, or ``ldap://host:389``, where StartTLS comes before anything else
    :param base: below which entry people are
    :param bind_dn: of the service account that looks for them
    :param bind_password: its password
    :param filter: which entry is meant by ``{username}``
    :param scope: ``subtree``, or ``onelevel`` for entries directly below ``base``
    :param subject: the attribute that never changes and is never given to somebody else
    :param name: the attribute with somebody's name
    :param email: the attribute with somebody's address
    :param group_base: below which entry groups are; empty for none
    :param group_filter: which groups somebody is in: by ``{dn}`` or ``{username}``
    :param group_attribute: the attribute of a person that names groups, such as ``memberOf``; empty for none
    :param group_name: the attribute that a group is called by, or ``dn``
    :param ca_file: certificates of authorities that may vouch for the server, in place of the system's, in PEM
    :param timeout: seconds for a whole log-in
    """

    url: str
    base: str
    bind_dn: str
    bind_password: str = field(repr=False)
    filter: str = "(&(objectClass=person)(uid={username}))"
    scope: str = "subtree"
    subject: str = "entryUUID"
    name: str = "cn"
    email: str = "mail"
    group_base: str = ""
    group_filter: str = "(member={dn})"
    group_attribute: str = ""
    group_name: str = "cn"
    ca_file: str = ""
    timeout: float = 5.0

    @classmethod
    def of(cls, provider: Provider) -> LdapSettings:
        """Read a provider's row.

        :raises ProviderError: for settings that make no sense
        """
        values = {**provider.settings, **provider.secrets}
        known = {item.name for item in fields(cls)}
        if unknown := sorted(values.keys() - known):
            raise _wrong(provider, ", ".join(unknown), "unknown", f"Known are: {', '.join(sorted(known))}")
        for name in ("url", "base", "bind_dn", "bind_password"):
            if not values.get(name):
                raise _wrong(
                    provider, name, "missing", "A directory is searched by a service account of ours"
                )
        for name, value in values.items():
            if name != "timeout" and (not isinstance(value, str) or not _plain(value)):
                raise _wrong(provider, name, "no line of text", "Use text in one line")
        found = cls(**values)
        found._check(provider)
        return found

    def _check(self, provider: Provider) -> None:
        self._check_url(provider)
        for name in ("base", "bind_dn", "group_base"):
            if not ldap.dn.is_dn(getattr(self, name)):
                raise _wrong(
                    provider, name, repr(getattr(self, name)), "Use a name such as dc=example,dc=com"
                )
        for name, places in (("filter", {"username"}), ("group_filter", {"dn", "username"})):
            text = getattr(self, name)
            named = set(_PLACE.findall(text))
            if not named or named - places or not (text.startswith("(") and text.endswith(")")):
                raise _wrong(
                    provider,
                    name,
                    repr(text),
                    "Use a filter in parentheses (RFC 4515), such as "
                    f"{getattr(_DEFAULTS, name)}; it may name {', '.join(f'{{{p}}}' for p in sorted(places))}",
                )
        if self.scope not in ("subtree", "onelevel"):
            raise _wrong(provider, "scope", repr(self.scope), "Use subtree or onelevel")
        for name in ("subject", "name", "email", "group_name", "group_attribute"):
            value = getattr(self, name)
            if not _ATTRIBUTE.match(value) and (value or name != "group_attribute"):
                raise _wrong(provider, name, repr(value), "Use an attribute's name, such as cn")
        if self.ca_file and not Path(self.ca_file).is_file():
            raise _wrong(provider, "ca_file", f"{self.ca_file!r}, which is not there", "Use a file in PEM")
        if isinstance(self.timeout, bool) or not isinstance(self.timeout, int | float):
            raise _wrong(provider, "timeout", repr(self.timeout), "Use seconds")
        if not 0.1 <= self.timeout <= 60:
            raise _wrong(provider, "timeout", repr(self.timeout), "Use from 0.1 to 60 seconds")

    def _check_url(self, provider: Provider) -> None:
        try:
            parts = urlsplit(self.url)
            right = parts.scheme in _PORTS and parts.hostname and parts.port != 0 and " " not in self.url
            more = parts.path.strip("/") or parts.query or parts.fragment or parts.username
        except ValueError:  # a port that is no number
            right, more = False, ""
        if not right or more:
            raise _wrong(
                provider, "url", repr(self.url), "Use ldaps://host or ldap://host: both are encrypted"
            )

    @property
    def host(self) -> str:
        """The server's name, which its certificate has to be for."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The server's port."""
        return urlsplit(self.url).port or _PORTS[urlsplit(self.url).scheme]

    @property
    def start_tls(self) -> bool:
        """Whether encryption begins with StartTLS, RFC 4511 4.14, and not with the first byte."""
        return urlsplit(self.url).scheme == "ldap"

    def filled(self, template: str, **values: str) -> str:
        """Return a filter with values in its places, escaped as RFC 4515 section 3 says.

        In one go: a value that looks like a place stays what it is.
        """
        return _PLACE.sub(lambda place: escape_filter_chars(values[place[1]]), template)


_DEFAULTS = LdapSettings("", "", "", "")


def _plain(text: str) -> bool:
    return all(c.isprintable() for c in text)


def _wrong(provider: Provider, setting: str, problem: str, hint: str) -> ProviderError:
    shown = "wrong" if setting == "bind_password" and problem != "missing" else problem
    return ProviderError(
        f"The provider {provider.name!r} cannot be used: the setting {setting} is {shown}",
        value=setting,
        hint=hint,
    )
