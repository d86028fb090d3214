"""Where rules meet a statement on its way to the driver: what it writes is looked at, what it gives passes by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..decision import Ruling
from ..errors import StatementRefusedError
from .drivers import driver_for
from .guard import Vouched
from .writing import Writing, shape_of, shape_of_text, watch_for
from .writing.watch import watched_tables

if TYPE_CHECKING:
    from .rawsql import Placeholders
    from .wall import Wall


def ruling_for(wall: Wall, holder: Any) -> Ruling | None:
    """Return what holds for a statement of a tenant, ``None`` for anybody else's and without rules.

    :param holder: what lives as long as the connection's checkout
    """
    if wall.rules is None or not wall.in_tenant():
        return None
    return wall.rules.ruling(holder)


def execute_compiled(
    wall: Wall, cursor: Any, text: str, parameters: Any, context: Any, *, many: bool
) -> bool:
    """Run a statement of our compiler under rules; return false when none is about it."""
    connection = context.root_connection
    ruling = ruling_for(wall, driver_for(context.dialect.driver).raw(connection.connection.dbapi_connection))
    if ruling is None:
        return False
    if watched_tables(ruling.decision):
        shape = shape_of(context.compiled, text, wall.raw)
        watch = watch_for(shape, ruling, wall.views, wall.hooks)
        if watch is not None:
            own = connection.connection.dbapi_connection
            writing = Writing(wall, watch, context.dialect.driver, own, escaped=True)
            writing.execute(cursor, text, parameters if many else (parameters,))
            return True
    return False


def execute_raw(
    wall: Wall,
    cursor: Any,
    driver: str,
    text: str,
    parameters: Any,
    placeholders: Placeholders,
    *,
    many: bool = False,
) -> bool:
    """Run a statement that the raw SQL enforcer has rewritten under rules; return false when none is about it.

    :param parameters: ``None`` for none at all
    """
    ruling = ruling_for(wall, cursor.connection)
    if ruling is None:
        return False
    if watched_tables(ruling.decision):
        shape = shape_of_text(str(text), wall.raw.dialect, placeholders)
        watch = watch_for(shape, ruling, wall.views, wall.hooks)
        if watch is not None:
            writing = Writing(wall, watch, driver, cursor.connection, escaped=placeholders == "format")
            writing.execute(cursor, Vouched(text), list(parameters) if many else (parameters,))
            return True
    return False


def refuse_ruled(wall: Wall, connection: Any, text: str, placeholders: Placeholders) -> None:
    """Refuse a statement that rules are about, on a way on which nobody can look at its rows.

    :raises StatementRefusedError: when there are such rules
    """
    ruling = ruling_for(wall, connection)
    if ruling is None or not watched_tables(ruling.decision):
        return
    shape = shape_of_text(str(text), wall.raw.dialect, placeholders)
    if watch_for(shape, ruling, wall.views, wall.hooks) is not None:
        raise StatementRefusedError(
            "Rules are about this statement, and cannot look at what it writes on this way",
            statement=text,
            hint="Execute it with SQLAlchemy, as text() or exec_driver_sql()",
        )
