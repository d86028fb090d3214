"""A tenant with twenty rules, and the same predicates written by hand."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, select, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session, contains_eager

from bench.byhand import ByHand, customer, invoice, line
from bench.byhand_models import Customer, Invoice, tenant
from bench.cases import shown
from bench.databases import TENANTS

if TYPE_CHECKING:
    from flask_tenant.application import Application

ROLES = ["staff", "sales"]
DAYS = 36_500

FILTERS = (
    f"{{id: recent, for: {{read: invoice}}, filter: row.issued >= today - days({DAYS})}}",
    """{id: cities, for: {read: customer}, unless: '"auditor" in roles', filter: row.city != 'Atlantis'}""",
    """{id: amounts, for: {read: line}, when: '!("owner" in roles)', filter: row.amount >= 0}""",
)
OTHERS = tuple(
    f"""{{id: other{number}, for: {{{verb}: {table}}}, when: '"role{number}" in roles', {effect}}}"""
    for number, (verb, table, effect) in enumerate(
        [
            *(
                ("delete", table, "deny: No.")
                for table in ("invoice", "customer", "line", "payment", "product")
            ),
            *(("write", table, "deny: No.") for table in ("setting", "unit", "tax_rate", "member")),
            *(("read", table, "cap: 100000") for table in ("invoice", "customer", "line", "note")),
            *(("read", table, "hide: [body]") for table in ("note",)),
            *(("read", table, "cap: 50000") for table in ("setting", "unit", "member")),
        ]
    )
)
RULES = f"version: 1\nscope: {{tenant: {TENANTS[0]}}}\nrules:\n" + "".join(
    f"- {rule}\n" for rule in (*FILTERS, *OTHERS)
)


def obey(state: Application) -> Engine:
    """Let the first tenant obey the rules, and return the engine."""
    # The side that works by hand imports this module, too.
    from flask_tenant.expressions import Kind
    from flask_tenant.rules.store.history import RuleFile
    from tests.rules.books import MemoryBook

    state.tenancy.facts.provider("roles", Kind.TEXTS)(lambda: ROLES)
    owner = state.directory.get(TENANTS[0])
    made = state.governance.compile(
        [RuleFile(name=f"{owner}.yaml", scope=f"tenant:{owner}", text=RULES)], owner
    )
    if len(made.rules) != 20:
        raise AssertionError(f"{len(made.rules)} rules, not 20")
    state.rules.book = MemoryBook([made])
    return next(iter(state.databases.isolations))


BY_NAME = text(
    "SELECT i.id, i.number, i.issued, c.name FROM invoice i "
    "JOIN customer c ON c.tenant_id = i.tenant_id AND c.id = i.customer_id AND c.city != :nowhere "
    "WHERE i.tenant_id = :tenant AND i.issued >= :since AND c.city = :city AND i.status = :status "
    "ORDER BY i.issued DESC, i.id LIMIT 20"
)


def since() -> date:
    """From when on invoices are shown."""
    return date.today() - timedelta(days=DAYS)  # noqa: DTZ011 - as somebody would write it


class ByHandRuled(ByHand):
    """Every statement says whose rows it means, and which of them may be seen."""

    def get_core(self, connection: Connection) -> Any:
        query = select(customer.c.id, customer.c.name, customer.c.email, customer.c.city)
        mine = query.where(
            customer.c.tenant_id == tenant(), customer.c.city != "Atlantis", customer.c.id == next(self.keys)
        )
        return tuple(connection.execute(mine).one())

    def list_orm(self, session: Session) -> Any:
        query = (
            select(Invoice)
            .join(Invoice.customer)
            .options(contains_eager(Invoice.customer))
            .where(
                Invoice.tenant_id == tenant(),
                Invoice.issued >= since(),
                Customer.city != "Atlantis",
                Invoice.status == "open",
                Customer.city == "Bonn",
            )
            .order_by(Invoice.issued.desc(), Invoice.id)
            .limit(20)
        )
        found = shown(session.scalars(query))
        session.expunge_all()
        return found

    def aggregate(self, connection: Connection) -> Any:
        mine = and_(invoice.c.tenant_id == customer.c.tenant_id, invoice.c.customer_id == customer.c.id)
        below = and_(line.c.tenant_id == invoice.c.tenant_id, line.c.invoice_id == invoice.c.id)
        query = (
            select(customer.c.city, func.count(invoice.c.id.distinct()), func.sum(line.c.amount))
            .join_from(customer, invoice, and_(mine, invoice.c.issued >= since()))
            .join(line, and_(below, line.c.amount >= 0))
            .where(
                customer.c.tenant_id == tenant(), customer.c.city != "Atlantis", invoice.c.status == "open"
            )
            .group_by(customer.c.city)
            .order_by(customer.c.city)
        )
        return [tuple(row) for row in connection.execute(query)]

    def raw_join(self, connection: Connection) -> Any:
        first = since()
        values = {
            "tenant": tenant(),
            "since": first.isoformat() if connection.dialect.name == "sqlite" else first,
            "nowhere": "Atlantis",
            "city": "Bonn",
            "status": "open",
        }
        return [tuple(r) for r in connection.execute(BY_NAME, values)]
