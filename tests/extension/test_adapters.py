"""Adapters are opened in order and closed in reverse, each that was opened, whatever the others do."""

from __future__ import annotations

import pytest

from flask_tenant.context import Scope, current_scope, entered
from flask_tenant.model import Tenant

ACME = Tenant(1, "acme", "Acme")


class Noting:
    """Writes down what is asked of it.

    :param fails: ``enter`` or ``leave``
    """

    def __init__(self, name: str, notes: list[str], fails: str = "") -> None:
        self.name, self.notes, self.fails = name, notes, fails

    def _note(self, what: str, scope: Scope) -> None:
        assert current_scope() is scope, "it works for the tenant"
        self.notes.append(f"{what} {self.name}")
        if self.fails == what:
            raise OSError(f"{what} {self.name}")

    def enter(self, scope: Scope) -> None:
        self._note("enter", scope)

    def leave(self, scope: Scope) -> None:
        self._note("leave", scope)


def three(notes: list[str], **fails: str) -> tuple[Noting, ...]:
    """Adapters a, b and c."""
    return tuple(Noting(name, notes, fails.get(name, "")) for name in "abc")


IN, OUT = ["enter a", "enter b", "enter c"], ["leave c", "leave b", "leave a"]


def test_in_order_and_in_reverse() -> None:
    notes: list[str] = []
    with entered(Scope(ACME), three(notes)):
        assert notes == IN
        notes.clear()
    assert notes == OUT
    assert current_scope() is None


@pytest.mark.parametrize(
    "fails", [{"c": "leave"}, {"b": "leave"}, {"a": "leave"}, dict.fromkeys("abc", "leave")]
)
def test_one_that_fails_to_close_keeps_no_other_from_it(fails: dict[str, str]) -> None:
    notes: list[str] = []
    with pytest.raises(OSError, match=f"leave {max(fails)}"), entered(Scope(ACME), three(notes, **fails)):
        pass
    assert notes == IN + OUT
    assert current_scope() is None


@pytest.mark.parametrize("within", [ValueError, KeyboardInterrupt])
def test_an_error_inside_closes_them(within: type[BaseException]) -> None:
    notes: list[str] = []
    with pytest.raises(within), entered(Scope(ACME), three(notes)):
        raise within
    assert notes == IN + OUT
    assert current_scope() is None


def test_one_that_fails_to_open_closes_those_before_it() -> None:
    notes: list[str] = []
    with pytest.raises(OSError, match="enter b"), entered(Scope(ACME), three(notes, b="enter")):
        raise AssertionError("nobody is inside")
    assert notes == ["enter a", "enter b", "leave a"]
    assert current_scope() is None


def test_within_another_tenant() -> None:
    notes: list[str] = []
    with entered(Scope(ACME)) as outer:
        with (
            pytest.raises(OSError, match="leave b"),
            entered(Scope(Tenant(2, "bella", "Bella")), three(notes, b="leave")),
        ):
            pass
        assert current_scope() is outer
