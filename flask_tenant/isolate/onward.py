"""What the database itself writes when a statement writes a table: by triggers, by rules of its own, and by REPLACE.

None of it passes the wall, so nobody asks what rules say about those rows. What a foreign key passes on is looked at
row by row where a statement does it (see ``writing``); here only where one of the others has part in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, NamedTuple

from ..errors import TenancyError
from .live import LiveObject, LiveSchema
from .rawsql.lexer import NAME, QUOTED, Dialect, Token, fold, scan

Verb = Literal["insert", "update", "delete"]

REPLACING = "replace"
"""What a statement does that deletes rows in its way, such as SQLite's ``REPLACE``."""

_VERBS: Mapping[str, Verb] = {
    "INSERT": "insert",
    "UPDATE": "update",
    "DELETE": "delete",
    "TRUNCATE": "delete",
}
_ACTIONS: Mapping[str, Verb] = {"CASCADE": "delete", "SET NULL": "update", "SET DEFAULT": "update"}
_WAYS = ("ABORT", "FAIL", "IGNORE", "REPLACE", "ROLLBACK")
"""SQLite's ``INSERT OR …``."""
_DYNAMIC = frozenset({"EXECUTE", "CALL", "COPY"})


class Onward(NamedTuple):
    """Rows that the database writes by itself.

    :param by: what does it, for people: ``the trigger counts on invoice``
    """

    verb: Verb
    table: str
    by: str


class Unknown(NamedTuple):
    """A trigger of which cannot be told what it writes.

    :param by: it, and why, for people
    """

    table: str
    by: str


@dataclass(frozen=True, slots=True)
class Onwards:
    """What follows in one database from writing its tables.

    :param known: (table, ``insert`` | ``update`` | ``delete`` | ``replace``) -> what the database writes then
    """

    known: Mapping[tuple[str, str], tuple[Onward, ...]] = field(default_factory=lambda: MappingProxyType({}))
    unknown: tuple[Unknown, ...] = ()

    def of(self, table: str, verb: str) -> tuple[Onward, ...]:
        """Return what the database writes when a statement does this to a table."""
        return self.known.get((table, verb), ())


def onwards(live: LiveSchema, objects: Iterable[LiveObject], vouched: Collection[str] = ()) -> Onwards:
    """Find what the database writes by itself.

    :param objects: its triggers and rules, without our own
    :param vouched: names of triggers, rules and tables whose own writes rules need not look at
    """
    own: dict[tuple[str, str], list[Onward]] = defaultdict(list)
    unknown: list[Unknown] = []
    names = {fold(table.name, _dialect(live), quoted=True): table.name for table in live.tables}
    called = {found.name for found in live.objects if found.kind == "function"}
    for found in objects:
        if found.table is None or {found.name, found.fullname} & set(vouched):
            continue
        by = f"the {found.kind} {found.fullname} on {found.table}"
        try:
            verbs, written = _read(found, _dialect(live), called)
        except (TenancyError, ValueError, IndexError) as why:
            unknown.append(Unknown(found.table, f"{by}: {getattr(why, 'message', why)}"))
            continue
        for verb in verbs:
            own[found.table, verb] += (Onward(does, names[to], by) for does, to in written if to in names)
    passing: dict[tuple[str, str], list[Onward]] = defaultdict(list)
    for table in live.tables:
        if table.replaces and not {table.name, table.fullname} & set(vouched):
            by = f"ON CONFLICT REPLACE of {table.name}"
            own[table.name, "insert"] += (Onward(verb, table.name, by) for verb in ("delete", "update"))
            own[table.name, "update"].append(Onward("delete", table.name, by))
        for key in table.foreign_keys:
            for verb, action in (("delete", key.on_delete), ("update", key.on_update)):
                if action in _ACTIONS:
                    does = _ACTIONS[action] if verb == "delete" else "update"
                    to = Onward(does, table.name, f"ON {verb.upper()} {action} of {table.name}")
                    passing[
                        names.get(fold(key.referred_table, _dialect(live), quoted=True), ""), verb
                    ].append(to)
    starts = {*own, *passing}
    for table in live.tables if live.dialect == "sqlite" else ():
        if {(table.name, verb) for verb in ("update", "delete")} & starts:
            own[table.name, REPLACING] = [Onward("delete", table.name, "REPLACE")]
            starts.add((table.name, REPLACING))
    known = {start: reached for start in starts if (reached := _reached(start, own, passing))}
    return Onwards(known, tuple(unknown))


