"""What people may write under the rules: closed books, big orders, and what a page says about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from demo_app.extensions import db
from demo_app.models import Invoice, Order, Payment, Ticket
from flask_tenant import refusing
from flask_tenant.errors import RefusedError, RuleDeniedError
from tests.rules.demo.world import ACCOUNTING, AGENT, AUDITOR, TODAY, WAYS, Demo, send

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg")
each_way = pytest.mark.parametrize("way", WAYS)

MAY = date(2026, 5, 20)
"""Its books are closed on 2026-06-15, and its invoices are recent."""

_number = count()


def draft(demo: Demo, day: date, *, paid: bool = False) -> tuple[int, int]:
    """Return the ids of a new invoice of acme's, and of its payment."""
    with demo.as_(AUDITOR):
        days = {"currency": "USD", "issued_on": day, "due_date": day}
        invoice = Invoice(number=f"DRAFT-{next(_number)}", customer_id=1, **days)
        if paid:
            invoice.status = "paid"
            invoice.payments.append(Payment(amount=1, paid_on=day))
        db.session.add(invoice)
        db.session.commit()
        return invoice.id, invoice.payments[0].id if paid else 0


def delete(way: str, model: Any, id_: int) -> None:
    if way == "orm":
        db.session.delete(db.session.get_one(model, id_))
    elif way == "core":
        db.session.execute(sa.delete(model).where(model.id == id_))
    else:
        send(way, f"DELETE FROM {model.__tablename__} WHERE id = {id_}")
    db.session.commit()


def is_there(demo: Demo, table: str, id_: int) -> bool:
    return bool(demo.rows(f"SELECT t.id FROM {table} t WHERE t.id = {id_}"))


# ---- books-closed
@each_way
def test_closed_books(demo: Demo, way: str) -> None:
    old, new = draft(demo, MAY), draft(demo, TODAY)
    _, old_payment = draft(demo, MAY, paid=True)
    _, new_payment = draft(demo, TODAY, paid=True)
    for model, name, closed, open_ in (
        (Invoice, "invoice", old[0], new[0]),
        (Payment, "payment", old_payment, new_payment),
    ):
        with (
            demo.as_(AGENT),
            pytest.raises(RuleDeniedError, match=r"^Books for 2026-05-20 are closed\.") as raised,
        ):
            delete(way, model, closed)
        assert raised.value.rule == "books-closed"
        assert is_there(demo, name, closed)
        with demo.as_(AGENT):
            delete(way, model, open_)
        assert not is_there(demo, name, open_)


def test_closed_books_with_a_draft_that_pulls_its_payments_along(demo: Demo) -> None:
    """An invoice of this month with a payment of last month's books: nothing is lost by the way round."""
    with demo.as_(AUDITOR):
        invoice = Invoice(number="PULLS", customer_id=1, currency="USD", issued_on=TODAY, due_date=TODAY)
        invoice.payments.append(Payment(amount=1, paid_on=MAY))
        db.session.add(invoice)
        db.session.commit()
        id_ = invoice.id
    with demo.as_(AGENT), pytest.raises(RefusedError):
        delete("core", Invoice, id_)
    assert is_there(demo, "invoice", id_)


def test_many_rows_at_once_are_deleted_together_or_not_at_all(demo: Demo) -> None:
    ids = [draft(demo, day)[0] for day in (TODAY, MAY, TODAY)]
    with demo.as_(AGENT), pytest.raises(RuleDeniedError, match="Books for 2026-05-20 are closed"):
        db.session.execute(sa.delete(Invoice).where(Invoice.id.in_(ids)))
    assert all(is_there(demo, "invoice", id_) for id_ in ids)


def test_closed_books_on_a_page(demo: Demo) -> None:
    (old, _), (new, _) = draft(demo, MAY), draft(demo, TODAY)
    invoice, payment = draft(demo, MAY, paid=True)
    browser = demo.browser(AGENT)
    for path in (f"/invoices/{old}/delete", f"/invoices/{invoice}/payments/{payment}/delete"):
        response = browser.post(path)
        assert response.status_code == 403
        assert "Books for 2026-05-20 are closed." in response.text
        assert response.headers["Cache-Control"] == "no-store"
        problem = browser.post(path, headers={"Accept": "application/json"})
        assert problem.status_code == 403
        assert problem.headers["Content-Type"] == "application/problem+json"
        assert problem.json["detail"] == "Books for 2026-05-20 are closed."
    assert is_there(demo, "invoice", old)
    assert is_there(demo, "payment", payment)
    assert browser.post(f"/invoices/{new}/delete").status_code == 302
    assert not is_there(demo, "invoice", new)


