"""Hand-written DDL, as in ``op.execute("CREATE UNIQUE INDEX ...")`` and plain ``.sql`` scripts.

Statement kinds that are known are translated or let through; everything else is refused.
"""

from __future__ import annotations

from collections.abc import Callable

from ...errors import DdlRefusedError
from ..config import IsolateConfig
from .clauses import INSTEAD, Clauses, Table
from .names import made_up_name
from .reader import Piece, Reader, read, spliced, statements

# What these create is listed by the catalogue, and refused in tenants until the operator vouches for it.
_PASSED = {
    "CREATE": (
        *("VIEW", "MATERIALIZED VIEW", "RECURSIVE VIEW", "TRIGGER", "CONSTRAINT TRIGGER", "RULE", "FUNCTION"),
        *("PROCEDURE", "AGGREGATE", "SEQUENCE", "TYPE", "DOMAIN", "EXTENSION", "SCHEMA", "COLLATION"),
        *("STATISTICS", "TEXT SEARCH"),
    ),
    "DROP": (
        *(
            "TABLE",
            "INDEX",
            "VIEW",
            "MATERIALIZED VIEW",
            "TRIGGER",
            "RULE",
            "FUNCTION",
            "PROCEDURE",
            "ROUTINE",
        ),
        *("AGGREGATE", "SEQUENCE", "TYPE", "DOMAIN", "EXTENSION", "COLLATION", "STATISTICS", "TEXT SEARCH"),
    ),
    "ALTER": (
        *("INDEX", "VIEW", "MATERIALIZED VIEW", "TRIGGER", "FUNCTION", "PROCEDURE", "AGGREGATE", "SEQUENCE"),
        *("TYPE", "DOMAIN", "EXTENSION", "COLLATION", "STATISTICS", "TEXT SEARCH"),
    ),
    "COMMENT": ("ON",),
    "REFRESH": ("MATERIALIZED VIEW",),
}

DDL_WORDS = frozenset(_PASSED)
"""The words that start the statements that are read here."""

_WHOLE = (
    "It works on the rows of all tenants: do it as the database's owner, or in central_context(reason=...)"
)
_INSTEAD = {
    "TRUNCATE": "It would empty the table for all tenants: use DELETE FROM",
    **dict.fromkeys(("VACUUM", "REINDEX", "CLUSTER", "REFRESH"), _WHOLE),
    "TEMP": "Use a common table expression (WITH ...) in place of a temporary table",
}
_INSTEAD["TEMPORARY"] = _INSTEAD["TEMP"]

_HIDDEN_TYPES = {"sqlite": "INTEGER", "postgresql": "BIGINT"}
_BEFORE_NAMES = frozenset(
    (
        "TABLE",
        "INDEX",
        "EXISTS",
        "ON",
        "ONLY",
        "REFERENCES",
        "TO",
        "TRIGGER",
        "VIEW",
        "FROM",
        "JOIN",
        "INTO",
        "UPDATE",
    )
)
_MAY_NAME_HIDDEN = ("VIEW", "TRIGGER", "FUNCTION", "PROCEDURE", "RULE")


def is_ddl(text: str, dialect_name: str) -> bool:
    """Whether every statement of the text is one that ``translate_ddl`` knows how to read.

    :param dialect_name: ``sqlite`` or ``postgresql``
    """
    found = [pieces[0].word for pieces in statements(read(text, dialect_name))]
    return bool(found) and all(word in DDL_WORDS for word in found)


def instead_of(text: str) -> str | None:
    """What an application does inside a tenant in place of a statement that is for all of them, where it is known."""
    words = [*text.upper().split(maxsplit=2), "", ""]
    return _INSTEAD.get(words[1] if words[0] == "CREATE" else words[0])


def split_statements(text: str, dialect_name: str) -> list[str]:
    """Return the statements of a script one by one, each as it was written, without its semicolon.

    :param dialect_name: ``sqlite`` or ``postgresql``
    """
    return [text[pieces[0].start : pieces[-1].end] for pieces in statements(read(text, dialect_name))]


def translate_ddl(text: str, dialect_name: str, config: IsolateConfig) -> str:
    """Return DDL text that makes the tenant-ready schema, where the given one makes the single-tenant schema.

    :param text: one or several statements
    :param dialect_name: ``sqlite`` or ``postgresql``
    :raises DdlRefusedError: for everything that cannot be translated with certainty
    """
    edits: list[tuple[int, int, str]] = []
    for pieces in statements(read(text, dialect_name)):
        edits += _Statement(text, pieces, dialect_name, config).translate()
    return spliced(text, edits)


