"""WTForms: choices from the tenant's rows, and validators that ask whether a value is taken."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import FlaskForm
from wtforms import SelectField, SelectMultipleField, StringField
from wtforms.validators import DataRequired, ValidationError

from flask_tenant import Tenancy, tenant_context
from tests.integrations.helpers import at, table, with_tenants

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg")


class QuerySelectField(SelectField):
    """A choice among rows, as applications and WTForms-SQLAlchemy write it: asked for when the form is used.

    :param query: returns the rows
    """

    def __init__(self, label: str, query: Any, get: Any, **kw: Any) -> None:
        super().__init__(label, coerce=int, **kw)
        self._query, self._get = query, get

    def _rows(self) -> None:
        self.choices = [(row.id, row.name) for row in self._query()]

    def process(self, *args: Any, **kw: Any) -> None:
        self._rows()
        super().process(*args, **kw)

    @property
    def row(self) -> Any:
        """The chosen row."""
        return self._get(self.data)


class Shop:
    """The application, as its authors wrote it, but for one line."""

    def __init__(self, url: str) -> None:
        self.app = app = Flask("shop")
        app.config.update(SQLALCHEMY_DATABASE_URI=url, SECRET_KEY="test", WTF_CSRF_ENABLED=False)
        self.db = db = SQLAlchemy(app)
        Tenancy(app)

        class Category(db.Model):  # type: ignore[name-defined,misc]
            id = db.Column(db.Integer, primary_key=True)
            name = db.Column(db.String(50), unique=True)

        class Product(db.Model):  # type: ignore[name-defined,misc]
            id = db.Column(db.Integer, primary_key=True)
            sku = db.Column(db.String(50), unique=True)
            category_id = db.Column(db.ForeignKey("category.id"))
            category = db.relationship(Category)

        self.Category, self.Product = Category, Product

        def categories() -> Any:
            return db.session.scalars(sa.select(Category).order_by(Category.name))

        class ProductForm(FlaskForm):  # type: ignore[misc]
            sku = StringField(validators=[DataRequired()])
            category = QuerySelectField("Category", categories, lambda key: db.session.get(Category, key))
            related = SelectMultipleField(coerce=int)

            def validate_sku(self, field: Any) -> None:
                if db.session.scalar(sa.exists().where(Product.sku == field.data).select()):
                    raise ValidationError("This SKU is taken.")

        @app.route("/new", methods=["GET", "POST"])
        def new() -> Any:
            form = ProductForm()
            rows = db.session.execute(sa.select(Product.id, Product.sku).order_by(Product.sku))
            form.related.choices = [tuple(row) for row in rows]
            if not form.validate_on_submit():
                return {"errors": form.errors, "page": str(form.category()) + str(form.related())}
            product = Product(sku=form.sku.data, category=form.category.row)
            db.session.add(product)
            db.session.commit()
            return {"id": product.id, "category": product.category.name}

        with app.app_context():
            db.create_all()
            db.session.add(Category(name="Anything"))  # what every tenant begins with
            db.session.commit()


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    shop = Shop(database_url)
    with_tenants(shop.app)
    yield shop
    with shop.app.app_context():
        shop.db.engine.dispose()


def test_choices_and_unique_validators_keep_to_the_tenant(shop: Shop, database_url: str) -> None:
    client = shop.app.test_client()
    ids = {}
    with shop.app.app_context():
        for slug in ("acme", "bella"):
            with tenant_context(slug):
                shop.db.session.add_all([shop.Category(name=f"{slug}-{n}") for n in range(4)])
                shop.db.session.commit()
                ids[slug] = {c.name: c.id for c in shop.db.session.scalars(sa.select(shop.Category))}

    for slug, other in (("acme", "bella"), ("bella", "acme")):
        page = client.get(at(slug, "/new")).json["page"]
        assert "Anything" in page
        assert f"{slug}-3" in page
        assert other not in page
        made = client.post(at(slug, "/new"), data={"sku": "A1", "category": ids[slug][f"{slug}-2"]}).json
        assert made["category"] == f"{slug}-2"
        again = client.post(at(slug, "/new"), data={"sku": "A1", "category": ids[slug]["Anything"]}).json
        assert again["errors"] == {"sku": ["This SKU is taken."]}
    assert len(table(database_url, "product")) == 2

    foreign = sorted(set(ids["acme"].values()) - set(ids["bella"].values()))
    unknown = [*foreign, max(ids["bella"].values()) + 1]
    for key in unknown:
        answer = client.post(at("bella", "/new"), data={"sku": "B1", "category": key}).json
        assert answer["errors"] == {"category": ["Not a valid choice."]}
