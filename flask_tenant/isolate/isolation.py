"""One tenanted engine: its wall, its views, its template, and the checks at start-up."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

from sqlalchemy import event, inspect
from sqlalchemy.engine import Connection, Engine, ExceptionContext
from sqlalchemy.exc import SQLAlchemyError

from ..context import internal
from ..errors import ConfigurationError, SchemaNotReadyError, UnsafeObjectError
from ..model import TableView, Tenant
from ..protocols import Report
from ..settings import Settings
from . import session
from .alembic import migrating, register
from .catalog import Catalog
from .config import IsolateConfig
from .ddl import sequence_table
from .engine import install
from .keys import check_schema, in_words
from .messages import about_view
from .overlay.relatives import VIEWS
from .plain import plainly
from .rawsql import RawSql
from .seeding import Seeding, physical
from .template import Template
from .views import LiveViews
from .wall import Fallback, Wall


def config_of(settings: Settings) -> IsolateConfig:
    """Return what isolation has to know of an application's settings."""
    return IsolateConfig(
        column=settings.column,
        shared=settings.shared_tables,
        directory_prefix=settings.table_prefix,
        safe_functions=settings.safe_functions,
        safe_objects=settings.safe_objects,
        unruled_objects=settings.unruled_objects,
    )


_UNKNOWN = ("42703", "42P01")
"""What PostgreSQL calls a column and a table that it does not know."""


class Isolation:
    """Keeps tenants apart in one engine.

    :param fallback: what holds outside any scope
    :param tenants: lists the tenants that exist
    :param report: lets refusals through in report-only mode
    """

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        *,
        fallback: Fallback,
        tenants: Callable[[Connection], Iterable[Tenant]],
        report: Report,
    ) -> None:
        self._engine = weakref.ref(engine)
        self.config = config_of(settings)
        self.catalog = Catalog(self.config)
        self.views = LiveViews(engine, self.catalog)
        raw = RawSql(
            engine.dialect.name,  # type: ignore[arg-type]
            self.views,
            column=self.config.column,
            safe_functions=self.config.safe_functions,
            directory_prefix=self.config.directory_prefix,
        )
        self.views.changed = self._forget_rendered
        self._raw = raw
        self._sharing: weakref.WeakSet[Engine] = weakref.WeakSet()
        self.wall = Wall("tenant", self.config, self.views, raw, fallback, report)
        self.template = Template(self.config, self.views, tenants, migrating)
        self._seeding = Seeding(self.config.column, self._tables)

    def install(self) -> None:
        """Put the wall into the engine."""
        self.share(self.engine)
        register()
        session.listen()

    def share(self, engine: Engine) -> None:
        """Put the same wall into another engine that goes to the same database."""
        install(engine, self.wall.shaped("tenant"), self.template)
        self._sharing.add(engine)
        views = self.views

        @event.listens_for(engine, "handle_error")
        def unknown_name(context: ExceptionContext) -> BaseException | None:
            error = context.original_exception
            state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
            if state not in _UNKNOWN and not str(error).startswith("no such "):
                return None
            views.suspect()
            compiled = getattr(context.execution_context, "compiled", None)
            return about_view(error, getattr(compiled, "ft_tables", ()), views.catalog)

    def _forget_rendered(self) -> None:
        """Forget statements that were rendered from another schema: ours, and those that SQLAlchemy keeps."""
        self._raw.invalidate()
        for engine in list(self._sharing):
            engine.clear_compiled_cache()

    @property
    def engine(self) -> Engine:
        """The engine.

        :raises ConfigurationError: when the application has let go of it
        """
        engine = self._engine()
        if engine is None:
            raise ConfigurationError("The application's engine is gone", hint="Keep a reference to it")
        return engine

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a transaction past the wall, for flask_tenant's own tables."""
        with internal(), self.engine.connect() as connection, plainly(connection), connection.begin():
            yield connection

    def check(self) -> None:
        """Look at the live schema, and refuse to serve from one that is not ready. Nothing is changed.

        :raises SchemaNotReadyError: when tables lack the tenant column or have keys that are not per tenant
        :raises UnsafeObjectError: when triggers, views or functions have not been vouched for
        """
        self.views.load()
        self._check(self.catalog, self.engine)

    def check_copy(self, engine: Engine) -> None:
        """Look at a database that follows this one, in the same way.

        :param engine: shares the wall, and can be waited for
        """
        catalog = Catalog(self.config)
        with internal(), engine.connect() as connection, plainly(connection):
            catalog.load(connection)
        self._check(catalog, engine)

    def _check(self, catalog: Catalog, engine: Engine) -> None:
        problems = check_schema(catalog, self.config)
        if problems:
            listed = "\n".join(f"  {line}" for line in in_words(problems))
            raise SchemaNotReadyError(
                f"The database {engine.url.render_as_string()} is not ready for tenants:\n{listed}",
                value=[p.table for p in problems],
                hint="Nothing was changed. 'flask-tenant run' tries the application on a scratch database",
            )
        unsafe = [o for o in catalog.objects if not o.safe]
        if unsafe:
            raise UnsafeObjectError(
                "The database holds what runs below the wall: " + ", ".join(str(o) for o in unsafe),
                value=[str(o) for o in unsafe],
                hint="Make sure that each stays inside one tenant, and name it in TENANT_SAFE_OBJECTS. Views show all "
                "tenants' rows: statements that read them are refused all the same",
            )

    def blind_views(self) -> list[str]:
        """Return the views of the database that do not tell whose their rows are: they have no hidden column."""
        found = []
        with self.begin() as connection:
            inspector = inspect(connection)
            for view in (o.live for o in self.catalog.objects if o.live.kind in VIEWS):
                with suppress(SQLAlchemyError):  # SQLite keeps views of tables that are gone
                    columns = inspector.get_columns(view.name, view.schema)
                    if all(column["name"] != self.config.column for column in columns):
                        found.append(view.fullname)
        return found

    def seed(self, connection: Connection, tenant_ids: Sequence[int]) -> None:
        """Give new tenants what start-up and migrations have seeded.

        :param connection: in the transaction in which all of them are created
        """
        self._seeding.copy(connection, tenant_ids)

    def empty(self, connection: Connection, tenant: Tenant) -> None:
        """Delete all rows of a tenant."""
        with plainly(connection):
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
            for view in reversed(self._tables(connection)):
                rows = physical(view, self.config.column)
                connection.execute(rows.delete().where(rows.c[self.config.column] == tenant.id))
            if any(view.never_reused for view in self.views.all()):
                connection.exec_driver_sql(
                    f"DELETE FROM {sequence_table(self.config)} WHERE tenant = ?", (tenant.id,)
                )

    def _tables(self, connection: Connection) -> list[TableView]:
        """Every tenant table as it is now, parents before children."""
        self.views.load(connection)
        ordered: list[TableView] = []
        with plainly(connection):
            names = [name for name, _ in inspect(connection).get_sorted_table_and_fkc_names() if name]
        for name in names:
            view = self.views.find(name)
            if view is not None and not view.shared:
                ordered.append(view)
        return ordered
