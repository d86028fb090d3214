"""Made-up trade for demonstrations: the same every time, up to today's date."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import accumulate
from random import Random

from sqlalchemy import func, select

from demo_app import clock, settings
from demo_app.extensions import db
from demo_app.models import Customer, Invoice, InvoiceLine, Payment, Product, Status, TaxRate, User
from demo_app.money import rounded
from demo_app.seeding.after_sales import after_sales
from demo_app.seeding.businesses import BUSINESSES, Business, Client, Goods

__all__ = ["BUSINESSES", "PASSWORD", "AlreadySeededError", "Summary", "seed"]

PASSWORD = "demo-password"  # noqa: S105 - of made-up users in a demonstration
HOURS = ("hour", "Stunde")
SPAN_DAYS = 548  # a year and a half


class AlreadySeededError(Exception):
    """There is data already; seeding would mix it with made-up trade."""


@dataclass(frozen=True)
class Summary:
    """What was stored, and how to log in."""

    company: str
    customers: int
    products: int
    invoices: int
    payments: int
    email: str
    password: str = PASSWORD


def seed(name: str, today: date | None = None) -> Summary:
    """Fill the database with a business.

    :param name: one of :data:`BUSINESSES`.
    :param today: the last day of the made-up trade; the real day by default.
    :raises AlreadySeededError: when there are customers or users already.
    """
    business = BUSINESSES[name]
    if db.session.scalar(select(func.count(Customer.id))) or db.session.scalar(select(func.count(User.id))):
        raise AlreadySeededError("There are customers or users already; seed an empty database.")
    today = today or clock.today()
    random = Random(business.random_seed)  # noqa: S311 - nothing secret

    settings.save(business.settings)
    rates = {rate.name: rate for rate in db.session.scalars(select(TaxRate))}
    for rate_name, percent in business.tax_percents.items():
        if rate_name not in rates:
            rates[rate_name] = TaxRate(name=rate_name)
            db.session.add(rates[rate_name])
        rates[rate_name].percent = Decimal(percent)
        rates[rate_name].name = business.rate_names.get(rate_name, rate_name)
    users = [
        User(name=name, email=email, role=role, roles=business.roles.get(email, ""))
        for name, email, role in business.users
    ]
    for user in users:
        user.set_password(PASSWORD)
    products = [
        Product(sku=g.sku, name=g.name, unit=g.unit, unit_price=Decimal(g.price), tax_rate=rates[g.rate])
        for g in business.goods
    ]
    first_day = today - timedelta(days=SPAN_DAYS)
    customers = [_customer(client, first_day, random) for client in business.clients]
    db.session.add_all([*users, *products, *customers])
    db.session.flush()  # all that invoices refer to, so that their own ids follow their dates
    invoices = _invoices(business, products, customers, users[:2], first_day, today, random)
    db.session.add_all(invoices)
    db.session.flush()
    db.session.add_all(after_sales(business, customers, users, invoices, today))
    db.session.commit()
    return Summary(
        company=business.settings["company_name"],
        customers=len(customers),
        products=len(products),
        invoices=len(invoices),
        payments=sum(len(invoice.payments) for invoice in invoices),
        email=users[0].email,
    )


def _customer(client: Client, first_day: date, random: Random) -> Customer:
    plain = unicodedata.normalize("NFKD", client.name.replace("ß", "ss").replace("Ø", "O"))
    words = re.findall(r"[a-z0-9]+", plain.encode("ascii", "ignore").decode().lower())
    mailbox = random.choice(("accounts", "office", "invoices", "hello"))
    dialling = {"US": "+1", "CA": "+1", "GB": "+44", "DE": "+49", "FR": "+33", "IE": "+353"}.get(
        client.country, "+45"
    )
    return Customer(
        name=client.name,
        contact=client.contact,
        email=f"{mailbox}@{'-'.join(words[:3])}.example",
        phone=f"{dialling} {random.randint(200, 799)} 555 {random.randint(100, 199):04d}",
        street=client.street,
        postcode=client.postcode,
        city=client.city,
        country_code=client.country,
        created_at=datetime.combine(first_day - timedelta(days=random.randint(1, 300)), time(9)),
    )


def _invoices(
    business: Business,
    products: list[Product],
    customers: list[Customer],
    users: list[User],
    first_day: date,
    today: date,
    random: Random,
) -> list[Invoice]:
    days = [first_day + timedelta(days=offset) for offset in range(SPAN_DAYS + 1)]
    # Business grows by a fifth a year, follows the seasons, and rests on Sundays.
    busy = [
        business.season[day.month - 1] * (1 + 0.2 * index / 365) * (day.weekday() < 6)
        for index, day in enumerate(days)
    ]
    upto = list(accumulate(busy))
    # One draw from each equal share of the trade: no month is empty or crowded by chance alone.
    shares = ((share + random.random()) / business.invoices for share in range(business.invoices))
    issued = [days[bisect(upto, share * upto[-1])] for share in shares]
    counters: dict[int, int] = {}
    invoices = []
    for issued_on in issued:
        counters[issued_on.year] = counters.get(issued_on.year, 0) + 1
        number = f"{business.settings['invoice_prefix']}-{issued_on.year}-{counters[issued_on.year]:04d}"
        reference = random.choice(business.references).format(n=random.randint(100, 999))
        invoice = Invoice(
            number=number,
            customer=random.choices(customers, [client.weight for client in business.clients])[0],
            created_by=random.choice(users),
            currency=business.settings["currency"],
            iban=business.iban,
            issued_on=issued_on,
            due_date=issued_on + timedelta(days=int(business.settings["payment_days"])),
            reference=reference,
            lines=_lines(business, products, random),
            created_at=datetime.combine(issued_on, time(random.randint(8, 17), random.randint(0, 59))),
        )
        _settle(invoice, today, random)
        invoices.append(invoice)
    for invoice in invoices[-2:]:  # somebody is still at work on the latest
        invoice.status, invoice.payments = Status.DRAFT, []
    return invoices


def _lines(business: Business, products: list[Product], random: Random) -> list[InvoiceLine]:
    weights = [goods.weight for goods in business.goods]
    count = random.randint(*business.lines)
    chosen: dict[str, tuple[Goods, Product]] = {}
    while len(chosen) < count:
        goods, product = random.choices(list(zip(business.goods, products, strict=True)), weights)[0]
        chosen.setdefault(goods.sku, (goods, product))
    lines = []
    for position, (goods, product) in enumerate(chosen.values(), start=1):
        quantity = Decimal(random.choice(business.quantities))
        if product.unit_price >= 300:  # nobody orders a dozen of the dear things
            quantity = min(quantity, Decimal(random.choice((1, 1, 1, 2))))
        elif business.half_quantities and goods.unit in HOURS and random.random() < 0.4:
            quantity += Decimal("0.5")
        line = InvoiceLine(
            position=position,
            product=product,
            description=product.name,
            quantity=quantity,
            unit_price=product.unit_price,
            tax_percent=product.tax_rate.percent,
        )
        line.compute()
        lines.append(line)
    return lines


def _settle(invoice: Invoice, today: date, random: Random) -> None:
    """Give the invoice the fate that its age suggests: most are paid, some late, a few not yet."""
    age = (today - invoice.issued_on).days
    luck = random.random()
    if luck > 0.985:
        invoice.status = Status.VOID
        return
    invoice.status = Status.SENT
    terms = (invoice.due_date - invoice.issued_on).days
    delay = max(1, round(random.gauss(terms * 0.85, terms * 0.45)))
    if luck < 0.08 and age < 140:  # not yet; the older ones have given in
        return
    paid_on = invoice.issued_on + timedelta(days=delay)
    if paid_on > today:
        return
    total = sum((line.net_amount + line.tax_amount for line in invoice.lines), Decimal(0))
    method = random.choices(("transfer", "card", "cash", "direct debit"), (6, 3, 1, 2))[0]
    if luck < 0.14:  # in two parts
        first = rounded(total / 2)
        invoice.payments.append(Payment(paid_on=paid_on, amount=first, method=method))
        rest_on = paid_on + timedelta(days=random.randint(10, 40))
        if rest_on <= today:
            invoice.payments.append(Payment(paid_on=rest_on, amount=total - first, method=method))
            invoice.status = Status.PAID
        return
    invoice.payments.append(Payment(paid_on=paid_on, amount=total, method=method))
    invoice.status = Status.PAID
