"""One search over customers, products and invoices."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from sqlalchemy import or_, select

from demo_app.extensions import db
from demo_app.models import Country, Customer, Invoice, InvoiceLine, Product
from demo_app.views.helpers import escaped_like, members_only, query_text

blueprint = Blueprint("search", __name__, url_prefix="/search")
members_only(blueprint)

LIMIT = 12


@blueprint.get("/")
def show() -> ResponseReturnValue:
    text = query_text()
    customers: list[Customer] = []
    products: list[Product] = []
    invoices: list[Invoice] = []
    if text:
        pattern = escaped_like(text)
        customers = list(
            db.session.scalars(
                select(Customer)
                .outerjoin(Customer.country)
                .where(
                    or_(
                        *(
                            column.ilike(pattern, escape="\\")
                            for column in (
                                Customer.name,
                                Customer.contact,
                                Customer.email,
                                Customer.city,
                                Customer.vat_id,
                                Country.name,
                            )
                        )
                    )
                )
                .order_by(Customer.name)
                .limit(LIMIT)
            )
        )
        products = list(
            db.session.scalars(
                select(Product)
                .where(
                    or_(
                        Product.sku.ilike(pattern, escape="\\"),
                        Product.name.ilike(pattern, escape="\\"),
                        Product.description.ilike(pattern, escape="\\"),
                    )
                )
                .order_by(Product.name)
                .limit(LIMIT)
            )
        )
        invoices = list(
            db.session.scalars(
                select(Invoice)
                .join(Invoice.customer)
                .where(
                    or_(
                        Invoice.number.ilike(pattern, escape="\\"),
                        Invoice.reference.ilike(pattern, escape="\\"),
                        Customer.name.ilike(pattern, escape="\\"),
                        Invoice.lines.any(InvoiceLine.description.ilike(pattern, escape="\\")),
                    )
                )
                .order_by(Invoice.issued_on.desc(), Invoice.number.desc())
                .limit(LIMIT)
            )
        )
    return render_template(
        "search.html", q=text, customers=customers, products=products, invoices=invoices, limit=LIMIT
    )
