"""What every dialect's DDL compiler does alike: the hidden column, and keys that start with it.

The translation is done constraint by constraint, in the compiler, so that ``create_all``, Alembic's
operations and its batch mode all pass through it, and the application's own ``Table`` objects never learn
of it.
"""

from __future__ import annotations

import copy
import weakref
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any, ClassVar, cast

import sqlalchemy as sa
from sqlalchemy.schema import ForeignKeyConstraint, Index, PrimaryKeyConstraint, UniqueConstraint
from sqlalchemy.sql.compiler import DDLCompiler

from ...context import current_scope
from ...errors import DdlRefusedError
from ..config import IsolateConfig
from ..hidden import folded
from .text import translate_ddl

running: ContextVar[weakref.ref[sa.Connection] | None] = ContextVar(
    "flask_tenant_ddl_connection", default=None
)
"""The connection that the DDL statement being compiled is for: made-up names must be free there."""


def action_of(phrase: str | None) -> str:
    """Return a foreign key's action in capitals, with single spaces."""
    return " ".join(phrase.upper().split()) if phrase else ""


class HiddenColumn(sa.ColumnClause[int]):
    """The hidden column as an element of an index, which no statement compiler has a say in."""

    inherit_cache = False

    def _compiler_dispatch(self, visitor: Any, **kw: Any) -> str:
        return str(visitor.preparer.quote(self.name))


class _HiddenSpecification:
    """Stands among the columns of a CREATE TABLE, for the one that the Table does not have."""

    primary_key = False

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self.element = self

    def _compiler_dispatch(self, visitor: Any, **kw: Any) -> str:
        return self.text


