"""The ways to log in that each tenant has.

kinds.py     which kinds there are: ``oidc``, ``ldap``, ``local``, and what an application adds
rows.py      reads and writes the rows; their secrets stay encrypted until somebody asks for one
roles.py     which groups of a provider give which roles
facade.py    the ways to log in of a tenant: looked up, opened, tried out, changed
"""

from .facade import Providers
from .kinds import Kinds

__all__ = ["Kinds", "Providers"]
