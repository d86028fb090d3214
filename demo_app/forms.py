"""Forms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from sqlalchemy import select
from wtforms import (
    BooleanField,
    DateField,
    DecimalField,
    FieldList,
    Form,
    FormField,
    PasswordField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
    ValidationError,
)
from wtforms.fields import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional, Regexp

from demo_app.branding import FONTS, HEX_COLOUR
from demo_app.clock import today
from demo_app.extensions import db
from demo_app.models import ROLES, Country, Customer, Product, TaxRate, TicketState, User

EMAIL = Regexp(r"^[^@\s]+@[^@\s]+\.[^@\s]+$", message="This does not look like an e-mail address.")
LARGEST = Decimal(99_999_999)
PAYMENT_METHODS = ("transfer", "card", "cash", "direct debit")


def _stripped(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _lowered(value: Any) -> Any:
    return value.strip().lower() if isinstance(value, str) else value


def _optional_id(value: Any) -> int | None:
    return int(value) if value and value != "None" else None


def choices(pairs: Iterable[tuple[Any, str]]) -> list[SelectChoice]:
    """What can be chosen, from pairs of a value and its label."""
    return [SelectChoice(value, label) for value, label in pairs]


def text(label: str, length: int, *validators: Any, **kwargs: Any) -> StringField:
    """A one-line text field that is trimmed and limited to the column's length."""
    return StringField(
        label,
        filters=[kwargs.pop("filter", _stripped)],
        validators=[*validators, Length(max=length)],
        **kwargs,
    )


def _customers() -> Sequence[Any]:
    """Key and name of each customer, by name."""
    return db.session.execute(select(Customer.id, Customer.name).order_by(Customer.name)).all()


class LoginForm(FlaskForm):  # type: ignore[misc]
    email = text("E-mail", 200, DataRequired(), filter=_lowered, render_kw={"autocomplete": "username"})
    password = PasswordField("Password", [DataRequired()], render_kw={"autocomplete": "current-password"})


class CustomerForm(FlaskForm):  # type: ignore[misc]
    name = text("Name", 120, DataRequired())
    contact = text("Contact person", 120)
    email = text("E-mail", 200, DataRequired(), EMAIL, filter=_lowered)
    phone = text("Phone", 40)
    street = text("Street", 120)
    postcode = text("Postcode", 20)
    city = text("City", 80)
    country_code = SelectField("Country", coerce=lambda value: value or None)
    vat_id = text("VAT number", 30)
    tax_id = text("Tax number", 30)
    credit_note = text("Credit", 200, description="Whether they pay, and what to mind.")
    notes = TextAreaField("Notes", filters=[_stripped], render_kw={"rows": 3})

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        countries = db.session.execute(select(Country.code, Country.name).order_by(Country.name))
        self.country_code.choices = choices([("", "–"), *countries])