class TenantDDL(DDLCompiler):
    """Mixed in before a dialect's own DDL compiler."""

    ft_config: ClassVar[IsolateConfig]
    ft_hidden_type: ClassVar[str]

    # The foreign key whose text is being made: its action and match clauses follow, and mean the same one.
    _ft_key: ForeignKeyConstraint | None = None

    def ft_tenant(self, table: Any) -> bool:
        """Whether the table's rows belong to tenants."""
        return isinstance(table, sa.Table) and self.ft_config.is_tenant(table.name, table.schema)

    @property
    def ft_hidden(self) -> str:
        """The hidden column's name, quoted where needed."""
        return self.preparer.quote(self.ft_config.column)

    def ft_columns(self, names: Iterable[str]) -> str:
        """Return a key's column list, the hidden one first."""
        return ", ".join([self.ft_hidden, *(self.preparer.quote(name) for name in names)])

    def ft_connection(self) -> sa.Connection | None:
        """Return the connection that the statement is for, if that is known."""
        reference = running.get()
        connection = reference() if reference is not None else None
        if connection is None or connection.closed or connection.dialect is not self.dialect:
            return None
        return connection

    # --- tables

    def visit_create_table(self, create: Any, **kw: Any) -> str:
        """Put the hidden column first."""
        table = create.element
        scope = current_scope()
        if self.ft_config.is_ours(table.name, table.schema) and not (scope is not None and scope.internal):
            raise DdlRefusedError(
                f"The table {table.fullname!r} was to be created under a name that is flask_tenant's own",
                value=table.fullname,
                hint="Rename it, or configure another prefix for the directory's tables",
            )
        if self.ft_tenant(table):
            text = f"{self.ft_hidden} {self.ft_hidden_type} NOT NULL"
            create = copy.copy(create)
            create.columns = [_HiddenSpecification(self.ft_config.column, text), *create.columns]
        return cast(str, super().visit_create_table(create, **kw))  # type: ignore[no-untyped-call]

    def get_column_specification(self, column: Any, **kw: Any) -> str:
        """Refuse the application a column of the hidden one's name."""
        table = column.table
        ours = table is not None and self.ft_config.is_ours(table.name, table.schema)
        if folded(column.name) == self.ft_config.column.lower() and not ours:
            where = f" of table {table.fullname!r}" if table is not None else ""
            raise DdlRefusedError(
                f"The column {column.name!r}{where} bears the name of the hidden tenant column",
                value=column.name,
                hint="Set TENANT_COLUMN to another name for the hidden column; the application's own stays as it is",
            )
        return super().get_column_specification(column, **kw)

    def visit_create_table_as(self, element: Any, **kw: Any) -> str:
        """Refuse: a table made from a query has neither the hidden column nor keys."""
        raise DdlRefusedError(
            f"CREATE TABLE {element.table.fullname!r} AS SELECT cannot be made tenant-ready",
            value=element.table.fullname,
            hint="Create the table with its columns, then INSERT ... SELECT into it",
        )

    def visit_create_view(self, element: Any, **kw: Any) -> str:
        """Make a view of the tables as they stand: tenants may use it once the operator vouches for it."""
        plain = getattr(self.dialect, "ft_plain", self.dialect)
        self.__dict__["sql_compiler"] = plain.statement_compiler(plain, None)
        return super().visit_create_view(element, **kw)  # type: ignore[misc,no-any-return,unused-ignore]

    def visit_ddl(self, ddl: Any, **kw: Any) -> str:
        """Translate hand-written DDL, such as ``DDL("CREATE UNIQUE INDEX ...")``."""
        text = cast(str, super().visit_ddl(ddl, **kw))  # type: ignore[no-untyped-call]
        # Where the driver wants it, every percent sign is doubled by now; the translator must not see it.
        doubled = self.preparer._double_percents
        text = translate_ddl(text.replace("%%", "%") if doubled else text, self.dialect.name, self.ft_config)
        return text.replace("%", "%%") if doubled else text

    # --- keys

    def ft_made_up_name(self, constraint: Any) -> str | None:
        """Return the name that the server would give the single-tenant constraint, if it gives names."""
        return None

    def define_constraint_preamble(self, constraint: Any, **kw: Any) -> str:
        """Name what the server would have named."""
        text = super().define_constraint_preamble(constraint, **kw)
        if not text and self.ft_scoped(constraint):
            name = self.ft_made_up_name(constraint)
            if name is not None:
                text = f"CONSTRAINT {self.preparer.quote(name)} "
        return text

    def ft_scoped(self, constraint: Any) -> bool:
        """Whether the key gains the hidden column."""
        if isinstance(constraint, ForeignKeyConstraint):
            return self.ft_tenant(constraint.parent) and self.ft_tenant(constraint.elements[0].column.table)
        key = isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint)
        return key and self.ft_tenant(constraint.table)

    def define_primary_key_body(self, constraint: Any, **kw: Any) -> str:
        """Make a primary key the tenant's."""
        text = super().define_primary_key_body(constraint, **kw)
        return text.replace("(", f"({self.ft_hidden}, ", 1) if self.ft_scoped(constraint) else text

    def define_unique_body(self, constraint: Any, **kw: Any) -> str:
        """Make a unique constraint the tenant's."""
        text = super().define_unique_body(constraint, **kw)
        return text.replace("(", f"({self.ft_hidden}, ", 1) if self.ft_scoped(constraint) else text

    def define_foreign_key_body(self, constraint: Any, **kw: Any) -> str:
        """Hold a foreign key between tenant tables to the tenant's own rows."""
        local, remote = constraint.parent, constraint.elements[0].column.table
        if self.ft_tenant(remote) and not self.ft_tenant(local):
            raise DdlRefusedError(
                f"The shared table {local.fullname!r} refers to {remote.fullname!r}, whose rows "
                "belong to tenants",
                value=local.fullname,
                hint=f"Drop the foreign key, or take {local.fullname!r} off the list of shared tables",
            )
        self._ft_key = constraint
        if not self.ft_scoped(constraint):
            return super().define_foreign_key_body(constraint, **kw)
        target = self.define_constraint_remote_table(constraint, remote, self.preparer)  # type: ignore[no-untyped-call]
        own = self.ft_columns(element.parent.name for element in constraint.elements)
        referred = self.ft_columns(element.column.name for element in constraint.elements)
        return f"FOREIGN KEY({own}) REFERENCES {target} ({referred})"

    def define_constraint_match(self, constraint: Any) -> str:
        """Render MATCH, which is asked for before a foreign key's actions.

        :raises DdlRefusedError: for a ``REFERENCES`` inside a column (Alembic's ``inline_references``)
        """
        if self.ft_scoped(constraint) and self._ft_key is not constraint:
            raise DdlRefusedError(
                f"A foreign key of table {constraint.parent.fullname!r} was to be written inside its column, "
                "where it cannot be held to the tenant's own rows",
                value=constraint.parent.fullname,
                hint="Leave inline_references out, or use batch_alter_table(recreate='always')",
            )
        return super().define_constraint_match(constraint)

    # --- indexes

    def ft_index_scoped(self, index: Index) -> bool:
        """Whether the index gains the hidden column."""
        return self.ft_tenant(index.table)

    def visit_create_index(self, create: Any, *args: Any, **kw: Any) -> str:
        """Make an index the tenant's."""
        index = create.element
        if index.table is not None and self.ft_index_scoped(index):
            scoped = copy.copy(index)
            scoped.expressions = [HiddenColumn(self.ft_config.column), *index.expressions]
            create = copy.copy(create)
            create.element = scoped
        return cast(str, super().visit_create_index(create, *args, **kw))  # type: ignore[no-untyped-call]