def _reached(
    start: tuple[str, str],
    own: Mapping[tuple[str, str], list[Onward]],
    passing: Mapping[tuple[str, str], list[Onward]],
) -> tuple[Onward, ...]:
    """Follow everything, and keep what a trigger, a rule or a REPLACE has part in."""
    found: dict[Onward, None] = {}
    seen: set[tuple[str, str, str]] = set()
    todo: list[tuple[str, str, str]] = [(*start, "")]
    while todo:
        table, verb, by = todo.pop()
        for onward, through in (
            *((each, by or each.by) for each in own.get((table, verb), ())),
            *((each, by) for each in passing.get((table, verb), ())),
        ):
            step = (onward.table, onward.verb, through)
            if step in seen:
                continue
            seen.add(step)
            todo.append(step)
            if through:
                found[Onward(onward.verb, onward.table, through)] = None
    return tuple(found)


def _dialect(live: LiveSchema) -> Dialect:
    return "sqlite" if live.dialect == "sqlite" else "postgresql"


def _read(
    found: LiveObject, dialect: Dialect, called: Collection[str]
) -> tuple[set[Verb], list[tuple[Verb, str]]]:
    """Return what lets a trigger or rule go off, and what it writes. A verb too many does no harm.

    :raises ValueError: when it cannot be told
    """
    header = scan(found.definition, dialect, "none", None).tokens
    words = [token.key for token in header]
    begin = "DO" if found.kind == "rule" else "BEGIN" if dialect == "sqlite" else "EXECUTE"
    at = words.index(begin)
    body = header[at:]
    if begin == "EXECUTE":
        if found.body is None:
            raise ValueError("its function is not in PL/pgSQL")
        body = scan(found.body, dialect, "none", None).tokens
    elif dialect == "sqlite":
        called = ()  # its functions write nothing
    verbs = {_VERBS[word] for word in words[:at] if word in _VERBS}
    return verbs or {"insert", "update", "delete"}, list(_written(body, called))


def _written(body: Sequence[Token], called: Collection[str]) -> Iterator[tuple[Verb, str]]:
    """Find what a text writes: the words that begin a statement, and the table behind them."""
    into = ""
    for at, token in enumerate(body[:-1]):
        behind = body[at + 1]
        before = body[at - 1].key if at else ""
        if token.kind in (NAME, QUOTED) and behind.key == "(" and token.name in called:
            raise ValueError(f"it calls the function {token.name}")
        if token.key in _DYNAMIC:
            raise ValueError(f"it holds {token.key}, and what that does is not in the text")
        if token.key == "INTO" and before in ("INSERT", "REPLACE", "MERGE", *_WAYS):
            into = _name(body, at + 1)
            yield "insert", into
            if before != "INSERT":  # a MERGE, or SQLite's REPLACE
                yield "update", into
                yield "delete", into
        elif token.key == "FROM" and before == "DELETE":
            yield "delete", _name(body, at + 1)
        elif token.key == "TRUNCATE":
            for name in _names(body, at + 2 if behind.key == "TABLE" else at + 1):
                yield "delete", name
        elif token.key == "UPDATE" and before == "DO" and behind.key == "SET":
            yield "update", into
        elif token.key == "UPDATE" and before not in ("FOR", "KEY") and behind.key != "SET":
            to = _name(body, at + 3 if behind.key == "OR" else at + 1)
            yield "update", to
            if behind.key == "OR":
                yield "delete", to


def _names(body: Sequence[Token], at: int) -> Iterator[str]:
    yield _name(body, at)
    while at < len(body) and body[at].key != ";":
        if body[at].key == ",":
            yield _name(body, at + 1)
        at += 1


def _name(body: Sequence[Token], at: int) -> str:
    """The table that is named at a place, without its schema."""
    at += body[at].key == "ONLY"
    while body[at + 1].key == ".":
        at += 2
    return body[at].name