class ProductForm(FlaskForm):  # type: ignore[misc]
    sku = text("SKU", 40, DataRequired())
    name = text("Name", 120, DataRequired())
    description = TextAreaField("Description", filters=[_stripped], render_kw={"rows": 2})
    unit = text("Unit", 20, DataRequired(), default="pcs", description="For example pcs, hour, bunch.")
    unit_price = DecimalField("Price without tax", [InputRequired(), NumberRange(0, LARGEST)], places=2)
    tax_rate_id = SelectField("Tax rate", coerce=int)
    active = BooleanField("Can be sold", default=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rates = db.session.scalars(select(TaxRate).order_by(TaxRate.percent.desc()))
        self.tax_rate_id.choices = choices(
            (rate.id, f"{rate.name} ({rate.percent.normalize():f} %)") for rate in rates
        )


class LineForm(Form):  # type: ignore[misc]
    product_id = SelectField("Product", coerce=_optional_id, validators=[Optional()])
    description = text("Description", 300)
    quantity = DecimalField("Quantity", [Optional(), NumberRange(-LARGEST, LARGEST)], places=2)
    unit_price = DecimalField("Price", [Optional(), NumberRange(0, LARGEST)], places=2)
    tax_percent = DecimalField("Tax %", [Optional(), NumberRange(0, 100)], places=2)

    @property
    def is_blank(self) -> bool:
        return not (self.product_id.data or self.description.data)


class InvoiceForm(FlaskForm):  # type: ignore[misc]
    number = text("Number", 30, DataRequired())
    customer_id = SelectField(
        "Customer", coerce=_optional_id, validators=[InputRequired("Choose a customer.")]
    )
    issued_on = DateField("Date", [InputRequired()])
    due_date = DateField("Due", [InputRequired()])
    reference = text("Your reference", 80, description="The customer's order number, for example.")
    notes = TextAreaField("Notes", filters=[_stripped], render_kw={"rows": 3})
    lines = FieldList(FormField(LineForm), min_entries=3, max_entries=100)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        customers = db.session.execute(select(Customer.id, Customer.name).order_by(Customer.name))
        self.customer_id.choices = choices([("", "Choose…"), *customers])
        self.offer_products()

    def offer_products(self) -> None:
        """Give every line its choice of products; also lines that were added since."""
        products = db.session.execute(
            select(Product.id, Product.sku, Product.name).where(Product.active).order_by(Product.name)
        )
        pairs = [("", "–"), *((key, f"{name} ({sku})") for key, sku, name in products)]
        for line in (entry.form for entry in self.lines):
            chosen = line.product_id.data
            retired = chosen and all(chosen != key for key, _ in pairs)
            product = db.session.get(Product, chosen) if retired else None
            line.product_id.choices = choices([*pairs, (product.id, product.name)] if product else pairs)


class PaymentForm(FlaskForm):  # type: ignore[misc]
    paid_on = DateField("Received on", [InputRequired()], default=today)
    amount = DecimalField("Amount", [InputRequired(), NumberRange(Decimal("0.01"), LARGEST)], places=2)
    method = SelectField("Method", choices=choices((m, m.capitalize()) for m in PAYMENT_METHODS))
    reference = text("Reference", 80)


class ImportForm(FlaskForm):  # type: ignore[misc]
    file = FileField("CSV file", [FileRequired("Choose a file.")], render_kw={"accept": ".csv,text/csv"})


class UserForm(FlaskForm):  # type: ignore[misc]
    name = text("Name", 120, DataRequired())
    email = text("E-mail", 200, DataRequired(), EMAIL, filter=_lowered)
    role = SelectField("Role", choices=choices([("member", "Member"), ("owner", "Owner")]))
    role_list = SelectMultipleField(
        "Works at",
        choices=choices((name, name.capitalize()) for name in ROLES),
        description="Hold Ctrl or ⌘ to choose several, or none.",
        render_kw={"size": len(ROLES)},
    )
    password = PasswordField(
        "Password",
        [Optional(), Length(min=10, message="Use at least 10 characters.")],
        render_kw={"autocomplete": "new-password"},
    )
    active = BooleanField("May log in", default=True)


class OrderForm(FlaskForm):  # type: ignore[misc]
    number = text("Number", 30, DataRequired())
    customer_id = SelectField(
        "Customer", coerce=_optional_id, validators=[InputRequired("Choose a customer.")]
    )
    ordered_on = DateField("Date", [InputRequired()], default=today)
    description = text("What is ordered", 300, DataRequired())
    total = DecimalField("Total", [InputRequired(), NumberRange(0, LARGEST)], places=2)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.customer_id.choices = choices([("", "Choose…"), *_customers()])


class TicketForm(FlaskForm):  # type: ignore[misc]
    subject = text("Subject", 200, DataRequired())
    customer_id = SelectField("Customer", coerce=_optional_id, validators=[Optional()])
    owner_id = SelectField("Looked after by", coerce=_optional_id, validators=[Optional()])
    state = SelectField("State", choices=choices((state, state.capitalize()) for state in TicketState))
    body = TextAreaField("What it is about", filters=[_stripped], render_kw={"rows": 5})

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        users = db.session.execute(select(User.id, User.name).where(User.active).order_by(User.name))
        self.customer_id.choices = choices([("", "–"), *_customers()])
        self.owner_id.choices = choices([("", "Nobody"), *users])


class TaxRateForm(FlaskForm):  # type: ignore[misc]
    name = text("Name", 40, DataRequired())
    percent = DecimalField("Percent", [InputRequired(), NumberRange(0, 100)], places=2)


class SettingsForm(FlaskForm):  # type: ignore[misc]
    company_name = text("Company name", 120, DataRequired())
    tagline = text("Tagline", 120)
    street = text("Street", 120)
    city = text("Postcode and city", 120)
    email = text("E-mail", 200, Optional(), EMAIL)
    phone = text("Phone", 40)
    vat_id = text("VAT number", 30)
    bank_account = text("Bank account", 60, description="As it is printed on invoices.")
    currency = text(
        "Currency", 3, DataRequired(), Regexp(r"^[A-Z]{3}$", message="Three capital letters, such as EUR.")
    )
    locale = SelectField(
        "Numbers and dates",
        choices=choices(
            [
                ("en_GB", "English (United Kingdom)"),
                ("en_US", "English (United States)"),
                ("de_DE", "German (Germany)"),
                ("fr_FR", "French (France)"),
                ("sv_SE", "Swedish (Sweden)"),
            ]
        ),
    )
    accent_colour = StringField("Accent colour", render_kw={"type": "color"})
    heading_font = SelectField("Headings", choices=choices((name, name.capitalize()) for name in FONTS))
    invoice_prefix = text(
        "Prefix of invoice numbers",
        10,
        DataRequired(),
        Regexp(r"^[A-Za-z0-9]+$", message="Letters and digits."),
    )
    payment_days = text(
        "Days until payment is due", 3, DataRequired(), Regexp(r"^\d+$", message="A whole number.")
    )
    invoice_footer = TextAreaField("Invoice footer", filters=[_stripped], render_kw={"rows": 2})

    def validate_accent_colour(self, field: StringField) -> None:
        if not HEX_COLOUR.fullmatch(field.data or ""):
            raise ValidationError("Write the colour as #rrggbb.")
