"""A login that the operator names."""

from __future__ import annotations

from flask.testing import FlaskClient
from sqlalchemy import select

from demo_app.extensions import db
from demo_app.models import User
from flask_tenant import tenant_context
from flask_tenant.model import Tenant


def as_owner(client: FlaskClient, tenant: Tenant) -> None:
    """Log in as the tenant's first user, made an owner, through the log-in page."""
    app = client.application
    app.config["WTF_CSRF_ENABLED"] = False
    with app.app_context(), tenant_context(tenant):
        user = db.session.scalars(select(User).order_by(User.id)).first()
        assert user is not None
        user.role = "owner"
        user.set_password("a canary's password")
        db.session.commit()
        email = user.email
    answer = client.post(
        "/login",
        data={"email": email, "password": "a canary's password"},
        base_url=f"http://{tenant.slug}.localhost/",
    )
    assert answer.status_code == 302, answer.status_code


def fails(client: FlaskClient, tenant: Tenant) -> None:
    """Does not get in."""
    raise RuntimeError("no such user")
