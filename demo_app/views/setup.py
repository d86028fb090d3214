"""What only the owner may change: company, tax rates, users."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from demo_app import settings
from demo_app.extensions import db
from demo_app.forms import SettingsForm, TaxRateForm, UserForm
from demo_app.models import TaxRate, User
from demo_app.views.helpers import members_only, owner_required

blueprint = Blueprint("setup", __name__, url_prefix="/settings")
members_only(blueprint)


@blueprint.route("/", methods=["GET", "POST"])
@owner_required
def company() -> ResponseReturnValue:
    form = SettingsForm(data=settings.as_dict())
    if form.validate_on_submit():
        settings.save({key: form[key].data or "" for key in settings.KEYS})
        db.session.commit()
        flash(gettext("The settings are saved."), "success")
        return redirect(url_for(".company"))
    return render_template("setup/company.html", form=form)


@blueprint.route("/tax-rates", methods=["GET", "POST"])
@owner_required
def tax_rates() -> ResponseReturnValue:
    form = TaxRateForm()
    if form.validate_on_submit():
        db.session.add(TaxRate(name=form.name.data, percent=form.percent.data))
        try:
            db.session.commit()
        except IntegrityError:
            db.session.rollback()
            form.name.errors = [*form.name.errors, gettext("There is already a rate of this name.")]
        else:
            flash(gettext("%(name)s is added.", name=form.name.data), "success")
            return redirect(url_for(".tax_rates"))
    rates = db.session.scalars(select(TaxRate).order_by(TaxRate.percent.desc(), TaxRate.name)).all()
    return render_template("setup/tax_rates.html", form=form, rates=rates)


@blueprint.post("/tax-rates/<int:rate_id>/delete")
@owner_required
def delete_tax_rate(rate_id: int) -> ResponseReturnValue:
    rate = db.get_or_404(TaxRate, rate_id)
    name = rate.name
    db.session.delete(rate)
    try:
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
        flash(gettext("%(name)s is used by products, and cannot be deleted.", name=name), "error")
    else:
        flash(gettext("%(name)s is deleted.", name=name), "success")
    return redirect(url_for(".tax_rates"))


@blueprint.get("/users")
@owner_required
def users() -> ResponseReturnValue:
    return render_template(
        "setup/users.html", users=db.session.scalars(select(User).order_by(User.name)).all()
    )


@blueprint.route("/users/new", methods=["GET", "POST"])
@owner_required
def new_user() -> ResponseReturnValue:
    return _edit_user(User())


@blueprint.route("/users/<int:user_id>", methods=["GET", "POST"])
@owner_required
def edit_user(user_id: int) -> ResponseReturnValue:
    return _edit_user(db.get_or_404(User, user_id))


def _edit_user(user: User) -> ResponseReturnValue:
    form = UserForm(obj=user if user.id else None)
    if form.validate_on_submit():
        if not user.id and not form.password.data:
            form.password.errors = [gettext("A new user needs a password.")]
        elif user == current_user and not (form.active.data and form.role.data == "owner"):
            form.role.errors = [gettext("You cannot take your own rights away; ask another owner.")]
        elif _save_user(user, form):
            flash(gettext("%(name)s is saved.", name=user.name), "success")
            return redirect(url_for(".users"))
    return render_template("setup/user.html", form=form, user=user)


def _save_user(user: User, form: UserForm) -> bool:
    user.name, user.email = form.name.data, form.email.data
    user.role, user.active = form.role.data, form.active.data
    user.role_list = form.role_list.data or []
    if form.password.data:
        user.set_password(form.password.data)
    db.session.add(user)
    try:
        db.session.commit()
    except IntegrityError:
        db.session.rollback()
        form.email.errors = [*form.email.errors, gettext("Another user has this e-mail address.")]
        return False
    return True
