"""Logging in and out."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_login import current_user, login_user, logout_user
from sqlalchemy import select
from werkzeug.security import check_password_hash, generate_password_hash

from demo_app.clock import utcnow
from demo_app.extensions import db, login_manager
from demo_app.forms import LoginForm
from demo_app.models import User
from demo_app.signals import login_failed

blueprint = Blueprint("auth", __name__)

# Checked when nobody has the address, so that the answer takes as long and tells nothing.
NOBODY = generate_password_hash("nobody")


@login_manager.user_loader  # type: ignore[untyped-decorator]
def load_user(user_id: str) -> User | None:
    return db.session.get(User, int(user_id)) if user_id.isdecimal() else None


@blueprint.route("/login", methods=["GET", "POST"])
def login() -> ResponseReturnValue:
    if current_user.is_authenticated:
        return redirect(url_for("dashboard.show"))
    form = LoginForm()
    if form.validate_on_submit():
        user = db.session.scalar(select(User).where(User.email == form.email.data))
        matches = check_password_hash(user.password_hash if user else NOBODY, form.password.data)
        if user and matches and login_user(user):
            user.last_login_at = utcnow()
            db.session.commit()
            return redirect(_safe_target(request.args.get("next", "")))
        login_failed.send(user=user)
        form.password.errors = [gettext("E-mail address or password is wrong.")]
    return render_template("login.html", form=form)


@blueprint.post("/logout")
def logout() -> ResponseReturnValue:
    logout_user()
    flash(gettext("You are logged out."), "info")
    return redirect(url_for("auth.login"))


def _safe_target(wanted: str) -> str:
    """Where to go after logging in: a path of this site, never another site's address."""
    parts = urlsplit(wanted)
    unsafe = parts.scheme or parts.netloc or not wanted.startswith("/") or wanted[1:2] in ("/", "\\")
    return url_for("dashboard.show") if unsafe else wanted
