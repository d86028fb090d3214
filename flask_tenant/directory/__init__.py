"""What a tenant is: the directory keeps tenants in SQL tables of its own, and in memory what was asked for."""

from .facade import Directory
from .prepare import own_database
from .tables import Tables

__all__ = ["Directory", "Tables", "own_database"]
