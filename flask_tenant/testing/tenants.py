"""``as_tenant``: a test, or a part of it, inside a tenant."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import ContextDecorator, ExitStack
from functools import wraps
from types import TracebackType
from typing import Any, TypeVar

import flask
from flask import Flask

from ..application import Application
from ..context import Scope
from ..model import Tenant
from ..registry import state_of

F = TypeVar("F", bound=Callable[..., Any])

tested: list[Flask] = []
"""The applications of tests that are running with our fixtures, the latest last."""


def state_for(app: Flask | None) -> Application:
    """Return Tenancy's state of an application: the given one, the current one, the one under test, or the only one.

    :raises ConfigurationError: when none, or more than one, comes into question
    """
    if app is None and tested and not flask.has_app_context():
        app = tested[-1]
    return state_of(app)


def tenant_for(state: Application, tenant: Tenant | str, *, create: bool) -> Tenant:
    """Return a tenant by its slug.

    :param create: make it when there is none
    :raises TenantNotFoundError: when there is none, and none is to be made
    """
    if isinstance(tenant, Tenant):
        return tenant
    found = state.directory.find(tenant)
    if found is None and create:
        return state.create(tenant, tenant.replace("-", " ").title())
    return found or state.directory.get(tenant)


class _AsTenant(ContextDecorator):
    """Enters a tenant, with an application context where none of its application is active."""

    def __init__(self, tenant: Tenant | str, app: Flask | None, create: bool, fresh: bool) -> None:
        self._arguments = (tenant, app, create, fresh)
        self._stack = ExitStack()

    def __enter__(self) -> Tenant:
        tenant, app, create, fresh = self._arguments
        state = state_for(app)
        with ExitStack() as stack:
            if fresh or not flask.has_app_context() or flask.current_app != state.app:
                stack.enter_context(state.app.app_context())
            found = tenant_for(state, tenant, create=create)
            stack.enter_context(state.enter(Scope(found)))
            self._stack = stack.pop_all()
        return found

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _recreate_cm(self) -> _AsTenant:  # a decorated function may call itself
        return _AsTenant(*self._arguments)

    def __call__(self, function: F) -> F:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"{function.__qualname__} is a generator: it would run after the tenant has been left. "
                "Use 'with as_tenant(...)' inside it"
            )
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def awaited(*args: Any, **kw: Any) -> Any:
                with self._recreate_cm():
                    return await function(*args, **kw)

            return awaited  # type: ignore[return-value]
        return super().__call__(function)


def as_tenant(
    tenant: Tenant | str, app: Flask | None = None, *, create: bool = True, fresh: bool = False
) -> _AsTenant:
    """Work inside a tenant: as a context manager, whose value is the tenant, or as a decorator of a test.

    :param tenant: a tenant or its slug
    :param app: by default the current application, the one of our fixtures, or the only one that has Tenancy
    :param create: make the tenant when there is none
    :param fresh: in an application context of its own, as each request has, even where one is active
    :raises TenantNotFoundError: when there is none, and ``create`` is false
    :raises TypeError: as a decorator of a generator
    """
    return _AsTenant(tenant, app, create, fresh)