def test_what_somebody_has_typed_is_escaped_on_the_page(demo: Demo) -> None:
    browser = demo.browser(AGENT)
    made = browser.post("/tickets/new", subject="Bent", state="open", body="All").headers["Location"]
    response = browser.post(f"{made}/edit", subject="<script>alert(1)</script>", state="open", body="All")
    assert response.status_code == 403
    assert "Not “&lt;script&gt;alert(1)&lt;/script&gt;”." in response.text
    assert "<script>alert" not in response.text
    assert demo.one(f"SELECT t.subject FROM ticket t WHERE t.id = {made.rpartition('/')[2]}") == "Bent"


@pytest.fixture
def own_handler(demo: Demo) -> Iterator[dict[Any, Any]]:
    """The application's handlers of errors, as they were afterwards."""
    handlers = demo.app.error_handler_spec[None][None]
    before = dict(handlers)
    yield handlers
    handlers.clear()
    handlers.update(before)


@pytest.mark.parametrize("kind", [RuleDeniedError, RefusedError, Exception])
def test_the_applications_own_handler_comes_first(
    demo: Demo, own_handler: dict[Any, Any], kind: type[Exception]
) -> None:
    old, _ = draft(demo, MAY)
    own_handler[kind] = lambda error: (f"Sorry: {error.message}", 409)
    response = demo.browser(AGENT).post(f"/invoices/{old}/delete")
    assert (response.status_code, response.text) == (409, "Sorry: Books for 2026-05-20 are closed.")
    assert is_there(demo, "invoice", old)


def test_a_handler_that_was_there_before_is_kept() -> None:
    app = Flask("before")
    app.register_error_handler(RuleDeniedError, lambda error: (f"Sorry: {error.message}", 409))
    refusing.listen(app)

    @app.get("/")
    def page() -> str:
        raise RuleDeniedError("No.", rule="a")

    response = app.test_client().get("/")
    assert (response.status_code, response.text) == (409, "Sorry: No.")


# ---- big-orders
FORM = {"customer_id": "1", "ordered_on": "2026-06-15", "description": "Nails"}


def written(demo: Demo, number: str) -> Any:
    sql = f"SELECT t.status, t.approved_by, t.total FROM \"order\" t WHERE t.number = '{number}'"
    found = [(status, by, float(total)) for status, by, total in demo.rows(sql)]
    return found[0] if found else None


def user_id(demo: Demo, email: str) -> int:
    return int(demo.one(f"SELECT t.id FROM \"user\" t WHERE t.email = '{email}'"))


def order(way: str, number: str, total: str) -> None:
    values = {"number": number, "customer_id": 1, "ordered_on": TODAY, "description": "x"}
    if way == "orm":
        db.session.add(Order(**values, total=total, status="new"))
    elif way == "core":
        db.session.execute(sa.insert(Order).values(**values, total=total, status="new"))
    else:
        columns = "number, customer_id, ordered_on, description, total, status"
        send(way, f"INSERT INTO \"order\" ({columns}) VALUES ('{number}', 1, '{TODAY}', 'x', {total}, 'new')")
    db.session.commit()


@each_way
def test_big_orders(demo: Demo, way: str) -> None:
    mine = user_id(demo, AGENT)
    with demo.as_(AGENT):
        order(way, f"{way}-S", "10000")
        order(way, f"{way}-B", "10000.01")
        with suppress(RuleDeniedError):
            order(way, f"{way}-H", "100000.01")
            pytest.fail("the hook was not asked")
    assert written(demo, f"{way}-S") == ("new", None, 10_000)
    assert written(demo, f"{way}-B") == ("pending", mine, 10_000.01)
    assert written(demo, f"{way}-H") is None


