"""What others may observe. Present participle before, past after; none can change the outcome."""

from __future__ import annotations

from blinker import Namespace

_signals = Namespace()

tenant_creating = _signals.signal(
    "tenant-creating", doc="Before a tenant is created. Sender: the Tenancy; slug, name."
)
tenant_created = _signals.signal(
    "tenant-created", doc="After a tenant was created. Sender: the Tenancy; tenant."
)
tenant_entered = _signals.signal(
    "tenant-entered", doc="After a scope was entered. Sender: the Tenancy; scope."
)
tenant_left = _signals.signal("tenant-left", doc="After a scope was left. Sender: the Tenancy; scope.")
central_entered = _signals.signal(
    "central-entered", doc="After central work began. Sender: the Tenancy; reason."
)
statement_reported = _signals.signal(
    "statement-reported",
    doc="In report-only mode, after a statement was let through. Sender: the Tenancy; error.",
)
rows_capped = _signals.signal(
    "rows-capped",
    doc="After a rule's cap has cut a result. Sender: the Tenancy; table, rows (how many are left), rule.",
)
rule_emitted = _signals.signal(
    "rule-emitted",
    doc="When a result that a rule is about has ended. Sender: the Tenancy; rule, event, table, rows (how many).",
)
event_happened = _signals.signal(
    "event-happened",
    doc="After an event has come, before event rules act on it. Sender: the Tenancy; name, facts, tenant.",
)
event_failed = _signals.signal(
    "event-failed",
    doc="After an event rule could not do its work. Sender: the Tenancy; event (with the rule's id), error.",
)
signup_changed = _signals.signal(
    "signup-changed",
    doc="After a sign-up has taken a step, at least once. Sender: the Tenancy; signup, state, tenant (or None).",
)
