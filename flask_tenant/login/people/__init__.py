"""Who belongs to a tenant, and as what.

persons.py      people, and the passwords of those who have one of ours
members.py      who belongs to a tenant; roles; the last administrator
arrivals.py     what becomes of somebody for whom a provider has vouched
invitations.py  leave to become a member
"""

from .invitations import People
from .persons import checked_email

__all__ = ["People", "checked_email"]
