"""What is measured, and what each side has to bring for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import count, cycle
from typing import Any, Literal

from sqlalchemy import Table
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session

CUSTOMERS, PRODUCTS, INVOICES, LINES = 400, 200, 2_000, 3  # LINES of each invoice
OPEN_EVERY = 10  # one invoice in so many is open
CITIES = ("Bonn", "Bern", "Brno", "Bath", "Bari")
TODAY = date(2026, 1, 31)
BATCH = 1_000

BACK_ENDS = ("sqlite", "postgresql")
Kind = Literal[
    "orm", "core", "raw", "insert", "request", "control", "compile", "miss", "tenant", "rules", "ruled"
]


@dataclass(frozen=True)
class Case:
    """One kind of work.

    :param method: of :class:`Work`
    :param needs: what the method is handed: an open session, an open connection, or nothing
    :param target: the most that is allowed: a ratio to hand-written predicates, microseconds more than them
        (``compile``), or milliseconds (``tenant``)
    :param sides: those that can do it; the second one is what the first is compared with
    :param back_ends: databases on which it makes sense
    """

    method: str
    title: str
    kind: Kind
    needs: Literal["session", "connection", "nothing"]
    target: float | None
    sides: tuple[str, ...] = ("ours", "hand", "plain")
    back_ends: tuple[str, ...] = BACK_ENDS


ORM, RAW, MISS = 1.05, 1.10, 200.0
DEMO = ("demo", "demo_plain")
UNRULED, RULED = ("ours", "off"), ("ruled", "hand_ruled")
AHEAD = (("ours", "hand"), ("sqlite",))
CASES = (
    Case(
        "get_core", "control: hand-written against itself", "control", "connection", None, ("again", "hand")
    ),
    Case("get_orm", "select by key, ORM get()", "orm", "session", ORM),
    Case("get_core", "select by key, Core", "core", "connection", ORM),
    Case("get_fresh", "open a session, get(), close", "orm", "nothing", ORM),
    Case("list_orm", "list with join, ORM", "orm", "session", ORM),
    Case("list_core", "list with join, Core", "core", "connection", ORM),
    Case("load_many", "load 200 entities, ORM", "orm", "session", ORM),
    Case("lazy", "lazy load of children", "orm", "session", ORM),
    Case("aggregate", "aggregate over a join", "core", "connection", ORM),
    Case("raw_key", "raw SQL by key, text()", "raw", "connection", RAW),
    Case("raw_join", "raw SQL with join, text()", "raw", "connection", RAW),
    Case("raw_driver", "raw SQL with join, exec_driver_sql", "raw", "connection", RAW),
    Case("insert_children", "insert with 3 children, flush", "orm", "session", ORM),
    Case("update_set", "bulk update, one statement", "core", "connection", ORM),
    Case("update_keys", "bulk update of 100 by key, ORM", "orm", "session", ORM),
    Case("insert_many", "1,000 rows, Core executemany", "insert", "connection", ORM),
    Case("insert_returning", "1,000 rows, Core RETURNING", "insert", "connection", ORM),
    Case("insert_orm", "1,000 rows, ORM add_all", "insert", "session", ORM),
    Case(
        "numbered_many",
        "the same executemany; by hand: ids from a SELECT",
        "insert",
        "connection",
        None,
        *AHEAD,
    ),
    Case("numbered_orm", "the same add_all; by hand: ids from a SELECT", "insert", "session", None, *AHEAD),
    Case("insert_raw", "1,000 rows, exec_driver_sql", "raw", "connection", RAW),
    Case("page", "one request: page of 20 invoices", "request", "nothing", ORM),
    Case("demo", "one request: demo_app's invoice list", "request", "nothing", None, DEMO),
    Case("get_core", "no rules: by key, Core : rules switched off", "rules", "connection", ORM, UNRULED),
    Case("get_fresh", "no rules: session, get(), close : switched off", "rules", "nothing", ORM, UNRULED),
    Case("list_orm", "no rules: list, ORM : rules switched off", "rules", "session", ORM, UNRULED),
    Case("raw_key", "no rules: raw SQL by key : rules switched off", "rules", "connection", RAW, UNRULED),
    Case("get_core", "20 rules: select by key, Core", "ruled", "connection", ORM, RULED),
    Case("list_orm", "20 rules: list with join, ORM", "ruled", "session", ORM, RULED),
    Case("aggregate", "20 rules: aggregate over a join", "ruled", "connection", ORM, RULED),
    Case("raw_join", "20 rules: raw SQL with join, text()", "ruled", "connection", RAW, RULED),
    Case("compile_key", "compile: SELECT by key", "compile", "nothing", MISS),
    Case("compile_list", "compile: ORM list with join", "compile", "nothing", MISS),
    Case("compile_report", "compile: 5 tables, CTE, EXISTS, union", "compile", "nothing", MISS),
    Case("compile_insert", "compile: INSERT", "compile", "nothing", MISS),
    Case("compile_update", "compile: UPDATE with subquery", "compile", "nothing", MISS),
    Case("miss_key", "raw SQL miss: SELECT by key", "miss", "nothing", None, ("ours",)),
    Case("miss_join", "raw SQL miss: join of 2", "miss", "nothing", None, ("ours",)),
    Case("miss_report", "raw SQL miss: CTE, 4 joins, EXISTS, union", "miss", "nothing", None, ("ours",)),
    Case(
        "create_tenant", "creating a tenant: 10 tables, 20 seeded rows", "tenant", "nothing", 5.0, ("ours",)
    ),
)


class Work(ABC):
    """One side's code for every case. A method returns what it read or how much it wrote, for comparison."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.restart()

    def restart(self) -> None:
        """Every turn reads the same keys and writes the same values."""
        self.keys = cycle(range(1, CUSTOMERS, 7))
        self.numbers = count(1)

    @contextmanager
    def opened(self, needs: str) -> Iterator[Session | Connection | None]:
        """Hand out what a case needs; what it writes is rolled back."""
        if needs == "session":
            with Session(self.engine) as session:
                session.connection()
                yield session
                session.rollback()
        elif needs == "connection":
            with self.engine.connect() as connection:
                connection.begin()
                yield connection
                connection.rollback()
        else:
            yield None

    def products(self, many: int = BATCH) -> list[dict[str, Any]]:
        """Values for new products, as a CSV import would bring them."""
        first = next(self.numbers) * many
        return [{"sku": f"new-{n}", "name": f"Product {n}", "price": n} for n in range(first, first + many)]

    def compiled(self, statement: Any) -> Any:
        """Compile a statement as its first use does."""
        return bool(statement.compile(dialect=self.engine.dialect).string)

    def numbered_many(self, connection: Connection) -> Any:
        """As ``insert_many``; on SQLite, by hand, a SELECT before finds the first id."""
        return self.insert_many(connection)

    def numbered_orm(self, session: Session) -> Any:
        """As ``insert_orm``; on SQLite, by hand, a SELECT before finds the first id."""
        return self.insert_orm(session)

    @abstractmethod
    def get_orm(self, session: Session) -> Any: ...
    @abstractmethod
    def get_core(self, connection: Connection) -> Any: ...
    @abstractmethod
    def get_fresh(self, _: None) -> Any: ...
    @abstractmethod
    def list_orm(self, session: Session) -> Any: ...
    @abstractmethod
    def list_core(self, connection: Connection) -> Any: ...
    @abstractmethod
    def load_many(self, session: Session) -> Any: ...
    @abstractmethod
    def lazy(self, session: Session) -> Any: ...
    @abstractmethod
    def aggregate(self, connection: Connection) -> Any: ...
    @abstractmethod
    def raw_key(self, connection: Connection) -> Any: ...
    @abstractmethod
    def raw_join(self, connection: Connection) -> Any: ...
    @abstractmethod
    def raw_driver(self, connection: Connection) -> Any: ...
    @abstractmethod
    def insert_children(self, session: Session) -> Any: ...
    @abstractmethod
    def update_set(self, connection: Connection) -> Any: ...
    @abstractmethod
    def update_keys(self, session: Session) -> Any: ...
    @abstractmethod
    def insert_many(self, connection: Connection) -> Any: ...
    @abstractmethod
    def insert_returning(self, connection: Connection) -> Any: ...
    @abstractmethod
    def insert_orm(self, session: Session) -> Any: ...
    @abstractmethod
    def insert_raw(self, connection: Connection) -> Any: ...
    @abstractmethod
    def compile_key(self, _: None) -> Any: ...
    @abstractmethod
    def compile_list(self, _: None) -> Any: ...
    @abstractmethod
    def compile_report(self, _: None) -> Any: ...
    @abstractmethod
    def compile_insert(self, _: None) -> Any: ...
    @abstractmethod
    def compile_update(self, _: None) -> Any: ...


def table_of(model: Any) -> Table:
    """The table behind a model."""
    found: Table = model.__table__
    return found


def shown(invoices: Iterable[Any]) -> list[tuple[Any, ...]]:
    """What a list shows of invoices."""
    return [(i.number, i.issued, i.customer.name) for i in invoices]
