"""Hashes of passwords."""

from __future__ import annotations

import pytest

from flask_tenant.errors import MemberError
from flask_tenant.login.passwords import LONGEST, Passwords


def test_nobodys_password_is_none() -> None:
    passwords = Passwords("pbkdf2:sha256:1")
    assert passwords.matches(passwords.hash("nobody's password"), "nobody's password")
    for password in ("nobody", "", "x" * (LONGEST + 1)):
        assert not passwords.matches(None, password)


def test_nothing_is_hashed_that_is_no_password() -> None:
    passwords = Passwords("pbkdf2:sha256:1")
    kept = passwords.hash("a password of the tests")
    for password in ("", "x" * (LONGEST + 1)):
        assert not passwords.matches(kept, password)
        with pytest.raises(MemberError, match="characters"):
            passwords.hash(password)
    assert passwords.compared == 0


def test_the_default_is_slow_on_purpose() -> None:
    """scrypt, with a salt of its own for each."""
    passwords = Passwords()
    one, two = passwords.hash("a password of the tests"), passwords.hash("a password of the tests")
    assert one.startswith("scrypt:32768:8:1$")
    assert one != two
    assert passwords.matches(one, "a password of the tests")
