"""What a tenant is: the directory keeps tenants in SQL tables of its own."""

from .store import Directory
from .tables import metadata

__all__ = ["Directory", "metadata"]