def _folding(dialect_name: str, config: IsolateConfig) -> Callable[[str, bool], str]:
    """Return how the database stores a name that is written so: with or without quotes."""
    if dialect_name == "postgresql":
        return lambda name, quoted: name if quoted else name.lower()
    shared = {name.lower(): name for name in config.shared}  # SQLite knows no case, not even within quotes
    return lambda name, quoted: shared.get(name.lower(), name)


class _Statement:
    def __init__(self, source: str, pieces: list[Piece], dialect_name: str, config: IsolateConfig) -> None:
        self.source = source
        self.pieces = pieces
        self.dialect_name = dialect_name
        self.config = config
        self.reader = Reader(source, pieces, _folding(dialect_name, config))
        plain = config.column.isidentifier() and config.column.islower()
        self.hidden = config.column if plain else '"' + config.column.replace('"', '""') + '"'

    def translate(self) -> list[tuple[int, int, str]]:
        """Return the changes that the statement needs."""
        reader = self.reader
        verb = reader.take_any(*DDL_WORDS)
        if not verb:
            reader.refuse(f"{reader.here.text!r} starts no DDL that can be translated", INSTEAD)
        self._leave_ours_alone()
        if verb == "CREATE":
            self._create()
        elif verb == "ALTER" and reader.take("TABLE"):
            self._alter_table()
        else:
            self._passed(verb)
        return reader.edits

    def _leave_ours_alone(self) -> None:
        free = any(piece.word in _MAY_NAME_HIDDEN for piece in self.pieces[:5])
        dropped = self.pieces[0].word == "DROP"
        for number, piece in enumerate(self.pieces):
            if piece.kind not in ("word", "quoted"):
                continue
            name = piece.text.lower()
            ours = name.startswith(self.config.directory_prefix.lower())
            if ours and (dropped or self._names_something(number)):
                self.reader.at = number
                self.reader.refuse(f"{piece.text!r} is flask_tenant's own", "Choose another name")
            if name == self.config.column.lower() and not free:
                self.reader.at = number
                self.reader.refuse(
                    f"{piece.text!r} is the hidden tenant column",
                    "Leave it out: it is added where it belongs. An application's own column needs "
                    "another name",
                )

    def _names_something(self, number: int) -> bool:
        """Whether a table or index is named here, rather than a column."""
        before = self.pieces[number - 1]
        if before.is_mark(".") and number > 1:
            before = self.pieces[number - 3]
        return before.word in _BEFORE_NAMES

    def _passed(self, verb: str) -> None:
        for kind in _PASSED[verb]:
            if self.reader.take(*kind.split()):
                return
        self.reader.refuse(f"{verb} {self.reader.here.text} cannot be translated", INSTEAD)

    def _table(self) -> Table:
        schema, name = self.reader.name()
        return Table(name, schema, self.config.is_tenant(name, schema))

    def _clauses(self, table: Table) -> Clauses:
        return Clauses(self.reader, table, self.dialect_name, self.config, self.hidden)

    # --- CREATE

    def _create(self) -> None:
        reader = self.reader
        if reader.sees("INDEX") or reader.sees("UNIQUE", "INDEX"):
            self._create_index()
            return
        replace = reader.take("OR", "REPLACE")
        while reader.take_any("TEMP", "TEMPORARY", "UNLOGGED", "LOCAL", "GLOBAL"):
            pass
        if not replace and reader.take("TABLE"):
            self._create_table()
        else:
            self._passed("CREATE")

    def _create_table(self) -> None:
        reader = self.reader
        reader.take("IF", "NOT", "EXISTS")
        table = self._table()
        if reader.take("PARTITION", "OF"):
            parent = self._table()
            if parent.tenant != table.tenant or reader.here.is_mark("("):
                reader.refuse("This partition cannot be made tenant-ready", INSTEAD)
            return
        if not reader.here.is_mark("("):
            reader.refuse(
                "Only CREATE TABLE with a list of columns can be made tenant-ready",
                "Create the table with its columns, then INSERT ... SELECT into it",
            )
        opening = reader.expect("(")
        clauses = self._clauses(table)
        empty = reader.here.is_mark(")")
        while not reader.here.is_mark(")"):
            self._element(clauses)
            if not reader.here.is_mark(")"):
                reader.expect(",")
        closing = reader.expect(")")
        if reader.sees("AS"):
            reader.refuse("CREATE TABLE ... AS cannot be made tenant-ready", INSTEAD)
        if table.tenant:
            comma = "" if empty else ", "
            reader.insert(opening.end, f"{self.hidden} {_HIDDEN_TYPES[self.dialect_name]} NOT NULL{comma}")
            reader.insert(closing.start, "".join(f", {key}" for key in clauses.moved))

    def _element(self, clauses: Clauses) -> None:
        reader = self.reader
        word, following = reader.here.word, reader.ahead(1)
        constraint = word in ("CONSTRAINT", "PRIMARY", "UNIQUE", "FOREIGN", "CHECK") or (
            self.dialect_name == "postgresql"
            and (
                word == "LIKE"
                or (word == "EXCLUDE" and (following.word == "USING" or following.is_mark("(")))
            )
        )
        if constraint:
            clauses.table_constraint()
        else:
            clauses.column()

    def _create_index(self) -> None:
        reader = self.reader
        unique = reader.take("UNIQUE")
        reader.take("INDEX")
        reader.take("CONCURRENTLY")
        reader.take("IF", "NOT", "EXISTS")
        name_at = None
        if reader.sees("ON"):
            name_at = reader.here.start
        else:
            reader.name()
        if not reader.take("ON"):
            reader.refuse("ON was expected here", INSTEAD)
        reader.take("ONLY")
        table = self._table()
        method = reader.name()[1].lower() if reader.take("USING") else "btree"
        opening, closing = reader.skip_group()
        if not table.tenant or not (unique or method == "btree"):
            return
        reader.insert(opening.end, f"{self.hidden}, ")
        if name_at is not None:
            names = self._clauses(table).elements(opening, closing)
            if reader.take("INCLUDE"):
                names += self._clauses(table).elements(*reader.skip_group())
            name = made_up_name(table.name, names, "idx", table.made.__contains__).replace('"', '""')
            reader.insert(name_at, f'"{name}" ')

    # --- ALTER TABLE

    def _alter_table(self) -> None:
        reader = self.reader
        reader.take("IF", "EXISTS")
        reader.take("ONLY")
        table = self._table()
        if reader.here.is_mark("*"):
            reader.at += 1
        clauses = self._clauses(table)
        while True:
            self._action(table, clauses)
            while not (reader.here.is_mark(",") or reader.here.text == ""):
                reader.step()
            for key in clauses.moved:
                reader.insert(reader.here.start, f", ADD {key}")
            clauses.moved.clear()
            if reader.here.text == "":
                return
            reader.expect(",")

    def _action(self, table: Table, clauses: Clauses) -> None:
        reader = self.reader
        verb = reader.take_any("ADD", "DROP", "RENAME", "ALTER", "VALIDATE")
        if verb == "RENAME" and reader.take("TO"):
            _, name = reader.name()
            if self.config.is_tenant(name, table.schema) != table.tenant:
                reader.refuse(
                    f"{table.name!r} and {name!r} are not both shared or both the tenants' own",
                    "Name both or neither in the list of shared tables",
                )
        elif verb == "ADD":
            self._add(table, clauses)
        elif not verb:
            reader.refuse(f"ALTER TABLE ... {reader.here.text} cannot be translated", INSTEAD)

    def _add(self, table: Table, clauses: Clauses) -> None:
        reader = self.reader
        at = reader.here
        if not reader.take("COLUMN") and reader.here.word in (
            "CONSTRAINT", "PRIMARY", "UNIQUE", "FOREIGN", "CHECK", "EXCLUDE",
        ):  # fmt: skip
            clauses.table_constraint()
            return
        reader.take("IF", "NOT", "EXISTS")
        clauses.column()
        if clauses.moved and self.dialect_name == "sqlite":
            reader.at = self.pieces.index(at)
            reader.refuse(
                f"SQLite cannot add a column with a key of its own to {table.name!r}, whose keys "
                "start with the tenant",
                "Use op.batch_alter_table(..., recreate='always')",
            )


__all__ = ["DDL_WORDS", "DdlRefusedError", "instead_of", "is_ddl", "split_statements", "translate_ddl"]
