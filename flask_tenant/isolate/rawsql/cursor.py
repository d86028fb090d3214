"""What the parsers share: the place in the text, the changes noted so far, and the names in scope."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NoReturn, Protocol

from ...errors import StatementRefusedError
from ...expressions import Slot
from ...model import TableView
from ...protocols import Views
from .catalogues import catalogue
from .lexer import END, NAME, OP, QUOTED, Dialect, Placeholders, Token, fold, scan
from .nodes import Scope, Source

TENANT = "\0"
"""Stands for the tenant's id in rewritten text until it is cut there; the lexer lets no NUL through."""


FENCES = {"sqlite": " LIMIT -1 OFFSET 0", "postgresql": " OFFSET 0"}
"""Behind a derived table: it is worked out before anything that the statement asks of it."""

IN_THE_WAY = "ft_row_in_the_way"
"""Stands in the database's error when a row that a filter takes away is to be changed; see :func:`raises`."""


def raises(dialect: Dialect, column: str) -> str:
    """Return a condition that raises an error as soon as it is worked out.

    An upsert meets rows by their key, not by a condition, so it can meet one that a filter takes away. To pass it over
    would drop what the application writes in silence.

    :param column: any; what holds no column may be worked out before there is a row
    """
    marked = f"'{IN_THE_WAY}' || {column}"
    return f"json_extract('{{}}', {marked})" if dialect == "sqlite" else f"CAST({marked} AS boolean)"


_WORD_ENDS = TENANT + "_$'\"`"


@dataclass(frozen=True, slots=True)
class Setup:
    """What holds for all statements of one database.

    :param column: the tenant column
    :param functions: names that may be called, folded
    :param aggregates: those of them that work over a group
    :param prefix: of flask_tenant's own tables
    :param overlays: what rules add to tables
    :param template: whether rows are seeds, which are copied: their automatic ids are above every tenant's
    """

    dialect: Dialect
    views: Views
    column: str
    functions: frozenset[str]
    aggregates: frozenset[str]
    prefix: str
    extra_functions: frozenset[str] = frozenset()
    template: bool = False
    overlays: Overlays | None = None


class TableOverlay(Protocol):
    """What rules add to one table; see :class:`flask_tenant.isolate.overlay.tables.TableOverlay`."""

    covered: frozenset[str]
    filtered: bool

    def keeps(self, column: Callable[[str], str], value: Callable[[Slot], str]) -> str:
        """Return the conditions that a row has to meet."""

    def shows(self, name: str, column: Callable[[str], str], value: Callable[[Slot], str]) -> str | None:
        """Return what a column shows, ``None`` for its own value."""


class Overlays(Protocol):
    """What rules add, by table."""

    def of(self, view: TableView | None) -> TableOverlay | None:
        """Return what is added to a table."""

    def tells(self, tokens: list[Token]) -> bool:
        """Whether the text may raise an error for a row, or tell of it otherwise."""


