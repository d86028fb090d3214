"""INSERT: rows are stamped with their tenant, and ids stay automatic.

``crud.py`` of SQLAlchemy sees the table with two hidden columns more, whose *defaults* are the tenant and, on
SQLite, the next id. So single rows, ``executemany``, insertmanyvalues with sentinels, ``values([...])`` and
RETURNING all work the way SQLAlchemy does them.

On SQLite a composite primary key has no generator. The next id within the tenant is a subquery inside the INSERT:
a SELECT beforehand would turn lock waits into errors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import Column, Integer, String, Table, func, literal_column, null, select, true
from sqlalchemy.sql.dml import Insert
from sqlalchemy.sql.elements import BindParameter, ClauseElement, ColumnElement
from sqlalchemy.sql.expression import and_
from sqlalchemy.sql.selectable import TableClause

from ..config import TMP
from ..ddl import sequence_table
from ..hidden import ID_KEY, STAMP, STAMP_KEY, HiddenColumn, folded, stamp_column
from ..rawsql.words import ROW_ADDRESSES
from .base import Base, guarded
from .dml import with_factory

ROW_NUMBER = "/*ft:row*/1"
"""Stands for a row's number within its batch until the batch is known."""

SQLITE_MAX_PARAMETERS = 32_700


class NextId(ColumnElement[int]):
    """``(SELECT coalesce(max(id), 0) FROM t WHERE tenant_id = :tenant) + k``

    :param offset: k; by default the row's number within its batch
    :param given: the id that the application gave, which counts unless it is NULL
    """

    __visit_name__ = "ft_next_id"
    inherit_cache = True
    type = Integer()

    def __init__(
        self,
        table: TableClause,
        column: Column[Any],
        offset: ColumnElement[int] | None = None,
        given: ColumnElement[Any] | None = None,
    ) -> None:
        self.table, self.column, self.offset, self.given = table, column, offset, given

    def self_group(self, against: Any = None) -> Any:
        return self


class _Columns:
    """The column collection that ``crud.py`` iterates: the application's columns and ours."""

    def __init__(self, columns: tuple[Any, ...]) -> None:
        self._by_key = {c.key: c for c in columns}

    def __iter__(self) -> Iterator[Any]:
        return iter(self._by_key.values())

    def __len__(self) -> int:
        return len(self._by_key)

    def __getitem__(self, key: Any) -> Any:
        return self._by_key[key] if isinstance(key, str) else list(self._by_key.values())[key]

    def __contains__(self, key: Any) -> bool:
        return key in self._by_key if isinstance(key, str) else any(key is c for c in self._by_key.values())


class StampedTable:
    """A table as an INSERT sees it: everything is the application's own, except for a few columns more."""

    def __init__(self, table: TableClause, hidden: list[Column[Any]]) -> None:
        self.ft_table = table
        self.c = self.columns = _Columns((*table.c, *hidden))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ft_table, name)


