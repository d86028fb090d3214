"""URLs that are made outside a request, for mails and jobs, lead to the tenant's own host."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from flask import has_app_context, has_request_context
from flask.globals import app_ctx, request_ctx
from werkzeug.routing import MapAdapter

from ..errors import ConfigurationError
from ..model import Tenant
from ..settings import Settings
from .base import Around, Part


class Urls(Part):
    """Gives ``url_for`` the tenant's host where no request gives one."""

    name = "urls"

    def look(self, around: Around) -> bool:
        """Wrap the application's ``url_for``."""
        app = around.app()
        if not hasattr(app.url_for, "ft_bound"):
            app.url_for = _building(app.url_for, around)  # type: ignore[method-assign]
        return True


def address_of(tenant: Tenant, base: str | None, settings: Settings) -> tuple[str, str]:
    """Return the host, with its port if any, and the path under which a tenant is reached.

    :param base: what follows the tenant's label, with a port if any
    :raises ConfigurationError: when there is none, and the tenant has no domain of its own
    """
    if tenant.domains:
        return tenant.domains[0], ""
    if not base:
        raise ConfigurationError(
            f"A URL that leads to the tenant {tenant.slug!r} was asked for, and its host is not known",
            value=tenant.slug,
            hint="Set TENANT_BASE_DOMAIN",
        )
    if "path" in settings.strategies and "subdomain" not in settings.strategies:
        return base, f"{settings.path_prefix}/{tenant.slug}"
    return f"{tenant.slug}.{base}", ""


def _building(original: Any, around: Around) -> Any:
    @wraps(original)
    def url_for(endpoint: str, **values: Any) -> str:
        tenant = around.tenant()
        if tenant is None or not tenant.id or _as_requested(around, tenant, values):
            return original(endpoint, **values)  # type: ignore[no-any-return]
        with _adapter(around, tenant):
            return original(endpoint, **values)  # type: ignore[no-any-return]

    url_for.ft_bound = True  # type: ignore[attr-defined]
    return url_for


def _as_requested(around: Around, tenant: Tenant, values: dict[str, Any]) -> bool:
    """Whether the current request gives the host: not for work that it does for another tenant."""
    if not has_request_context():
        return False
    resolution = around.resolution()
    elsewhere = resolution is not None and (resolution.tenant is None or resolution.tenant.id != tenant.id)
    return not elsewhere or not (values.get("_external") or values.get("_scheme"))


@contextmanager
def _adapter(around: Around, tenant: Tenant) -> Iterator[None]:
    """Let the current context make URLs for a tenant, for the length of a ``with`` block."""
    app = around.app()
    if not has_app_context():
        with app.app_context(), _adapter(around, tenant):
            yield
        return
    base = around.settings.base_domain or app.config.get("SERVER_NAME")
    host, path = address_of(tenant, base, around.settings)
    made: MapAdapter = app.url_map.bind(
        host,
        script_name=f"{app.config['APPLICATION_ROOT'].rstrip('/')}{path}" or "/",
        url_scheme=around.settings.external_scheme or app.config["PREFERRED_URL_SCHEME"],
    )
    context: Any = request_ctx if has_request_context() else app_ctx
    context = context._get_current_object()
    was = context.url_adapter
    context.url_adapter = made
    try:
        yield
    finally:
        context.url_adapter = was
