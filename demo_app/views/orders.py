"""Orders: list, one order, write, approve, ship, cancel."""

from __future__ import annotations

from decimal import Decimal

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

from demo_app.extensions import db
from demo_app.forms import OrderForm
from demo_app.models import Customer, Order, OrderStatus
from demo_app.settings import company
from demo_app.views.helpers import escaped_like, members_only, owner_required, page_of, query_text
from demo_app.words import word

blueprint = Blueprint("orders", __name__, url_prefix="/orders")
members_only(blueprint)

STEPS = {
    "approve": ((OrderStatus.NEW, OrderStatus.PENDING), OrderStatus.APPROVED),
    "ship": ((OrderStatus.APPROVED,), OrderStatus.SHIPPED),
    "cancel": ((OrderStatus.NEW, OrderStatus.PENDING, OrderStatus.APPROVED), OrderStatus.CANCELLED),
}
"""What can be done with an order: when, and what it is then."""


@blueprint.get("/")
def index() -> ResponseReturnValue:
    query = select(Order).join(Order.customer)
    status, text = request.args.get("status", ""), query_text()
    if status in set(OrderStatus):
        query = query.where(Order.status == status)
    if text:
        pattern = escaped_like(text)
        columns = (Order.number, Order.description, Customer.name)
        query = query.where(or_(*(column.ilike(pattern, escape="\\") for column in columns)))
    page = page_of(query.order_by(Order.ordered_on.desc(), Order.number.desc()))
    return render_template("orders/index.html", page=page, q=text, status=status, filters=list(OrderStatus))


@blueprint.get("/<int:order_id>")
def show(order_id: int) -> ResponseReturnValue:
    order = db.first_or_404(
        select(Order)
        .where(Order.id == order_id)
        .options(joinedload(Order.created_by), joinedload(Order.approver))
    )
    steps = [name for name, (before, _) in STEPS.items() if order.status in before]
    if not current_user.is_owner and "approve" in steps:
        steps.remove("approve")
    return render_template("orders/show.html", order=order, steps=steps)


@blueprint.route("/new", methods=["GET", "POST"])
def new() -> ResponseReturnValue:
    form = OrderForm(
        number=_next_number() if request.method == "GET" else None,
        customer_id=request.args.get("customer", type=int),
    )
    return _write(form, Order(status=OrderStatus.NEW, created_by_id=current_user.id))


@blueprint.route("/<int:order_id>/edit", methods=["GET", "POST"])
def edit(order_id: int) -> ResponseReturnValue:
    order = db.get_or_404(Order, order_id)
    if order.status not in (OrderStatus.NEW, OrderStatus.PENDING):
        flash(gettext("What is approved does not change any more."), "error")
        return redirect(url_for(".show", order_id=order_id))
    return _write(OrderForm(obj=order), order)


def _write(form: OrderForm, order: Order) -> ResponseReturnValue:
    if form.validate_on_submit():
        for name in ("number", "customer_id", "ordered_on", "description"):
            setattr(order, name, form[name].data)
        order.total = Decimal(form.total.data)
        db.session.add(order)
        try:
            db.session.commit()
        except IntegrityError:
            db.session.rollback()
            form.number.errors = [*form.number.errors, gettext("Another order has this number.")]
        else:
            flash(gettext("Order %(number)s is saved.", number=order.number), "success")
            return redirect(url_for(".show", order_id=order.id))
    return render_template("orders/edit.html", form=form, order_id=(request.view_args or {}).get("order_id"))


@blueprint.post("/<int:order_id>/<any(ship, cancel):step>")
def advance(order_id: int, step: str) -> ResponseReturnValue:
    return _advance(order_id, step)


@blueprint.post("/<int:order_id>/approve")
@owner_required
def approve(order_id: int) -> ResponseReturnValue:
    return _advance(order_id, "approve")


def _advance(order_id: int, step: str) -> ResponseReturnValue:
    order = db.get_or_404(Order, order_id)
    before, after = STEPS[step]
    if order.status not in before:
        flash(
            gettext(
                "%(number)s is “%(state)s”, and cannot become “%(wanted)s” now.",
                number=order.number,
                state=word(order.status),
                wanted=word(after),
            ),
            "error",
        )
    else:
        order.status = after
        if step == "approve":
            order.approved_by = current_user.id
        db.session.commit()
        flash(gettext("%(number)s is “%(state)s” now.", number=order.number, state=word(after)), "success")
    return redirect(url_for(".show", order_id=order_id))


def _next_number() -> str:
    """The number after the highest, e.g. ``AT-O0031``."""
    stem = f"{company().invoice_prefix}-O"
    highest = db.session.scalar(
        select(func.max(Order.number)).where(Order.number.startswith(stem, autoescape=True))
    )
    digits = highest.removeprefix(stem) if highest else "0"
    return f"{stem}{int(digits) + 1 if digits.isdecimal() else 1:04d}"
