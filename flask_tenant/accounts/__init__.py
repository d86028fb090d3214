"""People, for an application: puts all stages of identity together.

accounts.py   ``app.extensions["tenancy"].accounts``: the parts, put together
parts.py      what other stages provide for it
entry.py      logging in and out, step by step
current.py    who is logged in, for views: ``current_member``, ``roles_required``, ``scopes_required``
"""

from __future__ import annotations

from .accounts import Accounts
from .current import current_member, roles_required

__all__ = ["Accounts", "current_member", "roles_required"]
