"""Statements without tables: transactions and harmless settings; and what kind a statement is at all."""

from __future__ import annotations

from typing import Literal

from .cursor import Cursor, is_op
from .lexer import END, NAME, NUMBER, OP, PARAM, QUOTED, STRING, Token
from .words import words

Kind = Literal[
    "select", "insert", "update", "delete", "transaction", "setting", "maintenance", "ddl", "other"
]

_FIRST: dict[str, Kind] = {
    "SELECT": "select", "VALUES": "select", "TABLE": "select", "(": "select", "WITH": "select",
    "INSERT": "insert", "REPLACE": "insert", "UPDATE": "update", "DELETE": "delete",
    "BEGIN": "transaction", "START": "transaction", "COMMIT": "transaction", "END": "transaction",
    "ROLLBACK": "transaction", "ABORT": "transaction", "SAVEPOINT": "transaction", "RELEASE": "transaction",
    "PRAGMA": "setting", "SHOW": "setting", "SET": "setting", "RESET": "setting",
    "ANALYZE": "maintenance", "ANALYSE": "maintenance",
    "CREATE": "ddl", "ALTER": "ddl", "DROP": "ddl", "TRUNCATE": "ddl", "COMMENT": "ddl", "GRANT": "ddl",
    "REVOKE": "ddl", "REINDEX": "ddl", "VACUUM": "ddl", "CLUSTER": "ddl", "REFRESH": "ddl", "REASSIGN": "ddl",
    "SECURITY": "ddl", "IMPORT": "ddl",
}  # fmt: skip

_PRAGMAS = words(
    """analysis_limit automatic_index busy_timeout cache_size cache_spill case_sensitive_like
    defer_foreign_keys encoding foreign_keys journal_mode journal_size_limit mmap_size recursive_triggers
    synchronous temp_store threads wal_autocheckpoint"""
)
_CONNECTION_SETTINGS = words(
    """application_name client_encoding client_min_messages datestyle idle_in_transaction_session_timeout
    idle_session_timeout intervalstyle lock_timeout statement_timeout timezone"""
)
_LOCAL_SETTINGS = words(
    """constraint_exclusion enable_bitmapscan enable_hashagg enable_hashjoin enable_indexonlyscan
    enable_indexscan enable_material enable_mergejoin enable_nestloop enable_seqscan enable_sort
    extra_float_digits geqo jit lc_time synchronous_commit work_mem"""
)
_SETTINGS = _CONNECTION_SETTINGS | _LOCAL_SETTINGS
_SHOWN = _SETTINGS | words(
    """integer_datetimes max_identifier_length server_encoding server_version server_version_num
    standard_conforming_strings"""
)
_UTF8 = frozenset({"utf8", "utf-8", "unicode"})


def first_kind(tokens: list[Token]) -> Kind:
    """Return the kind of a statement by its first words; a WITH is what follows it."""
    first = tokens[0]
    kind = _FIRST.get(first.key, "other")
    if first.key == "SET" and tokens[1].key in ("TRANSACTION", "CONSTRAINTS"):
        return "transaction"
    if first.key == "WITH":
        depth = 0
        for token in tokens:
            if token.key == "(":
                depth += 1
            elif token.key == ")":
                depth -= 1
            elif (
                not depth
                and token.kind == NAME
                and token.key in ("SELECT", "VALUES", "TABLE", "INSERT", "REPLACE", "UPDATE", "DELETE")
            ):
                return _FIRST[token.key]
    return kind


