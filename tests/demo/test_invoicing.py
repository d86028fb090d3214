"""From draft to paid."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from itertools import count

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from demo_app import services
from demo_app.extensions import db
from demo_app.models import Customer, Invoice, InvoiceLine, Payment, Product, Status
from demo_app.services import InvoiceInput, InvoicingError, LineInput, NumberTakenError
from tests.demo.conftest import TODAY, on_both

pytestmark = on_both

numbers = count(1)


def draft(*lines: LineInput, number: str | None = None) -> Invoice:
    entered = InvoiceInput(
        number=number or f"T-{next(numbers):04d}",
        customer_id=1,
        issued_on=TODAY,
        due_date=TODAY + timedelta(days=30),
    )
    return services.create_invoice(entered, lines or [LineInput("Work", Decimal(2), Decimal("50.00"))])


def sent(*lines: LineInput) -> Invoice:
    invoice = draft(*lines)
    services.send_invoice(invoice)
    return invoice


@pytest.mark.usefixtures("context")
class TestTotals:
    def test_lines_are_rounded_one_by_one(self) -> None:
        invoice = draft(
            LineInput("a", Decimal("1.5"), Decimal("0.33"), Decimal(19)),  # 0.495 -> 0.50, tax 0.095 -> 0.10
            LineInput("b", Decimal(3), Decimal("19.99"), Decimal("8.25")),  # 59.97, tax 4.947525 -> 4.95
            LineInput("c", Decimal(-1), Decimal("10.00"), Decimal(0)),
        )
        assert [line.net_amount for line in invoice.lines] == [
            Decimal("0.50"),
            Decimal("59.97"),
            Decimal("-10.00"),
        ]
        assert invoice.net_total == Decimal("50.47")
        assert invoice.tax_total == Decimal("5.05")
        assert invoice.total == Decimal("55.52")
        assert invoice.tax_by_percent() == {Decimal("8.25"): Decimal("4.95"), Decimal(19): Decimal("0.10")}

    def test_totals_in_sql_are_those_in_python(self) -> None:
        rows = db.session.execute(select(Invoice, Invoice.total, Invoice.balance)).all()
        assert len(rows) > 200
        for invoice, total, balance in rows:
            assert total == sum((line.net_amount + line.tax_amount for line in invoice.lines), Decimal(0))
            assert balance == total - sum((payment.amount for payment in invoice.payments), Decimal(0))
            assert (invoice.total, invoice.balance) == (total, balance)

    def test_sums_and_comparisons_of_totals(self) -> None:
        totals = [invoice.total for invoice in db.session.scalars(select(Invoice))]
        assert db.session.scalar(select(func.sum(Invoice.total))) == sum(totals)
        limit = sorted(totals)[len(totals) // 2]
        large = db.session.scalar(select(func.count()).select_from(Invoice).where(Invoice.total > limit))
        assert large == sum(total > limit for total in totals)

    def test_a_product_fills_in_what_is_left_empty(self) -> None:
        product = db.session.scalars(select(Product).where(Product.sku == "SAF-GLASS")).one()
        line = draft(LineInput(product_id=product.id, quantity=Decimal(3))).lines[0]
        assert line.description == product.name
        assert line.net_amount == 3 * product.unit_price
        assert line.tax_percent == Decimal("2.25")


@pytest.mark.usefixtures("context")
class TestLife:
    def test_numbers_are_unique(self) -> None:
        first = draft()
        with pytest.raises(NumberTakenError, match=first.number):
            draft(number=first.number)
        assert draft().id != first.id  # the session is usable again

    def test_next_number_follows_the_highest_of_the_year(self) -> None:
        assert re.fullmatch(r"AT-2026-\d{4}", services.next_number(TODAY))
        before = services.next_number(TODAY)
        draft(number=before)
        assert int(services.next_number(TODAY)[-4:]) == int(before[-4:]) + 1
        assert services.next_number(date(2030, 1, 1)) == "AT-2030-0001"

    def test_a_draft_can_be_changed(self) -> None:
        invoice = draft(LineInput("old", unit_price=Decimal(1)), LineInput("older", unit_price=Decimal(2)))
        entered = InvoiceInput(invoice.number, 2, TODAY, TODAY, reference="PO 1")
        services.update_invoice(invoice, entered, [LineInput("new", unit_price=Decimal(9))])
        db.session.expire_all()
        assert [line.description for line in invoice.lines] == ["new"]
        assert (invoice.customer_id, invoice.reference, invoice.net_total) == (2, "PO 1", Decimal(9))

    def test_a_failed_change_changes_nothing(self) -> None:
        other, invoice = draft(), draft(LineInput("kept", unit_price=Decimal(1)))
        entered = InvoiceInput(other.number, 2, TODAY, TODAY)
        with pytest.raises(NumberTakenError):
            services.update_invoice(invoice, entered, [LineInput("lost", unit_price=Decimal(9))])
        with pytest.raises(InvoicingError, match="at least one line"):
            services.update_invoice(invoice, InvoiceInput("new", 2, TODAY, TODAY), [])
        db.session.expire_all()
        assert [line.description for line in invoice.lines] == ["kept"]

    def test_what_was_sent_stays(self) -> None:
        invoice = sent()
        with pytest.raises(InvoicingError, match="Only drafts can be changed"):
            services.update_invoice(invoice, InvoiceInput("x", 1, TODAY, TODAY), [LineInput("x")])
        with pytest.raises(InvoicingError, match="Only drafts can be deleted"):
            services.delete_invoice(invoice)
        with pytest.raises(InvoicingError, match="Only drafts can be sent"):
            services.send_invoice(invoice)

    def test_payments_settle_an_invoice(self) -> None:
        invoice = sent()
        services.record_payment(invoice.id, Decimal("40.00"), TODAY, "card")
        assert (invoice.display_status, invoice.balance) == ("part-paid", Decimal("60.00"))
        with pytest.raises(InvoicingError, match=r"at most \$60\.00"):
            services.record_payment(invoice.id, Decimal("60.01"), TODAY, "card")
        payment = services.record_payment(invoice.id, Decimal("60.00"), TODAY, "card")
        assert (invoice.status, invoice.balance) == (Status.PAID, Decimal(0))
        with pytest.raises(InvoicingError, match="takes no payments"):
            services.record_payment(invoice.id, Decimal("1.00"), TODAY, "card")
        services.remove_payment(payment)
        assert (invoice.status, invoice.balance) == (Status.SENT, Decimal("60.00"))

    def test_only_unpaid_invoices_can_be_voided(self) -> None:
        invoice = sent()
        payment = services.record_payment(invoice.id, Decimal("1.00"), TODAY, "cash")
        with pytest.raises(InvoicingError, match="Remove its payments"):
            services.void_invoice(invoice)
        services.remove_payment(payment)
        services.void_invoice(invoice)
        assert invoice.status == Status.VOID

    def test_lines_and_payments_go_with_their_invoice(self) -> None:
        invoice = draft()
        key = invoice.id
        assert db.session.scalar(select(func.count()).where(InvoiceLine.invoice_id == key)) == 1
        services.delete_invoice(invoice)
        assert db.session.scalar(select(func.count()).where(InvoiceLine.invoice_id == key)) == 0
        assert db.session.scalar(select(func.count()).where(Payment.invoice_id == key)) == 0

    def test_a_customer_with_invoices_cannot_be_deleted(self) -> None:
        with pytest.raises(InvoicingError, match="has invoices"):
            services.delete_customer(db.session.get(Customer, 1))
        assert db.session.get(Customer, 1) is not None
        lonely = Customer(name="Lonely", email="lonely@lonely.example")
        db.session.add(lonely)
        db.session.commit()
        services.delete_customer(lonely)
        assert db.session.scalar(select(Customer).where(Customer.name == "Lonely")) is None

    def test_lines_outlive_their_product(self) -> None:
        rate = db.session.get(Product, 1).tax_rate_id
        product = Product(sku="GONE", name="Gone", unit_price=Decimal(5), tax_rate_id=rate)
        db.session.add(product)
        db.session.commit()
        invoice = draft(LineInput(product_id=product.id))
        db.session.delete(product)
        db.session.commit()
        assert (invoice.lines[0].product, invoice.lines[0].description) == (None, "Gone")


FORM = {
    "customer_id": "1",
    "issued_on": "2026-06-15",
    "due_date": "2026-07-15",
    "lines-0-description": "Advice",
    "lines-0-quantity": "2.5",
    "lines-0-unit_price": "80.00",
    "lines-0-tax_percent": "10",
}


class TestForms:
    def test_write_send_and_pay(self, app: Flask, client: FlaskClient) -> None:
        number = f"T-{next(numbers):04d}"
        response = client.post("/invoices/new", data={**FORM, "number": number})
        assert response.status_code == 302, response.text
        path = response.headers["Location"]
        assert "$220.00" in client.get(path).text
        client.post(f"{path}/send")
        assert "Record a payment" in client.get(path).text
        client.post(f"{path}/payments", data={"paid_on": "2026-06-15", "amount": "220", "method": "card"})
        assert "badge-paid" in client.get(path).text
        with app.app_context():
            assert db.session.scalar(select(Invoice.status).where(Invoice.number == number)) == "paid"

    def test_a_number_in_use_is_an_error_beside_the_field(self, client: FlaskClient) -> None:
        response = client.post("/invoices/new", data={**FORM, "number": "AT-2025-0001"})
        assert response.status_code == 200
        assert "There is already an invoice with the number AT-2025-0001" in response.text
        assert 'value="Advice"' in response.text

    def test_more_lines_keep_what_was_typed(self, client: FlaskClient) -> None:
        response = client.post("/invoices/new", data={**FORM, "number": "x", "more_lines": "1"})
        assert 'value="Advice"' in response.text
        assert 'name="lines-5-description"' in response.text

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"customer_id": ""}, "Choose a customer"),
            ({"due_date": "2026-01-01"}, "before the invoice date"),
            ({"lines-0-quantity": "many"}, "Not a valid decimal"),
            ({"lines-0-description": ""}, "at least one line"),
            ({"lines-0-unit_price": ""}, "needs a product, or a description and a price"),
        ],
    )
    def test_mistakes_are_explained(self, client: FlaskClient, change: dict[str, str], message: str) -> None:
        response = client.post("/invoices/new", data={**FORM, "number": "T-mistake", **change})
        assert message in response.text

    def test_edit(self, client: FlaskClient) -> None:
        number = f"T-{next(numbers):04d}"
        path = client.post("/invoices/new", data={**FORM, "number": number}).headers["Location"]
        assert 'value="Advice"' in client.get(f"{path}/edit").text
        client.post(f"{path}/edit", data={**FORM, "number": number, "lines-0-quantity": "1"})
        assert "$88.00" in client.get(path).text
        assert client.post(f"{path}/delete").status_code == 302
        assert client.get(path).status_code == 404
