"""What may happen to an invoice, and when. Views and commands call these; nothing else changes one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from flask_babel import gettext
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from demo_app.extensions import db
from demo_app.formatting import money
from demo_app.models import Customer, Invoice, InvoiceLine, Payment, Product, Status, User
from demo_app.settings import company
from demo_app.signals import usage_changed
from demo_app.words import word

MONTHLY_SHARE = 200
"""How many invoices a month are thought to be enough."""


class InvoicingError(Exception):
    """The wish cannot be fulfilled; the message says why, in words for the user."""


class NumberTakenError(InvoicingError):
    """Another invoice has this number."""


@dataclass(frozen=True)
class LineInput:
    """A line as it was entered. What is left empty comes from the product."""

    description: str = ""
    quantity: Decimal = Decimal(1)
    unit_price: Decimal | None = None
    tax_percent: Decimal | None = None
    product_id: int | None = None


@dataclass(frozen=True)
class InvoiceInput:
    """The head of an invoice as it was entered."""

    number: str
    customer_id: int
    issued_on: date
    due_date: date
    reference: str = ""
    notes: str = ""


def next_number(on: date) -> str:
    """The number after the highest of the year, e.g. ``INV-2026-0043``."""
    stem = f"{company().invoice_prefix}-{on.year}-"
    highest = db.session.scalar(
        select(func.max(Invoice.number)).where(Invoice.number.startswith(stem, autoescape=True))
    )
    digits = highest.removeprefix(stem) if highest else "0"
    return f"{stem}{int(digits) + 1 if digits.isdecimal() else 1:04d}"


def default_due_date(issued: date) -> date:
    """The due date by the company's usual terms of payment."""
    days = company().payment_days
    return issued + timedelta(days=int(days) if days.isdecimal() else 30)


def create_invoice(entered: InvoiceInput, lines: Sequence[LineInput], author: User | None = None) -> Invoice:
    """Store a new draft.

    :raises NumberTakenError: when the number is in use.
    :raises InvoicingError: when a line makes no sense.
    """
    _check(entered)
    invoice = Invoice(status=Status.DRAFT, currency=company().currency, created_by=author)
    invoice.lines = _build_lines(lines)
    _fill(invoice, entered)
    db.session.add(invoice)
    _commit(entered.number)
    _tell_usage(invoice.issued_on)
    return invoice


def _tell_usage(day: date) -> None:
    if usage_changed.receivers:
        written = select(func.count(Invoice.id)).where(Invoice.issued_on >= day.replace(day=1))
        usage_changed.send(ratio=Decimal(db.session.scalar(written) or 0) / MONTHLY_SHARE)


def update_invoice(invoice: Invoice, entered: InvoiceInput, lines: Sequence[LineInput]) -> None:
    """Replace what a draft says; raises like :func:`create_invoice`."""
    if not invoice.is_editable:
        raise InvoicingError(gettext("Only drafts can be changed. Void this invoice and write a new one."))
    _check(entered)
    new_lines = _build_lines(lines)
    invoice.lines.clear()
    db.session.flush()  # the old lines must be gone before new ones take their positions
    invoice.lines = new_lines
    _fill(invoice, entered)
    _commit(entered.number)


def _check(entered: InvoiceInput) -> None:
    if entered.due_date < entered.issued_on:
        raise InvoicingError(gettext("The due date is before the invoice date."))
    if not db.session.get(Customer, entered.customer_id):
        raise InvoicingError(gettext("This customer no longer exists."))


def _fill(invoice: Invoice, entered: InvoiceInput) -> None:
    invoice.number = entered.number
    invoice.customer_id = entered.customer_id
    invoice.issued_on = entered.issued_on
    invoice.due_date = entered.due_date
    invoice.reference = entered.reference
    invoice.notes = entered.notes


def _build_lines(lines: Sequence[LineInput]) -> list[InvoiceLine]:
    if not lines:
        raise InvoicingError(gettext("An invoice needs at least one line."))
    wanted = {line.product_id for line in lines if line.product_id}
    products = {p.id: p for p in db.session.scalars(select(Product).where(Product.id.in_(wanted)))}
    return [
        _line(entry, position, products.get(entry.product_id or 0))
        for position, entry in enumerate(lines, start=1)
    ]


