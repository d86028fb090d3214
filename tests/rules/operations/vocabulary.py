"""What an application such as the demo offers to rules, without its database."""

from __future__ import annotations

from flask_tenant.expressions import Kind
from flask_tenant.rules.language import Vocabulary

WORDS = Vocabulary(
    facts={
        "user.id": Kind.INT,
        "roles": Kind.TEXTS,
        "channel": Kind.TEXT,
        "path": Kind.TEXT,
        "method": Kind.TEXT,
        "now": Kind.TIME,
        "today": Kind.DATE,
        "month": Kind.INT,
        "plan": Kind.TEXT,
        "tenant.slug": Kind.TEXT,
        "usage.ratio": Kind.NUMBER,
    },
    tables={
        "invoice": {
            "id": Kind.INT,
            "number": Kind.TEXT,
            "issued_on": Kind.DATE,
            "iban": Kind.TEXT,
        },
        "credit_note": {"id": Kind.INT, "issued_on": Kind.DATE},
        "payment": {"id": Kind.INT, "issued_on": Kind.DATE},
        "ticket": {"id": Kind.INT, "owner_id": Kind.INT, "state": Kind.TEXT},
        "customer": {
            "id": Kind.INT,
            "name": Kind.TEXT,
            "tax_id": Kind.TEXT,
            "phone": Kind.TEXT,
            "credit_note": Kind.TEXT,
        },
        "order": {
            "id": Kind.INT,
            "total": Kind.NUMBER,
            "approved_by": Kind.INT,
            "status": Kind.TEXT,
        },
    },
    keys={
        name: frozenset({"id"})
        for name in ("invoice", "credit_note", "payment", "ticket", "customer", "order")
    },
    hooks=("approval", "lock_account"),
    engines=("replica",),
    themes=("winter",),
    webhooks=("ops",),
    events={"login.failed": {}, "usage.changed": {}},
)
