# ruff: noqa: E501 - statements and what they give stand on one line
"""What the databases' own parsers see is what we see: PostgreSQL's through pglast, SQLite's through its authorizer."""

from __future__ import annotations

import re
import sqlite3
from random import Random

import pglast
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pglast.visitors import Visitor

from flask_tenant.errors import RefusedError, StatementRefusedError
from flask_tenant.isolate.functions import AGGREGATES, SAFE
from flask_tenant.isolate.rawsql import judge
from flask_tenant.isolate.rawsql.cursor import Setup
from flask_tenant.isolate.rawsql.lexer import NAME, NUMBER, PARAM, QUOTED, STRING, scan
from flask_tenant.isolate.rawsql.parser import Parser
from tests.rawsql import test_attacks as attacks
from tests.rawsql.corpus import COMMON, POSTGRESQL, SQLITE
from tests.rawsql.shapes import SHAPES, Maker
from tests.rawsql.world import WorldViews, create
from tests.services.availability import FULL, examples


def parser(dialect: str, text: str) -> Parser:
    setup = Setup(dialect, WorldViews(dialect), "tenant_id", SAFE[dialect], AGGREGATES[dialect], "tenancy_")  # type: ignore[arg-type]
    found = Parser(setup, text, "none" if dialect == "postgresql" else "qmark")
    found.statement()
    return found


class Relations(Visitor):
    """Collects where PostgreSQL sees relations."""

    def __init__(self) -> None:
        self.found: dict[int, str] = {}
        self.locked: set[int] = set()

    def visit_RangeVar(self, _ancestors, node) -> None:  # noqa: N802
        if node.location not in self.locked:
            self.found[node.location] = node.relname

    def visit_LockingClause(self, _ancestors, node) -> None:  # noqa: N802
        """FOR UPDATE OF names aliases."""
        for locked in node.lockedRels or ():
            self.locked.add(locked.location)
            self.found.pop(locked.location, None)


class Calls(Visitor):
    """Collects the functions and types that PostgreSQL sees."""

    def __init__(self) -> None:
        self.functions: set[str] = set()

    def visit_FuncCall(self, _ancestors, node) -> None:  # noqa: N802
        self.functions.add(node.funcname[-1].sval)


# what the grammar itself turns into calls
GRAMMAR = {
    "timezone",
    "like_escape",
    "similar_to_escape",
    "similar_escape",
    "btrim",
    "ltrim",
    "rtrim",
    "overlaps",
    "is_normalized",
    "pg_collation_for",
}


def agree(text: str) -> None:
    """pglast finds no relation and no function that we did not see."""
    try:
        ours = parser("postgresql", text)
    except RefusedError:
        return
    try:
        tree = pglast.parse_sql(text)
    except pglast.parser.ParseError:
        return
    assert len(tree) == 1
    seen = Relations()
    seen(tree)
    names = {token.start: token for token in ours.tokens if token.kind in (NAME, QUOTED)}
    marked = sorted(names[at].name for at in ours.relations | ours.members)
    assert sorted(seen.found.values()) == marked, text
    calls = Calls()
    calls(tree)
    assert calls.functions <= SAFE["postgresql"] | GRAMMAR, text


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
@pytest.mark.parametrize(
    "other", ["SELECT name FROM customer, invoice", "SELECT name", "SELECT name, 1 FROM customer"]
)
def test_who_is_of_another_opinion_is_heard(
    monkeypatch: pytest.MonkeyPatch, dialect: str, other: str
) -> None:
    """sqlglot sees a table more than we do, or one less, or the same in another place."""
    text = "SELECT name FROM customer"
    assert parser(dialect, text).relations
    monkeypatch.setattr(judge, "plain_text", lambda cursor: other)
    with pytest.raises(StatementRefusedError, match="not certain which tables"):
        parser(dialect, text)


@pytest.mark.parametrize("statement", [*COMMON, *POSTGRESQL, *attacks.BOTH, *attacks.POSTGRESQL])
def test_postgresql_sees_the_same_relations(statement: str) -> None:
    agree(statement)


@settings(max_examples=examples(300), deadline=None, database=None, derandomize=not FULL)
@given(st.integers(0, 2**32), st.sampled_from(sorted(SHAPES)))
def test_postgresql_sees_the_same_relations_in_made_up_statements(seed: int, shape: str) -> None:
    agree(SHAPES[shape](Maker(Random(seed), sqlite=False)))


