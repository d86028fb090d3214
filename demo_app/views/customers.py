"""Customers: list, one customer, edit, import, export."""

from __future__ import annotations

from decimal import Decimal

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy import func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

from demo_app import csv_files, services
from demo_app.clock import today
from demo_app.extensions import db
from demo_app.forms import CustomerForm, ImportForm
from demo_app.models import Customer, Invoice, Status
from demo_app.views.helpers import csv_response, escaped_like, members_only, page_of, query_text

blueprint = Blueprint("customers", __name__, url_prefix="/customers")
members_only(blueprint)


@blueprint.get("/")
def index() -> ResponseReturnValue:
    query = select(Customer).options(joinedload(Customer.country)).order_by(Customer.name, Customer.id)
    text = query_text()
    if text:
        pattern = escaped_like(text)
        columns = (Customer.name, Customer.contact, Customer.email, Customer.city, Customer.postcode)
        query = query.where(or_(*(column.ilike(pattern, escape="\\") for column in columns)))
    page = page_of(query)
    sums = db.session.execute(
        select(Invoice.customer_id, func.sum(Invoice.balance).label("open"))
        .where(Invoice.status == Status.SENT, Invoice.customer_id.in_([c.id for c in page]))
        .group_by(Invoice.customer_id)
    )
    open_sums = {row.customer_id: row.open for row in sums}
    return render_template("customers/index.html", page=page, q=text, open_sums=open_sums)


@blueprint.get("/<int:customer_id>")
def show(customer_id: int) -> ResponseReturnValue:
    customer = db.get_or_404(Customer, customer_id)
    page = page_of(customer.invoices.select().order_by(Invoice.issued_on.desc(), Invoice.number.desc()))
    billed, paid = db.session.execute(
        select(
            func.coalesce(func.sum(Invoice.total), Decimal(0)),
            func.coalesce(func.sum(Invoice.paid_total), Decimal(0)),
        ).where(Invoice.customer_id == customer.id, Invoice.status.in_([Status.SENT, Status.PAID]))
    ).one()
    return render_template(
        "customers/show.html", customer=customer, page=page, billed=billed, paid=paid, today=today()
    )


@blueprint.route("/new", methods=["GET", "POST"])
def new() -> ResponseReturnValue:
    return _edit(Customer())


@blueprint.route("/<int:customer_id>/edit", methods=["GET", "POST"])
def edit(customer_id: int) -> ResponseReturnValue:
    return _edit(db.get_or_404(Customer, customer_id))


def _edit(customer: Customer) -> ResponseReturnValue:
    form = CustomerForm(obj=customer)
    if form.validate_on_submit():
        form.populate_obj(customer)
        db.session.add(customer)
        try:
            db.session.commit()
        except IntegrityError:
            db.session.rollback()
            form.email.errors = [*form.email.errors, gettext("Another customer has this e-mail address.")]
        else:
            flash(gettext("%(name)s is saved.", name=customer.name), "success")
            return redirect(url_for(".show", customer_id=customer.id))
    return render_template("customers/edit.html", form=form, customer=customer)


@blueprint.post("/<int:customer_id>/delete")
def delete(customer_id: int) -> ResponseReturnValue:
    customer = db.get_or_404(Customer, customer_id)
    name = customer.name
    try:
        services.delete_customer(customer)
    except services.InvoicingError as error:
        flash(str(error), "error")
        return redirect(url_for(".show", customer_id=customer_id))
    flash(gettext("%(name)s is deleted.", name=name), "success")
    return redirect(url_for(".index"))


@blueprint.route("/import", methods=["GET", "POST"])
def import_file() -> ResponseReturnValue:
    form = ImportForm()
    result = None
    if form.validate_on_submit():
        result = csv_files.import_customers(form.file.data.read())
    return render_template(
        "import.html",
        form=form,
        result=result,
        columns=csv_files.CUSTOMER_COLUMNS,
        required=("name", "email"),
        title=gettext("Import customers"),
        rule=gettext("Customers whose e-mail address is known already are left as they are."),
        back=url_for(".index"),
        back_to=gettext("Customers"),
    )


@blueprint.get("/export.csv")
def export() -> ResponseReturnValue:
    return csv_response(csv_files.export_customers(), "customers.csv")
