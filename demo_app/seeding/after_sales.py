"""What a business has besides invoices: orders, tickets, credit notes, and what is known of its customers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import cycle, islice
from random import Random

from demo_app.models import (
    CreditNote,
    Customer,
    Invoice,
    Order,
    OrderStatus,
    Status,
    Ticket,
    TicketState,
    User,
)
from demo_app.money import rounded
from demo_app.seeding.businesses import Business

BIG = Decimal(10_000)


def after_sales(
    business: Business, customers: list[Customer], users: list[User], invoices: list[Invoice], today: date
) -> list[Order | Ticket | CreditNote]:
    """Make up the rest of a business, the same every time; customers get their tax numbers.

    :param users: the owner first, agents last
    :param today: the last day of the made-up trade
    """
    random = Random(business.random_seed + 1)  # noqa: S311 - nothing secret
    for index, customer in enumerate(customers):
        customer.tax_id = business.tax_id.format(n=f"{random.randint(10_000, 99_999)}")
        judgement = index % 5
        customer.credit_note = business.judgements[judgement] if judgement < len(business.judgements) else ""
    return [
        *_orders(business, customers, users, today, random),
        *_tickets(business, customers, users, today, random),
        *_credit_notes(business, invoices, random),
    ]


def _orders(
    business: Business, customers: list[Customer], users: list[User], today: date, random: Random
) -> Iterable[Order]:
    wanted = list(islice(cycle(business.orders), 3 * len(business.orders)))
    for number, (description, total) in enumerate(wanted, start=1):
        days = (len(wanted) - number) * 5 + random.randint(0, 4)
        amount = Decimal(total)
        big = amount > BIG
        status = OrderStatus.SHIPPED
        if days < 12:
            status = OrderStatus.PENDING if big else OrderStatus.NEW
        elif days < 25:
            status = OrderStatus.APPROVED
        elif random.random() < 0.08:
            status = OrderStatus.CANCELLED
        agreed = big and status in (OrderStatus.APPROVED, OrderStatus.SHIPPED)
        yield Order(
            number=f"{business.settings['invoice_prefix']}-O{number:04d}",
            customer=random.choice(customers),
            created_by=random.choice(users),
            ordered_on=today - timedelta(days=days),
            description=description,
            total=amount,
            status=status,
            approver=users[0] if agreed else None,
        )


def _tickets(
    business: Business, customers: list[Customer], users: list[User], today: date, random: Random
) -> Iterable[Ticket]:
    wanted = list(islice(cycle(business.tickets), 3 * len(business.tickets)))
    for number, (subject, body) in enumerate(wanted):
        days = (len(wanted) - 1 - number) * 4 + random.randint(1, 4)
        created = datetime.combine(
            today - timedelta(days=days), time(random.randint(8, 17), random.randint(0, 59))
        )
        state = TicketState.CLOSED
        if days < 30:
            state = random.choice((TicketState.OPEN, TicketState.OPEN, TicketState.WAITING))
        closed = created + timedelta(days=random.randint(1, 6)) if state == TicketState.CLOSED else None
        yield Ticket(
            subject=subject,
            body=body,
            customer=random.choice(customers),
            owner=random.choice([*users, None]) if state == TicketState.OPEN else random.choice(users),
            state=state,
            created_at=created,
            closed_at=closed,
        )


def _credit_notes(business: Business, invoices: list[Invoice], random: Random) -> Iterable[CreditNote]:
    paid = [invoice for invoice in invoices if invoice.status == Status.PAID]
    for number, invoice in enumerate(paid[::20], start=1):
        total = sum((line.net_amount + line.tax_amount for line in invoice.lines), Decimal(0))
        yield CreditNote(
            number=f"{business.settings['invoice_prefix']}-C{number:04d}",
            invoice=invoice,
            issued_on=invoice.issued_on + timedelta(days=random.randint(2, 9)),
            amount=rounded(total / 10),
            reason=random.choice(business.credit_reasons),
        )