@settings(max_examples=examples(300), deadline=None, database=None, derandomize=not FULL)
@given(st.integers(0, 2**32), st.sampled_from(sorted(SHAPES)))
def test_postgresql_can_read_what_we_write(seed: int, shape: str) -> None:
    statement = SHAPES[shape](Maker(Random(seed), sqlite=False))
    found = parser("postgresql", statement)
    sql = "7".join(found.parts()[0])
    tree = pglast.parse_sql(sql)
    assert len(tree) == 1
    assert sql.count("tenant_id") >= len({v for v in found.reads | found.writes if not v.shared})


MUTATIONS = [
    "customer", "invoice", "(", ")", ",", ".", "*", "'", '"', "--", "/*", "*/", "\n", " ", "$$", "$a$", "E'", "\\",
    "SELECT", "FROM", "WHERE", "JOIN", "ON", "AS", "UNION", "WITH", "IN", "VALUES", "TABLE", "ONLY", "LATERAL", "USING",
    "ORDER BY", "GROUP BY", "LIMIT", "1", "id", "x", "public", "::", "[", "]", ";", "%", "AND", "NOT", "DISTINCT", "FOR UPDATE",
    "RETURNING", "SET", "CASE", "END", "RECURSIVE", "CROSS", "LEFT", "NATURAL", "lower(", "EXISTS", "(SELECT", "INTO",
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, statements: list[str]) -> str:
    """A good statement with words put in, left out or moved."""
    words = re.findall(r"\w+|\s+|.", draw(st.sampled_from(statements)), re.DOTALL)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(words)))
        kind = draw(st.integers(0, 3))
        if kind == 0:
            words.insert(at, " " + draw(st.sampled_from(MUTATIONS)) + draw(st.sampled_from([" ", ""])))
        elif kind == 1:
            del words[at : at + draw(st.integers(1, 3))]
        elif kind == 2 and words:
            words.insert(at, draw(st.sampled_from(words)))
        elif at < len(words):
            words[at] = draw(st.sampled_from(MUTATIONS))
    return "".join(words)


@settings(max_examples=examples(1500), deadline=None, database=None, derandomize=not FULL)
@given(mutated([*COMMON, *POSTGRESQL]))
@example("SELECT 1 FROM customer JOIN invoice, line")
def test_postgresql_sees_the_same_relations_in_mutilated_statements(text: str) -> None:
    agree(text)


# ---- the scanner
PIECES = [
    "'", "''", '"', '""', "\\", "\\'", "E'", "e'", "B'", "U&'", "N'", "$$", "$a$", "$", "$1", "--", "/*", "*/", "/", "*",
    "-", "\n", "\r", " ", "a", "b1", "_x", "1", "1.5", ".", "1e5", "::", ":", "<", ">", "=", "@", "||", "é", "(", ")", "[", "]",
    "SELECT", "x'", "0x1", ";", ",", "+", "?", "#", "&", "!", "%",
]  # fmt: skip


@settings(max_examples=examples(3000), deadline=None, database=None, derandomize=not FULL)
@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
@example("E'a'\n'b\\'")
@example("'a'\n'b'")
@example("E'\\'' --'")
@example("/*/**/*/a")
@example("$a$'$a$ '")
@example("a$$b$$")
@example("--\r'")
@example("@-- x")
@example("*/**/1")
def test_the_scanner_cuts_as_postgresql_does(text: str) -> None:
    try:
        ours = scan(text, "postgresql", "none", None)
    except RefusedError:
        return
    try:
        theirs = pglast.parser.scan(text)
    except pglast.parser.ParseError:
        return
    words = {(t.start, t.end) for t in ours.tokens if t.kind in (NAME, QUOTED, STRING, NUMBER, PARAM)}
    wanted = set()
    for token in theirs:
        first, last = token.start, token.end + 1
        name = token.name
        if name == "NCHAR" and text[last : last + 1] == "'":
            continue  # N'...' is two tokens to PostgreSQL
        if name in ("SQL_COMMENT", "C_COMMENT"):
            assert not any(s < last and e > first for s, e in words), (text, token)
        elif (
            name in ("IDENT", "SCONST", "ICONST", "FCONST", "BCONST", "XCONST", "USCONST", "UIDENT")
            or token.kind != "NO_KEYWORD"
        ):
            wanted.add((first, last))
    # two strings with a line break between them are one token to PostgreSQL and two to us; nothing else differs
    words |= {(s + 1, e) for s, e in words if text[s] in "nN" and text[s + 1 : s + 2] == "'"}
    for first, last in wanted - words:
        inner = sorted(w for w in words if first <= w[0] and w[1] <= last)
        assert inner, (text, first, last)
        assert (inner[0][0], inner[-1][1]) == (first, last), text
        assert text[first] in "'nN", text
        words -= set(inner)
        words.add((first, last))
    assert wanted <= words, text


