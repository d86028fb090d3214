"""The wall of one engine: what isolation knows, and the decisions that every enforcer asks for.

Enforcers (statement compiler, raw SQL, DDL) render; the wall says for whom, and whether at all. There is one wall
for each *shape* of an engine's dialect, because the compiled cache is keyed by dialect: ``tenant`` (one tenant's
rows), ``template`` (the rows that start-up and migrations seed) and ``central`` (all rows, labelled).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, cast

from sqlalchemy.sql.elements import TextClause

from ..context import NO_TENANT_HINT, Scope, _scope, commanded, current_scope
from ..decision import Overlay, Ruling
from ..errors import (
    CentralRefusedError,
    DdlRefusedError,
    NoTenantError,
    StatementRefusedError,
    TenancyError,
    TenantChangedError,
)
from ..hooks import Hooks
from ..model import TEMPLATE_ID, TableView
from ..protocols import Report, RuleSource
from .alembic import migrating
from .config import IsolateConfig
from .ddl import instead_of, settle, translate_ddl
from .drivers.pooler import is_pooled, refuse_lasting
from .guard import OWNER, WORN, Vouched, begin_statement, note_unruled, notes, unruled
from .overlay.denial import denied
from .overlay.relatives import check_relatives
from .overlay.shapes import shapes_of
from .overlay.tables import Overlays, TableOverlay
from .overlay.values import literal_value
from .plain import plainly
from .rawsql.cursor import FENCES
from .rawsql.lexer import scan
from .rawsql.words import ROW_ADDRESSES

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

    from .rawsql import Placeholders, RawSql, Rewritten
    from .views import LiveViews

log = logging.getLogger("flask_tenant")

Shape = Literal["tenant", "template", "central"]


class Fallback(Protocol):
    """Tells what holds outside any scope."""

    def __call__(self, *, asked: bool = True) -> Scope | None:
        """Return it.

        :param asked: false when nobody wants tenant data yet, only to know
        """


class _Law:
    """Where the rules come from, for all walls of one engine's tenants, and which directories know those.

    ``homes`` is where the directories of the engine's applications are.
    """

    __slots__ = ("homes", "routes", "source", "tenancy")

    def __init__(self) -> None:
        self.homes: set[Hashable] = set()
        self.source: RuleSource | None = None
        self.tenancy: Callable[[], Any] = _nobody
        self.routes: Callable[[str], Engine | None] = _nowhere


def _nobody() -> None:
    """No application has taken the engine yet."""


def _nowhere(name: str) -> None:
    """No application has registered an engine for reads."""


class _Strict:
    """What stands in for report-only mode where rules hold: they are never let by."""

    def active(self) -> bool:
        return False

    def passes(self, error: TenancyError) -> bool:
        return False


_ADDS = ("Create", "Add", "Set")
"""How the names of SQLAlchemy's DDL constructs begin that take nothing away."""


