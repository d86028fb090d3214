"""Takes the tenant along into threads, greenlets and asyncio tasks.

A new thread starts without a tenant, which is safe and seldom wanted. What is started here works for the tenant of
the code that started it, in a stay of its own: with its own sessions, closed when it is done, however long ago the
request has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import flask

from .application import Application
from .context import Scope, current_scope, current_tenant, nobody
from .model import Tenant
from .registry import state_of

P = ParamSpec("P")
T = TypeVar("T")


def in_tenant(function: Callable[P, T]) -> Callable[P, T]:
    """Return a function that runs for the tenant of the code that calls *this*, wherever it is called itself.

    For threads, ``gevent.spawn``, pools and callbacks. With an application context around, it gets one too.

    :raises NoTenantError: outside any tenant
    """
    enter = _taken_along(current_tenant())

    @wraps(function)
    def inside(*args: P.args, **kwargs: P.kwargs) -> T:
        with ExitStack() as stack:
            enter(stack)
            return function(*args, **kwargs)

    return inside


def create_tenant_task(coroutine: Coroutine[Any, Any, T], *, name: str | None = None) -> asyncio.Task[T]:
    """Start an asyncio task for the current tenant. It may outlive the request.

    :param name: of the task
    :raises NoTenantError: outside any tenant
    """
    try:
        enter = _taken_along(current_tenant())
    except Exception:
        coroutine.close()
        raise

    async def inside() -> T:
        with ExitStack() as stack:
            enter(stack)
            return await coroutine

    task = asyncio.create_task(inside(), name=name)
    task.add_done_callback(lambda _: coroutine.close())  # it may have been cancelled before it began
    return task


class TenantThreadPoolExecutor(ThreadPoolExecutor):
    """A thread pool whose work runs for the tenant of the code that submits it; without a tenant, for nobody."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Submit a call, see :meth:`concurrent.futures.Executor.submit`."""
        scope = current_scope()
        if scope is not None and scope.tenant is not None:
            return super().submit(in_tenant(fn), *args, **kwargs)
        return super().submit(fn, *args, **kwargs)


def _taken_along(tenant: Tenant) -> Callable[[ExitStack], None]:
    state: Application = state_of()
    app = flask.current_app._get_current_object() if flask.has_app_context() else None  # type: ignore[attr-defined]

    def enter(stack: ExitStack) -> None:
        stack.enter_context(nobody())  # a stay of its own, not a part of the one that may end before it
        if app is not None:
            stack.enter_context(app.app_context())
        stack.enter_context(state.enter(Scope(tenant)))

    return enter
