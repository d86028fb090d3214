"""Functions of the application that we call.

Those that rules may name: ``validate: {hook: approval}`` calls the one called *approval*.

A rule file brings in no code: it can only name what the application has registered here.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from .errors import ConfigurationError, RuleEngineError
from .identity import Member

F = TypeVar("F", bound=Callable[..., Any])


class Hooks:
    """The functions of one application, by name. What each is called with says the kind of rule that names it."""

    def __init__(self) -> None:
        self._functions: dict[str, Callable[..., Any]] = {}

    def register(self, name: str) -> Callable[[F], F]:
        """Let rules name a function: a decorator, ``@tenancy.hooks.register("approval")``.

        :param name: as rule files call it
        :raises ConfigurationError: when another function has the name
        """

        def decorate(function: F) -> F:
            if not name.strip():
                raise ConfigurationError("A hook without a name", value=name)
            if self._functions.setdefault(name, function) is not function:
                raise ConfigurationError(
                    f"Two functions are registered as the hook {name!r}",
                    value=name,
                    hint="Rename one of them",
                )
            return function

        return decorate

    def __getitem__(self, name: str) -> Callable[..., Any]:
        """Return the function of a name.

        :raises RuleEngineError: when the application has registered none
        """
        try:
            return self._functions[name]
        except KeyError:
            near = difflib.get_close_matches(name, self._functions, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f'@tenancy.hooks.register("{name}")'
            raise RuleEngineError(f"No hook {name!r} is registered", value=name, hint=hint) from None

    def __contains__(self, name: object) -> bool:
        return name in self._functions

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def __len__(self) -> int:
        return len(self._functions)


class Users:
    """What the application says about users of its own: ``tenancy.users``. It is called in the tenant."""

    def __init__(self) -> None:
        self.made_by: Callable[[Member], Any] | None = None
        self.updated_by: Callable[[Any, Member], object] | None = None

    def create(self, function: F) -> F:
        """Let a function say which of the application's own users a member is: a decorator.

        It takes the :class:`~flask_tenant.identity.Member` and returns the user, found or made; what it writes it
        commits. It is called when a member logs in for the first time, or when their user is gone.
        """
        self.made_by = function
        return function

    def update(self, function: F) -> F:
        """Let a function bring a user up to date whenever the member logs in: a decorator.

        It takes the user and the :class:`~flask_tenant.identity.Member`; what it writes it commits.
        """
        self.updated_by = function
        return function
