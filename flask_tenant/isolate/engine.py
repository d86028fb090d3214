"""Puts the wall into an engine: one dialect object for each shape, guarded connections, and nothing else changed.

The dialect's class is replaced by a subclass, so that the engine, its pool and everything that holds the dialect
keep the object they have.
"""

from __future__ import annotations

import copy
import inspect
import re
import weakref
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.engine.base import OptionEngine
from sqlalchemy.engine.default import DefaultDialect, DefaultExecutionContext
from sqlalchemy.engine.reflection import Inspector
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import SingletonThreadPool, StaticPool
from sqlalchemy.sql.compiler import IdentifierPreparer
from sqlalchemy.sql.elements import TextClause

from ..context import current_scope, internal
from ..decision import Ruling
from ..errors import ConfigurationError, StatementRefusedError, UnknownEngineError
from ..model import TEMPLATE_ID
from .central import central_compiler_for, watch_central
from .compiler import compiler_for
from .compiler.values import ValuesMixin
from .ddl import FOREIGN_KEYS_OFF, changes_tables, ddl_compiler_for
from .ddl.common import running
from .drivers import driver_for
from .guard import ASKED, Vouched, unruled, with_comment
from .overlay.shapes import dialect_for
from .overlay.values import in_force
from .reflection import inspector_for
from .ruled import execute_compiled, execute_raw

if TYPE_CHECKING:
    from ..model import TableView
    from .rawsql import Placeholders, Rewritten
    from .template import Template
    from .wall import Wall

_OWN_WORK = frozenset({
    "do_ping", "initialize", "set_isolation_level", "get_isolation_level", "get_default_isolation_level",
    "reset_isolation_level", "do_begin_twophase", "do_prepare_twophase", "do_rollback_twophase",
    "do_commit_twophase", "do_recover_twophase",
})  # fmt: skip
"""What a dialect asks the database on its own behalf, in SQL that is no application's; and see below."""


_PLAIN_NAME = re.compile(r"[A-Za-z_][\w$]*\Z")


class _Dialect(DefaultDialect):
    """Guarded connections, and SQLAlchemy's own questions let through."""

    ft_wall: Wall

    def do_commit(self, dbapi_connection: Any) -> None:
        super().do_commit(dbapi_connection)
        self._ft_ended(dbapi_connection)

    def do_rollback(self, dbapi_connection: Any) -> None:
        super().do_rollback(dbapi_connection)
        self._ft_ended(dbapi_connection)

    def _ft_ended(self, connection: Any) -> None:
        rules = self.ft_wall.law.source
        if rules is not None:
            connection = getattr(
                connection, "dbapi_connection", connection
            )  # the pool resets its own wrapper
            holder = driver_for(self.driver).raw(connection)
            # A transaction without a tenant has nothing that could end, nor has a connection made before the wall.
            if getattr(holder, "__dict__", {}).pop(ASKED, False):
                rules.ended(holder)

    def connect(self, *args: Any, **kw: Any) -> Any:
        return driver_for(self.driver).connect(self.ft_wall, super().connect, args, kw)

    def do_execute(self, cursor: Any, statement: Any, parameters: Any, context: Any = None) -> None:
        if type(statement) is not Vouched:
            statement, known = self._ft_again(statement, context)
            if known is not None and self._ft_looked_at(cursor, statement, known, parameters, context):
                return
        if context is not None and context.ft_ruled and ruled(self, cursor, statement, parameters, context):
            return
        cursor.execute(statement, parameters)  # what SQLAlchemy's own does for every driver that we guard

    def do_executemany(self, cursor: Any, statement: Any, parameters: Any, context: Any = None) -> None:
        if type(statement) is not Vouched:
            statement, known = self._ft_again(statement, context)
            if known is not None and self._ft_looked_at(
                cursor, statement, known, parameters, context, many=True
            ):
                return
        if (
            context is not None
            and context.ft_ruled
            and ruled(self, cursor, statement, parameters, context, many=True)
        ):
            return
        super().do_executemany(cursor, statement, parameters, context)

    def _ft_again(self, statement: str, context: Any) -> tuple[str, Rewritten | None]:
        """An event listener may have put a comment round a vouched statement. Anything else is raw SQL."""
        vouched = getattr(context, "ft_statement", None)
        if vouched is not None and with_comment(statement, vouched):
            return Vouched(statement), None
        if self.is_async and context is not None:
            # The driver runs in a thread or task that knows no tenant: rewrite here.
            holder = driver_for(self.driver).raw(context.root_connection.connection.dbapi_connection)
            text, known = self.ft_wall.rewrite(statement, self._ft_style, holder)
            return Vouched(text), known
        return statement, None

    def _ft_looked_at(
        self, cursor: Any, text: str, known: Rewritten, parameters: Any, context: Any, *, many: bool = False
    ) -> bool:
        """Run a text under rules on an asynchronous engine, whose guarded cursors take it for ours."""
        adapter = context.root_connection.connection.dbapi_connection
        wall, style = self.ft_wall, self._ft_style
        return execute_raw(
            wall, cursor, self.driver, text, known, parameters, style, many=many, adapter=adapter
        )

    @property
    def _ft_style(self) -> Placeholders:
        return "qmark" if self.name == "sqlite" else "format"

    def _deliver_insertmanyvalues_batches(self, connection: Any, cursor: Any, *args: Any) -> Any:
        context = args[-1]
        batches = super()._deliver_insertmanyvalues_batches(connection, cursor, *args)
        if type(context.statement) is not Vouched:
            yield from batches
            return
        last = vouched = None
        for batch in batches:
            text, *rest = batch
            if text is not last:  # it is the same for each row where SQLAlchemy sends them one by one
                last, vouched = text, Vouched(text)
            context.ft_statement = vouched
            yield type(batch)(vouched, *rest)


