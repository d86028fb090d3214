"""Invoices: list, one invoice, write, send, void, payments."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_login import current_user
from sqlalchemy import Select, or_, select
from sqlalchemy.orm import joinedload, selectinload

from demo_app import csv_files, services
from demo_app.clock import today
from demo_app.extensions import db
from demo_app.forms import InvoiceForm, PaymentForm
from demo_app.models import CreditNote, Customer, Invoice, InvoiceLine, Payment, Status
from demo_app.views.helpers import csv_response, escaped_like, members_only, page_of, query_text
from demo_app.words import word

blueprint = Blueprint("invoices", __name__, url_prefix="/invoices")
members_only(blueprint)

FILTERS = ("draft", "open", "overdue", "paid", "void")
ORDERS = {
    "date": (Invoice.issued_on.desc(), Invoice.number.desc()),
    "due": (Invoice.due_date, Invoice.number),
    "number": (Invoice.number,),
    "customer": (Customer.name, Invoice.issued_on.desc(), Invoice.number),
    "total": (Invoice.total.desc(), Invoice.number),
}
MORE_LINES = 3


@blueprint.get("/")
def index() -> ResponseReturnValue:
    query: Select[Any] = select(Invoice).join(Invoice.customer)
    status, order, text = request.args.get("status", ""), request.args.get("order", "date"), query_text()
    query = _filtered(query, status)
    if text:
        pattern = escaped_like(text)
        columns = (Invoice.number, Invoice.reference, Customer.name)
        query = query.where(or_(*(column.ilike(pattern, escape="\\") for column in columns)))
    query = query.order_by(*ORDERS.get(order, ORDERS["date"]))
    return render_template(
        "invoices/index.html", page=page_of(query), q=text, status=status, order=order, filters=FILTERS
    )


def _filtered(query: Select[Any], status: str) -> Select[Any]:
    if status == "overdue":
        return query.where(Invoice.is_overdue)
    if status == "open":
        return query.where(Invoice.status == Status.SENT)
    return query.where(Invoice.status == status) if status in FILTERS else query


@blueprint.get("/<int:invoice_id>")
def show(invoice_id: int) -> ResponseReturnValue:
    invoice = _load(invoice_id)
    form = PaymentForm(amount=invoice.balance) if invoice.status == Status.SENT else None
    return _page(invoice, form)


def _page(invoice: Invoice, form: PaymentForm | None) -> str:
    notes = db.session.scalars(
        select(CreditNote).where(CreditNote.invoice_id == invoice.id).order_by(CreditNote.issued_on)
    )
    return render_template(
        "invoices/show.html", invoice=invoice, form=form, credit_notes=notes.all(), today=today()
    )


def _load(invoice_id: int) -> Invoice:
    """The invoice with everything that its page shows, in four queries."""
    invoice: Invoice = db.first_or_404(
        select(Invoice)
        .where(Invoice.id == invoice_id)
        .options(
            selectinload(Invoice.lines).joinedload(InvoiceLine.product),
            selectinload(Invoice.payments),
            joinedload(Invoice.created_by),
            joinedload(Invoice.customer).joinedload(Customer.country),
        )
    )
    return invoice


@blueprint.route("/new", methods=["GET", "POST"])
def new() -> ResponseReturnValue:
    now = today()
    form = InvoiceForm(
        number=services.next_number(now) if request.method == "GET" else None,
        issued_on=now,
        due_date=services.default_due_date(now),
        customer_id=request.args.get("customer", type=int),
    )
    return _write(form, None)


@blueprint.route("/<int:invoice_id>/edit", methods=["GET", "POST"])
def edit(invoice_id: int) -> ResponseReturnValue:
    invoice = _load(invoice_id)
    if not invoice.is_editable:
        flash(gettext("Only drafts can be changed."), "error")
        return redirect(url_for(".show", invoice_id=invoice.id))
    return _write(InvoiceForm(obj=invoice), invoice)


def _write(form: InvoiceForm, invoice: Invoice | None) -> ResponseReturnValue:
    if "more_lines" in request.form:
        for _ in range(MORE_LINES):
            form.lines.append_entry()
        form.offer_products()
    elif form.validate_on_submit():
        entered, lines = _entered(form)
        try:
            if invoice is None:
                invoice = services.create_invoice(entered, lines, current_user._get_current_object())
            else:
                services.update_invoice(invoice, entered, lines)
        except services.NumberTakenError as error:
            form.number.errors = [*form.number.errors, str(error)]
        except services.InvoicingError as error:
            db.session.rollback()
            flash(str(error), "error")
        else:
            flash(gettext("Invoice %(number)s is saved as a draft.", number=invoice.number), "success")
            return redirect(url_for(".show", invoice_id=invoice.id))
    return render_template("invoices/edit.html", form=form, invoice=invoice)


def _entered(form: InvoiceForm) -> tuple[services.InvoiceInput, list[services.LineInput]]:
    entered = services.InvoiceInput(
        number=form.number.data,
        customer_id=form.customer_id.data,
        issued_on=form.issued_on.data,
        due_date=form.due_date.data,
        reference=form.reference.data or "",
        notes=form.notes.data or "",
    )
    lines = [
        services.LineInput(
            description=line.description.data or "",
            quantity=Decimal(1) if line.quantity.data is None else line.quantity.data,
            unit_price=line.unit_price.data,
            tax_percent=line.tax_percent.data,
            product_id=line.product_id.data,
        )
        for line in (entry.form for entry in form.lines)
        if not line.is_blank
    ]
    return entered, lines


@blueprint.post("/<int:invoice_id>/<any(send, void):action>")
def change(invoice_id: int, action: str) -> ResponseReturnValue:
    invoice = db.get_or_404(Invoice, invoice_id)
    try:
        services.send_invoice(invoice) if action == "send" else services.void_invoice(invoice)
    except services.InvoicingError as error:
        flash(str(error), "error")
    else:
        state = word(invoice.status)
        flash(gettext("%(number)s is “%(state)s” now.", number=invoice.number, state=state), "success")
    return redirect(url_for(".show", invoice_id=invoice_id))


@blueprint.post("/<int:invoice_id>/delete")
def delete(invoice_id: int) -> ResponseReturnValue:
    invoice = db.get_or_404(Invoice, invoice_id)
    number = invoice.number
    try:
        services.delete_invoice(invoice)
    except services.InvoicingError as error:
        flash(str(error), "error")
        return redirect(url_for(".show", invoice_id=invoice_id))
    flash(gettext("Draft %(number)s is deleted.", number=number), "success")
    return redirect(url_for(".index"))


@blueprint.post("/<int:invoice_id>/payments")
def pay(invoice_id: int) -> ResponseReturnValue:
    invoice = _load(invoice_id)
    form = PaymentForm()
    if form.validate_on_submit():
        try:
            services.record_payment(
                invoice_id, form.amount.data, form.paid_on.data, form.method.data, form.reference.data or ""
            )
        except services.InvoicingError as error:
            db.session.rollback()
            flash(str(error), "error")
        else:
            flash(gettext("The payment is recorded."), "success")
        return redirect(url_for(".show", invoice_id=invoice_id))
    return _page(invoice, form), 422


@blueprint.post("/<int:invoice_id>/payments/<int:payment_id>/delete")
def unpay(invoice_id: int, payment_id: int) -> ResponseReturnValue:
    payment = db.first_or_404(
        select(Payment).where(Payment.id == payment_id, Payment.invoice_id == invoice_id)
    )
    services.remove_payment(payment)
    flash(gettext("The payment is removed."), "success")
    return redirect(url_for(".show", invoice_id=invoice_id))


@blueprint.get("/export.csv")
def export() -> ResponseReturnValue:
    return csv_response(csv_files.export_invoices(), "invoices.csv")
