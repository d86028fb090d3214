"""Words that the database keeps in English, such as states and roles, as they are shown."""

from __future__ import annotations

from flask import Flask
from flask_babel import lazy_gettext as _

WORDS = {
    # states of invoices, orders and tickets
    "draft": _("Draft"),
    "sent": _("Sent"),
    "part-paid": _("Part paid"),
    "paid": _("Paid"),
    "overdue": _("Overdue"),
    "void": _("Void"),
    "new": _("New"),
    "pending": _("Pending"),
    "approved": _("Approved"),
    "shipped": _("Shipped"),
    "cancelled": _("Cancelled"),
    "open": _("Open"),
    "waiting": _("Waiting"),
    "closed": _("Closed"),
    "mine": _("Mine"),
    # what somebody is
    "owner": _("Owner"),
    "member": _("Member"),
    "accounting": _("Accounting"),
    "agent": _("Agent"),
    "auditor": _("Auditor"),
    # how somebody has paid
    "transfer": _("Transfer"),
    "card": _("Card"),
    "cash": _("Cash"),
    "direct debit": _("Direct debit"),
    # what headings look like
    "sans": _("Sans serif"),
    "serif": _("Serif"),
    "mono": _("Typewriter"),
}


def word(key: str) -> str:
    """A word as it is shown; one that is not known as it is."""
    return str(WORDS.get(key, key))


def init_app(app: Flask) -> None:
    app.add_template_filter(word)