def ruled(
    dialect: Any, cursor: Any, statement: Any, parameters: Any, context: Any, *, many: bool = False
) -> bool:
    """Run a compiled statement under rules; false when none is about it, or SQLAlchemy itself asks for something."""
    if type(statement) is not Vouched or getattr(context, "compiled", None) is None or context.ft_asking:
        return False
    return execute_compiled(dialect.ft_wall, cursor, statement, parameters, context, many=many)


class _Preparer(IdentifierPreparer):
    """Every name that SQLAlchemy renders passes here; ``quoted_name(..., quote=False)`` brings in no SQL."""

    def quote(self, ident: str, *args: Any) -> str:
        marked = getattr(ident, "quote", None)
        if marked is None and (known := self._strings.get(ident)) is not None:
            return known  # as SQLAlchemy's own does, a call earlier
        if marked is False and not _PLAIN_NAME.match(ident):
            raise StatementRefusedError(
                f"The name {ident!r} is marked as not to be quoted and is no plain name",
                value=str(ident),
                hint="Let SQLAlchemy quote it; use text() for SQL",
            )
        return super().quote(ident, *args)


class _PlainDialect(DefaultDialect):
    """Vouches for everything: the driver may run in a thread that does not know whose work it is."""

    ft_wall = None

    def do_execute(self, cursor: Any, statement: Any, parameters: Any, context: Any = None) -> None:
        super().do_execute(cursor, Vouched(statement), parameters, context)

    def do_executemany(self, cursor: Any, statement: Any, parameters: Any, context: Any = None) -> None:
        super().do_executemany(cursor, Vouched(statement), parameters, context)

    def do_execute_no_params(self, cursor: Any, statement: Any, context: Any = None) -> None:
        super().do_execute_no_params(cursor, Vouched(statement), context)


def _is_own_work(name: str, method: Any) -> bool:
    """Whether a dialect's method asks the database something: its chores, and everything about the schema."""
    if name in _OWN_WORK:
        return True
    if not name.startswith(("has_", "get_")) or not inspect.isfunction(method):
        return False
    return list(inspect.signature(method).parameters)[1:2] == ["connection"]


def _own_work(base: type[Any], name: str) -> Any:
    original = getattr(base, name)

    @wraps(original)
    def method(self: Any, *args: Any, **kw: Any) -> Any:
        with internal():
            return original(self, *args, **kw)

    return method


class _Context(DefaultExecutionContext):
    """Vouches for what our compilers have rendered."""

    ft_statement: str | None = None
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


