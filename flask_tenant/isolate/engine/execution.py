"""The execution context: what our compilers have rendered is vouched for, and admitted under the rules in force."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy.engine.cursor import _DEFAULT_FETCH, CursorFetchStrategy
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.sql import select, type_coerce
from sqlalchemy.sql.elements import TextClause

from ...context import _scope, internal
from ...errors import StatementRefusedError
from ..compiler.values import ValuesMixin
from ..ddl import changes_tables
from ..drivers import driver_for
from ..guard import OWNER, Vouched
from .connection import TenantConnection

if TYPE_CHECKING:
    from ...model import TableView
    from ..wall import Wall


_DESCRIBED, _DESCRIBED_LENGTH = 512, 4_096
"""Of how many texts the columns are kept, and up to which length."""

_NAMING = frozenset({"driver_column_names", "sqlite_raw_colnames"})
"""Options that change how SQLAlchemy names the columns of a text."""

_LOOKS = _NAMING | {"stream_results", "yield_per"}
"""Options with which a result is read in another way."""


def _columns_of(cursor: Any) -> Any:
    """What makes a text's columns differ: their names and types, as the driver describes them."""
    description = cursor.description
    if description is None or type(description) is tuple:
        return description
    return [(column[0], column[1]) for column in description]


class _Told(CursorFetchStrategy):
    """Reads a cursor that need not be asked for its description: what SQLAlchemy makes of it is known."""

    __slots__ = ("alternate_cursor_description",)

    def __init__(self, metadata: Any) -> None:
        self.alternate_cursor_description = tuple((name, None) for name in metadata.keys)


class _Described:
    """How a driver described the columns of a text, and what SQLAlchemy made of it: the parts that a result asks for
    of a compiled form."""

    __slots__ = ("_cached_metadata", "columns", "told")
    _result_columns = ()

    def __init__(self, columns: Any, metadata: Any) -> None:
        self.columns = columns
        self._cached_metadata = metadata
        self.told = _Told(metadata)


