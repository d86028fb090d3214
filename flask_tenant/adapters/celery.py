"""Celery: a task runs in the tenant that sent it.

The tenant travels in a header of the message. In the worker everything that belongs to the task runs inside it:
signals, callbacks, chains, retries and what they send in turn.
"""

from __future__ import annotations

import sys
from contextvars import copy_context
from functools import wraps
from typing import Any

from ..errors import ConfigurationError, JobRefusedError
from . import jobs
from .base import Around, Part, current, registered

NAME = "celery"


class Celery(Part):
    """Lets messages carry the tenant, and workers enter it."""

    name = NAME

    def look(self, around: Around) -> bool:
        """Listen to what is sent, and wrap how tasks are run, once in a process."""
        if "celery" not in sys.modules:
            return False
        from celery import signals
        from celery.app import trace

        if not hasattr(trace.build_tracer, "ft_bound"):
            signals.before_task_publish.connect(_sent, weak=False, dispatch_uid="flask_tenant")
            trace.build_tracer = _building(trace.build_tracer)
            consumer = sys.modules.get("celery.worker.consumer.consumer")
            if consumer is not None:
                consumer.build_tracer = trace.build_tracer  # type: ignore[attr-defined]
        return True


def _application(celery: Any) -> Around | None:
    """The Flask application that a Celery application works for: the one that names it, or the only one."""
    named = [around for around in registered() if around.app().extensions.get("celery") is celery]
    if named and celery is not None:
        return named[0] if NAME not in named[0].settings.adapters_off else None
    return current(NAME)


def _sent(sender: str | None = None, headers: Any = None, body: Any = None, **_: Any) -> None:
    around = current(NAME)
    if around is None or headers is None:
        return
    task_id, name = str(headers.get("id") or body["id"]), str(headers.get("task") or sender)
    headers.pop(jobs.HEADER, None)
    try:
        sealed = jobs.seal(around, task_id, name)
    except ConfigurationError:
        # Celery logs what a receiver raises and sends the message nevertheless: let the worker refuse it.
        headers[jobs.HEADER] = "unsigned"
        raise
    if sealed is not None:
        headers[jobs.HEADER] = sealed


def _building(original: Any) -> Any:
    @wraps(original)
    def build_tracer(name: str, task: Any, *args: Any, **kw: Any) -> Any:
        tracer = original(name, task, *args, **kw)
        if kw.get("eager"):
            return tracer  # runs where it is called

        @wraps(tracer)
        def trace_task(uuid: str, args: Any, kwargs: Any, request: Any = None) -> Any:
            # A context of its own: whatever the task enters and forgets to leave ends with it.
            return copy_context().run(_run, tracer, task, uuid, args, kwargs, request)

        return trace_task

    build_tracer.ft_bound = True  # type: ignore[attr-defined]
    return build_tracer


def _run(tracer: Any, task: Any, uuid: str, args: Any, kwargs: Any, request: Any) -> Any:
    around = _application(task.app)
    sealed = (request or {}).get(jobs.HEADER)
    if around is None:
        if sealed is None:
            return tracer(uuid, args, kwargs, request)
        return _failed(
            task,
            request,
            args,
            kwargs,
            JobRefusedError(
                f"The task {task.name} carries a tenant, and this worker knows no application with Tenancy",
                hint="Let app.extensions['celery'] be the Celery application",
            ),
        )
    try:
        tenant = jobs.unseal(around, sealed, uuid, str(task.name)) if sealed is not None else None
    except (JobRefusedError, ConfigurationError) as error:
        jobs.log.error("Task %s[%s] refused: %s", task.name, uuid, error)
        return _failed(task, request, args, kwargs, error)
    with jobs.working(around, tenant):
        return tracer(uuid, args, kwargs, request)


def _failed(task: Any, request: Any, args: Any, kwargs: Any, error: Exception) -> Any:
    """What a tracer returns for a task that has failed, without having run it."""
    from celery import states
    from celery.app.task import Context
    from celery.app.trace import TraceInfo, trace_ok_t

    info = TraceInfo(states.FAILURE, error)
    context = Context(request or {}, args=args, called_directly=False, kwargs=kwargs)
    try:
        raise error
    except type(error):
        return trace_ok_t(info.handle_error_state(task, context), info, 0.0, None)