# ---- SQLite
def sqlite_tables(connection: sqlite3.Connection, text: str) -> set[str] | None:
    """The tables that SQLite itself sees in a statement, ``None`` when it does not take it."""
    seen: set[str] = set()

    def authorize(action: int, one: str | None, _two: str | None, _db: str | None, _by: str | None) -> int:
        if (
            action
            in (sqlite3.SQLITE_READ, sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE)
            and one
        ):
            seen.add(one)
        return sqlite3.SQLITE_OK

    connection.set_authorizer(authorize)
    try:
        connection.execute(f"EXPLAIN {text}").close()
    except (sqlite3.Error, sqlite3.Warning):
        return None
    finally:
        connection.set_authorizer(None)
    return {name for name in seen if not name.startswith("sqlite_")}


@pytest.fixture(scope="module")
def empty() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.create_function("regexp", 2, lambda a, b: 1)
    for statement in create("sqlite", pool=False):
        connection.execute(statement)
    return connection


def sqlite_agrees(connection: sqlite3.Connection, text: str) -> None:
    try:
        ours = parser("sqlite", text)
    except RefusedError:
        return
    theirs = sqlite_tables(connection, text)
    if theirs is None:
        return
    known = {view.name.lower() for view in ours.reads | ours.writes}
    assert {name.lower() for name in theirs} - {"json_each", "json_tree"} <= known, text


@pytest.mark.parametrize("statement", [*COMMON, *SQLITE, *attacks.BOTH, *attacks.SQLITE])
def test_sqlite_sees_the_same_tables(empty: sqlite3.Connection, statement: str) -> None:
    sqlite_agrees(empty, statement)


def test_sqlite_sees_the_same_tables_in_mutilated_statements(empty: sqlite3.Connection) -> None:
    more = [
        "`customer`",
        "[invoice]",
        "main",
        "REPLACE",
        "INDEXED BY",
        "GLOB",
        "line",
        "rowid",
        "==",
        "X'",
        "?1",
        ":a",
        "$b",
    ]

    @settings(max_examples=examples(1500), deadline=None, database=None, derandomize=not FULL)
    @given(mutated([*COMMON, *SQLITE]), st.sampled_from(["", *more]), st.integers(0, 200))
    def agrees(text: str, word: str, at: int) -> None:
        sqlite_agrees(empty, f"{text[:at]} {word} {text[at:]}" if word else text)

    agrees()


@settings(max_examples=examples(2000), deadline=None, database=None, derandomize=not FULL)
@given(
    st.lists(st.sampled_from([*PIECES, "`", "```", "x", ":a", "@b", "$c", "?", "?1"]), max_size=10).map(
        "".join
    )
)
@example("/* /* */ x")
@example("'a''b' \"c\"\"d\"")
@example("'\\'")
@example("$$")
def test_the_scanner_cuts_as_sqlite_does(text: str) -> None:
    """SQLite shows its cuts by its headings: the text of an expression from its first token to its last."""
    probe = f"SELECT {text}\nFROM t"
    try:
        ours = scan(probe, "sqlite", "qmark", None).tokens
    except RefusedError:
        return
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("CREATE TABLE t (a, b1, _x)")
        count = sum(token.kind == PARAM for token in ours)
        cursor = connection.execute(
            probe, {"a": 1, "b": 1, "c": 1} if ":" in probe or "@" in probe else [1] * count
        )
        headings = [column[0] for column in cursor.description]
    except (sqlite3.Error, sqlite3.Warning, OverflowError):
        return
    finally:
        connection.close()
    assert [token.key for token in ours[-3:-1]] == ["FROM", "T"], "SQLite saw FROM t, and so must we"
    items: list[list[int]] = [[]]
    depth = 0
    for at in range(1, len(ours) - 3):
        depth += (ours[at].key == "(") - (ours[at].key == ")")
        if ours[at].key == "," and not depth:
            items.append([])
        else:
            items[-1].append(at)
    if any(ours[item[0]].key == "*" for item in items if item):
        return
    assert len(items) == len(headings)
    for item, heading in zip(items, headings, strict=True):
        if ours[item[-1]].kind not in (NAME, QUOTED, STRING) or (
            len(item) == 1 and ours[item[0]].kind == STRING
        ):
            assert heading == probe[ours[item[0]].start : ours[item[-1] + 1].start].rstrip(" \t\n\f\r")
