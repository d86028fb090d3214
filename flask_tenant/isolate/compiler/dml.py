"""UPDATE and DELETE: the tenant's predicate joins WHERE, and the hidden column is nobody's to set.

One hook serves both on SQLAlchemy 2.0 and 2.1: the statement's own compile state is made by a factory, and the
statement is changed right after that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from sqlalchemy.sql import visitors
from sqlalchemy.sql.dml import Delete, Update, UpdateBase
from sqlalchemy.sql.elements import BindParameter
from sqlalchemy.sql.selectable import FromClause

from ...errors import StatementRefusedError
from ..hidden import folded
from ..rawsql.words import ROW_ADDRESSES
from .base import Base, guarded, hidden_column
from .plan import table_below

S = TypeVar("S", bound=UpdateBase)


def with_factory(statement: S, change: Callable[[Any, Any], Any]) -> S:
    """Return a copy of the statement that is passed through ``change`` once its compile state exists.

    :param change: takes (statement, compile state) and returns the statement to compile
    """
    original = statement._compile_state_factory

    def factory(stmt: Any, compiler: Any, **kw: Any) -> Any:
        state: Any = original(stmt, compiler, **kw)
        state.statement = change(state.statement, state)
        return state

    changed = statement._generate()
    changed._compile_state_factory = factory  # type: ignore[method-assign,assignment]
    return changed


class DmlMixin(Base):
    """Keeps UPDATE and DELETE inside the tenant."""

    def visit_update(self, update_stmt: Update, **kw: Any) -> str:
        return cast(str, super().visit_update(with_factory(update_stmt, self._ft_scoped), **kw))  # type: ignore[misc]

    def visit_delete(self, delete_stmt: Delete, **kw: Any) -> str:
        return cast(str, super().visit_delete(with_factory(delete_stmt, self._ft_scoped), **kw))  # type: ignore[misc]

    def _ft_scoped(self, statement: Any, state: Any) -> Any:
        self._ft_check_set(statement)
        if not isinstance(statement.table, _table_types()):
            raise StatementRefusedError(
                f"UPDATE or DELETE of {type(statement.table).__name__} instead of a table",
                hint="Name one table, and join others with UPDATE ... FROM or a subquery",
            )
        extra = [f for f in getattr(state, "_extra_froms", ()) or () if f is not statement.table]
        found = self._ft_plan(extra, cast("FromClause", statement.table))
        below = table_below(statement.table)
        if below is not None:
            self._ft_note_read(below)
        changed = statement._generate()
        changed._where_criteria = (*found.where, *guarded(statement._where_criteria))
        changed.ft_plan, changed.ft_extra = found, extra
        return changed

    def _ft_check_set(self, statement: Any) -> None:
        """Refuse a value for the hidden column, however it was given."""
        names: set[object] = set(self.column_keys or ())
        if names and not statement.is_insert:
            # a parameter of the condition is no value for a column, whatever its name
            names -= {b.key for b in visitors.iterate(statement) if isinstance(b, BindParameter)}
        names.update(getattr(statement, "_values", None) or ())
        names.update(k for k, _ in getattr(statement, "_ordered_values", None) or ())
        for several in getattr(statement, "_multi_values", None) or ():
            for row in several:
                names.update(row if isinstance(row, dict) else ())
        names.update(getattr(statement, "_select_names", None) or ())
        column = self.wall.config.column.lower()
        for key in names:
            name = getattr(key, "name", None) or getattr(key, "key", None) or key
            if isinstance(name, str) and folded(name) == column:
                raise hidden_column(name)
            if isinstance(name, str) and folded(name) in ROW_ADDRESSES[self.dialect.name]:
                self._ft_check_address(folded(name), statement.table)


def _table_types() -> tuple[type, ...]:
    from sqlalchemy.sql.selectable import Alias, TableClause

    return (TableClause, Alias)
