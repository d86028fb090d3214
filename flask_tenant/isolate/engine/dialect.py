"""The dialect: guarded connections, SQLAlchemy's own questions let through, and every name quoted."""

from __future__ import annotations

import inspect
import re
from functools import cache, wraps
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.sql.compiler import IdentifierPreparer

from ...context import internal
from ...errors import StatementRefusedError
from ..drivers import driver_for
from ..guard import Vouched, vouched, with_comment
from ..ruled import execute_compiled, execute_raw

if TYPE_CHECKING:
    from ..rawsql import Placeholders, Rewritten
    from ..wall import Wall

_OWN_WORK = frozenset({
    "do_ping", "initialize", "set_isolation_level", "get_isolation_level", "get_default_isolation_level",
    "reset_isolation_level", "do_begin_twophase", "do_prepare_twophase", "do_rollback_twophase",
    "do_commit_twophase", "do_recover_twophase",
})  # fmt: skip
"""What a dialect asks the database on its own behalf, in SQL that is no application's; and see below."""


_PLAIN_NAME = re.compile(r"[A-Za-z_][\w$]*\Z")


class TenantDialect(DefaultDialect):
    """Guarded connections, and SQLAlchemy's own questions let through."""

    ft_wall: Wall

    def connect(self, *args: Any, **kw: Any) -> Any:
        return driver_for(self.driver).connect(self.ft_wall, super().connect, args, kw)

    def do_execute(self, cursor: Any, statement: Any, parameters: Any, context: Any = None) -> None:
        ours = type(statement) is Vouched
        if not ours:
            statement, known = self._ft_again(statement, context)
            if known is not None and self._ft_looked_at(cursor, statement, known, parameters, context):
                return
            ours = known is None and type(statement) is Vouched
        # What is not ours any more is judged as the text that it is, and has parameters of its own.
        if (
            ours
            and context is not None
            and parameters is not (sent := context.ft_sent or context.parameters[0])
        ):
            check_parameters(context, [sent], [parameters])
        if context is not None and context.ft_ruled and ruled(self, cursor, statement, parameters, context):
            return
        cursor.execute(statement, parameters)  # what SQLAlchemy's own does for every driver that we guard

    def do_executemany(self, cursor: Any, statement: Any, parameters: Any, context: Any = None) -> None:
        ours = type(statement) is Vouched
        if not ours:
            statement, known = self._ft_again(statement, context)
            if known is not None and self._ft_looked_at(
                cursor, statement, known, parameters, context, many=True
            ):
                return
            ours = known is None and type(statement) is Vouched
        if ours and context is not None and parameters is not context.parameters:
            check_parameters(context, context.parameters, parameters)
        if (
            context is not None
            and context.ft_ruled
            and ruled(self, cursor, statement, parameters, context, many=True)
        ):
            return
        super().do_executemany(cursor, statement, parameters, context)

    def _ft_again(self, statement: str, context: Any) -> tuple[str, Rewritten | None]:
        """An event listener may have put a comment round a vouched statement. Anything else is raw SQL."""
        ours = getattr(context, "ft_statement", None) or getattr(context, "statement", None)
        if type(ours) is Vouched and with_comment(statement, ours):
            return Vouched(statement), None
        if self.is_async and context is not None:
            # The driver runs in a thread or task that knows no tenant: rewrite here.
            holder = driver_for(self.driver).raw(context.root_connection.connection.dbapi_connection)
            text, known = self.ft_wall.rewrite(statement, self._ft_style, holder)
            return vouched(text), known
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
        last = made = None
        for batch in batches:
            text, *rest = batch
            if text is not last:  # it is the same for each row where SQLAlchemy sends them one by one
                last, made = text, Vouched(text)
            context.ft_statement, context.ft_sent = made, rest[0]
            yield type(batch)(made, *rest)


def check_parameters(context: Any, sent: Any, given: Any) -> None:
    """Refuse parameters in which a listener to ``before_cursor_execute`` has changed the tenant.

    Where they have no names, none that equals the tenant's id may be another now.

    :param sent: the parameters as we have made them, one for each row
    :param given: what the driver is about to get in their place
    """
    ours = getattr(context.compiled, "ft_keys", ())
    if not ours or context.ft_asking:
        return
    tenant_id = context.dialect.ft_wall.tenant_id()
    for before, after in zip_longest(sent, given, fillvalue=()):
        if isinstance(before, dict):
            mine = {key: value for key, value in before.items() if key.startswith(ours)}
            same = isinstance(after, dict) and mine.items() <= after.items()
        else:
            same = len(before) == len(after) and all(
                new == value for value, new in zip(before, after, strict=True) if value == tenant_id
            )
        if not same:
            raise StatementRefusedError(
                "An event listener has changed the parameters of a statement, the tenant's own among them",
                hint="Leave parameters that are not the application's as they are in before_cursor_execute",
            )


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


def _told_to_all(original: Any) -> Any:
    """Let the dialect's copies, one for each shape, know what the first connection tells of the database."""

    @wraps(original)
    def initialize(self: Any, connection: Any) -> None:
        before = dict(vars(self))
        original(self, connection)
        told = {name: value for name, value in vars(self).items() if before.get(name, vars) is not value}
        for other in (self.ft_plain, *self.ft_shapes.values()):
            vars(other).update(told)

    return initialize


@cache
def dialect_class(base: type[Any]) -> type[Any]:
    own = {name: _own_work(base, name) for name in dir(base) if _is_own_work(name, getattr(base, name))}
    own["initialize"] = _told_to_all(own["initialize"])
    return type(f"Tenant{base.__name__}", (TenantDialect, base), {**own, "supports_statement_cache": True})


@cache
def preparer_class(base: type[Any]) -> type[Any]:
    return type(f"Tenant{base.__name__}", (_Preparer, base), {})


@cache
def plain_class(base: type[Any]) -> type[Any]:
    return type(f"Plain{base.__name__}", (_PlainDialect, base), {"supports_statement_cache": True})
