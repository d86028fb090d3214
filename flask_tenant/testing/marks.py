"""What tells whose rows an answer was made of: the values that one tenant holds and the other does not."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus
from uuid import UUID

import sqlalchemy as sa
from markupsafe import escape
from sqlalchemy.engine import Row
from sqlalchemy.orm import InstanceState
from werkzeug.wrappers import Response

from ..application import Application
from ..isolate import physical
from ..model import TEMPLATE_ID, TableView, Tenant

SHORTEST = 3
"""Characters that a text must have to tell anything: ``"no"`` is anybody's."""

SHORT = 8
"""Up to how many characters a text counts only as a word of its own: ``"Ada"`` is not in ``"Adagio"``."""

_USUAL = frozenset({"content-length", "content-type", "date"})
"""Headers that say nothing of rows."""

DEEPEST = 12
"""How deep answers are looked into; what is nested deeper is shown by ``repr``."""


@dataclass(frozen=True)
class HeldRow:
    """A row as the database has it.

    :param shared: whether it is in a table that belongs to no tenant
    """

    table: str
    values: tuple[tuple[str, Any], ...]
    shared: bool = False

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.values)
        return f"{'shared table ' if self.shared else ''}{self.table} ({shown})"

    @property
    def key(self) -> str:
        """What tells it from other rows: values may be lists, which have no hash."""
        return repr((self.table, self.values))

    def marks(self) -> Iterator[str]:
        """The texts in it that are long enough to tell something."""
        for _, value in self.values:
            text = str(value) if isinstance(value, (str, UUID)) else None
            if text is not None and len(text) >= SHORTEST and not (text.isdecimal() and len(text) < SHORT):
                yield text


@dataclass
class Snapshot:
    """Who holds which rows, read past every wall.

    :param held: by tenant id, each by :attr:`HeldRow.key`; 0 is the template
    :param shared: rows of tables that belong to no tenant
    """

    held: dict[int, dict[str, HeldRow]] = field(default_factory=dict)
    shared: dict[str, HeldRow] = field(default_factory=dict)

    def texts(self, tenant_id: int) -> set[str]:
        """Every text that a tenant holds."""
        return {mark for row in self.held[tenant_id].values() for mark in row.marks()}


def snapshot(state: Application, tenants: Iterable[Tenant]) -> Snapshot:
    """Return what tenants and the template hold, and what nobody in particular does."""
    ids = [TEMPLATE_ID, *(tenant.id for tenant in tenants)]
    found = Snapshot({one: {} for one in ids})
    for isolation in dict.fromkeys(state.databases.isolations.values()):
        with isolation.begin() as connection:
            for view in list(isolation.views.all()):
                if isolation.config.is_ours(view.name, view.schema):
                    continue
                for owner, row in _rows(connection, view, isolation.config.column, ids):
                    rows = found.shared if owner is None else found.held[owner]
                    rows[row.key] = row
    return found


def _rows(
    connection: sa.Connection, view: TableView, column: str, ids: list[int]
) -> Iterator[tuple[int | None, HeldRow]]:
    table = physical(view, column)
    visible = [table.c[name] for name in view.columns]
    name = f"{view.schema}.{view.name}" if view.schema else view.name
    if view.shared:
        for row in connection.execute(sa.select(*visible)):
            yield None, HeldRow(name, tuple(zip(view.columns, row, strict=True)), shared=True)
        return
    owned = sa.select(table.c[column], *visible).where(table.c[column].in_(ids))
    for row in connection.execute(owned):
        yield row[0], HeldRow(name, tuple(zip(view.columns, row[1:], strict=True)))


# ---- answers
def text_of(value: Any, depth: int = 0) -> str:
    """Return everything that an answer shows, as text: what a reader of it could find out."""
    if isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).decode(errors="replace")
    if value is None or isinstance(value, (int, float, complex)) or depth > DEEPEST:
        return repr(value)
    if isinstance(value, Response):
        headers = "\n".join(f"{n}: {text}" for n, text in value.headers if n.lower() not in _USUAL)
        return f"{value.status}\n{headers}\n\n{text_of(value.get_data())}"
    return f"{type(value).__name__}({', '.join(text_of(part, depth + 1) for part in _parts(value))})"


def _parts(value: Any) -> Iterable[Any]:
    """What an object is made of."""
    if isinstance(value, Mapping):
        return [part for item in value.items() for part in item]
    if isinstance(value, Set):
        return sorted(text_of(part) for part in value)
    if isinstance(value, Row):
        return tuple(value)
    state = sa.inspect(value, raiseerr=False)
    if isinstance(state, InstanceState):
        return [getattr(value, attribute.key) for attribute in state.mapper.column_attrs]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, part.name) for part in dataclasses.fields(value)]
    if hasattr(value, "__iter__"):
        return list(value)
    shown = repr(value)
    return vars(value).items() if " object at 0x" in shown and hasattr(value, "__dict__") else (shown,)


def found_in(text: str, mark: str) -> bool:
    """Whether a mark is in an answer: as it is, or as HTML, JSON and URLs write it."""
    forms = {mark, str(escape(mark)), json.dumps(mark)[1:-1], quote(mark), quote_plus(mark)}
    if len(mark) >= SHORT:
        return any(form in text for form in forms)
    return any(re.search(rf"(?<!\w){re.escape(form)}(?!\w)", text) for form in forms)
