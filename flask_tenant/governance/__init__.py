"""The rules of an application at work: what puts the store, the language, the engine and the wall together.

governance.py   ``app.extensions["tenancy"].governance``: which rules hold, for the wall; activation
vocabulary.py   what rule files may name: tables and columns as the databases have them
proof.py        shows at start-up, and before each activation, that rules are enforced
recording.py    writes down statements, for a dry run
rehearsal.py    what a statement becomes under other rules: for ``explain`` and ``dry-run``
events.py       event rules: what they need and keep
"""

from __future__ import annotations

from .governance import Governance, registered

__all__ = ["Governance", "registered"]
