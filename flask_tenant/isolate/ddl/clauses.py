"""The keys in hand-written CREATE TABLE and ALTER TABLE: the table's own, and those inside its columns."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..config import IsolateConfig
from ..live.sqlite import NEVER_REUSED
from .names import element_name, made_up_name
from .reader import Piece, Reader

TABLE_KEYS = ("PRIMARY", "UNIQUE", "FOREIGN")
IN_COLUMN = ("PRIMARY", "UNIQUE", "REFERENCES")
INSTEAD = "Use Alembic's operations (op.create_table, op.batch_alter_table, ...) instead"


@dataclass
class Table:
    """The table that a statement is about.

    :param tenant: whether its rows belong to tenants
    :param made: names that were given or made up so far
    """

    name: str
    schema: str | None
    tenant: bool
    made: set[str] = field(default_factory=set)


class Clauses:
    """Translates the keys of one table, in one statement."""

    def __init__(
        self, reader: Reader, table: Table, dialect_name: str, config: IsolateConfig, hidden: str
    ) -> None:
        self.reader = reader
        self.table = table
        self.postgresql = dialect_name == "postgresql"
        self.config = config
        self.hidden = hidden
        self.moved: list[str] = []  # keys that stood in a column, and become the table's
        self.never_reused = False

    # --- names

    def made_up(self, columns: list[str], label: str) -> str:
        """Return ``CONSTRAINT name`` as the server would have named it, or nothing on other databases."""
        if not self.postgresql:
            return ""
        name = made_up_name(self.table.name, columns, label, self.table.made.__contains__)
        self.table.made.add(name)
        quoted = name.replace('"', '""')
        return f'CONSTRAINT "{quoted}" '

    def _columns(self, opening: Piece, closing: Piece) -> list[str]:
        """Return the names in a key's column list."""
        names, fresh = [], True
        for piece in self.reader.pieces:
            if not opening.end <= piece.start < closing.start:
                continue
            if fresh and piece.kind != "mark":
                names.append(self.reader.value(piece))
            fresh = piece.is_mark(",")
        return names

    # --- keys of the table

    def table_constraint(self) -> None:
        """Translate one constraint of the table: what stands at the reader, up to the next comma."""
        reader = self.reader
        start, named = reader.here.start, False
        while not (reader.here.is_mark(",") or reader.here.is_mark(")") or reader.here.text == ""):
            word = reader.here.word
            if reader.take("CONSTRAINT"):
                self.table.made.add(reader.name()[1])
                named = True
            elif word in TABLE_KEYS or (word == "EXCLUDE" and self.postgresql):
                self._table_key(word, start, named)
                named = False
            elif word == "LIKE" and self.postgresql and reader.here.start == start:
                reader.refuse("CREATE TABLE ... (LIKE ...) copies keys that are not per tenant", INSTEAD)
            else:
                reader.step()
                continue
            start = start if named else reader.here.start

    def _table_key(self, word: str, start: int, named: bool) -> None:
        reader = self.reader
        reader.at += 1
        if word in ("PRIMARY", "FOREIGN") and not reader.take("KEY"):
            reader.refuse("KEY was expected here", INSTEAD)
        if word == "UNIQUE" and reader.take("NULLS"):
            reader.take("NOT")
            reader.take("DISTINCT")
        method = "gist"
        if word == "EXCLUDE" and reader.take("USING"):
            method = reader.name()[1].lower()
        if reader.sees("USING"):
            reader.refuse(
                "A key made from an existing index cannot be translated", "Drop the index and add the key"
            )
        opening, closing = reader.skip_group()
        if not self.table.tenant:
            if word == "FOREIGN":
                self.references(self._columns(opening, closing))
            return
        if word == "EXCLUDE":
            if method == "hash":
                reader.refuse("A hash index holds one column only", "Use gist, with the extension btree_gist")
            reader.insert(opening.end, f"{self.hidden} WITH =, ")
            names, label = self.elements(opening, closing), "excl"
        elif word == "FOREIGN":
            names, label = self._columns(opening, closing), "fkey"
            if self.references(names):
                reader.insert(opening.end, f"{self.hidden}, ")
            else:
                return
        else:
            reader.insert(opening.end, f"{self.hidden}, ")
            names, label = self._columns(opening, closing), "key" if word == "UNIQUE" else ""
            if reader.take("INCLUDE"):
                names += self._columns(*reader.skip_group())
        if label and not named:
            reader.insert(start, self.made_up(names, label))

    def elements(self, opening: Piece, closing: Piece) -> list[str]:
        """Return what the server calls the elements of an index or of an exclusion constraint."""
        names: list[str] = []
        depth, first = 0, True
        for number, piece in enumerate(self.reader.pieces):
            if not opening.end <= piece.start < closing.start:
                continue
            if depth == 0 and first:
                rest = self.reader.between(piece.start, closing.start)
                following = self.reader.pieces[number + 1]
                if piece.is_mark("(") or following.is_mark("(") or following.is_mark("."):
                    names.append(element_name(rest.lstrip("( ")))
                else:
                    names.append(self.reader.value(piece))
            first = depth == 0 and piece.is_mark(",")
            depth += piece.is_mark("(") - piece.is_mark(")")
        return names

    # --- references

    def references(self, columns: list[str]) -> bool:
        """Translate ``REFERENCES ...`` at the reader, up to its last clause.

        :returns: whether the key is held to the tenant's own rows
        """
        reader = self.reader
        at = reader.here
        if not reader.take("REFERENCES"):
            reader.refuse("REFERENCES was expected here", INSTEAD)
        schema, target = reader.name()
        remote = self.config.is_tenant(target, schema)
        if remote and not self.table.tenant:
            reader.at = reader.pieces.index(at)
            reader.refuse(
                f"The shared table {self.table.name!r} refers to {target!r}, whose rows belong to tenants",
                f"Drop the foreign key, or take {self.table.name!r} off the list of shared tables",
            )
        scoped = remote and self.table.tenant
        if reader.here.is_mark("("):
            opening, _ = reader.skip_group()
            if scoped:
                reader.insert(opening.end, f"{self.hidden}, ")
        while self._reference_clause(columns, scoped):
            pass
        return scoped

    def _reference_clause(self, columns: list[str], scoped: bool) -> bool:
        reader = self.reader
        start = reader.here.start
        if reader.take("ON", "DELETE") or reader.take("ON", "UPDATE"):
            event = reader.pieces[reader.at - 1].word
            spares = self._action() and scoped and self.postgresql
            if spares and event == "UPDATE":
                reader.refuse(
                    "ON UPDATE SET NULL or SET DEFAULT would reach the hidden tenant column",
                    "Use ON UPDATE CASCADE",
                )
            if spares and not reader.here.is_mark("("):
                own = ", ".join('"' + name.replace('"', '""') + '"' for name in columns)
                reader.insert(reader.pieces[reader.at - 1].end, f" ({own})")
            elif reader.here.is_mark("("):
                reader.skip_group()
            return True
        if reader.take("MATCH"):
            word = reader.here.word
            reader.at += 1
            if word == "FULL" and scoped and self.postgresql:
                if len(columns) > 1:
                    reader.refuse(
                        "MATCH FULL cannot be made per tenant here", "Add a CHECK on the columns instead"
                    )
                reader.cut(start, reader.pieces[reader.at - 1].end)
            return True
        return self._deferrable()

    def _action(self) -> bool:
        """Step over an action; say whether it sets columns."""
        reader = self.reader
        if reader.take("SET"):
            reader.at += 1
            return True
        if not (reader.take("NO", "ACTION") or reader.take_any("CASCADE", "RESTRICT")):
            reader.refuse("A foreign key's action was expected here", INSTEAD)
        return False

    def _deferrable(self) -> bool:
        reader = self.reader
        if reader.take("NOT", "DEFERRABLE") or reader.take("DEFERRABLE"):
            return True
        return reader.take("INITIALLY") and bool(reader.take_any("DEFERRED", "IMMEDIATE"))

    # --- keys inside a column

    def column(self) -> None:
        """Translate one column's definition: its inline keys leave it, and are noted in ``moved``."""
        reader = self.reader
        own = reader.here
        name = reader.name()[1]
        label_at: int | None = None
        declared_not_null = self._has_not_null()
        while not (reader.here.is_mark(",") or reader.here.is_mark(")") or reader.here.text == ""):
            start, word = reader.here.start, reader.here.word
            if reader.take("CONSTRAINT"):
                label_at = start
                self.table.made.add(reader.name()[1])
            elif word in IN_COLUMN:
                self._inline_key(word, own, name, label_at, declared_not_null)
                label_at = None
            else:
                label_at = None
                reader.step()

    def _has_not_null(self) -> bool:
        reader = self.reader
        at = reader.at
        found = False
        while not (reader.here.is_mark(",") or reader.here.is_mark(")") or reader.here.text == ""):
            found = found or reader.sees("NOT", "NULL")
            reader.step()
        reader.at = at
        return found

    def _inline_key(self, word: str, own: Piece, name: str, label_at: int | None, not_null: bool) -> None:
        reader = self.reader
        start = reader.here.start
        edits = len(reader.edits)
        column = reader.between(own.start, own.end)
        label = reader.between(label_at, start) if label_at is not None else ""
        if word == "REFERENCES":
            scoped = self.references([name])
        else:
            reader.at += 1
            if word == "PRIMARY" and not reader.take("KEY"):
                reader.refuse("KEY was expected here", INSTEAD)
            reader.take_any("ASC", "DESC")
            scoped = self.table.tenant
        clauses_at = reader.here.start
        clauses_end = self._key_clauses(word)
        if not scoped:
            return
        end = reader.pieces[reader.at - 1].end
        if word == "REFERENCES":
            text = self._own_text(start, end, edits)
            # SQLAlchemy misreads SQLite's text of a key without referred columns, unless it overlooks it.
            words = "FOREIGN KEY" if self.postgresql or "(" in text else "FOREIGN /* implied */ KEY"
            key = f"{label or self.made_up([name], 'fkey')}{words} ({self.hidden}, {column}) {text}"
        else:
            tail = reader.between(clauses_at, clauses_end) if clauses_end > clauses_at else ""
            kind = "PRIMARY KEY" if word == "PRIMARY" else "UNIQUE"
            if word == "UNIQUE":
                label = label or self.made_up([name], "key")
            key = f"{label}{kind} ({self.hidden}, {column}) {tail}"
        # SQLite's INTEGER PRIMARY KEY holds no NULL; as part of a composite key it would.
        integer = reader.pieces[reader.pieces.index(own) + 1].word == "INTEGER"
        instead = "NOT NULL" if word == "PRIMARY" and integer and not not_null and not self.postgresql else ""
        reader.cut(start if label_at is None else label_at, end, instead)
        if word == "PRIMARY" and self.never_reused:
            key = f"{key.rstrip()} {NEVER_REUSED}"
        self.moved.append(key.rstrip())

    def _key_clauses(self, word: str) -> int:
        """Step over the clauses behind an inline key; return the end of those that a table's key may have."""
        reader = self.reader
        end = reader.here.start
        while True:
            if reader.take("ON", "CONFLICT"):
                reader.at += 1
            elif word == "PRIMARY" and reader.take("AUTOINCREMENT"):
                self.never_reused = True
                continue
            elif word == "UNIQUE" and reader.sees("NULLS"):
                reader.refuse(
                    "NULLS [NOT] DISTINCT inside a column cannot be moved",
                    "Write UNIQUE as a table constraint",
                )
            elif reader.sees("USING", "INDEX") or (reader.sees("WITH") and reader.ahead(1).is_mark("(")):
                reader.refuse(
                    "An index option inside a column cannot be moved", "Write the key as a table constraint"
                )
            elif not self._deferrable():
                return end
            end = reader.pieces[reader.at - 1].end

    def _own_text(self, start: int, end: int, edits: int) -> str:
        """Return the text from ``start`` to ``end`` with the changes noted since, which it takes along."""
        reader = self.reader
        inner, reader.edits[edits:] = reader.edits[edits:], []
        result, behind = [], start
        for first, last, text in sorted(inner, key=lambda edit: edit[0]):
            result += [reader.between(behind, first), text]
            behind = last
        return "".join([*result, reader.between(behind, end)])
