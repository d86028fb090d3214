"""Three tenants' rows: the same ids and natural keys, different contents and numbers of rows."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from tests.isolation import schema as s

TENANTS = ("a", "b", "c")
SIZES = {"a": 9, "b": 12, "c": 4}
COUNTRIES = (("CH", "Switzerland"), ("DE", "Germany"), ("FR", "France"))
CITIES = ("Bern", "Basel", "Chur", None, "bern")


def payment_id(number: int) -> uuid.UUID:
    """The id of a payment, the same in each tenant."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"payment {number}")


def rows(tenant: str, dialect: str) -> list[Any]:
    """The objects that make up one tenant's world; every id is given, so that tenants share them."""
    size, shift = SIZES[tenant], TENANTS.index(tenant) + 1
    made: list[Any] = [s.Club(id=i, name=f"club {i}") for i in range(1, 5)]
    clubs = {club.id: club for club in made}
    made += [
        s.Product(
            id=i, sku=f"SKU{i}", name=f"{tenant} product {i}", price=Decimal(225 * i + shift) / 100,
            stock=i * shift, code=f"c{i}",
        )
        for i in range(1, 5 + shift)
    ]  # fmt: skip
    customers = {
        i: s.Customer(
            id=i, name=f"{tenant}{i}", email=f"{tenant if i % 2 else 'x'}{i}@{'ab'[i % 2]}.test",
            city=CITIES[(i + shift) % 5], active=i % 3 != 0, balance=Decimal(i * 1050 * shift) / 100,
            country_code=("CH", "DE", None)[i % 3],
            data={"colour": ("red", "blue")[i % 2], "size": i + shift, "of": tenant},
            tags=["new", tenant] if i % 2 else None,
            clubs=[clubs[n] for n in range(1, 5) if (i + n * shift) % 3 == 0],
        )
        for i in range(1, size + 1)
    }  # fmt: skip
    for i, customer in customers.items():
        customer.boss = customers.get(i // 2) if i % 4 else None
    made += customers.values()
    made += [
        s.Invoice(
            id=i, customer_id=(i * shift) % size + 1, payer_id=i % size + 1 if i % 3 == 0 else None,
            number=f"2024-{i:03}", total=Decimal(3330 * i + 100 * shift) / 100, paid=i % 3 == 0,
            issued=dt.date(2024, i % 12 + 1, i % 28 + 1), note=None if i % 4 else f"{tenant} note {i}",
        )
        for i in range(1, size * 2)
    ]  # fmt: skip
    products = 4 + shift
    made += [
        s.Line(
            invoice_id=i, position=p, product_id=(i + p) % products + 1 if (i + p) % 5 else None, qty=(i * p) % 7 + 1,
            price=Decimal(150 * i + p * shift) / 100,
        )
        for i in range(1, size * 2)
        for p in range(1, i % 3 + 2)
    ]  # fmt: skip
    made += [
        s.Payment(
            id=payment_id(i), invoice_id=i if i % 4 else None, position=1 if i % 4 else None,
            amount=Decimal(100 * i + shift), method=(s.Method.CASH, s.Method.CARD)[i % 2],
        )
        for i in range(1, size)
    ]  # fmt: skip
    made += [
        s.Setting(key="currency", value=("CHF", "EUR", "USD")[shift - 1]),
        s.Setting(key="title", value=f"{tenant} title"),
        s.Setting(key="empty", value=None),
        s.Setting(key=f"only {tenant}", value="1"),
    ]
    categories = {i: s.Category(id=i, name=f"{tenant} category {i}") for i in range(1, 7 + shift)}
    for i, category in categories.items():
        category.parent = categories.get(i // 2)
    made += categories.values()
    made += [s.Odd(key=i, mixed=f"{tenant} Odd {i}", chosen=i * shift, percent=i * 10) for i in range(1, 5)]
    companies = [s.Company(id=i, name=f"{tenant} company {i}", vat=f"VAT{i}") for i in (1, 2)]
    made += companies
    made += [
        s.Person(id=i, name=f"{tenant} person {i}", born=1950 + i * shift, company=companies[i % 2])
        for i in range(3, 6 + shift)
    ]
    made += [s.Party(id=20, name=f"{tenant} party")]
    made += [s.Letter(id=i, title=f"{tenant} letter {i}", sender=f"{tenant}{i}") for i in range(1, 4)]
    made += [
        s.Contract(id=i, title=f"{tenant} contract {i}", until=dt.date(2030, shift, i))
        for i in range(4, 6 + shift)
    ]
    if dialect == "postgresql":
        made += [s.Folder(id=i, name=f"folder {i}") for i in (1, 2)]
        made += [s.Entry(id=i, folder_id=i % 2 + 1, text=f"{tenant} entry {i}") for i in range(1, 4 + shift)]
        made += [s.ArchivedCustomer(id=i, name=f"{tenant} archived {i}") for i in range(1, 3 + shift)]
        made += [s.Ticket(id=i, title=f"{tenant} ticket {i}") for i in range(1, 3 + shift)]
    return made


def fill(session: Session, tenant: str) -> None:
    """Write one tenant's rows, with the ORM and with Core."""
    s.reset()
    session.add_all(rows(tenant, session.get_bind().dialect.name))
    session.flush()
    size = SIZES[tenant]
    session.execute(
        s.event_log.insert(),
        [{"happened": dt.date(2024, 1, i), "message": f"{tenant} event {i % 3}"} for i in range(1, size)],
    )
    session.commit()
