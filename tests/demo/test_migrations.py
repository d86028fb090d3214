"""The schema comes from the migrations, and from nothing else."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import func, inspect, select, text
from sqlalchemy.exc import IntegrityError

from demo_app.extensions import db
from demo_app.models import Country, Customer, Invoice, InvoiceLine, Payment, Product, Setting, TaxRate
from demo_app.seeding import seed
from tests.demo.conftest import on_both

pytestmark = on_both

EVERYTHING = (Country, Customer, Invoice, InvoiceLine, Payment, Product, Setting, TaxRate)


def counts() -> dict[str, int]:
    return {
        model.__tablename__: db.session.scalar(select(func.count()).select_from(model))
        for model in EVERYTHING
    }


def test_migrations_make_what_the_models_expect(empty_app: Flask) -> None:
    with empty_app.app_context():
        upgrade()
        with db.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, db.metadata) == []
        tables = set(inspect(db.engine).get_table_names())
        assert tables == {*db.metadata.tables, "alembic_version"}


def test_migrations_seed_settings_tax_rates_and_countries(empty_app: Flask) -> None:
    with empty_app.app_context():
        upgrade()
        assert db.session.get(Setting, "currency").value == "EUR"
        assert db.session.get(Setting, "heading_font").value == "sans"
        assert set(db.session.scalars(select(TaxRate.name))) == {"Standard", "Reduced", "Zero"}
        assert db.session.get(Country, "DE").name == "Germany"


def test_all_the_way_down_and_up_again(empty_app: Flask) -> None:
    with empty_app.app_context():
        upgrade()
        downgrade(revision="base")
        assert inspect(db.engine).get_table_names() == ["alembic_version"]
        upgrade()
        assert counts()["country"] > 30


def test_rows_survive_a_downgrade_and_an_upgrade(empty_app: Flask) -> None:
    """Tables are copied on the way; no row may be lost, nor cascade away with the old copy."""
    with empty_app.app_context():
        upgrade()
        seed("nord")
        before = counts()
        totals = db.session.execute(select(Invoice.number, Invoice.total).order_by(Invoice.number)).all()
        countries = db.session.execute(
            select(Customer.name, Customer.country_code).order_by(Customer.name)
        ).all()
        rates = db.session.execute(
            select(Product.sku, TaxRate.percent).join(Product.tax_rate).order_by(Product.sku)
        ).all()
        assert min(before.values()) > 0
        db.session.remove()

        downgrade(revision="5a86d1c9e247")
        assert "country" not in inspect(db.engine).get_table_names()
        assert db.session.scalar(text("SELECT tax_percent FROM product WHERE sku = 'ILL-SET'")) == 700
        assert db.session.scalar(text("SELECT country FROM customer WHERE city = 'Bergen'")) == "Norway"
        db.session.remove()

        upgrade()
        after = counts()
        # Rates of 19 and 7 per cent are none of the defaults, so the upgrade adds them under new names.
        assert after.pop("tax_rate") == 5
        del before["tax_rate"]
        assert after == before
        assert (
            db.session.execute(select(Invoice.number, Invoice.total).order_by(Invoice.number)).all() == totals
        )
        assert (
            db.session.execute(select(Customer.name, Customer.country_code).order_by(Customer.name)).all()
            == countries
        )
        assert (
            db.session.execute(
                select(Product.sku, TaxRate.percent).join(Product.tax_rate).order_by(Product.sku)
            ).all()
            == rates
        )


def test_foreign_keys_are_enforced_after_migrating(empty_app: Flask) -> None:
    with empty_app.app_context():
        upgrade()
        customer = Customer(name="x", email="x@x.example", country_code="??")
        db.session.add(customer)
        with pytest.raises(IntegrityError, match=r"(?i)foreign key"):
            db.session.commit()
        db.session.rollback()
