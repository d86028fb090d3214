"""RQ: a job runs in the tenant that enqueued it. The tenant travels in the job's ``meta``.

A worker that does not import the application by itself is started as
``rq worker --worker-class flask_tenant.adapters.rq_worker.TenantWorker``.
"""

from __future__ import annotations

import sys
from contextvars import copy_context
from functools import wraps
from typing import Any

from ..errors import JobRefusedError
from . import jobs
from .base import Around, Part, current

NAME = "rq"

_CALLBACKS = ("execute_success_callback", "execute_failure_callback", "execute_stopped_callback")


class Rq(Part):
    """Lets jobs carry the tenant, and workers enter it."""

    name = NAME

    def look(self, around: Around) -> bool:
        """Wrap how jobs are made and performed, once in a process."""
        if "rq" not in sys.modules:
            return False
        import rq.job

        if hasattr(rq.job.Job.perform, "ft_bound"):
            return True
        import rq.worker

        job: Any = rq.job.Job
        job.create = classmethod(_creating(job.create.__func__))
        job.perform = _inside(job.perform, refuse=True)
        modules = [module for name, module in list(sys.modules.items()) if name.split(".")[0] == "rq"]
        for name in _CALLBACKS:
            # Functions of a module, imported by others; methods of a job in RQ 2.
            for owner in (*modules, job):
                original = vars(owner).get(name)
                if callable(original) and not hasattr(original, "ft_bound"):
                    setattr(owner, name, _inside(original))
        return True


def _creating(original: Any) -> Any:
    @wraps(original)
    def create(cls: Any, *args: Any, **kw: Any) -> Any:
        job = original(cls, *args, **kw)
        around = current(NAME)
        if around is not None:
            job.meta.pop(jobs.HEADER, None)
            sealed = jobs.seal(around, str(job.id), str(job.func_name))
            if sealed is not None:
                job.meta = {**job.meta, jobs.HEADER: sealed}
        return job

    return create


def _inside(original: Any, *, refuse: bool = False) -> Any:
    @wraps(original)
    def run(job: Any, *args: Any, **kw: Any) -> Any:
        # A context of its own: whatever the job enters and forgets to leave ends with it.
        return copy_context().run(_run, original, refuse, job, args, kw)

    run.ft_bound = True  # type: ignore[attr-defined]
    return run


def _run(original: Any, refuse: bool, job: Any, args: Any, kw: Any) -> Any:
    around = current(NAME)
    sealed = job.meta.get(jobs.HEADER)
    if around is None:
        if sealed is not None and refuse:
            raise JobRefusedError(
                f"The job {job.func_name} carries a tenant, and this worker knows no application with Tenancy",
                hint="Start it with --worker-class flask_tenant.adapters.rq_worker.TenantWorker",
            )
        return original(job, *args, **kw)
    tenant = None
    if sealed is not None:
        try:
            tenant = jobs.unseal(around, sealed, str(job.id), str(job.func_name))
        except JobRefusedError as error:
            if refuse:
                jobs.log.error("Job %s refused: %s", job.id, error)
                raise
    with jobs.working(around, tenant):
        return original(job, *args, **kw)
