"""Forms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from unicodedata import normalize

from flask_babel import gettext
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from flask_wtf.file import FileField, FileRequired
from sqlalchemy import select
from wtforms import (
    BooleanField,
    DateField,
    DecimalField,
    Field,
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
from demo_app.formatting import country, locale_name
from demo_app.models import ROLES, Country, Customer, Product, TaxRate, TicketState, User
from demo_app.words import WORDS

EMAIL = Regexp(r"^[^@\s]+@[^@\s]+\.[^@\s]+$", message=_("This does not look like an e-mail address."))
LARGEST = Decimal(99_999_999)
LOCALES = ("en_GB", "en_US", "de_DE", "fr_FR", "sv_SE")
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


def named(values: Iterable[str]) -> list[SelectChoice]:
    """What can be chosen, from words that are kept in English."""
    return choices((value, WORDS[value]) for value in values)


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


def _by_name(pair: tuple[Any, str]) -> str:
    return normalize("NFKD", pair[1])  # "Österreich" stands at O


@dataclass(frozen=True)
class Problem:
    """What is wrong with a field: where it is on the page, what it is called and what to do."""

    id: str
    label: str
    text: str


class PageForm(FlaskForm):  # type: ignore[misc]
    """A form of a page. Its fields stand in the order in which the page shows them."""

    def problems(self) -> list[Problem]:
        """What is wrong, field by field. The first wrong one gets the focus when the page opens."""
        wrong = [(field, label) for field, label in self._labelled() if field.errors]
        for field, _label in wrong[:1]:
            field.render_kw = {**(field.render_kw or {}), "autofocus": True}
        return [Problem(field.id, label, " ".join(map(str, field.errors))) for field, label in wrong]

    def populate_obj(self, obj: Any) -> None:
        """Put what was entered into ``obj``. What was not there and is left empty stays as it was."""
        for name, field in self._fields.items():
            if not (field.data in (None, "") and getattr(obj, name, None) is None):
                field.populate_obj(obj, name)

    def _labelled(self) -> Iterator[tuple[Field, str]]:
        for field in self:
            if isinstance(field, FieldList):
                for number, entry in enumerate(field, start=1):
                    for cell in entry.form:
                        yield cell, gettext("%(field)s, line %(line)s", field=cell.label.text, line=number)
            else:
                yield field, str(field.label.text)


class LoginForm(PageForm):
    email = text(_("E-mail"), 200, DataRequired(), filter=_lowered, render_kw={"autocomplete": "username"})
    password = PasswordField(_("Password"), [DataRequired()], render_kw={"autocomplete": "current-password"})


class CustomerForm(PageForm):
    name = text(_("Name"), 120, DataRequired())
    contact = text(_("Contact person"), 120)
    email = text(_("E-mail"), 200, DataRequired(), EMAIL, filter=_lowered)
    phone = text(_("Phone"), 40)
    vat_id = text(_("VAT number"), 30)
    tax_id = text(_("Tax number"), 30)
    credit_note = text(_("Credit"), 200, description=_("Whether they pay, and what to mind."))
    street = text(_("Street"), 120)
    postcode = text(_("Postcode"), 20)
    city = text(_("City"), 80)
    country_code = SelectField(_("Country"), coerce=lambda value: value or None)
    notes = TextAreaField(_("Notes"), filters=[_stripped], render_kw={"rows": 3})

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        countries = [(each.code, country(each)) for each in db.session.scalars(select(Country))]
        self.country_code.choices = choices([("", "–"), *sorted(countries, key=_by_name)])


class ProductForm(PageForm):
    name = text(_("Name"), 120, DataRequired())
    sku = text(_("SKU"), 40, DataRequired())
    unit = text(_("Unit"), 20, DataRequired(), default="pcs", description=_("For example pcs, hour, bunch."))
    unit_price = DecimalField(_("Price without tax"), [InputRequired(), NumberRange(0, LARGEST)], places=2)
    tax_rate_id = SelectField(_("Tax rate"), coerce=int)
    description = TextAreaField(_("Description"), filters=[_stripped], render_kw={"rows": 2})
    active = BooleanField(_("Can be sold"), default=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rates = db.session.scalars(select(TaxRate).order_by(TaxRate.percent.desc()))
        self.tax_rate_id.choices = choices(
            (rate.id, f"{rate.name} ({rate.percent.normalize():f} %)") for rate in rates
        )


class LineForm(Form):  # type: ignore[misc]
    product_id = SelectField(_("Product"), coerce=_optional_id, validators=[Optional()])
    description = text(_("Description"), 300)
    quantity = DecimalField(_("Quantity"), [Optional(), NumberRange(-LARGEST, LARGEST)], places=2)
    unit_price = DecimalField(_("Price"), [Optional(), NumberRange(0, LARGEST)], places=2)
    tax_percent = DecimalField(_("Tax in percent"), [Optional(), NumberRange(0, 100)], places=2)

    @property
    def is_blank(self) -> bool:
        return not (self.product_id.data or self.description.data)


class InvoiceForm(PageForm):
    customer_id = SelectField(
        _("Customer"), coerce=_optional_id, validators=[InputRequired(_("Choose a customer."))]
    )
    number = text(_("Number"), 30, DataRequired())
    issued_on = DateField(_("Date"), [InputRequired()])
    due_date = DateField(_("Due"), [InputRequired()])
    reference = text(_("Your reference"), 80, description=_("The customer's order number, for example."))
    lines = FieldList(FormField(LineForm), min_entries=3, max_entries=100)
    notes = TextAreaField(_("Notes"), filters=[_stripped], render_kw={"rows": 3})

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        customers = db.session.execute(select(Customer.id, Customer.name).order_by(Customer.name))
        self.customer_id.choices = choices([("", _("Choose…")), *customers])
        self.offer_products()

    def validate_due_date(self, field: DateField) -> None:
        if field.data and self.issued_on.data and field.data < self.issued_on.data:
            raise ValidationError(_("The due date is before the invoice date."))

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


class PaymentForm(PageForm):
    amount = DecimalField(_("Amount"), [InputRequired(), NumberRange(Decimal("0.01"), LARGEST)], places=2)
    paid_on = DateField(_("Received on"), [InputRequired()], default=today)
    method = SelectField(_("Method"), choices=named(PAYMENT_METHODS))
    reference = text(_("Reference"), 80)


class ImportForm(PageForm):
    file = FileField(
        _("CSV file"), [FileRequired(_("Choose a file."))], render_kw={"accept": ".csv,text/csv"}
    )


class UserForm(PageForm):
    name = text(_("Name"), 120, DataRequired())
    email = text(_("E-mail"), 200, DataRequired(), EMAIL, filter=_lowered)
    role = SelectField(_("Role"), choices=named(("member", "owner")))
    role_list = SelectMultipleField(
        _("Works at"),
        choices=named(ROLES),
        description=_("Hold Ctrl or ⌘ to choose several, or none."),
        render_kw={"size": len(ROLES)},
    )
    password = PasswordField(
        _("Password"),
        [Optional(), Length(min=10, message=_("Use at least 10 characters."))],
        render_kw={"autocomplete": "new-password"},
    )
    active = BooleanField(_("May log in"), default=True)


class OrderForm(PageForm):
    customer_id = SelectField(
        _("Customer"), coerce=_optional_id, validators=[InputRequired(_("Choose a customer."))]
    )
    description = text(_("What is ordered"), 300, DataRequired())
    number = text(_("Number"), 30, DataRequired())
    ordered_on = DateField(_("Date"), [InputRequired()], default=today)
    total = DecimalField(_("Total"), [InputRequired(), NumberRange(0, LARGEST)], places=2)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.customer_id.choices = choices([("", _("Choose…")), *_customers()])


class TicketForm(PageForm):
    subject = text(_("Subject"), 200, DataRequired())
    customer_id = SelectField(_("Customer"), coerce=_optional_id, validators=[Optional()])
    owner_id = SelectField(_("Looked after by"), coerce=_optional_id, validators=[Optional()])
    state = SelectField(_("State"), choices=named(TicketState))
    body = TextAreaField(_("What it is about"), filters=[_stripped], render_kw={"rows": 5})

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        users = db.session.execute(select(User.id, User.name).where(User.active).order_by(User.name))
        self.customer_id.choices = choices([("", "–"), *_customers()])
        self.owner_id.choices = choices([("", _("Nobody")), *users])


class TaxRateForm(PageForm):
    name = text(_("Name"), 40, DataRequired())
    percent = DecimalField(_("Percent"), [InputRequired(), NumberRange(0, 100)], places=2)


class SettingsForm(PageForm):
    company_name = text(_("Company name"), 120, DataRequired())
    tagline = text(_("Tagline"), 120)
    street = text(_("Street"), 120)
    city = text(_("Postcode and city"), 120)
    email = text(_("E-mail"), 200, Optional(), EMAIL)
    phone = text(_("Phone"), 40)
    vat_id = text(_("VAT number"), 30)
    bank_account = text(_("Bank account"), 60, description=_("As it is printed on invoices."))
    currency = text(
        _("Currency"),
        3,
        DataRequired(),
        Regexp(r"^[A-Z]{3}$", message=_("Three capital letters, such as EUR.")),
    )
    locale = SelectField(
        _("Numbers and dates"),
    )
    accent_colour = StringField(_("Accent colour"), render_kw={"type": "color"})
    heading_font = SelectField(_("Headings"), choices=named(FONTS))
    invoice_prefix = text(
        _("Prefix of invoice numbers"),
        10,
        DataRequired(),
        Regexp(r"^[A-Za-z0-9]+$", message=_("Letters and digits.")),
    )
    payment_days = text(
        _("Days until payment is due"), 3, DataRequired(), Regexp(r"^\d+$", message=_("A whole number."))
    )
    invoice_footer = TextAreaField(_("Invoice footer"), filters=[_stripped], render_kw={"rows": 2})

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.locale.choices = choices((name, locale_name(name)) for name in LOCALES)

    def validate_accent_colour(self, field: StringField) -> None:
        if not HEX_COLOUR.fullmatch(field.data or ""):
            raise ValidationError(_("Write the colour as #rrggbb."))
