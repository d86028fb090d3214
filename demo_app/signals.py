"""What happens here that others may want to hear of."""

from __future__ import annotations

from blinker import Namespace

_signals = Namespace()

login_failed = _signals.signal("login-failed")
"""Somebody gave a wrong password, or may not log in. Sent with ``user``: whose it was, ``None`` for nobody's."""

usage_changed = _signals.signal("usage-changed")
"""Another invoice was written. Sent with ``ratio``: how much of a month's share of invoices is used, 1.0 for all."""
