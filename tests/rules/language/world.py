"""The vocabulary of the tests, and the rule file that the documentation shows."""

from __future__ import annotations

from flask_tenant.expressions import Kind
from flask_tenant.rules.language import Checked, Source, Vocabulary, check

TABLES: dict[str, dict[str, Kind | None]] = {
    "invoice": {
        "id": Kind.INT, "number": Kind.TEXT, "issued_on": Kind.DATE, "total": Kind.NUMBER, "iban": Kind.TEXT,
        "owner_id": Kind.INT, "created_at": Kind.TIME, "paid": Kind.BOOL, "note": Kind.TEXT,
    },
    "payment": {"id": Kind.INT, "issued_on": Kind.DATE, "amount": Kind.NUMBER, "total": Kind.TEXT},
    "ticket": {"id": Kind.INT, "owner_id": Kind.INT, "state": Kind.TEXT, "title": Kind.TEXT},
    "customer": {
        "id": Kind.INT, "email": Kind.TEXT, "tax_id": Kind.TEXT, "phone": Kind.TEXT, "credit_note": Kind.TEXT,
        "limit": Kind.NUMBER, "photo": None,
    },
    "order": {"id": Kind.INT, "total": Kind.NUMBER, "approved_by": Kind.INT, "status": Kind.TEXT},
}  # fmt: skip

VOCABULARY = Vocabulary(
    facts={
        "user.id": Kind.INT, "user.email": Kind.TEXT, "user.staff": Kind.BOOL, "user.teams": Kind.INTS,
        "roles": Kind.TEXTS, "path": Kind.TEXT, "method": Kind.TEXT, "channel": Kind.TEXT, "now": Kind.TIME,
        "today": Kind.DATE, "month": Kind.INT, "plan": Kind.TEXT, "tenant.slug": Kind.TEXT,
    },
    tables=TABLES,
    keys={"invoice": {"id", "number", "owner_id"}, "customer": {"id", "email"}, "order": {"id"}, "ticket": {"id"}},
    hooks={"approval", "lock_account", "shorten"},
    engines={"replica", "archive"},
    themes={"winter", "plain"},
    webhooks={"ops"},
    events={
        "login.failed": {"user.id": Kind.INT, "address": Kind.TEXT},
        "usage.changed": {"usage.ratio": Kind.NUMBER},
    },
)  # fmt: skip

EXAMPLE = """\
version: 1
scope: {tenant: acme}
rules:
- id: recent-invoices
  for: {read: invoice}
  unless: '"auditor" in roles'
  filter: row.issued_on >= today - days(90)
- id: own-or-open                       # request part and row part in one condition
  for: {read: ticket}
  filter: row.owner_id == user.id || ("agent" in roles && row.state == "open")
- id: tax-id
  for: {read: customer}
  unless: '"accounting" in roles'
  mask: {tax_id: empty, phone: last(4)}
  hide: [credit_note]
- {id: api-limits, for: {read: "*"}, when: channel == "api", cap: 1000}
- {id: reports, for: {read: "*"}, when: path.startsWith("/reports"), route: replica}
- id: books-closed
  for: {delete: [invoice, payment]}
  when: now > month_end(row.issued_on)
  deny: "Books for {row.issued_on} are closed."
- id: big-orders
  for: {write: order}
  when: row.total > 10000
  validate: {hook: approval}
  set: {approved_by: user.id, status: "'pending'"}
- {id: log-exports, for: {result: invoice}, when: rows > 500, emit: invoice.exported, redact: [iban]}
- {id: winter, for: theme, when: month == 12, theme: winter}
- id: lockout
  for: {event: login.failed}
  count: {by: user.id, at_least: 3, within: 5m}
  do: [{hook: lock_account}, {emit: account.locked}]
- {id: quota, for: {event: usage.changed}, when: usage.ratio >= 0.8, once: month, do: [{webhook: ops}]}
"""


def checked(text: str = EXAMPLE, *more: str) -> Checked:
    """Check files, named a.yaml, b.yaml, …"""
    return check([Source(f"{'abc'[n]}.yaml", each) for n, each in enumerate((text, *more))], VOCABULARY)


def rules(body: str, scope: str = "{tenant: acme}") -> str:
    """Return a file with these rules; they begin on line 4."""
    return f"version: 1\nscope: {scope}\nrules:\n{body}"