class Commands(Cursor):
    """Reads statements that name no table."""

    def finished(self) -> None:
        """Refuse when anything but one semicolon follows."""
        self.accept(";")
        if self.token.kind != END:
            if self.i and self.tokens[self.i - 1].key == ";":
                self.refuse("More than one statement", hint="Send one statement at a time")
            self.unexpected()

    # ---- transactions
    def transaction(self) -> None:
        """Step over a statement of transaction control."""
        key = self.key
        self.i += 1
        if key == "SET":
            self.set_transaction()
        elif key == "BEGIN" or key == "START":
            if self.key in ("DEFERRED", "IMMEDIATE", "EXCLUSIVE"):
                self.i += 1
            if self.key in ("WORK", "TRANSACTION"):
                self.i += 1
            elif key == "START":
                self.unexpected()
            self.modes()
        elif key == "SAVEPOINT":
            self.identifier("a savepoint's name")
        elif key == "RELEASE":
            self.accept("SAVEPOINT")
            self.identifier("a savepoint's name")
        else:
            if self.key in ("WORK", "TRANSACTION"):
                self.i += 1
            if key == "ROLLBACK" and self.accept("TO"):
                self.accept("SAVEPOINT")
                self.identifier("a savepoint's name")
            elif self.accept("AND"):
                self.accept("NO")
                self.expect("CHAIN")

    def set_transaction(self) -> None:
        if self.accept("CONSTRAINTS"):
            if not self.accept("ALL"):
                self.chain()
                while self.accept(","):
                    self.chain()
            if self.key not in ("DEFERRED", "IMMEDIATE"):
                self.unexpected()
            self.i += 1
            return
        self.expect("TRANSACTION")
        self.modes()

    def modes(self) -> None:
        while self.token.kind == NAME:
            if self.accept("ISOLATION", "LEVEL"):
                if not (
                    self.accept("SERIALIZABLE")
                    or self.accept("REPEATABLE", "READ")
                    or self.accept("READ", "COMMITTED")
                    or self.accept("READ", "UNCOMMITTED")
                ):
                    self.unexpected()
            elif not (
                self.accept("READ", "WRITE")
                or self.accept("READ", "ONLY")
                or self.accept("DEFERRABLE")
                or self.accept("NOT", "DEFERRABLE")
            ):
                self.unexpected()
            self.accept(",")

    # ---- settings
    def setting(self) -> None:
        """Step over a PRAGMA, SET, RESET or SHOW on the list of harmless ones."""
        key = self.key
        self.i += 1
        if key == "PRAGMA" and self.sqlite:
            self.pragma()
        elif key in ("SET", "RESET", "SHOW") and not self.sqlite:
            self.variable(key)
        else:
            self.i = 0
            self.unexpected()

    def pragma(self) -> None:
        name = self.identifier("a pragma")
        if self.accept("."):
            if name.name != "main":
                self.refuse("A pragma of another schema", self.i - 2)
            name = self.identifier("a pragma")
        if name.name not in _PRAGMAS:
            self.refuse(
                f"PRAGMA {name.name}",
                self.i - 1,
                value=name.name,
                hint="Use SQLAlchemy's inspect() for the schema; set others where the engine is made",
            )
        if self.accept("="):
            self.value()
        elif self.accept("("):
            self.value()
            self.expect(")")

    def variable(self, verb: str) -> None:
        start = self.i
        local = verb == "SET" and self.key == "LOCAL"
        if verb == "SET" and self.key in ("LOCAL", "SESSION") and self.peek() not in ("=", "TO"):
            self.i += 1
            start = self.i
        if self.accept("TIME", "ZONE"):
            name = "timezone"
        elif verb == "SHOW" and self.accept("TRANSACTION", "ISOLATION", "LEVEL"):
            return
        else:
            name = self.identifier("a setting").name.lower()
        allowed = _SHOWN if verb == "SHOW" else _SETTINGS
        if name not in allowed:
            self.refuse(
                f"{verb} {name}",
                start,
                value=name,
                hint="Settings of the connection belong where the engine is made: other tenants use it next",
            )
        if verb != "SHOW" and name in _LOCAL_SETTINGS and not local:
            self.refuse(
                f"{verb} {name} for the whole connection",
                start,
                value=name,
                hint="Use SET LOCAL: other tenants use the connection next",
            )
        if verb == "RESET" and name == "client_encoding":
            self.refuse("RESET client_encoding", start, value=name, hint="The text would be read differently")
        if verb != "SET":
            return
        if self.tokens[self.i - 1].key != "ZONE" and not (self.accept("=") or self.accept("TO")):
            self.unexpected("'=' was expected")
        value = self.token
        if name == "client_encoding" and value.name.lower() not in _UTF8:
            self.refuse("A client encoding that is not UTF-8", hint="The text would be read differently")
        self.value()
        while name == "datestyle" and self.accept(","):
            self.value()

    def value(self) -> None:
        if self.token.kind == OP and self.key in ("-", "+"):
            self.i += 1
        if self.token.kind not in (NAME, QUOTED, STRING, NUMBER, PARAM):
            self.unexpected("a value was expected")
        self.i += 1

    # ---- maintenance
    def maintenance(self) -> None:
        """ANALYZE, of everything or of one known table."""
        self.i += 1
        if self.token.kind in (NAME, QUOTED):
            view = self.table(self.chain())
            self.reads.add(view)
            if is_op(self.token, "("):
                self.refuse("ANALYZE of single columns", hint="Leave the columns out")