class Cursor:
    """Walks the tokens of one text and notes changes."""

    def __init__(self, setup: Setup, text: str, placeholders: Placeholders, *, central: bool = False) -> None:
        self.setup = setup
        self.dialect = setup.dialect
        self.sqlite = setup.dialect == "sqlite"
        self.central = central
        self.text = text
        self.placeholders = placeholders
        hidden = None if central else setup.column
        self.lexed = scan(text, setup.dialect, placeholders, hidden)
        self.tokens = self.lexed.tokens
        self.i = 0
        self.edits: list[tuple[int, int, str]] = []
        self.reads: set[TableView] = set()
        self.writes: set[TableView] = set()
        self.relations: set[int] = set()  # offsets of names that sqlglot must take for tables too
        self.members: set[int] = set()  # offsets of names behind IN: tables that sqlglot takes for columns
        self.blanks: list[tuple[int, int, str]] = []  # what sqlglot need not see, and what it sees instead
        self.frames: list[set[str]] = []  # names of CTEs, innermost last
        self.scope = Scope()
        self.labels: set[str] = set()  # names that the statement itself gives to columns
        self.bare = (
            False  # whether a table is in reach as the database has it, of an UPDATE or around a fragment
        )
        self.grouped = 0
        self.function = ""
        self.uncertain: set[int] = set()  # mentions that may belong to a subquery or to what is around it
        self.slots: list[Slot] = []
        self.fenced = setup.overlays is not None and setup.overlays.tells(self.tokens)

    # ---- tokens
    @property
    def token(self) -> Token:
        """The token in hand."""
        return self.tokens[self.i]

    @property
    def key(self) -> str:
        """The key of the token in hand."""
        return self.tokens[self.i].key

    def peek(self, ahead: int = 1) -> str:
        """The key of a token to come."""
        at = self.i + ahead
        return self.tokens[at].key if at < len(self.tokens) else ""

    def accept(self, *keys: str) -> bool:
        """Step over the given tokens, if they are the next."""
        tokens, i = self.tokens, self.i
        for key in keys:
            if tokens[i].key != key:
                return False
            i += 1
        self.i = i
        return True

    def expect(self, *keys: str) -> None:
        """Step over the given tokens, or refuse."""
        for key in keys:
            if self.tokens[self.i].key != key:
                self.unexpected(f"{key} was expected")
            self.i += 1

    def identifier(self, what: str) -> Token:
        """Step over an identifier and return it."""
        token = self.tokens[self.i]
        if token.kind != NAME and token.kind != QUOTED:
            self.unexpected(f"{what} was expected")
        self.i += 1
        return token

    def source_text(self, first: int, last: int) -> str:
        """The caller's text of tokens ``first`` to ``last``, both included."""
        return self.text[self.tokens[first].start : self.tokens[last].end]

    # ---- refusing
    def refuse(self, what: str, at: int | None = None, *, hint: str = "", value: object = None) -> NoReturn:
        """Refuse the statement because of the token at index ``at``."""
        token = self.tokens[self.i if at is None else at]
        raise StatementRefusedError(what, value=value, hint=hint, statement=self.text, position=token.start)

    def unexpected(self, note: str = "") -> NoReturn:
        """Refuse the token in hand."""
        token = self.token
        seen = (
            "The text ends too early"
            if token.kind == END
            else f"{self.text[token.start : token.end]!r} has no place here"
        )
        self.refuse(
            f"{seen}: {note}" if note else seen,
            hint="If this is valid SQL, write it in a plainer way, or with SQLAlchemy's constructs",
        )

    # ---- changing
    def replace(self, start: int, end: int, text: str) -> None:
        """Put ``text`` in the place of the offsets ``start`` to ``end``."""
        if not self.central:
            self.edits.append((start, end, text))

    def insert(self, at: int, text: str) -> None:
        """Put ``text`` at offset ``at``."""
        self.replace(at, at, text)

    def conceal(self, first: int, last: int, instead: str = "") -> None:
        """Hide tokens ``first`` to ``last`` from sqlglot, whose grammar lacks them."""
        self.blanks.append((self.tokens[first].start, self.tokens[last].end, instead))

    def quote(self, name: str) -> str:
        """Quote a name of the schema, safe from the placeholders of this text."""
        return self.escaped('"' + name.replace('"', '""') + '"')

    def literal(self, value: str) -> str:
        """Quote a string, safe from the placeholders of this text."""
        return self.escaped("'" + value.replace("'", "''") + "'")

    def escaped(self, quoted: str) -> str:
        """Keep what is quoted from being taken for a placeholder."""
        if self.placeholders == "format":
            quoted = quoted.replace("%", "%%")
        elif self.placeholders == "text":
            if "\x5c" in quoted:
                self.refuse("A table or column has a backslash in its name", value=quoted)
            quoted = quoted.replace(":", "\x5c:")
        if TENANT in quoted:
            self.refuse("A table or column has a NUL in its name", value=quoted)
        return quoted

    def names(self, names: Iterable[str], qualifier: str = "") -> str:
        """Quote several columns."""
        dot = f"{qualifier}." if qualifier else ""
        return ", ".join(dot + self.quote(name) for name in names)

    def table_name(self, view: TableView, schema: str | None) -> str:
        """The full name of a tenant table, so that no CTE of the same name can stand in for it."""
        schema = schema or view.schema or ("main" if self.sqlite else None)
        return f"{self.quote(schema)}.{self.quote(view.name)}" if schema else self.quote(view.name)

    def belongs(self, qualifier: str) -> str:
        """The predicate that a row is the tenant's."""
        return f"{qualifier}.{self.quote(self.setup.column)} = {TENANT}"

    # ---- what rules add
    def overlay(self, view: TableView) -> TableOverlay | None:
        """What rules add to a table."""
        overlays = self.setup.overlays
        return overlays.of(view) if overlays is not None and not self.central else None

    def slot_value(self, slot: Slot) -> str:
        """The place of a rule's value."""
        self.slots.append(slot)
        return f"{TENANT}\x01{len(self.slots) - 1}\x01"

    def shown(self, view: TableView, name: str, qualifier: str) -> str | None:
        """What a column shows in place of its value, ``None`` for the value itself."""
        overlay = self.overlay(view)
        return None if overlay is None else overlay.shows(name, self.column_of(qualifier), self.slot_value)

    def column_of(self, qualifier: str) -> Callable[[str], str]:
        """What renders a column's name behind a qualifier."""
        return lambda name: f"{qualifier}.{self.quote(name)}"

    def keeps(self, view: TableView, qualifier: str) -> str:
        """The rules' conditions for a table's rows, ``""`` for none."""
        overlay = self.overlay(view)
        if overlay is None or not overlay.filtered:
            return ""
        return overlay.keeps(self.column_of(qualifier), self.slot_value)

    def visible(self, view: TableView, qualifier: str) -> str:
        """The predicate that a row is in the tenant's view."""
        keeps = self.keeps(view, qualifier)
        return f"{self.belongs(qualifier)} AND {keeps}" if keeps else self.belongs(qualifier)

    def columns_of(self, view: TableView, qualifier: str) -> str:
        """A table's columns as a SELECT's list."""
        if self.overlay(view) is None:
            return self.names(view.columns, qualifier)
        shown = []
        for name in view.columns:
            instead = self.shown(view, name, qualifier)
            quoted = self.quote(name)
            shown.append(f"{qualifier}.{quoted}" if instead is None else f"{instead} AS {quoted}")
        return ", ".join(shown)

    def filtered(self, source: Source) -> str:
        """The tenant's view of a table, as a SELECT."""
        view = source.table
        own = self.quote(view.name)
        table = f"{source.before}{self.table_name(view, source.schema)}{source.inner}"
        text = f"SELECT {self.columns_of(view, own)} FROM {table} WHERE {self.visible(view, own)}"
        overlay = self.overlay(view)
        if self.fenced and overlay is not None and overlay.filtered:
            text += FENCES[self.dialect]
        return text

    def stamp(self) -> str:
        """The tenant's id as a value; typed, because a bare placeholder in a SELECT is text to PostgreSQL."""
        return TENANT if self.sqlite else f"CAST({TENANT} AS bigint)"

    def spliced(self) -> str:
        """The text with all changes made."""
        if not self.edits:
            return self.text
        pieces: list[str] = []
        at = 0
        for _, (start, end, text) in sorted(
            enumerate(self.edits), key=lambda item: (item[1][0], item[1][1], item[0])
        ):
            if start < at:
                self.refuse("Changes overlap here", hint="Write the statement in a plainer way")
            before, behind = self.text[start - 1 : start], self.text[end : end + 1]
            if text and before and touches(before, text[0]):
                text = f" {text}"
            if text and behind and touches(text[-1], behind):
                text += " "
            pieces += [self.text[at:start], text]
            at = end
        pieces.append(self.text[at:])
        return "".join(pieces)

    # ---- relations
    def is_cte(self, name: str) -> bool:
        """Whether an unqualified name means a CTE here."""
        return any(name in frame for frame in self.frames)

    def table(self, chain: list[int]) -> TableView:
        """Find a table by the tokens of its name, or refuse."""
        name = self.tokens[chain[-1]].name
        schema = self.tokens[chain[0]].name if len(chain) > 1 else None
        view = self.setup.views.find(name, schema)
        if view is None and self.setup.template:
            view = catalogue(self.dialect, name, schema)
        if view is None:
            shown = f"{schema}.{name}" if schema else name
            self.refuse(
                f"No table {shown!r} is known to belong to the application",
                chain[0],
                value=shown,
                hint="Use the application's own tables. In place of a view of the database write its SELECT, as a "
                "subquery or WITH. For the schema, use SQLAlchemy's inspect(): the database's catalogues show all "
                "tenants",
            )
        return view

    def chain(self) -> list[int]:
        """Step over ``name`` or ``schema.name``; return the indexes of its identifiers."""
        self.identifier("a table's name")
        found = [self.i - 1]
        while self.key == ".":
            self.i += 1
            self.identifier("a name")
            found.append(self.i - 1)
        if len(found) > 2:
            self.refuse("A name of more than two parts", found[0], hint="Leave the database's name out")
        return found

    def folded(self, names: Iterable[str]) -> frozenset[str]:
        """Names of the schema as identifiers in the text are folded."""
        if not self.sqlite:
            return frozenset(names)
        return frozenset(fold(name, "sqlite", quoted=True) for name in names)


def touches(left: str, right: str) -> bool:
    """Whether two characters side by side would make one token of two."""
    return (left.isalnum() or left in _WORD_ENDS) and (right.isalnum() or right in _WORD_ENDS)


def is_op(token: Token, symbol: str) -> bool:
    """Whether a token is this operator."""
    return token.kind == OP and token.key == symbol
