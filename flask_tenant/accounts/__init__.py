"""People, for an application: puts all stages of identity together.

accounts.py   ``app.extensions["tenancy"].accounts``: the parts, put together
parts.py      what other stages provide for it
entry.py      logging in and out, step by step
crossing.py   from one host to another: several tenants, and operators who act as somebody else
presence.py   who is logged in
finding.py    from an address to where its owner logs in, by mail
links.py      where our pages are reached: for mails, and from one host to another
onboarding.py what sign-up needs of the rest
users.py      the application's own users, and Flask-Login
current.py    who asks, for views: ``current_member``, ``roles_required``, ``scopes_required``
"""

from __future__ import annotations

from .accounts import Accounts
from .current import current_member, current_token, roles_required, scopes_required

__all__ = ["Accounts", "current_member", "current_token", "roles_required", "scopes_required"]