@each_way
def test_orders_that_grow(demo: Demo, way: str) -> None:
    number = f"{way}-G"
    with demo.as_(AGENT):
        order("core", number, "5")
    for total, expected in (("20000", ("pending", user_id(demo, ACCOUNTING), 20_000)), ("200000", None)):
        with demo.as_(ACCOUNTING):
            found = sa.select(Order).where(Order.number == number)
            try:
                if way == "orm":
                    db.session.scalars(found).one().total = total
                    db.session.flush()
                elif way == "core":
                    db.session.execute(sa.update(Order).where(Order.number == number).values(total=total))
                else:
                    send(way, f"UPDATE \"order\" SET total = {total} WHERE number = '{number}'")
                db.session.commit()
            except RuleDeniedError:
                assert expected is None
            else:
                assert expected is not None, "the hook was not asked"
        assert written(demo, number) == ("pending", user_id(demo, ACCOUNTING), 20_000)


def test_big_orders_on_a_page(demo: Demo) -> None:
    browser = demo.browser(AGENT)
    for number, total, expected in (
        ("P-1", "10000", ("new", None, 10_000)),
        ("P-2", "10000.01", ("pending", user_id(demo, AGENT), 10_000.01)),
    ):
        response = browser.post("/orders/new", **FORM, number=number, total=total)
        assert response.status_code == 302
        assert written(demo, number) == expected
    assert "Rick Dolan" in browser.get(response.headers["Location"]).text
    refused = browser.post("/orders/new", **FORM, number="P-3", total="100000.01")
    assert refused.status_code == 403
    assert written(demo, "P-3") is None
    customer = demo.rows("SELECT min(t.id) FROM customer t", "bella")[0][0]
    form = {**FORM, "customer_id": str(customer)}
    bella = demo.browser("megan@bella-flowers.example", "bella")
    assert bella.post("/orders/new", **form, number="P-3", total="100000.01").status_code == 302
    rows = demo.rows("SELECT t.status, t.approved_by FROM \"order\" t WHERE t.number = 'P-3'", "bella")
    assert rows == [("new", None)]
    with demo.physical.begin() as connection:  # other tests compare what bella sees
        connection.exec_driver_sql("DELETE FROM \"order\" WHERE number = 'P-3'")


# ---- tax-id
def test_who_does_not_see_all_of_a_customer_can_change_the_rest(
    demo: Demo, caplog: pytest.LogCaptureFixture
) -> None:
    one = "SELECT t.name, t.email, t.phone, t.tax_id, t.credit_note FROM customer t WHERE t.id = 2"
    (before,) = demo.rows(one)
    name, email, phone, tax_id, credit_note = before
    assert all(before)
    browser = demo.browser(AGENT)
    page = browser.get("/customers/2/edit").text
    masked = f"****{phone[-4:]}"
    assert masked in page
    assert not {phone, tax_id, credit_note} & set(page.split('"'))
    form = {
        "name": name,
        "email": email,
        "phone": masked,
        "tax_id": "",
        "credit_note": "",
        "country_code": "",
    }
    assert browser.post("/customers/2/edit", **form, notes="Rings in the morning.").status_code == 302
    assert demo.rows(one) == [before]
    assert demo.one("SELECT t.notes FROM customer t WHERE t.id = 2") == "Rings in the morning."
    refused = browser.post("/customers/2/edit", **{**form, "phone": "1"}, notes="")
    assert refused.status_code == 403
    assert (
        "The column &#39;phone&#39; of &#39;customer&#39; is masked here and cannot be written"
        in refused.text
    )
    assert demo.rows(one) == [before]
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


# ---- rules about reading bound what is written, too
@each_way
def test_nobody_closes_a_ticket_that_he_cannot_see(demo: Demo, way: str) -> None:
    with demo.as_(None, slug="acme"):
        assert db.session.scalar(sa.select(sa.func.count(Ticket.id))) == 0
    before = demo.rows("SELECT t.id, t.state FROM ticket t WHERE t.subject = 'x' ORDER BY t.id")
    theirs = demo.rows(f"SELECT t.id FROM ticket t WHERE t.owner_id <> {user_id(demo, ACCOUNTING)}")
    assert theirs
    with demo.as_(ACCOUNTING):
        if way == "orm":
            assert db.session.get(Ticket, theirs[0][0]) is None
        elif way == "core":
            done = db.session.execute(sa.update(Ticket).where(Ticket.id == theirs[0][0]).values(subject="x"))
            assert done.rowcount == 0
        else:
            assert send(way, f"UPDATE ticket SET subject = 'x' WHERE id = {theirs[0][0]}") in (0, [])
        db.session.commit()
    assert demo.rows("SELECT t.id, t.state FROM ticket t WHERE t.subject = 'x' ORDER BY t.id") == before
