"""CSV files in and out."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from demo_app import csv_files
from demo_app.extensions import db
from demo_app.models import Customer, Invoice, Product
from tests.demo.conftest import on_both

pytestmark = on_both


def read(client: FlaskClient, path: str) -> list[dict[str, str]]:
    response = client.get(path)
    assert response.status_code == 200
    assert response.mimetype == "text/csv"
    return list(csv.DictReader(io.StringIO(response.text)))


def send(client: FlaskClient, path: str, content: str) -> str:
    file = (io.BytesIO(content.encode()), "file.csv")
    return client.post(path, data={"file": file}, content_type="multipart/form-data").text


def test_customers_go_out_and_come_back(app: Flask, client: FlaskClient) -> None:
    rows = read(client, "/customers/export.csv")
    assert len(rows) >= 20
    assert {row["country_code"] for row in rows} >= {"US", "CA"}
    text = client.get("/customers/export.csv").text
    assert f"0 created, 0 updated, {len(rows)} left" in send(client, "/customers/import", text)
    moved = text.replace(".example", ".example.org")
    assert f"{len(rows)} created, 0 updated, 0 left" in send(client, "/customers/import", moved)
    with app.app_context():
        assert db.session.scalar(select(func.count(Customer.id))) == 2 * len(rows)
    again = [row for row in read(client, "/customers/export.csv") if row["email"].endswith(".org")]
    assert [{**row, "email": row["email"].removesuffix(".org")} for row in again] == rows


def test_products_go_out_and_come_back_changed(app: Flask, client: FlaskClient) -> None:
    rows = read(client, "/products/export.csv")
    assert len(rows) >= 20
    text = client.get("/products/export.csv").text
    changed = text.replace("HAM-16,Framing hammer 16 oz,,pcs,34.00", "HAM-16,Framing hammer,,pcs,36.50")
    assert changed != text
    changed += "NEW-1,Brand new,,box,1.25,Zero,yes\r\n"
    assert f"1 created, {len(rows)} updated" in send(client, "/products/import", changed)
    with app.app_context():
        hammer = db.session.scalars(select(Product).where(Product.sku == "HAM-16")).one()
        assert (hammer.name, hammer.unit_price) == ("Framing hammer", Decimal("36.50"))
        assert db.session.scalars(select(Product).where(Product.sku == "NEW-1")).one().unit == "box"


def test_invoices_go_out_with_their_totals(app: Flask, client: FlaskClient) -> None:
    rows = read(client, "/invoices/export.csv")
    with app.app_context():
        invoices = {i.number: i for i in db.session.scalars(select(Invoice))}
        assert len(rows) == len(invoices) > 200
        for row in rows:
            invoice = invoices[row["number"]]
            assert Decimal(row["total"]) == invoice.total
            assert Decimal(row["balance"]) == invoice.balance
            assert row["customer"] == invoice.customer.name


def test_exports_are_sent_in_pieces(client: FlaskClient) -> None:
    response = client.get("/invoices/export.csv", buffered=False)
    pieces = [piece for piece in response.response if piece]
    assert len(pieces) > 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name;email\nA;a@a.example;x\nB;b", "Line 3: “b” is not an e-mail address"),
        ("name,email\n,c@c.example", "Line 2: The name is empty"),
        ("name,email\nA,", "Line 2: The email is empty"),
        ("name,email,country_code\nA,d@d.example,ZZ", "There is no country “ZZ”"),
        ("name,email\nA,e@e.example\nB,E@e.example", "is in the file twice"),
        ("name\nA", "missing: email"),
        ("", "missing: name, email"),
    ],
)
def test_one_faulty_line_stops_all(app: Flask, client: FlaskClient, content: str, message: str) -> None:
    with app.app_context():
        before = db.session.scalar(select(func.count(Customer.id)))
    html = send(client, "/customers/import", content)
    assert "Nothing was imported" in html
    assert message in html
    with app.app_context():
        assert db.session.scalar(select(func.count(Customer.id))) == before


def test_products_with_wrong_values(client: FlaskClient) -> None:
    head = "sku,name,unit_price,tax_rate\n"
    assert "is not a price" in send(client, "/products/import", f"{head}A,A,cheap,Zero")
    assert "is not a price" in send(client, "/products/import", f"{head}A,A,NaN,Zero")
    assert "There is no tax rate" in send(client, "/products/import", f"{head}A,A,1,Luxury")


def test_a_file_that_is_not_text(client: FlaskClient) -> None:
    file = (io.BytesIO(b"\xff\xfe\x00name"), "file.csv")
    html = client.post("/customers/import", data={"file": file}, content_type="multipart/form-data").text
    assert "not UTF-8" in html


def test_spreadsheets_run_no_formulas(app: Flask, client: FlaskClient) -> None:
    formula = '=HYPERLINK("http://elsewhere.example")'
    with app.app_context():
        db.session.add(Customer(name=formula, email="formula@formula.example", phone="+49 40 1"))
        db.session.commit()
        row = next(
            r for r in csv.reader(io.StringIO("".join(csv_files.export_customers()))) if "formula" in r[2]
        )
    assert row[0] == f"'{formula}"
    assert row[3] == "'+49 40 1"
    content = (
        "name,email,phone\n" + f"\"'{formula.replace(chr(34), chr(34) * 2)}\",again@formula.example,'+49 40 1"
    )
    assert "1 created" in send(client, "/customers/import", content)
    with app.app_context():
        back = db.session.scalars(select(Customer).where(Customer.email == "again@formula.example")).one()
        assert (back.name, back.phone) == (formula, "+49 40 1")
