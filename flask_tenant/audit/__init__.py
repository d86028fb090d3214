"""The audit trail: who has done what, kept so that nobody can change it without being noticed.

    chain.py     an entry, and the MAC that ties it to the one before
    trail.py     writes entries and reads them
    anchor.py    where the newest MAC of each chain is noted outside the table
    verify.py    finds what was changed, removed, inserted or cut off

Each tenant has a chain of its own; central work has chain 0. What an entry says is covered by a MAC (HMAC-SHA256,
RFC 2104) together with the MAC before it: who can write to the database, and does not have the key, can make no entry
that fits, and leaves a gap where one is taken away. The end of a chain is all that could be cut off unseen; for that,
each new end is written to a file or a log that is kept elsewhere.
"""

from __future__ import annotations

from .anchor import Anchor, Heads
from .chain import CENTRAL, Entry, Keys
from .trail import Trail
from .verify import Tampering, Verdict, verify

__all__ = ["CENTRAL", "Anchor", "Entry", "Heads", "Keys", "Tampering", "Trail", "Verdict", "verify"]
