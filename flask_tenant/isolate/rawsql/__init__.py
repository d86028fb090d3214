"""Raw SQL: the caller's own text, with the tenant's view spliced into the place of every table.

A pure library: text in, text out. Our own scanner and parser find each relation and refuse what they do not
know; sqlglot, which knows nothing of them, must find the same relations; then the caller's text is spliced,
never printed anew. What cannot be proven to stay inside the tenant raises
:class:`~flask_tenant.errors.StatementRefusedError`.
"""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import zip_longest

from ...errors import ConfigurationError, RefusedError, StatementRefusedError
from ...expressions import Slot
from ...model import TableView
from ...protocols import Views
from ..functions import AGGREGATES, SAFE
from .commands import Kind, first_kind
from .cursor import Overlays, Setup
from .lexer import Dialect, Placeholders, fold, scan
from .parser import Parser, Place

__all__ = ["Dialect", "Fragment", "Kind", "Place", "Placeholders", "RawSql", "Rewritten", "Spliced"]

CACHE_ENTRIES = 1024
CACHE_TEXT_LENGTH = 32_768
"""Longer texts are worked out each time: they are bulk data, seldom sent twice."""
SENT_TENANTS, SENT_LENGTH = 8, 2_048
"""Of how many tenants each text is kept as it is sent, and up to which length."""


@dataclass(frozen=True, slots=True)
class Spliced:
    """Rewritten text with holes.

    :param parts: the text, cut at each hole
    :param holes: what belongs there: ``None`` for the tenant's id, else the slot of a rule's value
    """

    parts: tuple[str, ...]
    holes: tuple[Slot | None, ...] = ()

    def filled(self, values: Sequence[str]) -> str:
        """Return the text with a value in each hole."""
        return "".join(part for pair in zip_longest(self.parts, values, fillvalue="") for part in pair)


@dataclass(frozen=True, slots=True)
class Rewritten(Spliced):
    """A statement that stays inside its tenant.

    :param kind: what it does; a SELECT with writing CTEs is a ``select`` with ``writes``
    :param reads: tables that it reads, shared ones included
    :param writes: tables that it writes
    :param insert_id: on SQLite, the table of an INSERT that left its automatic id to us: ``lastrowid`` is the
        number of the physical row, not that id
    """

    kind: Kind = "other"
    reads: frozenset[TableView] = frozenset()
    writes: frozenset[TableView] = frozenset()
    insert_id: TableView | None = None
    upsert: bool = False
    _sent: dict[int, str] = field(default_factory=dict, compare=False, repr=False)

    def sent(self, tenant_id: int, make: Callable[[str], str]) -> str:
        """Return the text of a statement without values of rules, the same object each time where it is short.

        Drivers know a text again by its hash, which they need not work out then.

        :param make: of the text, what the guard lets through
        """
        text = self._sent.get(tenant_id)
        if text is None:
            text = make(self.sql(str(tenant_id)))
            if len(text) <= SENT_LENGTH:
                if len(self._sent) >= SENT_TENANTS:
                    self._sent.clear()
                self._sent[tenant_id] = text
        return text

    def sql(self, tenant: str) -> str:
        """Return the text of a statement without values of rules.

        :param tenant: ``str`` of the tenant's id, or a placeholder for it
        """
        return tenant.join(self.parts)

    def looks_at(self) -> Iterator[str]:
        """The names of the tables whose rows it looks at: what is only inserted into is not among them."""
        yield from (view.name for view in self.reads)
        if self.kind != "insert" or self.upsert:
            yield from (view.name for view in self.writes)


@dataclass(frozen=True, slots=True)
class Fragment(Spliced):
    """A part of a statement, such as a ``text()`` in a WHERE.

    :param star: whether it shows all columns of something around it: render derived tables there
    :param names: unqualified names that it uses; one that is an alias around it means a whole row
    :param columns: every column that it names of what is around it
    """

    star: bool = False
    names: frozenset[str] = frozenset()
    reads: frozenset[TableView] = frozenset()
    columns: frozenset[str] = frozenset()

    def sql(self, tenant: str) -> str:
        """Return the text with ``tenant`` in its places."""
        return tenant.join(self.parts)


