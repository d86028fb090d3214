"""Hashes of passwords, by werkzeug."""

from __future__ import annotations

import unicodedata

from werkzeug.security import check_password_hash, generate_password_hash

from ..errors import MemberError
from ..translations import Message

SHORTEST = 12
"""Characters of a password. NIST SP 800-63B-4, 3.1.1.2, asks for 8 at least, for 15 where nothing else is asked."""

LONGEST = 1024
"""Characters beyond which nothing is hashed: what is sent to a log-in must not cost more than a password does."""


class Passwords:
    """Makes and compares hashes.

    :param method: as werkzeug names it
    """

    def __init__(self, method: str = "scrypt") -> None:
        self._method = method
        self._nobody: str | None = None
        self.compared = 0
        """How many hashes were computed to compare: the same for somebody as for nobody."""

    def hash(self, password: str, email: str = "") -> str:
        """Return what is kept of a password.

        :raises MemberError: for one that is too short, too long, or the address itself
        """
        if not SHORTEST <= len(password) <= LONGEST:
            raise MemberError(
                Message("The password has %(count)d characters", count=len(password)),
                hint=Message("Use %(least)d to %(most)d characters", least=SHORTEST, most=LONGEST),
            )
        if email and password.strip().lower() in (email, email.partition("@")[0]):
            raise MemberError(
                Message("The password is the e-mail address"), hint=Message("Use one that nobody can guess")
            )
        return generate_password_hash(_normal(password), self._method)

    def matches(self, kept: str | None, password: str) -> bool:
        """Whether a password is the right one. For ``None``, which nothing is, the same work is done."""
        if not password or len(password) > LONGEST:
            return False  # for everybody alike
        if self._nobody is None:
            self._nobody = generate_password_hash("nobody", self._method)
        self.compared += 1
        right = check_password_hash(kept if kept is not None else self._nobody, _normal(password))
        return right and kept is not None


def _normal(password: str) -> str:
    """Return a password in one form, whichever keyboard it was typed on (NIST SP 800-63B-4, 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)