class _Context(DefaultExecutionContext):
    """Vouches for what our compilers have rendered.

    A compiled statement is looked at when SQLAlchemy asks for its cursor: its parameters are collected then, and
    nothing is rendered yet. That is one call less than around ``_init_compiled``, with a dozen arguments to hand on.
    """

    ft_statement: str | None = None
    """The batch of an insertmanyvalues statement that is being sent; else ``statement`` is vouched for itself."""
    ft_sent: Any = None
    """Of insertmanyvalues, the parameters of the batch as the driver is to get them."""
    ft_admitted = False
    """Whether the statement is a compiler's of ours, and was let through."""
    ft_asking = False
    parameters: Any = ((),)
    """Of the statement; a sequence that is asked by itself has none."""
    ft_ruled = False
    """Whether the tenant has rules."""

    def ft_columns(self) -> Any:
        """What the driver says of the columns of a text."""
        return _columns_of(self.cursor)

    _ft_own_cursor: Any
    _ft_own_pre_exec: Any = None
    _ft_own_post_exec: Any = None
    """The driver's own, where it has any."""

    def create_cursor(self) -> Any:
        compiled: Any = self.compiled
        if compiled is not None and not self.isddl:
            scope = _scope.get()
            connection: Any = self.root_connection
            if not (
                scope is not None
                and scope.tenant_id
                and getattr(compiled, "ft_plain", None) is self.dialect
                and type(connection) is TenantConnection
                and connection.ft_ruling is None
                and connection.ft_notes.setdefault(OWNER, scope.tenant_id) == scope.tenant_id
            ):
                self._ft_admit(compiled, connection)
            vouched = getattr(compiled, "ft_vouched", None)
            if vouched is not None:
                self.ft_admitted, self.unicode_statement = True, vouched
        return self._ft_own_cursor()

    def _ft_admit(self, compiled: Any, connection: Any) -> None:
        """Let a compiled statement through, or refuse it."""
        if not isinstance(compiled, ValuesMixin):
            return  # the cursor will take it for raw SQL
        dialect: Any = self.dialect
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
                if compiled.ft_slots:
                    # Now, because what SQLAlchemy has done since the rules were asked may have asked for others'.
                    for row in self.compiled_parameters:
                        compiled.ft_fill(row)
        if compiled.isplaintext and wall.is_setting(compiled):
            holder = driver_for(dialect.driver).raw(connection.connection.dbapi_connection)
            wall.admit_text(compiled, holder)
        if getattr(connection, "ft_ruling", None) is not None:
            self.ft_ruled = True
        if compiled.ft_vouched is None:
            compiled.ft_vouched = Vouched(compiled.string)
            if wall.needs_pin_only(compiled):
                compiled.ft_plain = dialect

    def pre_exec(self) -> None:
        if self.ft_admitted and type(self.statement) is not Vouched:  # IN lists were expanded into it
            self.statement = Vouched(self.statement)
        if self._ft_own_pre_exec is not None:
            self._ft_own_pre_exec()

    @classmethod
    def _init_ddl(cls, dialect: Any, connection: Any, *args: Any, **kw: Any) -> Any:
        compiled = kw["compiled_ddl"] if "compiled_ddl" in kw else args[2]
        dialect.ft_wall.admit_ddl(compiled.statement)
        self: Any = super()._init_ddl(dialect, connection, *args, **kw)  # type: ignore[misc]
        self.statement = Vouched(self.statement)
        return self

    @classmethod
    def _init_statement(cls, dialect: Any, connection: Any, *args: Any, **kw: Any) -> Any:
        # exec_driver_sql: the text is rewritten at the cursor; here its transaction gets an owner
        if dialect.ft_wall.in_tenant():
            dialect.ft_wall.pin(connection)
        return super()._init_statement(dialect, connection, *args, **kw)  # type: ignore[misc]

    def post_exec(self) -> None:
        if self._ft_own_post_exec is not None:
            self._ft_own_post_exec()
        if not self.is_text and not self.isddl:
            return
        known = self.compiled.__dict__.get("ft_changes") if self.compiled is not None else None
        if known is None:
            known = self._ft_changes_tables()
        if known:
            self.dialect.ft_wall.schema_changed(self.root_connection)  # type: ignore[attr-defined]

    def _setup_dml_or_text_result(self) -> Any:
        compiled: Any = self.compiled
        if not self.is_text or (compiled is not None and compiled._result_columns):
            return super()._setup_dml_or_text_result()  # type: ignore[no-untyped-call]
        # SQLAlchemy keeps what it makes of a result's columns with the compiled form of its own statements, but works
        # it out anew for each text. It depends on nothing but how the driver describes them, unless these options say.
        text = cast(str, self.statement)
        if len(text) > _DESCRIBED_LENGTH or not _NAMING.isdisjoint(self.execution_options):
            return super()._setup_dml_or_text_result()  # type: ignore[no-untyped-call]
        columns = self.ft_columns()
        kept = self.dialect.ft_wall.described  # type: ignore[attr-defined]
        known = kept.get(text)
        if known is not None and known.columns == columns:
            self.compiled = known  # for as long as SQLAlchemy looks there for what it keeps
            if self.cursor_fetch_strategy is _DEFAULT_FETCH and not self._is_server_side:
                self.cursor_fetch_strategy = known.told
            try:
                return super()._setup_dml_or_text_result()  # type: ignore[no-untyped-call]
            finally:
                self.compiled = compiled
        result = super()._setup_dml_or_text_result()  # type: ignore[no-untyped-call]
        if columns:
            if len(kept) >= _DESCRIBED:
                kept.clear()
            kept[text] = _Described(columns, result._metadata)
        return result

    def _ft_changes_tables(self) -> bool:
        known = changes_tables(cast(str, self.statement))
        if self.compiled is not None:
            self.compiled.__dict__["ft_changes"] = known
        return known

    def _exec_default_clause_element(self, column: Any, default: Any, type_: Any) -> Any:
        # SQLAlchemy would compile it and send it past whoever admits statements.
        query = default.arg if default._arg_is_typed else type_coerce(default.arg, type_)
        return self.root_connection.scalar(select(query))

    def _execute_scalar(self, stmt: Any, *args: Any, **kw: Any) -> Any:
        # Sequences that SQLAlchemy asks beforehand: the dialect's own text.
        self.ft_asking = True
        try:
            return super()._execute_scalar(Vouched(stmt), *args, **kw)  # type: ignore[misc]
        finally:
            self.ft_asking = False


class _PsycopgContext(_Context):
    """psycopg 3 makes an object for each column of a description; SQLAlchemy asks for one each time, to see that there
    is one, and looks into it for the first time only."""

    def ft_columns(self) -> Any:
        cursor: Any = self.cursor
        if type(cursor).description is self.dialect.dbapi.Cursor.description:  # type: ignore[union-attr]
            result = cursor.pgresult  # what the database has sent
            if result is not None and result.nfields:
                return [(result.fname(n), result.ftype(n)) for n in range(result.nfields)]
        return _columns_of(cursor)

    def create_cursor(self) -> Any:
        cursor = super().create_cursor()
        compiled: Any = self.compiled
        if (
            self.ft_admitted
            and compiled._cached_metadata is not None
            and not (self.is_crud or self.is_text or self._is_server_side)
            and _LOOKS.isdisjoint(self.execution_options)
        ):
            told = getattr(compiled, "ft_told", None)
            if told is None:
                told = compiled.ft_told = _Told(compiled._cached_metadata)
            self.cursor_fetch_strategy = told
        return cursor