def _line(entry: LineInput, position: int, product: Product | None) -> InvoiceLine:
    unit_price, tax_percent = entry.unit_price, entry.tax_percent
    if product:
        unit_price = product.unit_price if unit_price is None else unit_price
        tax_percent = product.tax_rate.percent if tax_percent is None else tax_percent
    description = entry.description or (product.name if product else "")
    if not description or unit_price is None:
        raise InvoicingError(
            gettext("Line %(line)s needs a product, or a description and a price.", line=position)
        )
    line = InvoiceLine(
        position=position,
        product=product,
        description=description,
        quantity=entry.quantity,
        unit_price=unit_price,
        tax_percent=tax_percent or Decimal(0),
    )
    line.compute()
    return line


def _commit(number: str) -> None:
    try:
        db.session.commit()
    except IntegrityError as error:
        db.session.rollback()
        if db.session.scalar(select(Invoice.id).where(Invoice.number == number)):
            text = gettext("There is already an invoice with the number %(number)s.", number=number)
            raise NumberTakenError(text) from error
        raise


def _number_and_state(invoice: Invoice) -> dict[str, str]:
    return {"number": invoice.number, "state": word(invoice.display_status)}


def send_invoice(invoice: Invoice) -> None:
    """From draft to sent: from now on it counts, and does not change any more.

    :raises InvoicingError: when it is no draft.
    """
    if invoice.status != Status.DRAFT:
        raise InvoicingError(
            gettext("Only drafts can be sent; %(number)s is “%(state)s”.", **_number_and_state(invoice))
        )
    invoice.status = Status.SENT
    db.session.commit()


def void_invoice(invoice: Invoice) -> None:
    """Take a sent invoice back; it keeps its number and its lines.

    :raises InvoicingError: when it was not sent, or money was received for it.
    """
    if invoice.status != Status.SENT:
        raise InvoicingError(
            gettext(
                "Only sent invoices can be voided; %(number)s is “%(state)s”.", **_number_and_state(invoice)
            )
        )
    if invoice.payments:
        raise InvoicingError(gettext("Remove its payments first, then void the invoice."))
    invoice.status = Status.VOID
    db.session.commit()


def delete_invoice(invoice: Invoice) -> None:
    """Delete a draft with its lines.

    :raises InvoicingError: when it was sent: the numbers of sent invoices may have no gaps.
    """
    if not invoice.is_editable:
        raise InvoicingError(gettext("Only drafts can be deleted."))
    db.session.delete(invoice)
    db.session.commit()


def record_payment(
    invoice_id: int, amount: Decimal, paid_on: date, method: str, reference: str = ""
) -> Payment:
    """Note money received; the invoice is paid once nothing is left of its balance.

    :raises InvoicingError: when the invoice is not open, or the amount is more than its balance.
    """
    # Locked, so that two people who note the same payment at once cannot both pass the check.
    invoice = db.session.scalars(
        select(Invoice)
        .where(Invoice.id == invoice_id)
        .with_for_update(of=Invoice)
        .execution_options(populate_existing=True)
    ).one()
    if invoice.status != Status.SENT:
        raise InvoicingError(
            gettext("%(number)s is “%(state)s”: it takes no payments.", **_number_and_state(invoice))
        )
    if not 0 < amount <= invoice.balance:
        largest = money(invoice.balance, invoice.currency)
        raise InvoicingError(
            gettext("The amount must be more than nothing and at most %(largest)s.", largest=largest)
        )
    payment = Payment(amount=amount, paid_on=paid_on, method=method, reference=reference)
    if amount == invoice.balance:
        invoice.status = Status.PAID
    invoice.payments.append(payment)
    db.session.commit()
    return payment


def remove_payment(payment: Payment) -> None:
    """Take a payment back; a paid invoice is open again."""
    payment.invoice.status = Status.SENT
    db.session.delete(payment)
    db.session.commit()


def delete_customer(customer: Customer) -> None:
    """Delete a customer.

    :raises InvoicingError: when there are invoices, which have to be kept.
    """
    name = customer.name
    db.session.delete(customer)
    try:
        db.session.commit()
    except IntegrityError as error:
        db.session.rollback()
        raise InvoicingError(gettext("%(name)s has invoices, and cannot be deleted.", name=name)) from error
