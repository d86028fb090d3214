"""Log-in with a password of ours: the kind ``local``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from ..errors import LoginRefusedError
from ..identity import LOCAL, Ask, Attempt, Finding, GoTo, Identified, Identity, Person, Provider
from ..protocols import Authenticator, ProviderKind


class Keeper(Protocol):
    """Keeps the passwords: ``accounts.people``."""

    def matches(self, email: str, password: str) -> Person | None:
        """Return whose address and password these are, or ``None``; the same work is done whoever it is."""


class Local(ProviderKind):
    """Passwords that we keep.

    :param people: keeps them
    """

    name = LOCAL

    def __init__(self, people: Keeper) -> None:
        self._people = people

    def open(self, provider: Provider) -> Authenticator:
        """Return what logs people in with their passwords."""
        return _Password(self._people)

    def examine(self, provider: Provider) -> Iterable[Finding]:
        """There is nothing that could be wrong."""
        return [Finding("passwords", True, "They are kept by this installation")]


class _Password(Authenticator):
    def __init__(self, people: Keeper) -> None:
        self._people = people

    def begin(self, attempt: Attempt) -> Ask | GoTo:
        """Ask for address and password."""
        return Ask()

    def finish(self, attempt: Attempt, answer: Mapping[str, str]) -> Identified:
        """Compare the password.

        :raises LoginRefusedError: when it is not the address's own
        """
        found = self._people.matches(answer.get("username", ""), answer.get("password", ""))
        if found is None:
            raise LoginRefusedError("The address or the password is wrong", reason="password")
        identity = Identity(LOCAL, str(found.id))
        return Identified(identity, found.name, found.email or "", email_verified=True)
