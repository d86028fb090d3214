"""The statement compiler: renders each table as its tenant's view while SQLAlchemy compiles.

``plan`` decides where each FROM element's predicate goes, ``select``, ``dml`` and ``insert`` put it there, ``text``
and ``custom`` see to the application's own SQL inside a statement, ``values`` binds the tenant at execution. What
none of them has claimed is rendered as a filtered derived table, so that a path nobody thought of is safe by default.

The hooks are SQLAlchemy's own methods of :class:`~sqlalchemy.sql.compiler.SQLCompiler`, many of them private: the
version range in ``pyproject.toml`` is what the statement shapes of the tests were run against.
"""

from __future__ import annotations

from functools import cache

from sqlalchemy.sql.compiler import SQLCompiler

from .custom import CustomMixin
from .dml import DmlMixin
from .insert import InsertMixin
from .select import SelectMixin
from .text import TextMixin
from .values import ValuesMixin

__all__ = ["compiler_for"]


@cache
def compiler_for(base: type[SQLCompiler]) -> type[SQLCompiler]:
    """Return the tenant's compiler on top of a dialect's own.

    :param base: the dialect's ``statement_compiler``
    """
    mixins = (ValuesMixin, CustomMixin, SelectMixin, DmlMixin, InsertMixin, TextMixin)
    return type(f"Tenant{base.__name__}", (*mixins, base), {})
