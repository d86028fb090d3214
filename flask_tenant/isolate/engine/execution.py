"""The execution context: what our compilers have rendered is vouched for, and admitted under the rules in force."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.sql.elements import TextClause

from ...context import internal
from ...errors import StatementRefusedError
from ..compiler.values import ValuesMixin
from ..ddl import changes_tables
from ..drivers import driver_for
from ..guard import Vouched
from .connection import TenantConnection

if TYPE_CHECKING:
    from ...model import TableView
    from ..wall import Wall


class _Context(DefaultExecutionContext):
    """Vouches for what our compilers have rendered."""

    ft_statement: str | None = None
    ft_sent: Any = None
    """Of insertmanyvalues, the parameters of the batch as the driver is to get them."""
    ft_asking = False
    ft_ruled = False
    """Whether the tenant has rules."""

    def _ft_vouch(self) -> Any:
        # One Vouched string for each compiled form: it is the statement, unless IN lists were expanded into it.
        compiled: Any = self.compiled
        text = self.statement
        kept = compiled.__dict__.get("ft_vouched")
        if kept is None or kept[0] is not text:
            kept = compiled.__dict__["ft_vouched"] = (text, Vouched(text))
        self.statement = self.ft_statement = kept[1]
        return self

    @classmethod
    def _init_compiled(cls: Any, dialect: Any, connection: Any, *args: Any, **kw: Any) -> Any:
        compiled = kw["compiled"] if "compiled" in kw else args[2]
        if not isinstance(compiled, ValuesMixin):
            return super()._init_compiled(dialect, connection, *args, **kw)  # type: ignore[misc]
        wall: Wall = dialect.ft_wall
        if compiled.dialect is not dialect:
            raise StatementRefusedError(
                "A statement that was compiled for another engine, or for another kind of scope",
                hint="Execute the statement itself; SQLAlchemy keeps its compiled form",
            )
        wall.admit(compiled, connection)
        if wall.law.source is not None or wall.overlays is not None:
            if not isinstance(connection, TenantConnection):
                raise StatementRefusedError(
                    f"A {type(connection).__name__} that the engine has not made asks no rules",
                    hint="Use engine.connect()",
                )
            if connection.ft_ruling is not None:
                connection.ft_admit(compiled)
        if compiled.isplaintext and compiled.__dict__.get("ft_setting", True) and wall.is_setting(compiled):
            holder = driver_for(dialect.driver).raw(connection.connection.dbapi_connection)
            wall.admit_text(compiled, holder)
        self: Any = super()._init_compiled(dialect, connection, *args, **kw)  # type: ignore[misc]
        self.ft_ruled = getattr(connection, "ft_ruling", None) is not None
        return self._ft_vouch()

    @classmethod
    def _init_ddl(cls, dialect: Any, connection: Any, *args: Any, **kw: Any) -> Any:
        compiled = kw["compiled_ddl"] if "compiled_ddl" in kw else args[2]
        dialect.ft_wall.admit_ddl(compiled.statement)
        self: Any = super()._init_ddl(dialect, connection, *args, **kw)  # type: ignore[misc]
        return self._ft_vouch()

    @classmethod
    def _init_statement(cls, dialect: Any, connection: Any, *args: Any, **kw: Any) -> Any:
        # exec_driver_sql: the text is rewritten at the cursor; here its transaction gets an owner
        if dialect.ft_wall.in_tenant():
            dialect.ft_wall.pin(connection)
        return super()._init_statement(dialect, connection, *args, **kw)  # type: ignore[misc]

    def post_exec(self) -> None:
        super().post_exec()
        if not self.is_text and not self.isddl:
            return
        known = self.compiled.__dict__.get("ft_changes") if self.compiled is not None else None
        if known is None:
            known = self._ft_changes_tables()
        if known:
            self.dialect.ft_wall.schema_changed(self.root_connection)  # type: ignore[attr-defined]

    def _ft_changes_tables(self) -> bool:
        known = changes_tables(cast(str, self.statement))
        if self.compiled is not None:
            self.compiled.__dict__["ft_changes"] = known
        return known

    def _execute_scalar(self, stmt: Any, *args: Any, **kw: Any) -> Any:
        # Defaults and sequences that SQLAlchemy runs beforehand: the dialect's own text, or compiled by us.
        self.ft_asking = True
        try:
            return super()._execute_scalar(Vouched(stmt), *args, **kw)  # type: ignore[misc]
        finally:
            self.ft_asking = False


class _SqliteContext(_Context):
    """``lastrowid`` is SQLite's physical row; the application's id is in that row."""

    def get_lastrowid(self) -> Any:
        wall: Wall = self.dialect.ft_wall  # type: ignore[attr-defined]
        connection = cast(Any, self._dbapi_connection).dbapi_connection
        view = self._ft_inserted(wall)
        if not self.dialect.is_async:
            if view is not None and self.cursor.rowcount != 0:
                connection.ft_inserted = view
            return super().get_lastrowid()
        if (
            self.ft_asked is None
        ):  # while the statement runs; the application may look later, where it cannot wait
            self.ft_asked = (self._ft_asked_id(wall, connection, view),)
        return self.ft_asked[0]

    ft_asked: tuple[Any] | None = None

    def _ft_asked_id(self, wall: Wall, connection: Any, view: TableView | None) -> Any:
        with internal():  # the driver's thread knows no tenant: the physical row, and then we ask
            row = super().get_lastrowid()
        if row is None or (view is not None and view.shared):  # type: ignore[redundant-expr]
            return row
        if view is None or view.auto_id is None:
            return None
        quote = self.dialect.identifier_preparer.quote
        cursor = connection.cursor()
        cursor.execute(
            Vouched(
                f"SELECT {quote(view.auto_id)} FROM {quote(view.name)} "
                f"WHERE rowid = ? AND {quote(wall.config.column)} = ?"
            ),
            (row, wall.scope().tenant_id),
        )
        found = cursor.fetchone()
        cursor.close()
        return found[0] if found else None

    def _ft_inserted(self, wall: Wall) -> TableView | None:
        """The table that the statement has inserted into."""
        statement = getattr(self.compiled, "statement", None)
        if self.isinsert:
            table = cast(Any, statement).table
            return wall.views.find(table.name, table.schema)
        if isinstance(statement, TextClause):
            known = wall.raw.statement(statement.text, "text")
        elif self.compiled is None:
            known = wall.raw.statement(cast(str, self.statement), "qmark")
        else:
            return None
        return next(iter(known.writes), None) if known.kind == "insert" else None


@cache
def context_class(base: type[Any], sqlite: bool) -> type[Any]:
    return type(f"Tenant{base.__name__}", (_SqliteContext if sqlite else _Context, base), {})
