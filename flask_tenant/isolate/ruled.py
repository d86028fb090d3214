"""Where rules meet a statement on its way to the driver: what it writes is looked at, what it gives passes by them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..decision import Ruling
from ..errors import StatementRefusedError
from .answers import answer, check_answerable
from .drivers import driver_for
from .guard import unruled, vouched
from .results import Plan, Stream, plan_for
from .results.plan import governs, origins_of
from .writing import Writing, shape_of, shape_of_text, watch_for
from .writing.watch import filtered_tables, watched_tables

if TYPE_CHECKING:
    from .rawsql import Placeholders, Rewritten
    from .wall import Wall


def execute_compiled(
    wall: Wall, cursor: Any, text: str, parameters: Any, context: Any, *, many: bool
) -> bool:
    """Run a statement of our compiler under rules; return false when none is about it."""
    connection = context.root_connection
    ruling: Ruling | None = connection.ft_ruling
    if ruling is None:
        return False
    compiled = context.compiled
    if watched_tables(ruling.decision) or (
        wall.views.catalog.passes_on and filtered_tables(ruling.decision) and _writes(compiled, text, wall)
    ):
        watch = watch_for(shape_of(compiled, text, wall.raw), ruling, wall.views, wall.hooks)
        if watch is not None:
            own = connection.connection.dbapi_connection
            writing = Writing(wall, watch, context.dialect.driver, own, escaped=True)
            writing.execute(cursor, text, parameters if many else (parameters,))
            return True
    if many or context.is_crud or not governs(ruling.decision):
        return False
    tables: Iterable[str] = compiled.ft_reads
    plan = plan_for(ruling, tables)
    if plan is None or shape_of(compiled, text, wall.raw).verb is not None:
        return False
    plan = plan_for(ruling, tables, origins_of(compiled))
    _stream(wall, plan, cursor, text, parameters)
    return True


def _writes(compiled: Any, text: str, wall: Wall) -> bool:
    """Whether a statement, or one within it, writes."""
    known: bool | None = compiled.__dict__.get("ft_writes")
    if known is None:
        known = compiled.__dict__["ft_writes"] = bool(shape_of(compiled, text, wall.raw).written)
    return known


def execute_raw(
    wall: Wall,
    cursor: Any,
    driver: str,
    text: str,
    known: Rewritten | None,
    parameters: Any,
    placeholders: Placeholders,
    *,
    many: bool = False,
    adapter: Any = None,
) -> bool:
    """Run a statement that the raw SQL enforcer has rewritten under rules; return false when none is about it.

    :param known: what the enforcer knows of it
    :param parameters: ``None`` for none at all
    :param adapter: SQLAlchemy's adapter of an asynchronous connection, where the cursor is one of its own
    """
    connection = cursor.connection if adapter is None else adapter
    ruling = _ruling(wall, connection if adapter is None else driver_for(driver).raw(adapter))
    if ruling is None or known is None:
        return False
    if known.writes:
        if watched_tables(ruling.decision) or (
            wall.views.catalog.passes_on and filtered_tables(ruling.decision)
        ):
            shape = shape_of_text(str(text), wall.raw.dialect, placeholders)
            watch = watch_for(shape, ruling, wall.views, wall.hooks)
            if watch is not None:
                writing = Writing(wall, watch, driver, connection, escaped=placeholders == "format")
                writing.execute(cursor, vouched(text), list(parameters) if many else (parameters,))
                return True
        return False
    plan = plan_for(ruling, known.looks_at()) if governs(ruling.decision) and not many else None
    if plan is None:
        return False
    _stream(wall, plan, cursor, vouched(text), parameters)
    return True


def refuse_ruled(
    wall: Wall, connection: Any, text: str, known: Rewritten | None, placeholders: Placeholders
) -> None:
    """Refuse a statement that rules are about, on a way on which nobody can look at its rows.

    :raises StatementRefusedError: when there are such rules
    """
    ruling = _ruling(wall, connection)
    if ruling is None or known is None:
        return
    shape = shape_of_text(str(text), wall.raw.dialect, placeholders)
    if (
        watch_for(shape, ruling, wall.views, wall.hooks) is not None
        or plan_for(ruling, known.looks_at()) is not None
    ):
        raise StatementRefusedError(
            "Rules are about this statement, and cannot look at its rows on this way",
            statement=text,
            hint="Execute it with SQLAlchemy, as text() or exec_driver_sql()",
        )


def _ruling(wall: Wall, connection: Any) -> Ruling | None:
    """What holds for a statement of a tenant on the driver's connection."""
    if wall.rules is None or unruled(connection) or not wall.in_tenant():
        return None
    return wall.rules.ruling(connection)


def _stream(wall: Wall, plan: Plan | None, cursor: Any, text: str, parameters: Any) -> None:
    check_answerable(cursor)
    cursor.execute(text, *((parameters,) if parameters is not None else ()))
    if plan is not None:
        answer(cursor, Stream(wall, plan, cursor))
