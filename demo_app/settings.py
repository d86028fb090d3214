"""What the owner can set: who we are, how we look, how we count. Kept in the ``setting`` table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from flask import Flask, g
from sqlalchemy import select
from werkzeug.local import LocalProxy

from demo_app.extensions import db
from demo_app.models import Setting


@dataclass(frozen=True)
class Company:
    """The settings with their defaults; each field is one row of the ``setting`` table."""

    company_name: str = "My Company"
    tagline: str = ""
    street: str = ""
    city: str = ""
    email: str = ""
    phone: str = ""
    vat_id: str = ""
    bank_account: str = ""
    currency: str = "EUR"
    locale: str = "en_GB"
    accent_colour: str = "#2563eb"
    heading_font: str = "sans"
    invoice_prefix: str = "INV"
    payment_days: str = "30"
    invoice_footer: str = ""

    @property
    def initial(self) -> str:
        """One letter that stands for the company where there is no room for its name."""
        return self.company_name[:1].upper()


KEYS = tuple(field.name for field in fields(Company))


def company() -> Company:
    """The settings, read once a request."""
    if "company" not in g:
        rows = db.session.execute(select(Setting.key, Setting.value).where(Setting.key.in_(KEYS)))
        g.company = Company(**{row.key: row.value for row in rows})
    found: Company = g.company
    return found


def save(values: Mapping[str, str]) -> None:
    """Store settings; the caller commits.

    :raises KeyError: for a key that is no setting.
    """
    for key, value in values.items():
        if key not in KEYS:
            raise KeyError(f"There is no setting {key!r}; known are: {', '.join(KEYS)}")
        db.session.merge(Setting(key=key, value=value))
    g.pop("company", None)


def as_dict() -> dict[str, Any]:
    return asdict(company())


def init_app(app: Flask) -> None:
    """Make ``company`` known to every template; it is read when a template first asks for it."""
    app.jinja_env.globals["company"] = LocalProxy(company)
