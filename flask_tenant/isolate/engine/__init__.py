"""Puts the wall into an engine: one dialect object for each shape, guarded connections, and nothing else changed.

The dialect's class is replaced by a subclass, so that the engine, its pool and everything that holds the dialect
keep the object they have.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.engine.reflection import Inspector
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import SingletonThreadPool, StaticPool
from sqlalchemy.pool.base import reset_none

from ...errors import ConfigurationError, UnknownEngineError
from ..central import central_compiler_for
from ..compiler import compiler_for
from ..compiler.values import ValuesMixin
from ..ddl import FOREIGN_KEYS_OFF, ddl_compiler_for
from ..drivers import driver_for
from ..guard import Vouched
from ..reflection import inspector_for
from .connection import TenantConnection, TenantOptionEngine
from .dialect import TenantDialect, dialect_class, plain_class, preparer_class
from .execution import context_class

if TYPE_CHECKING:
    from ..template import Template
    from ..wall import Wall


def install(engine: Engine, wall: Wall, template: Template) -> None:
    """Put the wall into an engine. Pooled connections made before are closed.

    :param wall: the wall of shape ``tenant``
    :param template: applies what start-up and migrations write to every tenant
    :raises ConfigurationError: for a database or driver that has no enforcer
    """
    dialect = cast(Any, engine.dialect)
    if isinstance(dialect, TenantDialect):
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
    plain.__class__ = plain_class(cast(Any, type(dialect)))
    dialect.ft_wall = wall
    dialect.ft_plain = plain
    dialect.__class__ = dialect_class(cast(Any, type(dialect)))
    preparer = dialect.identifier_preparer
    preparer.__class__ = preparer_class(cast(Any, type(preparer)))
    dialect.statement_compiler = compiler_for(plain_compiler)
    dialect.ddl_compiler = ddl_compiler_for(dialect.ddl_compiler, wall.config)
    dialect.inspector = inspector_for(getattr(dialect, "inspector", None) or Inspector, wall.config)
    dialect.execution_ctx_cls = context_class(dialect.execution_ctx_cls, dialect.driver, dialect.is_async)
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
    engine._option_cls = TenantOptionEngine

    never_reset = engine.pool._reset_on_return is reset_none

    def arm(connection: Any, record: Any, fairy: Any) -> None:
        wall.check_home()
        if not driver.arm(connection, wall):  # type: ignore[attr-defined]
            record.invalidate()
            raise DisconnectionError("connection made before the wall; making a guarded one")
        if never_reset:
            dialect.do_rollback(connection)  # what the one before has not committed is nobody else's
        if record.info.pop(FOREIGN_KEYS_OFF, False):  # a batch migration had this connection
            connection.cursor().execute(Vouched("PRAGMA foreign_keys = ON"))

    event.listen(engine.pool, "checkout", arm, insert=True)  # before listeners that use the connection
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
    return isinstance(dialect, TenantDialect)


def refuse_unguarded(name: str) -> UnknownEngineError:
    """Return the error for an engine that nobody has declared."""
    return UnknownEngineError(
        f"The engine {name} is neither tenanted nor exempt",
        value=name,
        hint="Tenant data: pass it with Tenancy(engines=[engine]). No tenant data: tenancy.exempt(engine), or name "
        "its Flask-SQLAlchemy bind key in TENANT_EXEMPT_ENGINES",
    )