class RawSql:
    """Rewrites SQL text for one database.

    :param dialect: ``sqlite`` or ``postgresql``
    :param views: the application's tables
    :param column: the tenant column
    :param safe_functions: more functions that may be called: ``name`` or ``schema.name``
    :param directory_prefix: of flask_tenant's own tables, which are never the application's
    :param template: whether it writes seeds: their automatic ids are above every tenant's
    :raises ConfigurationError: for a column name that would need quoting
    """

    def __init__(
        self,
        dialect: Dialect,
        views: Views,
        *,
        column: str = "tenant_id",
        safe_functions: Collection[str] = (),
        directory_prefix: str = "tenancy_",
        template: bool = False,
    ) -> None:
        if dialect not in SAFE:
            raise ConfigurationError(
                f"Raw SQL of {dialect!r} is not known", value=dialect, hint="Use sqlite or postgresql"
            )
        if not column.isidentifier() or not column.isascii() or column != column.lower():
            raise ConfigurationError(
                f"{column!r} cannot be the tenant column's name",
                value=column,
                hint="Use lower-case ASCII letters, digits and underscores",
            )
        extra = frozenset(name.lower() for name in safe_functions)
        self.dialect: Dialect = dialect
        self._setup = Setup(
            dialect=dialect,
            views=views,
            column=fold(column, dialect, quoted=True),
            functions=SAFE[dialect] | extra | {name.rpartition(".")[2] for name in extra},
            aggregates=AGGREGATES[dialect],
            prefix=directory_prefix.lower(),
            extra_functions=extra,
            template=template,
        )
        self._tenant: Callable[[str, Placeholders], Rewritten]
        self._central: Callable[[str, Placeholders], Rewritten]
        self._fragment: Callable[[str, Place, Placeholders], Fragment]
        self._type: Callable[[str], None]
        self._shapes: weakref.WeakSet[RawSql] = weakref.WeakSet()
        self.seeds: RawSql = self
        if not template:
            self.seeds = RawSql(
                dialect,
                views,
                column=column,
                safe_functions=safe_functions,
                directory_prefix=directory_prefix,
                template=True,
            )
        self.invalidate()

    def invalidate(self) -> None:
        """Forget all that was worked out: the tables have changed."""
        if self.seeds is not self:
            self.seeds.invalidate()
        for shape in list(self._shapes):
            shape.invalidate()
        self._tenant = lru_cache(CACHE_ENTRIES)(self._work_out)
        self._central = lru_cache(CACHE_ENTRIES)(self._work_out_central)
        self._fragment = lru_cache(CACHE_ENTRIES)(self._work_out_fragment)
        self._type = lru_cache(CACHE_ENTRIES)(self._work_out_type)

    def overlaid(self, overlays: Overlays) -> RawSql:
        """Return what rewrites for a shape: the same tables, with what rules add to them."""
        other = copy.copy(self)
        other._setup = replace(self._setup, overlays=overlays)
        other._shapes, other.seeds = weakref.WeakSet(), other
        other.invalidate()
        self._shapes.add(other)
        return other

    def statement(self, text: str, placeholders: Placeholders) -> Rewritten:
        """Rewrite a statement of a tenant.

        :raises StatementRefusedError: when it cannot be proven to stay inside the tenant
        :raises HiddenColumnError: when it names the tenant column
        :raises DdlRefusedError: when it changes the schema
        """
        if len(text) > CACHE_TEXT_LENGTH:
            return self._work_out(text, placeholders)
        return self._tenant(text, placeholders)

    def central(self, text: str, placeholders: Placeholders) -> Rewritten:
        """Check a statement of central work: it reads all rows, and writes shared tables only.

        :returns: the text unchanged
        :raises CentralRefusedError: when it writes to a table of tenants
        :raises StatementRefusedError: for what is not known
        """
        if len(text) > CACHE_TEXT_LENGTH:
            return self._work_out_central(text, placeholders)
        return self._central(text, placeholders)

    def fragment(self, text: str, place: Place, placeholders: Placeholders = "text") -> Fragment:
        """Rewrite a part of a statement that something else renders.

        :param place: where it stands; it cannot reach beyond it
        :raises StatementRefusedError: when it cannot be proven to stay inside the tenant, or its place
        """
        if len(text) > CACHE_TEXT_LENGTH:
            return self._work_out_fragment(text, place, placeholders)
        return self._fragment(text, place, placeholders)

    def check_type(self, text: str) -> None:
        """Let the name of a type pass, as something else has rendered it.

        :raises StatementRefusedError: when it is more than a type, or one that shows what belongs to all tenants
        """
        self._type(text)

    def classify(self, text: str, placeholders: Placeholders = "none") -> Kind:
        """Return the kind of a statement, without reading further than its first words.

        :raises StatementRefusedError: when not even the tokens can be read
        """
        return first_kind(scan(text, self.dialect, placeholders, None).tokens)

    # ---- without the cache
    def _work_out(self, text: str, placeholders: Placeholders) -> Rewritten:
        try:
            parser = Parser(self._setup, text, placeholders)
            kind = parser.statement()
            return Rewritten(
                *parser.parts(),
                kind,
                frozenset(parser.reads),
                frozenset(parser.writes),
                parser.insert_id,
                parser.upsert,
            )
        except RecursionError:
            raise _too_deep(text) from None

    def _work_out_central(self, text: str, placeholders: Placeholders) -> Rewritten:
        try:
            parser = Parser(self._setup, text, placeholders, central=True)
            kind = parser.statement()
            return Rewritten((text,), (), kind, frozenset(parser.reads), frozenset(parser.writes))
        except RecursionError:
            raise _too_deep(text) from None

    def _work_out_type(self, text: str) -> None:
        Parser(self._setup, f"({text})", "none").only_type()

    def _work_out_fragment(self, text: str, place: Place, placeholders: Placeholders) -> Fragment:
        try:
            parser = Parser(self._setup, text, placeholders)
            star = parser.fragment(place)
            mentions = parser.scope.mentions
            names = frozenset(m.name for m in mentions if m.qualifier is None)
            return Fragment(
                *parser.parts(), star, names, frozenset(parser.reads), frozenset(m.name for m in mentions)
            )
        except RecursionError:
            raise _too_deep(text) from None


def _too_deep(text: str) -> RefusedError:
    return StatementRefusedError(
        "The statement is nested too deeply", statement=text, hint="Write it flatter"
    )
