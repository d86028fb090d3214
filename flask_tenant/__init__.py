"""Turn a Flask application into a multi-tenant SaaS by registering one extension.

from flask_tenant import Tenancy

Tenancy().init_app(app)
"""

from __future__ import annotations

from .context import current_tenant
from .errors import TenancyError
from .extension import Tenancy
from .isolate import tenant_column
from .model import Tenant
from .routes import central_route
from .scopes import central_context, for_each_tenant, tenant_context
from .threads import TenantThreadPoolExecutor, create_tenant_task, in_tenant

__version__ = "0.1.0"

__all__ = [
    "Tenancy",
    "TenancyError",
    "Tenant",
    "TenantThreadPoolExecutor",
    "central_context",
    "central_route",
    "create_tenant_task",
    "current_tenant",
    "for_each_tenant",
    "in_tenant",
    "tenant_column",
    "tenant_context",
]
