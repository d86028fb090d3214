"""CSV files: customers and products in (all or none); customers, products and invoices out (streamed)."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from flask_babel import gettext
from sqlalchemy import insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import joinedload

from demo_app.clock import utcnow
from demo_app.extensions import db
from demo_app.models import Country, Customer, Invoice, Product, TaxRate

CUSTOMER_COLUMNS = (
    "name",
    "contact",
    "email",
    "phone",
    "street",
    "postcode",
    "city",
    "country_code",
    "vat_id",
    "notes",
)
PRODUCT_COLUMNS = ("sku", "name", "description", "unit", "unit_price", "tax_rate", "active")
INVOICE_COLUMNS = (
    "number", "status", "issued_on", "due_date", "customer", "reference",
    "currency", "net", "tax", "total", "paid", "balance",
)  # fmt: skip

BATCH = 200
SUSPICIOUS = ("=", "+", "-", "@", "\t", "\r")


@dataclass
class ImportResult:
    """What an import did; when it has errors, it did nothing."""

    created: int = 0
    updated: int = 0
    skipped: int = 0
    errors: list[str] = field(default_factory=list)


class RowError(Exception):
    """A row cannot be used; the message says why."""


def _disarmed(value: object) -> str:
    """Text that a spreadsheet will not run as a formula."""
    shown = "" if value is None else str(value)
    return f"'{shown}" if shown.startswith(SUSPICIOUS) and not _is_number(shown) else shown


def _armed(value: str) -> str:
    return value[1:] if value[:1] == "'" and value[1:].startswith(SUSPICIOUS) else value


def _is_number(value: str) -> bool:
    try:
        Decimal(value)
    except InvalidOperation:
        return False
    return True


# The exports are generators throughout: their queries run while the response is being sent, in a database
# session of that time. The view's own session is closed by then.


def _stream(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_disarmed(value) for value in row])
        if buffer.tell() > 8192:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def export_customers() -> Iterator[str]:
    """The customers as CSV text, piece by piece."""
    query = select(Customer).order_by(Customer.name, Customer.id).execution_options(yield_per=BATCH)
    yield from _stream(
        CUSTOMER_COLUMNS,
        (
            [getattr(customer, column) for column in CUSTOMER_COLUMNS]
            for customer in db.session.scalars(query)
        ),
    )


def export_products() -> Iterator[str]:
    """The products as CSV text, piece by piece."""
    query = (
        select(Product)
        .options(joinedload(Product.tax_rate))
        .order_by(Product.sku)
        .execution_options(yield_per=BATCH)
    )
    yield from _stream(
        PRODUCT_COLUMNS,
        (
            (p.sku, p.name, p.description, p.unit, p.unit_price, p.tax_rate.name, "yes" if p.active else "no")
            for p in db.session.scalars(query)
        ),
    )


def export_invoices() -> Iterator[str]:
    """The invoices with their totals as CSV text, piece by piece."""
    query = (
        select(
            Invoice.number, Invoice.status, Invoice.issued_on, Invoice.due_date, Customer.name,
            Invoice.reference, Invoice.currency, Invoice.net_total, Invoice.tax_total, Invoice.total,
            Invoice.paid_total, Invoice.balance,
        )
        .join(Invoice.customer)
        .order_by(Invoice.issued_on, Invoice.number)
        .execution_options(yield_per=BATCH)
    )  # fmt: skip
    yield from _stream(INVOICE_COLUMNS, db.session.execute(query))


def import_customers(content: bytes) -> ImportResult:
    """Add the customers whose e-mail address is new; known ones are left as they are."""
    countries = set(db.session.scalars(select(Country.code)))
    known = set(db.session.scalars(select(Customer.email)))

    def parse(row: dict[str, str]) -> dict[str, Any]:
        values: dict[str, Any] = {column: row.get(column, "") for column in CUSTOMER_COLUMNS}
        values["email"] = values["email"].lower()
        if not values["name"]:
            raise RowError(gettext("The name is empty."))
        if "@" not in values["email"]:
            raise RowError(gettext("“%(email)s” is not an e-mail address.", email=values["email"]))
        code = values["country_code"].upper() or None
        if code and code not in countries:
            raise RowError(gettext("There is no country “%(code)s”.", code=code))
        return {**values, "country_code": code, "created_at": utcnow()}

    result, rows = _read(content, ("name", "email"), "email", parse)
    if result.errors:
        return result
    new = [row for row in rows if row["email"] not in known]
    result.created, result.skipped = len(new), len(rows) - len(new)
    if new:
        db.session.execute(insert(Customer), new)
        db.session.commit()
    return result


def _no_price(value: str) -> RowError:
    return RowError(gettext("“%(value)s” is not a price (write 1234.50).", value=value))


def import_products(content: bytes) -> ImportResult:
    """Add the products whose SKU is new, and bring known ones up to date."""
    rates = {rate.name.lower(): rate for rate in db.session.scalars(select(TaxRate).order_by(TaxRate.name))}
    known = set(db.session.scalars(select(Product.sku)))

    def parse(row: dict[str, str]) -> dict[str, Any]:
        if not row["name"]:
            raise RowError(gettext("The name is empty."))
        try:
            price = Decimal(row["unit_price"])
        except InvalidOperation:
            raise _no_price(row["unit_price"]) from None
        if not price.is_finite() or price < 0:
            raise _no_price(row["unit_price"])
        rate = row.get("tax_rate", "")
        if rate.lower() not in rates:
            known_rates = ", ".join(each.name for each in rates.values())
            raise RowError(
                gettext(
                    "There is no tax rate “%(rate)s”; known are: %(known)s.", rate=rate, known=known_rates
                )
            )
        return {
            "sku": row["sku"],
            "name": row["name"],
            "description": row.get("description", ""),
            "unit": row.get("unit", "") or "pcs",
            "unit_price": price,
            "tax_rate_id": rates[rate.lower()].id,
            "active": row.get("active", "yes").lower() not in ("no", "false", "0"),
        }

    result, rows = _read(content, ("sku", "name", "unit_price", "tax_rate"), "sku", parse)
    if result.errors:
        return result
    result.updated = sum(row["sku"] in known for row in rows)
    result.created = len(rows) - result.updated
    if rows:
        dialect = postgresql if db.engine.dialect.name == "postgresql" else sqlite
        upsert = dialect.insert(Product)
        upsert = upsert.on_conflict_do_update(
            index_elements=[Product.sku],
            set_={column: upsert.excluded[column] for column in rows[0] if column != "sku"},
        )
        db.session.execute(upsert, rows)
        db.session.commit()
    return result


def _read(
    content: bytes, required: tuple[str, ...], key: str, parse: Callable[[dict[str, str]], dict[str, Any]]
) -> tuple[ImportResult, list[dict[str, Any]]]:
    """Parse every row, and collect what is wrong with each."""
    result = ImportResult()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        result.errors.append(gettext("The file is not UTF-8 text. Save it as “CSV UTF-8”."))
        return result, []
    header = text.partition("\n")[0]
    reader = csv.DictReader(
        io.StringIO(text), delimiter=";" if header.count(";") > header.count(",") else ","
    )
    reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
    missing = [name for name in required if name not in reader.fieldnames]
    if missing:
        result.errors.append(
            gettext("The first line must name the columns; missing: %(columns)s.", columns=", ".join(missing))
        )
        return result, []

    rows: list[dict[str, Any]] = []
    seen: set[str] = set()
    for raw in reader:
        row = {name: _armed((value or "").strip()) for name, value in raw.items() if isinstance(name, str)}
        try:
            if not row[key]:
                raise RowError(gettext("The %(column)s is empty.", column=key))
            values = parse(row)
            if values[key] in seen:
                raise RowError(
                    gettext("The %(column)s “%(value)s” is in the file twice.", column=key, value=values[key])
                )
            seen.add(values[key])
            rows.append(values)
        except RowError as error:
            result.errors.append(gettext("Line %(line)s: %(problem)s", line=reader.line_num, problem=error))
    return result, rows
