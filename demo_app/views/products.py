"""Products: list, edit, import, export."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError

from demo_app import csv_files
from demo_app.extensions import db
from demo_app.forms import ImportForm, ProductForm
from demo_app.models import Product
from demo_app.views.helpers import csv_response, escaped_like, members_only, page_of, query_text

blueprint = Blueprint("products", __name__, url_prefix="/products")
members_only(blueprint)


@blueprint.get("/")
def index() -> ResponseReturnValue:
    query = select(Product).order_by(Product.name, Product.id)
    text = query_text()
    if text:
        pattern = escaped_like(text)
        columns = (Product.sku, Product.name, Product.description)
        query = query.where(or_(*(column.ilike(pattern, escape="\\") for column in columns)))
    if "all" not in request.args:
        query = query.where(Product.active)
    return render_template("products/index.html", page=page_of(query), q=text, all="all" in request.args)


@blueprint.route("/new", methods=["GET", "POST"])
def new() -> ResponseReturnValue:
    return _edit(Product())


@blueprint.route("/<int:product_id>/edit", methods=["GET", "POST"])
def edit(product_id: int) -> ResponseReturnValue:
    return _edit(db.get_or_404(Product, product_id))


def _edit(product: Product) -> ResponseReturnValue:
    form = ProductForm(obj=product if product.id else None)
    if form.validate_on_submit():
        form.populate_obj(product)
        db.session.add(product)
        try:
            db.session.commit()
        except IntegrityError:
            db.session.rollback()
            form.sku.errors = [*form.sku.errors, gettext("Another product has this SKU.")]
        else:
            flash(gettext("%(name)s is saved.", name=product.name), "success")
            return redirect(url_for(".index"))
    return render_template("products/edit.html", form=form, product=product)


@blueprint.post("/<int:product_id>/delete")
def delete(product_id: int) -> ResponseReturnValue:
    """Delete a product; invoices keep their lines, which carry a copy of everything."""
    product = db.get_or_404(Product, product_id)
    db.session.delete(product)
    db.session.commit()
    flash(
        gettext("%(name)s is deleted. Invoices that list it stay as they are.", name=product.name), "success"
    )
    return redirect(url_for(".index"))


@blueprint.route("/import", methods=["GET", "POST"])
def import_file() -> ResponseReturnValue:
    form = ImportForm()
    result = None
    if form.validate_on_submit():
        result = csv_files.import_products(form.file.data.read())
    return render_template(
        "import.html",
        form=form,
        result=result,
        columns=csv_files.PRODUCT_COLUMNS,
        required=("sku", "name", "unit_price", "tax_rate"),
        title=gettext("Import products"),
        rule=gettext("Products whose SKU is known already are brought up to date."),
        back=url_for(".index"),
        back_to=gettext("Products"),
    )


@blueprint.get("/export.csv")
def export() -> ResponseReturnValue:
    return csv_response(csv_files.export_products(), "products.csv")
