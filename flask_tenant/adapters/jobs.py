"""What Celery and RQ share: a job carries its tenant's id, signed, and runs in that tenant or not at all."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from itsdangerous import Signer

from ..context import Scope, current_scope, nobody
from ..errors import ConfigurationError, JobRefusedError
from ..model import Tenant, TenantState
from .base import Around

log = logging.getLogger("flask_tenant")

HEADER = "flask_tenant"
"""Name of the message header (Celery) and of the entry in a job's ``meta`` (RQ)."""


_WORKING = (TenantState.ACTIVE, TenantState.MAINTENANCE)
"""Whom jobs run for: maintenance keeps people out, and may send jobs itself."""


def _signer(around: Around) -> Signer:
    app = around.app()
    if not app.secret_key:
        raise ConfigurationError(
            f"{app.name!r} has no SECRET_KEY, and a job carries its tenant under a signature",
            hint="Set SECRET_KEY, the same in the application and in its workers",
        )
    keys = [*(app.config.get("SECRET_KEY_FALLBACKS") or ()), app.secret_key]
    return Signer(keys, salt="flask_tenant.job", digest_method=hashlib.sha256)


def seal(around: Around, *job: str) -> str | None:
    """Return what a job carries with it.

    :param job: what tells this job from any other: its id and the name of its function
    :returns: ``None`` when it is sent from no tenant
    :raises ConfigurationError: without a ``SECRET_KEY``
    """
    scope = around.here()
    if scope is None or not scope.tenant_id:
        return None
    who = str(scope.tenant_id)
    return f"{who}.{_signer(around).get_signature('|'.join((who, *job))).decode()}"


def unseal(around: Around, text: object, *job: str) -> Tenant:
    """Return the tenant that a job was sent from.

    :param text: what it carries
    :param job: its id and the name of its function, as they arrived
    :raises JobRefusedError: for a tenant that is unknown or not served, and without a signature of our own
    """
    who, _, signature = text.partition(".") if isinstance(text, str) else ("", "", "")
    name = job[-1]
    if not _signer(around).verify_signature("|".join((who, *job)), signature) or not who.isdecimal():
        raise JobRefusedError(
            f"The job {name} carries a tenant that this application has not signed",
            value=text,
            hint="Application and workers need the same SECRET_KEY; otherwise somebody has made the message up",
        )
    tenant = around.find(int(who))
    if tenant is None:
        raise JobRefusedError(
            f"The job {name} is for tenant {who}, which does not exist", value=int(who), hint="Nothing to do"
        )
    if tenant.state not in _WORKING:
        raise JobRefusedError(
            f"The job {name} is for tenant {tenant.slug}, which is {tenant.state.value}",
            value=tenant.slug,
            hint="Send it again when the tenant is served again",
        )
    return tenant


@contextmanager
def working(around: Around, tenant: Tenant | None) -> Iterator[None]:
    """Run a job in its tenant, or in none, whatever is around."""
    with ExitStack() as stack:
        outer = current_scope()
        if tenant is None or outer is None or outer.tenant_id != tenant.id:
            stack.enter_context(nobody())
        if tenant is not None:
            stack.enter_context(around.enter(Scope(tenant)))
        yield