class TenantConnection(Connection):
    """A connection takes the shape of the scope in which it is opened.

    It does by inheritance what listeners could do as well, because listeners cost every statement.
    """

    def __init__(self, *args: Any, **kw: Any) -> None:
        super().__init__(*args, **kw)
        dialect = cast(Any, self.dialect)
        scope = current_scope() or dialect.ft_wall.fallback()
        if scope is None or scope.internal:
            return
        if scope.central:
            self.dialect = dialect.ft_shapes["central"]
            watch_central(self)
        elif scope.tenant_id == TEMPLATE_ID:
            self.dialect = dialect.ft_shapes["template"]
            followed = dialect.ft_template.watch(self)
            wall = self.dialect.ft_wall.shaped("template")  # type: ignore[attr-defined]
            wall.followed = followed
            driver_for(dialect.driver).raw(self.connection.dbapi_connection).ft_wall = wall
            if self.in_transaction():  # of our own reading
                self.rollback()

    # ---- rules
    ft_ruling: Ruling | None = None
    """What holds for the statement that is being executed."""

    ft_holder: tuple[Any, Any] = (None, None)

    def ft_rule(self) -> None:
        """Ask what rules hold for the next statement, and take the shape that they make."""
        dialect = cast(Any, self.dialect)
        wall: Wall | None = dialect.ft_wall
        if wall is None or wall.law.source is None:
            return
        scope = current_scope()
        if scope is not None and scope.internal:
            return
        pooled = self._dbapi_connection
        if pooled is None or pooled is not self.ft_holder[0]:
            raw = driver_for(dialect.driver).raw(self.connection.dbapi_connection)
            self.ft_holder = (self._dbapi_connection, raw)
        holder = self.ft_holder[1]
        holder.__dict__[ASKED] = True
        ruling = wall.law.source.ruling(holder)
        if ruling is None and scope is not None:
            holder.__dict__[ASKED] = scope  # until the transaction ends, nothing will hold for it
        before = self.ft_ruling
        if before is ruling:
            return
        if before is not None and ruling is not None and before.decision is ruling.decision:
            self.ft_ruling = ruling
            return
        base = dialect.__dict__.get("ft_base", dialect)
        if ruling is None or not ruling.decision.shape:
            self.dialect = base
        else:
            self.dialect = dialect_for(base, base.ft_wall.shapes(ruling.decision.shape), self.engine)
        self.ft_ruling = ruling  # last: an error leaves nothing half done

    def ft_admit(self, compiled: Any) -> None:
        """Let a statement through under the rules that hold for it, or refuse it."""
        ruling = self.ft_ruling
        in_force.set(ruling)
        cast(Any, self.dialect).ft_wall.admit_reads(compiled.ft_reads, ruling)

    def _execute_clauseelement(self, *args: Any, **kw: Any) -> Any:
        pooled, holder = self.ft_holder
        if pooled is None or pooled is not self._dbapi_connection or not unruled(holder):
            self.ft_rule()
        return super()._execute_clauseelement(*args, **kw)

    def _execute_compiled(self, *args: Any, **kw: Any) -> Any:
        self.ft_rule()
        return super()._execute_compiled(*args, **kw)

    def _execute_default(self, *args: Any, **kw: Any) -> Any:
        self.ft_rule()
        in_force.set(self.ft_ruling)
        return super()._execute_default(*args, **kw)

    def _execute_ddl(self, ddl: Any, *args: Any, **kw: Any) -> Any:
        running.set(weakref.ref(self))
        wall: Wall | None = getattr(self.dialect, "ft_wall", None)
        if wall is not None and wall.ddl_in_tenant is not None and wall.in_tenant():
            return wall.ddl_in_tenant(
                self, ddl, lambda: super(TenantConnection, self)._execute_ddl(ddl, *args, **kw)
            )
        return super()._execute_ddl(ddl, *args, **kw)


class _TenantOptionEngine(OptionEngine):
    _connection_cls = TenantConnection


_TenantOptionEngine._option_cls = _TenantOptionEngine


@cache
def _dialect_class(base: type[Any]) -> type[Any]:
    own = {name: _own_work(base, name) for name in dir(base) if _is_own_work(name, getattr(base, name))}
    return type(f"Tenant{base.__name__}", (_Dialect, base), {**own, "supports_statement_cache": True})


@cache
def _preparer_class(base: type[Any]) -> type[Any]:
    return type(f"Tenant{base.__name__}", (_Preparer, base), {})


@cache
def _plain_class(base: type[Any]) -> type[Any]:
    return type(f"Plain{base.__name__}", (_PlainDialect, base), {"supports_statement_cache": True})


@cache
def _context_class(base: type[Any], sqlite: bool) -> type[Any]:
    return type(f"Tenant{base.__name__}", (_SqliteContext if sqlite else _Context, base), {})


