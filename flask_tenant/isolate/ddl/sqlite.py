"""SQLite's part of the DDL compiler.

A composite key has no generator there, and cannot stand inline: ``PRIMARY KEY AUTOINCREMENT`` leaves the
column (a comment behind the key keeps the wish, see ``settle``), and ids are numbered inside the INSERT. ``ON
DELETE SET NULL`` stays in the text, as the record of what is wanted; what carries it out are triggers (see
``settle``), because SQLite would set the hidden column NULL as well. Where a trigger is missing, the delete fails
instead.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ...errors import DdlRefusedError
from ..live.sqlite import NEVER_REUSED
from .common import TenantDDL


class SqliteTenantDDL(TenantDDL):
    """Mixed in before SQLAlchemy's ``SQLiteDDLCompiler``."""

    ft_hidden_type = "INTEGER"  # the only integer type that STRICT tables and plain ones both know

    def _ft_stands_inline(self, column: Any) -> bool:
        """Whether SQLAlchemy writes ``PRIMARY KEY AUTOINCREMENT`` into the column: its own condition."""
        return bool(
            column.primary_key
            and column.table.dialect_options["sqlite"]["autoincrement"]
            and len(column.table.primary_key.columns) == 1
            and issubclass(column.type._type_affinity, sa.Integer)
            and not column.foreign_keys
        )

    def get_column_specification(self, column: Any, **kw: Any) -> str:
        """Take the inline key away; it becomes a constraint of the table."""
        text = super().get_column_specification(column, **kw)
        if not self.ft_tenant(column.table) or not self._ft_stands_inline(column):
            return text
        inline = f" PRIMARY KEY{self._ft_on_conflict(column)} AUTOINCREMENT"
        if not text.endswith(inline):
            raise DdlRefusedError(
                f"The key of column {column.name!r} of table {column.table.fullname!r} is not where "
                "it was expected",
                value=text,
                hint="Drop sqlite_autoincrement from the table",
            )
        return text.removesuffix(inline)

    def _ft_on_conflict(self, column: Any) -> str:
        clause = column.dialect_options["sqlite"]["on_conflict_primary_key"]
        return f" ON CONFLICT {clause}" if clause is not None else ""

    def visit_primary_key_constraint(self, constraint: Any, **kw: Any) -> str:
        """Write the key that SQLAlchemy left to the column."""
        text: str | None = super().visit_primary_key_constraint(constraint, **kw)
        if text is None and self.ft_tenant(constraint.table):
            (column,) = constraint.columns
            body: str = self.define_primary_key_body(constraint, **kw) + self._ft_on_conflict(column)
            return f"{body} {NEVER_REUSED}" if self._ft_stands_inline(column) else body
        return text  # type: ignore[return-value]  # None is how SQLAlchemy's own compiler says "nothing"
