"""What the parsers make of a text: sources and scopes, arms and queries."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from ...model import TableView


class Mention(NamedTuple):
    """An identifier in an expression, not yet resolved.

    :param qualifier: folded table or alias before the dot, ``None`` without one
    :param name: folded column, or ``*``
    :param grouped: whether it stands inside an aggregate's arguments
    :param function: the innermost function whose argument it is
    """

    qualifier: str | None
    name: str
    at: int
    grouped: bool
    function: str


@dataclass(slots=True)
class Source:
    """An element of a FROM clause, or the table that INSERT, UPDATE or DELETE works on.

    :param alias: folded name that qualifies its columns
    :param alias_text: the same as the caller wrote it
    :param name: offsets of the table's name, schema included
    :param inner: what belongs inside the derived table, such as TABLESAMPLE
    :param extent: offsets of the element without its alias
    """

    kind: Literal["table", "shared", "cte", "query", "function", "target"]
    alias: str = ""
    alias_text: str = ""
    view: TableView | None = None
    schema: str | None = None
    name: tuple[int, int] = (0, 0)
    aliased: bool = False
    before: str = ""
    inner: str = ""
    nullable: bool = False
    nested: bool = False
    renamed: bool = False  # its alias names its columns anew
    behind: bool = False  # a member of a join that has an alias: nothing outside the join can name it

    @property
    def table(self) -> TableView:
        """The table, of a source that has one."""
        if self.view is None:
            raise LookupError(f"{self.alias!r} is no table")
        return self.view

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns, when they are known."""
        return self.view.columns if self.view is not None else ()


@dataclass(slots=True)
class Scope:
    """One level of names: a SELECT, or an INSERT, UPDATE or DELETE."""

    sources: list[Source] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)
    stars: bool = False
    merging: bool = False  # NATURAL or USING: columns meet by name
    right_joins: bool = False


@dataclass(slots=True)
class Item:
    """An expression of a SELECT's list, by the indexes of its tokens."""

    first: int
    last: int
    star: bool
    label: str = ""


@dataclass(slots=True)
class Arm:
    """A SELECT, VALUES or TABLE, or a bracketed query.

    :param rows: of VALUES: index of the opening bracket, and of each value's first and last token
    :param last: index of the last token of the SELECT's list
    """

    kind: str
    scope: Scope
    first: int = 0
    last: int = 0
    items: list[Item] = field(default_factory=list)
    rows: list[tuple[int, list[tuple[int, int]]]] = field(default_factory=list)
    query: Query | None = None
    distinct: bool = False
    where: tuple[int, int] | None = None  # index of WHERE, and of the condition's last token
    where_at: int = 0  # index of the token behind which WHERE belongs
    group: tuple[int, int] | None = None  # indexes of the first and last token of the GROUP BY list


@dataclass(slots=True)
class Query:
    """A query: arms with set operators between them.

    :param first: index of its first token; :param last: of its last one
    """

    first: int
    last: int = 0
    arms: list[Arm] = field(default_factory=list)