class Wall:
    """Decides for whom a statement runs.

    :param shape: which rows this wall's dialect shows
    :param config: names: the column, the shared tables
    :param views: finds tables as the database has them
    :param raw: the raw SQL enforcer
    :param fallback: what holds outside any scope: the default tenant, the template, or nothing
    :param report: lets refusals through in report-only mode

    ``reserved`` are the names, in small letters, by which the application may call no column. ``followed`` is set
    on the wall of a template's driver connection when tenants exist: what is written there has to reach them as
    well, which only statements that SQLAlchemy executes do.
    """

    ddl_in_tenant: ClassVar[Callable[..., Any] | None] = None
    """Stands in for schema changes inside a tenant; flask_tenant.testing sets it."""

    def __init__(
        self,
        shape: Shape,
        config: IsolateConfig,
        views: LiveViews,
        raw: RawSql,
        fallback: Fallback,
        report: Report,
    ) -> None:
        self.shape = shape
        self.config = config
        self.views = views
        self.raw = raw
        self.fallback = fallback
        self.report = report
        self.template = shape == "template"
        self.reserved = frozenset({config.column.lower(), *ROW_ADDRESSES[raw.dialect]})
        self.asynchronous = False
        self.followed = False
        self.law = _Law()
        self.overlays: Overlays | None = None
        self.dialect: Any = None
        self.fence = FENCES[raw.dialect]
        self.shapes = shapes_of(self._overlaid)
        self.described: dict[str, Any] = {}
        """By text, what the execution context keeps of its result's columns."""

    def shaped(self, shape: Shape) -> Wall:
        """Return the wall of another shape of the same engine."""
        raw = self.raw.seeds if shape == "template" else self.raw
        found = Wall(shape, self.config, self.views, raw, self.fallback, self.report)
        found.asynchronous = self.asynchronous
        if shape == "tenant":
            found.law = self.law
        return found

    # ---- rules
    @property
    def rules(self) -> RuleSource | None:
        """What says which rules hold. They hold for tenants, not for central work, the template or us."""
        return self.law.source

    @rules.setter
    def rules(self, source: RuleSource | None) -> None:
        self.law.source = source

    @property
    def hooks(self) -> Hooks:
        """The application's functions that rules name."""
        found: Hooks | None = getattr(self.law.tenancy(), "hooks", None)
        return found if found is not None else Hooks()

    def _overlaid(self, shape: frozenset[tuple[str, Overlay]]) -> Wall:
        overlays = Overlays(shape, self.raw.dialect, lambda: self.views.catalog.live)
        found = Wall("tenant", self.config, self.views, self.raw.overlaid(overlays), self.fallback, _Strict())
        found.asynchronous = self.asynchronous
        found.law, found.shapes, found.overlays = self.law, self.shapes, overlays
        return found

    def overlay(self, view: TableView | None) -> TableOverlay | None:
        """Return what rules add to a table in this shape."""
        return self.overlays.of(view) if self.overlays is not None else None

    def admit_reads(self, tables: Iterable[str], ruling: Ruling) -> None:
        """Refuse a statement that reads what rules deny.

        :raises RuleDeniedError: with the rule's message; nothing has been executed
        :raises StatementRefusedError: for a table whose rows other rules are about, under another name
        """
        relatives = self.views.catalog.relatives
        if relatives:
            check_relatives(tables, ruling.decision, relatives)
        denials = ruling.decision.reads
        for name in sorted(tables) if denials else ():
            denial = denials.get(name)
            if denial is not None:
                raise denied(denial, name, ruling)

    def refuse(self, refusal: StatementRefusedError) -> None:
        """Raise a refusal, or list it in report-only mode."""
        if self.shape == "central" or not self.report.passes(refusal):
            raise refusal

    # ---- for whom
    def scope(self) -> Scope:
        """Return the scope that holds here.

        :raises NoTenantError: outside any
        """
        found = current_scope() or self.fallback()
        if found is None:
            raise NoTenantError("Tenant data was asked for while no tenant is active", hint=NO_TENANT_HINT)
        return found

    def in_tenant(self) -> bool:
        """Whether the running code works for one tenant."""
        scope = current_scope() or self.fallback()
        return scope is not None and scope.tenant_id not in (None, TEMPLATE_ID)

    def tenant_id(self) -> int:
        """Return the id to bind.

        :raises NoTenantError: outside any tenant
        :raises TenantChangedError: when the connection was opened for something else
        """
        scope = _scope.get() or self.scope()  # on the way of every statement
        tenant_id = scope.tenant_id
        if tenant_id is None or (tenant_id == TEMPLATE_ID) is not self.template:
            raise self._changed(scope)
        return tenant_id

    def check_home(self) -> None:
        """Refuse whoever works for a tenant of another application's directory: both count from 1.

        :raises TenantChangedError: when the current tenant is not this engine's
        """
        scope = _scope.get()
        if scope is None or scope.home is None or scope.home in self.law.homes:
            return
        if scope.tenant is not None and self.law.homes:
            raise TenantChangedError(
                f"{scope.tenant.slug!r} is a tenant of another application, whose directory is elsewhere",
                value=scope.tenant.slug,
                hint="Enter a tenant of the application whose engine this is: tenant_context(slug, app)",
            )

    def _changed(self, scope: Scope) -> TenantChangedError:
        opened = {"tenant": "a tenant", "template": "the template", "central": "central work"}[self.shape]
        return TenantChangedError(
            f"A connection opened for {opened} is used in {scope!r}",
            hint="Open connections and sessions after entering a scope, and close them before leaving it",
        )

    def pin(self, holder: Any) -> int:
        """Tie a connection to the first tenant that uses it, and refuse any other.

        :param holder: what lives as long as the checkout: SQLAlchemy's connection, or the driver's
        """
        tenant_id = self.tenant_id()
        owner: object = notes(holder).setdefault(OWNER, tenant_id)
        if owner != tenant_id:
            raise TenantChangedError(
                f"A connection that serves tenant {owner} is used under tenant {tenant_id}",
                value=tenant_id,
                hint="A connection or session serves one tenant: close it before entering another, or open a new one",
            )
        return tenant_id

    # ---- compiled statements
    def admit(self, compiled: Any, connection: Connection) -> None:
        """Let a statement of our own compiler through, or refuse it."""
        if compiled.ft_refusal is not None:
            if getattr(connection, "ft_ruling", None) is not None:
                raise compiled.ft_refusal  # as in rewrite()
            self.refuse(compiled.ft_refusal)
        if compiled.ft_private:
            scope = current_scope()
            if scope is None or not scope.internal:
                name = min(compiled.ft_private)
                raise StatementRefusedError(
                    f"The statement names {name!r}, which belongs to flask_tenant or to the database itself",
                    value=name,
                    hint="Use the tenant API, or SQLAlchemy's inspect()",
                )
        if not compiled.ft_tables:
            return
        scope = _scope.get() or self.scope()
        if self.shape == "central":
            if not scope.central:
                raise self._changed(scope)
            return
        # What pin() does, in fewer steps: every statement comes by.
        tenant_id = scope.tenant_id
        if not tenant_id or self.template or notes(connection).setdefault(OWNER, tenant_id) != tenant_id:
            self.pin(connection)

    def needs_pin_only(self, compiled: Any) -> bool:
        """Whether a compiled statement, once it was let through, is so for every connection of its tenant."""
        return (
            self.shape == "tenant"
            and not self.template
            and compiled.ft_refusal is None
            and not compiled.ft_private
            and bool(compiled.ft_tables)
        )

    def allow_batch_copy(self, table: str) -> None:
        """Let Alembic's batch mode copy a table with all tenants' rows: in migrations only."""
        if not self.template:
            raise DdlRefusedError(
                f"A batch copy of table {table!r} outside migrations",
                value=table,
                hint="Run migrations outside any tenant, with 'flask db upgrade'",
            )

    # ---- raw SQL
    def rewrite(self, text: str, placeholders: Placeholders, holder: Any) -> tuple[str, Rewritten | None]:
        """Return the text that may reach the driver in place of the caller's.

        :param holder: the driver's connection
        :returns: the text, and what is known of it (``None`` when it was let through untouched)
        """
        scope = current_scope()
        if scope is not None and scope.internal:
            return text, None
        scope = scope or self.fallback()
        ruled, ruling = self, None
        try:
            if scope is not None and scope.central:
                found = self.raw.central(text, placeholders)
            else:
                if self.law.source is not None and (not unruled(holder) or holder.ft_begins()):
                    begin_statement(holder)
                    ruling = self.law.source.ruling(holder)
                    if ruling is None and current_scope() is not None:
                        note_unruled(holder, current_scope())
                if ruling is not None and ruling.decision.shape:
                    ruled = self.shapes(ruling.decision.shape)
                found = ruled.raw.statement(text, placeholders)
        except DdlRefusedError:
            return self.ddl_text(text), None
        except StatementRefusedError as refusal:
            if ruling is not None:
                raise  # a text that we do not understand would pass the rules by
            self.refuse(refusal)
            return text, None
        if ruling is not None:
            self.admit_reads(found.looks_at(), ruling)
        if self.followed:
            self._admit_past_template(found, text)
        if found.kind == "setting":
            self._admit_setting(text, placeholders, holder, scope)
        if len(found.parts) == 1:
            return found.parts[0], found
        tenant_id = self.pin(holder)
        if ruling is None:
            return found.sent(tenant_id, Vouched), found
        tenant = str(tenant_id)
        dialect = self.raw.dialect
        return found.filled(
            [tenant if hole is None else literal_value(hole, ruling, dialect) for hole in found.holes]
        ), found

    @staticmethod
    def _admit_past_template(found: Rewritten, text: str) -> None:
        """Refuse what start-up and migrations do past the template, while there are tenants."""
        read = next((view.name for view in found.reads if not view.shared), None)
        if any(not view.shared for view in found.writes):
            what = "Rows are written for every tenant past SQLAlchemy's statements, where the tenants cannot follow"
        elif migrating() and read is not None:
            what = f"A migration reads table {read!r} past SQLAlchemy, and would not see the rows that tenants hold"
        else:
            return
        raise StatementRefusedError(
            what,
            statement=text,
            hint="Execute it as text(...) on the connection, or loop with for_each_tenant()",
        )

    def is_setting(self, compiled: Any) -> bool:
        """Whether a whole ``text()`` sets something on the connection."""
        setting = compiled.__dict__.get("ft_setting")
        if setting is None:
            with suppress(StatementRefusedError):  # let through by report-only mode
                setting = self.raw.classify(_text_of(compiled), "text") == "setting"
            compiled.__dict__["ft_setting"] = setting = bool(setting)
        return cast(bool, setting)

    def admit_text(self, compiled: Any, holder: Any) -> None:
        """Let a ``text()`` set something on the connection, or refuse it.

        :param holder: the driver's connection
        """
        scope = current_scope()
        if scope is None or not scope.internal:
            self._admit_setting(_text_of(compiled), "text", holder, scope or self.fallback())

    def _admit_setting(self, text: str, placeholders: Placeholders, holder: Any, scope: Scope | None) -> None:
        """Keep what a tenant sets on a connection from the connection's next user."""
        pooled = is_pooled(holder)
        if scope is not None and scope.tenant_id in (None, TEMPLATE_ID) and not pooled:
            return
        words = [t.key or t.name for t in scan(text, self.raw.dialect, placeholders, None).tokens]
        if words[0] in ("SET", "RESET") and words[1] not in ("LOCAL", "TRANSACTION", "CONSTRAINTS"):
            if pooled:
                hint = (
                    "Use SET LOCAL; what is meant for all belongs into ALTER ROLE or ALTER DATABASE ... SET"
                )
                self.refuse(refuse_lasting(text.strip().split("\n")[0][:80], words[1].lower(), hint))
            notes(holder)[WORN] = True
        if words[0] != "PRAGMA" or ("=" not in words and "(" not in words):
            return
        name = (words[3] if words[2] == "." else words[1]).lower()
        if name == "foreign_keys":
            notes(holder)[WORN] = True
        elif name != "defer_foreign_keys":
            refusal = StatementRefusedError(
                f"PRAGMA {name} is set for the connection, which other tenants use next",
                value=name,
                hint="Set it where the engine is made, in a 'connect' listener",
            )
            self.refuse(refusal)

    # ---- DDL
    def ddl_text(self, text: str) -> str:
        """Return a schema change, written as text, as it makes the tenant-ready schema.

        :raises DdlRefusedError: inside a tenant, and for what cannot be translated with certainty
        """
        self._admit_ddl("A schema change", text.strip().split("\n")[0][:80], instead_of(text))
        return translate_ddl(text, self.raw.dialect, self.config)

    def admit_ddl(self, ddl: Any) -> None:
        """Let a schema change through, or refuse it.

        :raises DdlRefusedError: inside a tenant, and outside any but at start-up and in migrations
        """
        about = getattr(ddl, "element", None)
        name = (
            getattr(about, "name", None) or getattr(ddl, "table_name", None) or getattr(ddl, "statement", "")
        )
        kind = type(ddl).__name__
        if kind.startswith(_ADDS) and commanded() and (current_scope() or self.fallback()) is None:
            return
        self._admit_ddl(kind, str(name))

    def _admit_ddl(self, what: str, name: str, hint: str | None = None) -> None:
        scope = current_scope() or self.fallback()
        if scope is None or scope.tenant_id not in (None, TEMPLATE_ID):
            where = "while no tenant is active" if scope is None else f"inside tenant {scope.tenant}"
            raise DdlRefusedError(
                f"{what} of {name!r} {where}",
                value=name,
                hint=hint
                or "The schema belongs to all tenants: change it at start-up, by a migration, or in "
                "central_context(reason=...); a command such as 'flask init-db' may create tables. A test-suite: set "
                "TENANT_DEFAULT, and run 'pytest -p flask_tenant.testing'",
            )

    def schema_changed(self, connection: Connection) -> None:
        """Do what a schema change leaves to be done, and look at the schema anew."""
        scope = current_scope()
        if scope is not None and scope.internal:
            return
        with plainly(connection):
            settle(connection, self.config)
        self.views.forget(connection)

    def refuse_central(self, what: str) -> CentralRefusedError:
        """Return the error for what central work may not do."""
        return CentralRefusedError(
            what,
            hint="Use for_each_tenant() for ORM work and writes; central work reads rows of one tenant table",
        )


def _text_of(compiled: Any) -> str:
    """The application's words in a compiled ``text()``."""
    statement = compiled.statement
    while not isinstance(statement, TextClause):  # columns or entities are wrapped round it
        statement = statement.element
    return statement.text