def install(engine: Engine, wall: Wall, template: Template) -> None:
    """Put the wall into an engine. Pooled connections made before are closed.

    :param wall: the wall of shape ``tenant``
    :param template: applies what start-up and migrations write to every tenant
    :raises ConfigurationError: for a database or driver that has no enforcer
    """
    dialect = cast(Any, engine.dialect)
    if isinstance(dialect, _Dialect):
        raise ConfigurationError(f"Engine {engine.url!r} is tenanted already", value=str(engine.url))
    if dialect.name not in ("sqlite", "postgresql"):
        raise ConfigurationError(
            f"The database {dialect.name!r} has no wall", value=dialect.name, hint="Use SQLite or PostgreSQL"
        )
    if isinstance(engine.pool, (StaticPool, SingletonThreadPool)):
        raise ConfigurationError(
            "The engine's pool hands one connection to everybody, as it does for a database in memory: what one tenant "
            "has not committed yet, another could read or roll back",
            value=engine.url.render_as_string(),
            hint="Use a file, such as sqlite:////tmp/test.db, and the default pool",
        )
    driver = driver_for(dialect.driver)
    wall.asynchronous = dialect.is_async
    plain_compiler = dialect.statement_compiler
    plain = copy.copy(dialect)
    plain.__class__ = _plain_class(cast(Any, type(dialect)))
    dialect.ft_wall = wall
    dialect.ft_plain = plain
    dialect.__class__ = _dialect_class(cast(Any, type(dialect)))
    preparer = dialect.identifier_preparer
    preparer.__class__ = _preparer_class(cast(Any, type(preparer)))
    dialect.statement_compiler = compiler_for(plain_compiler)
    dialect.ddl_compiler = ddl_compiler_for(dialect.ddl_compiler, wall.config)
    dialect.inspector = inspector_for(getattr(dialect, "inspector", None) or Inspector, wall.config)
    dialect.execution_ctx_cls = _context_class(dialect.execution_ctx_cls, dialect.name == "sqlite")
    if dialect.driver == "psycopg2":
        # Its batch mode joins statements on the client, past the cursor's execute().
        from sqlalchemy.dialects.postgresql.psycopg2 import EXECUTEMANY_VALUES

        dialect.executemany_mode = EXECUTEMANY_VALUES

    # Errors show the application's statement, not ours.
    @event.listens_for(engine, "handle_error")
    def own_words(context: Any) -> None:
        shown = context.sqlalchemy_exception
        running = context.execution_context
        if shown is None or running is None or not isinstance(running.compiled, ValuesMixin):
            return
        shown.statement, shown.params = _own_words(running, plain, shown.params)

    shapes: dict[str, Any] = {"tenant": dialect}
    for shape in ("template", "central"):
        other = copy.copy(dialect)
        other.ft_wall = wall.shaped(shape)  # type: ignore[arg-type]
        shapes[shape] = other
    shapes["central"].statement_compiler = central_compiler_for(plain_compiler)
    dialect.ft_shapes = shapes
    dialect.ft_template = template
    engine._connection_cls = TenantConnection
    engine._option_cls = _TenantOptionEngine

    def arm(connection: Any, record: Any, fairy: Any) -> None:
        if not driver.arm(connection, wall):  # type: ignore[attr-defined]
            record.invalidate()
            raise DisconnectionError("connection made before the wall; making a guarded one")
        if record.info.pop(FOREIGN_KEYS_OFF, False):  # a batch migration had this connection
            connection.cursor().execute(Vouched("PRAGMA foreign_keys = ON"))

    event.listen(engine.pool, "checkout", arm)
    engine.dispose()


def _own_words(running: Any, plain: Any, params: Any) -> tuple[str, Any]:
    """Return a statement and its parameters as they would have been without the wall.

    :param running: the execution context
    :param plain: the dialect without the wall
    :param params: what is shown otherwise
    """
    compiled = running.compiled
    ours = getattr(compiled, "ft_slots", ())
    rows = [
        {k: v for k, v in row.items() if k not in compiled.ft_keys and k not in ours}
        for row in running.compiled_parameters or ()
    ]
    try:
        alone = compiled.statement.compile(dialect=plain, column_keys=compiled.column_keys)
    except Exception:  # what cannot be rendered is not shown
        return f"({type(compiled.statement).__name__})", rows
    names = alone.positiontup
    shown: list[Any] = [tuple(row.get(name) for name in names) for row in rows] if names is not None else rows
    return str(alone), shown[0] if len(shown) == 1 else shown or params


def is_tenanted(dialect: Any) -> bool:
    """Whether an engine with this dialect has the wall."""
    return isinstance(dialect, _Dialect)


def refuse_unguarded(name: str) -> UnknownEngineError:
    """Return the error for an engine that nobody has declared."""
    return UnknownEngineError(
        f"The engine {name} is neither tenanted nor exempt",
        value=name,
        hint="Tenant data: pass it with Tenancy(engines=[engine]). No tenant data: tenancy.exempt(engine), or name "
        "its Flask-SQLAlchemy bind key in TENANT_EXEMPT_ENGINES",
    )
