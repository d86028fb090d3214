"""PostgreSQL's part of the DDL compiler: made-up names, actions that spare the hidden column, exclusion."""

from __future__ import annotations

from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.schema import ForeignKeyConstraint, Index, UniqueConstraint

from ...errors import DdlRefusedError
from ..plain import plainly
from .common import TenantDDL, action_of
from .names import element_name, made_up_name, taken_in
from .settle import SETTING

SET_COLUMNS_SINCE = (15,)
"""The server's version since which ``ON DELETE SET NULL`` may name its columns."""


class PostgresqlTenantDDL(TenantDDL):
    """Mixed in before SQLAlchemy's ``PGDDLCompiler``."""

    ft_hidden_type = "BIGINT"

    # --- names

    def _ft_name(self, table: Any, columns: list[str], label: str) -> str:
        made: set[str] = self.__dict__.setdefault("_ft_made", set())
        made |= {str(c.name) for c in table.constraints if isinstance(c.name, str)}
        connection = self.ft_connection()

        def taken(name: str) -> bool:
            if name in made or connection is None:
                return name in made
            with plainly(connection):
                return taken_in(connection, table.schema, name, label)

        name = made_up_name(table.name, columns, label, taken)
        made.add(name)
        return name

    def ft_made_up_name(self, constraint: Any) -> str | None:
        """Return the server's name for an unnamed key; a primary key's does not depend on its columns."""
        if isinstance(constraint, ForeignKeyConstraint):
            return self._ft_name(constraint.parent, [e.parent.name for e in constraint.elements], "fkey")
        if isinstance(constraint, UniqueConstraint):
            included = constraint.dialect_options["postgresql"]["include"] or ()
            names = [*(c.name for c in constraint.columns), *(getattr(c, "name", c) for c in included)]
            return self._ft_name(constraint.table, names, "key")
        return None

    # --- foreign keys

    def define_constraint_ondelete_cascade(self, constraint: Any) -> str:
        """Let SET NULL and SET DEFAULT name the application's own columns."""
        text = super().define_constraint_ondelete_cascade(constraint)
        if not self.ft_scoped(constraint) or action_of(constraint.ondelete) not in SETTING:
            return text
        version = getattr(self.dialect, "server_version_info", None)
        if version is not None and version < SET_COLUMNS_SINCE:
            raise DdlRefusedError(
                f"ON DELETE {action_of(constraint.ondelete)} on table {constraint.parent.fullname!r} needs "
                f"PostgreSQL 15; this is {'.'.join(map(str, version))}",
                value=constraint.parent.fullname,
                hint="Upgrade the server, or choose another action",
            )
        own = ", ".join(self.preparer.quote(e.parent.name) for e in constraint.elements)
        return f"{text} ({own})"

    def define_constraint_onupdate_cascade(self, constraint: Any) -> str:
        """Refuse what would set the hidden column NULL: an update's action cannot name its columns."""
        if self.ft_scoped(constraint) and action_of(constraint.onupdate) in SETTING:
            raise DdlRefusedError(
                f"ON UPDATE {action_of(constraint.onupdate)} on table {constraint.parent.fullname!r} would "
                "reach the hidden tenant column, and PostgreSQL has no way to spare it",
                value=constraint.parent.fullname,
                hint="Use ON UPDATE CASCADE, or leave the action out",
            )
        return super().define_constraint_onupdate_cascade(constraint)

    def define_constraint_match(self, constraint: Any) -> str:
        """Leave MATCH FULL out where it says the same; with the hidden column it would forbid every NULL."""
        text = super().define_constraint_match(constraint)
        if not self.ft_scoped(constraint) or action_of(constraint.match) != "FULL":
            return text
        if len(constraint.elements) == 1:
            return ""
        raise DdlRefusedError(
            f"MATCH FULL on a composite foreign key of table {constraint.parent.fullname!r} cannot be "
            "made per tenant",
            value=constraint.parent.fullname,
            hint="Leave MATCH FULL out and add a CHECK that the columns are NULL together",
        )

    # --- exclusion constraints and indexes

    def visit_exclude_constraint(self, constraint: Any, **kw: Any) -> str:
        """Let rows exclude each other within a tenant only."""
        text = cast(str, super().visit_exclude_constraint(constraint, **kw))  # type: ignore[misc]
        table = constraint.parent
        if not self.ft_tenant(table):
            return text
        method = constraint.using.lower()
        if method == "hash":
            raise DdlRefusedError(
                f"An exclusion constraint of table {table.fullname!r} uses a hash index, which holds "
                "one column only",
                value=table.fullname,
                hint="Use gist (with the extension btree_gist) or a unique constraint",
            )
        if method == "gist":
            self._ft_needs_btree_gist(table)
        preamble = ""
        if constraint.name is None:
            names = [
                expression.name if isinstance(expression, sa.ColumnClause) else element_name(str(expression))
                for expression, _, _ in constraint._render_exprs
            ]
            preamble = f"CONSTRAINT {self.preparer.quote(self._ft_name(table, names, 'excl'))} "
        start = f"EXCLUDE USING {method} ("
        return preamble + text.replace(start, f"{start}{self.ft_hidden} WITH =, ", 1)

    def _ft_needs_btree_gist(self, table: Any) -> None:
        connection = self.ft_connection()
        if connection is None:
            return
        with plainly(connection):
            found = connection.scalar(
                sa.text("SELECT 1 FROM pg_catalog.pg_extension WHERE extname = 'btree_gist'")
            )
        if not found:
            raise DdlRefusedError(
                f"The exclusion constraint of table {table.fullname!r} needs the extension btree_gist to be "
                "held to a tenant",
                value=table.fullname,
                hint="Run CREATE EXTENSION btree_gist in this database as its owner, then try again",
            )

    def ft_index_scoped(self, index: Index) -> bool:
        """Leave indexes of other kinds as they are (most hold no integers), unless they are unique."""
        plain = index.dialect_options["postgresql"]["using"] in (False, None, "", "btree")
        return super().ft_index_scoped(index) and (bool(index.unique) or plain)
