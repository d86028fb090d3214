"""The connection: it takes the shape of the scope in which it is opened, and asks what rules hold."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy.engine import Connection
from sqlalchemy.engine.base import OptionEngine

from ...context import _scope
from ...decision import Ruling
from ...model import TEMPLATE_ID
from ..central import watch_central
from ..ddl.common import running
from ..drivers import driver_for
from ..guard import ASKED, OWNER, begin_statement, note_unruled
from ..overlay.shapes import dialect_for
from ..overlay.values import in_force

if TYPE_CHECKING:
    from ..wall import Wall


class TenantConnection(Connection):
    """A connection takes the shape of the scope in which it is opened.

    It does by inheritance what listeners could do as well, because listeners cost every statement.
    """

    def __init__(
        self,
        engine: Any,
        connection: Any = None,
        _has_events: bool | None = None,
        _allow_revalidate: bool = True,
        _allow_autobegin: bool = True,
    ) -> None:
        self.ft_notes: dict[str, Any] = {}
        _init(self, engine, connection, _has_events, _allow_revalidate, _allow_autobegin)
        dialect: Any = self.dialect
        scope = _scope.get() or dialect.ft_wall.fallback()
        if scope is None or scope.internal:
            return
        central = scope.tenant is None
        if dialect.ft_wall.views.suspected and not central:
            dialect.ft_wall.views.look(self)
        if central:
            self.dialect = dialect.ft_shapes["central"]
            watch_central(self)
        elif scope.tenant_id == TEMPLATE_ID:
            self._ft_to_template()

    def _ft_to_template(self) -> None:
        dialect = cast(Any, self.dialect)
        in_transaction = self.in_transaction()
        self.dialect = dialect.ft_shapes["template"]
        followed = dialect.ft_template.watch(self)
        wall = self.dialect.ft_wall.shaped("template")  # type: ignore[attr-defined]
        wall.followed = followed
        driver_for(dialect.driver).raw(self.connection.dbapi_connection).ft_wall = wall
        if self.in_transaction() and not in_transaction:  # of our own reading
            self.rollback()

    def ft_migrates(self) -> None:
        """Take the template's shape, if a migration runs on a connection that was opened before anybody knew of it."""
        dialect = cast(Any, self.dialect)
        if _scope.get() is None and dialect.ft_wall.shape == "tenant" and OWNER not in self.ft_notes:
            scope = dialect.ft_wall.fallback()
            if scope is not None and scope.tenant_id == TEMPLATE_ID:
                self._ft_to_template()

    # ---- rules
    ft_ruling: Ruling | None = None
    """What holds for the statement that is being executed."""

    ft_holder: tuple[Any, Any] = (None, None)

    def ft_rule(self) -> None:
        """Ask what rules hold for the next statement, and take the shape that they make."""
        dialect: Any = self.dialect
        wall: Wall | None = dialect.ft_wall
        if wall is None or wall.law.source is None:
            return
        scope = _scope.get()
        if scope is not None and scope.internal:
            return
        pooled = self._dbapi_connection
        if pooled is None or pooled is not self.ft_holder[0]:
            pooled = self.connection
            self.ft_holder = (pooled, driver_for(dialect.driver).raw(pooled.dbapi_connection))
        holder = self.ft_holder[1]
        begin_statement(holder)
        ruling = wall.law.source.ruling(holder)
        if ruling is None and scope is not None:
            note_unruled(holder, scope)
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

    def _execute_clauseelement(self, elem: Any, distilled_parameters: Any, execution_options: Any) -> Any:
        if self._transaction is None:
            dialect: Any = self.dialect
            wall: Wall | None = dialect.ft_wall
            if wall is not None and wall.views.suspected:
                wall.views.look(self)
        pooled, holder = self.ft_holder
        if (
            pooled is None
            or pooled is not self._dbapi_connection
            or holder.ft_held.get(ASKED, True) is not _scope.get()  # unruled(), two calls less
        ):
            self.ft_rule()
        return _execute_clauseelement(self, elem, distilled_parameters, execution_options)

    def _execute_compiled(self, *args: Any, **kw: Any) -> Any:
        self.ft_rule()
        return super()._execute_compiled(*args, **kw)

    def _execute_ddl(self, ddl: Any, *args: Any, **kw: Any) -> Any:
        running.set(weakref.ref(self))
        wall: Wall | None = getattr(self.dialect, "ft_wall", None)
        if wall is not None and wall.ddl_in_tenant is not None and wall.in_tenant():
            return wall.ddl_in_tenant(
                self, ddl, lambda: super(TenantConnection, self)._execute_ddl(ddl, *args, **kw)
            )
        return super()._execute_ddl(ddl, *args, **kw)


_init: Any = Connection.__init__
_execute_clauseelement: Any = Connection._execute_clauseelement


class TenantOptionEngine(OptionEngine):
    _connection_cls = TenantConnection


TenantOptionEngine._option_cls = TenantOptionEngine