class InsertMixin(Base):
    """Stamps rows, numbers them on SQLite, and keeps conflict targets per tenant."""

    ft_unset_id: NextId | None = None
    ft_unset_keys: frozenset[str] = frozenset()

    def visit_insert(self, insert_stmt: Insert, **kw: Any) -> str:
        text = cast(str, super().visit_insert(with_factory(insert_stmt, self._ft_stamped), **kw))  # type: ignore[misc]
        self.postfetch = [c for c in self.postfetch or () if c.key not in (STAMP_KEY, ID_KEY)]
        many = self._insertmanyvalues
        if many is not None and not self.positional and many.insert_crud_params:
            # one parameter for the whole batch, not one for each row
            self._insertmanyvalues = many._replace(
                insert_crud_params=[
                    (c, n, v, [b for b in bound if b != STAMP_KEY])
                    for c, n, v, bound in many.insert_crud_params
                ]
            )
        if many is None and text.count(ROW_NUMBER) > 1:
            text = numbered(text)  # insert().values([...])
        if self.ft_unset_id is not None:
            self.ft_unset_id = None
            del self.__dict__["visit_bindparam"]
        return text

    def _ft_stamped(self, statement: Any, state: Any) -> Any:
        table = statement.table
        self._ft_check_set(statement)  # type: ignore[attr-defined]
        if table.name.startswith(TMP) and self._ft_is_tenant(table):
            return self._ft_batch_copy(statement, state)
        if not self._ft_is_tenant(table):
            return statement
        statement = statement._generate()
        hidden: list[Column[Any]] = [stamp_column(self.wall.config.column)]
        auto = self._ft_auto_id(table) if self.dialect.name == "sqlite" else None
        given = auto is not None and self._ft_given(auto.key, statement)
        if auto is not None and given and statement.select is None:
            # The application names the id, but may leave it None in some row.
            self.ft_unset_id = NextId(table, auto)
            self.__dict__["visit_bindparam"] = self._ft_bindparam  # for this statement only: they are many
            self.ft_unset_keys = frozenset(self._ft_falling_back(state, auto, table))
            auto = None
        if auto is not None and not given:
            hidden.append(Column(auto.name, auto.type, key=ID_KEY, default=NextId(table, auto)))
        if statement.select is not None:
            self._ft_stamp_select(statement, NextId(table, auto) if auto is not None else None, given)
            hidden = [Column(h.name, h.type, key=h.key) for h in hidden]
            state._dict_parameters = {**state._dict_parameters, **{h.key: null() for h in hidden}}
        statement.table = StampedTable(table, hidden)
        if statement._return_defaults and not statement._return_defaults_columns:
            statement._return_defaults_columns = tuple(table.c)  # which means all, and not ours
        return statement

    def _ft_stamp_select(self, statement: Any, next_id: NextId | None, given: bool) -> None:
        """Add the hidden columns to what an ``INSERT … SELECT`` selects.

        :param given: whether the application selects the automatic id, which may be NULL in some row
        """
        source = statement.select.subquery("ft_source")
        columns: list[Any] = list(source.c)
        names = list(statement._select_names)
        if len(columns) != len(names):  # columns written as text have no names that SQLAlchemy knows
            columns = [literal_column("ft_source.*")]
        numbered = (
            None if next_id is None else NextId(next_id.table, next_id.column, func.row_number().over())
        )
        if numbered is not None and not given:
            columns.append(numbered)
            names.append(ID_KEY)
        elif numbered is not None and len(columns) == len(names):
            at = names.index(numbered.column.key)
            numbered.given, columns[at] = columns[at], numbered
        selected = select(*columns, STAMP).select_from(source)
        if statement._post_values_clause is not None:
            selected = selected.where(true())  # SQLite would take ON CONFLICT for a join's ON
        statement.select, statement._select_names = selected, [*names, STAMP_KEY]

    def _ft_falling_back(self, state: Any, auto: Column[Any], table: TableClause) -> Iterator[str]:
        """Let expressions for the id fall back to the next one.

        :returns: the keys of plain values, which do it when they are rendered
        """
        several = state._multi_parameters if state._has_multi_parameters else None
        rows = [dict(row) for row in several or [state._dict_parameters or {}]]
        for row in rows:
            for key in [k for k in row if getattr(k, "key", k) == auto.key]:
                value = row[key]
                if isinstance(value, BindParameter) and value.unique:
                    yield value.key
                elif isinstance(value, ClauseElement):
                    row[key] = NextId(table, auto, given=cast("ColumnElement[Any]", value))
        state._dict_parameters = rows[0]
        if several is not None:
            state._multi_parameters = rows

    def _ft_auto_id(self, table: TableClause) -> Column[Any] | None:
        found = getattr(table, "_autoincrement_column", None)
        if found is None and not isinstance(table, Table):
            view = self.wall.views.find(table.name, table.schema)
            if view is not None and view.auto_id is not None:
                return Column(view.auto_id, Integer)
        return cast("Column[Any] | None", found)

    def _ft_given(self, key: str, statement: Any) -> bool:
        given: set[Any] = set(self.column_keys or ())
        for row in (
            statement._values,
            *(m for several in statement._multi_values or () for m in several[:1]),
        ):
            given.update(getattr(k, "key", k) for k in (row or ()))
        given.update(statement._select_names or ())
        return key in given

    def _ft_batch_copy(self, statement: Any, state: Any) -> Any:
        """Alembic's batch mode on SQLite: the copy of a table carries every tenant's rows, with their column."""
        statement = statement._generate()
        source = statement.select
        origin = source.get_final_froms()[0]
        copied = source._generate()
        copied._raw_columns = [*source._raw_columns, HiddenColumn(self.wall.config.column, origin)]
        statement.select, statement._select_names = copied, [*statement._select_names, STAMP_KEY]
        statement.table = StampedTable(statement.table, [stamp_column(self.wall.config.column, default=None)])
        state._dict_parameters = {**state._dict_parameters, STAMP_KEY: null()}
        self.wall.allow_batch_copy(origin.name)
        self.ft_batch_copy_of = origin
        return statement

    ft_batch_copy_of: TableClause | None = None

    def _ft_is_tenant(self, table: TableClause) -> bool:
        if self.ft_batch_copy_of is not None and table is self.ft_batch_copy_of:
            return False
        return super()._ft_is_tenant(table)

    # ---- the id that the application named and left empty
    def _ft_bindparam(self, bindparam: Any, *args: Any, **kw: Any) -> str:
        text = cast(str, type(self).visit_bindparam(self, bindparam, *args, **kw))
        unset = self.ft_unset_id
        if unset is None:
            return text
        key, name = bindparam.key, unset.column.key
        ours = getattr(bindparam, "_is_crud", False) and bindparam.type is unset.column.type
        if key in self.ft_unset_keys or (ours and (key == name or _row_of(name, key))):
            return f"coalesce({text}, {self.process(unset, **_counting(kw))})"
        return text

    def visit_ft_next_id(self, element: NextId, **kw: Any) -> str:
        quote = self.preparer.quote
        offset = ROW_NUMBER if element.offset is None else self.process(element.offset, **_counting(kw))
        where = used = ""
        if not self.wall.template:
            tenant = self.process(STAMP, **_counting(kw))
            where = f" WHERE {quote(self.wall.config.column)} = {tenant}"
            used = f" AND tenant = {tenant}"
        table = self.preparer.format_table(element.table)
        largest = f"coalesce(max({quote(element.column.name)}), 0)"
        view = self.wall.views.find(element.table.name, element.table.schema)
        if view is not None and view.never_reused:
            sequence = sequence_table(self.wall.config)
            name = self.render_literal_value(view.name, String())
            largest = (
                f"max({largest}, (SELECT coalesce(max(number), 0) FROM {sequence} WHERE name = {name}{used}))"
            )
        text = f"(SELECT {largest} FROM {table}{where}) + {offset}"
        if element.given is None:
            return text
        return f"coalesce({self.process(element.given, **_counting(kw))}, {text})"

    def _deliver_insertmanyvalues_batches(self, *args: Any, **kw: Any) -> Iterator[Any]:
        changed = list(args)
        many = self._insertmanyvalues
        if self.dialect.name != "sqlite":
            yield from super()._deliver_insertmanyvalues_batches(*args, **kw)
            return
        if many is not None and self.positional and many.num_positional_params_counted:
            # SQLAlchemy counts columns, while a row of ours may bind more values than it has columns.
            changed[4] = max(1, min(changed[4], SQLITE_MAX_PARAMETERS // many.num_positional_params_counted))
        for batch in super()._deliver_insertmanyvalues_batches(*changed, **kw):
            if batch.current_batch_size > 1 and ROW_NUMBER in batch.replaced_statement:
                batch = self._ft_numbered(batch)
            yield batch

    def _ft_numbered(self, batch: Any) -> Any:
        """Number the rows of a batch, and look for the largest id once instead of in every row where that is equal."""
        many: Any = self._insertmanyvalues
        text = batch.replaced_statement
        columns = many.insert_crud_params
        at = next((n for n, (column, *_) in enumerate(columns) if column.key == ID_KEY), None)
        if at is None:  # the id is given, but for some rows
            return batch._replace(replaced_statement=numbered(text))
        next_id = columns[at][2]
        whole = selected(text, many.single_values_expr, next_id, at, len(columns), batch.current_batch_size)
        names = {name for *_, names in columns for name in names}
        first = next(n for n, name in enumerate(self.positiontup or ()) if name in names)
        given = batch.replaced_parameters
        tenant = (self.wall.tenant_id(),) * _placeholders(next_id) if not self.wall.template else ()
        return batch._replace(
            replaced_statement=whole, replaced_parameters=(*given[:first], *tenant, *given[first:])
        )

    # ---- ON CONFLICT
    def _on_conflict_target(self, clause: Any, **kw: Any) -> str:
        text = cast(str, super()._on_conflict_target(clause, **kw))  # type: ignore[misc]
        if text.startswith("(") and self._ft_inserting() is not None:
            return f"({self.preparer.quote(self.wall.config.column)}, {text[1:]}"
        return text

    def visit_on_conflict_do_update(self, on_conflict: Any, **kw: Any) -> str:
        table = self._ft_inserting()
        if table is not None:
            self._ft_note_read(table)
            for key in dict(on_conflict.update_values_to_set):
                name = getattr(key, "name", key)
                if isinstance(name, str) and folded(name) == self.wall.config.column.lower():
                    from .base import hidden_column

                    raise hidden_column(name)
                if isinstance(name, str) and folded(name) in ROW_ADDRESSES[self.dialect.name]:
                    self._ft_check_address(folded(name), table)
            changed = on_conflict._clone()
            changed.update_whereclause = self._ft_met(table, on_conflict.update_whereclause)
            on_conflict = changed
        return cast(str, super().visit_on_conflict_do_update(on_conflict, **kw))  # type: ignore[misc]

    def _ft_met(self, table: TableClause, where: ColumnElement[bool] | None) -> ColumnElement[bool]:
        """Return the condition under which ON CONFLICT DO UPDATE changes the row that it meets."""
        mine = self._ft_belongs(table)
        return mine if where is None else and_(mine, *guarded([where]))

    def _ft_inserting(self) -> TableClause | None:
        table = getattr(self.stack[-1]["selectable"], "table", None)
        return table.ft_table if isinstance(table, StampedTable) else None


def _row_of(name: str, key: str) -> bool:
    """Whether ``key`` is how SQLAlchemy calls the value of column ``name`` in a row of ``values([...])``."""
    return key.startswith(f"{name}_m") and key[len(name) + 2 :].isdigit()


def _counting(kw: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in kw.items() if k in ("accumulate_bind_names", "visited_bindparam")}


@lru_cache(64)
def numbered(text: str) -> str:
    """Number the rows of a batch: 1, 2, 3, …"""
    head, *rest = text.split(ROW_NUMBER)
    return head + "".join(f"{n}{part}" for n, part in enumerate(rest, 1))


_IN_QUOTES = re.compile(r"""'[^']*'|"[^"]*\"""")


def _placeholders(text: str) -> int:
    """How many values an expression binds; a name may hold question marks as well."""
    return _IN_QUOTES.sub("", text).count("?")


@lru_cache(64)
def selected(text: str, row: str, next_id: str, at: int, columns: int, rows: int) -> str:
    """Turn ``INSERT … VALUES`` of several rows into ``INSERT … SELECT``, which looks for the largest id once.

    SQLite takes 14 µs for the subquery in each row, and 0.3 µs this way. The parameters of the subquery come once
    more, before the rows'; those in the rows stay, as nothing.

    :param row: the values of one row, without parentheses
    :param next_id: the expression for the id in it
    :param at: its place among the ``columns`` values
    """
    block = ", ".join([f"({row})"] * rows)
    head, found, tail = text.partition(f"VALUES {block}")
    if not found:
        raise AssertionError("the rows of an INSERT are not where SQLAlchemy puts them")
    nothing = "? * 0 + " * _placeholders(next_id)
    numbered_rows = ", ".join(
        f"({row.replace(next_id, f'{nothing}{number}')})" for number in range(1, rows + 1)
    )
    values = [f"ft_rows.column{n}" for n in range(1, columns + 1)]
    values[at] += " + ft_next.n"
    largest = next_id.partition(f" + {ROW_NUMBER}")[0]
    return (
        f"{head}SELECT {', '.join(values)} FROM (SELECT {largest} AS n) AS ft_next "
        f"CROSS JOIN (VALUES {numbered_rows}) AS ft_rows WHERE true{tail}"
    )