class _SqliteContext(_Context):
    """``lastrowid`` is SQLite's physical row; the application's id is in that row."""

    def get_lastrowid(self) -> Any:
        view = self._ft_inserted(self.dialect.ft_wall)  # type: ignore[attr-defined]
        if view is not None and self.cursor.rowcount != 0:
            cast(Any, self._dbapi_connection).dbapi_connection.ft_inserted = view
        return super().get_lastrowid()

    def _ft_inserted(self, wall: Wall) -> TableView | None:
        """The table that the statement has inserted into."""
        statement = getattr(self.compiled, "statement", None)
        if self.isinsert:
            table = cast(Any, statement).table
            return wall.views.find(table.name, table.schema)
        try:
            if isinstance(statement, TextClause):
                known = wall.raw.statement(statement.text, "text")
            elif self.compiled is None:
                known = wall.raw.statement(cast(str, self.statement), "qmark")
            else:
                return None
        except StatementRefusedError:  # let through by report-only mode
            return None
        return next(iter(known.writes), None) if known.kind == "insert" else None


class _AiosqliteContext(_SqliteContext):
    """The driver works in a thread that knows no tenant. So we ask for the id, and while the statement runs: the
    application may look later, where it cannot wait."""

    ft_asked: tuple[Any] | None = None

    def post_exec(self) -> None:
        super().post_exec()
        wall: Wall = self.dialect.ft_wall  # type: ignore[attr-defined]
        if wall.in_tenant() and self._ft_inserted(wall) is not None:
            self.get_lastrowid()

    def get_lastrowid(self) -> Any:
        if self.ft_asked is None:
            self.ft_asked = (self._ft_asked_id(self.dialect.ft_wall),)  # type: ignore[attr-defined]
        return self.ft_asked[0]

    def _ft_asked_id(self, wall: Wall) -> Any:
        view = self._ft_inserted(wall)
        with internal():  # the physical row
            row = _Context.get_lastrowid(self)
        if row is None or (view is not None and view.shared):  # type: ignore[redundant-expr]
            return row
        if view is None or view.auto_id is None:
            return None
        quote = self.dialect.identifier_preparer.quote
        cursor = cast(Any, self._dbapi_connection).dbapi_connection.cursor()
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


_USUAL = (
    "root_connection", "_dbapi_connection", "dialect", "extracted_parameters", "invoked_statement",
    "compiled", "cache_hit", "execution_options", "result_column_struct", "isinsert", "isupdate",
    "isdelete", "is_text", "is_crud", "_is_explicit_returning", "_is_implicit_returning",
    "compiled_parameters", "execute_style", "unicode_statement", "ft_admitted", "_is_server_side", "cursor",
    "statement", "parameters", "_soft_closed", "inserted_primary_key_rows", "returned_default_rows",
    "no_parameters", "cursor_fetch_strategy",
)  # fmt: skip
"""Attributes of an execution context, most of them SQLAlchemy's own. There is room for 29."""


_OF_DIALECT = {
    ("pysqlite", False): _SqliteContext,
    ("aiosqlite", True): _AiosqliteContext,
    ("psycopg", False): _PsycopgContext,
}
"""Contexts that differ, by a dialect's driver and whether it waits by asyncio."""


@cache
def context_class(base: type[Any], driver: str, asynchronous: bool) -> type[Any]:
    own = {"_ft_own_cursor": base.create_cursor}
    for name in ("pre_exec", "post_exec"):
        if getattr(base, name) is not getattr(DefaultExecutionContext, name):
            own[f"_ft_own_{name}"] = getattr(base, name)
    made = type(f"Tenant{base.__name__}", (_OF_DIALECT.get((driver, asynchronous), _Context), base), own)
    # CPython lays out a class's instances by the attributes of the first few. Those are of PRAGMAs and the like here,
    # that have half of them, and every later one would carry a dictionary, three times resized: a tenth of what a
    # statement by key takes.
    first: Any = object.__new__(made)
    for name in _USUAL:
        setattr(first, name, None)
    return made
