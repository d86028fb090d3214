"""Runs a statement under write rules: look, judge, put values in, or undo."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...decision import WriteRules
from ...errors import RuleDeniedError, StatementRefusedError
from ...expressions import Expression, Slot
from ..answers import answer, check_answerable
from ..drivers import driver_for
from ..guard import Vouched
from ..overlay.values import literal_value
from .attempt import Attempt, Runs, runner
from .judge import Image
from .rows import stored
from .shape import Verb
from .watch import Watch

if TYPE_CHECKING:
    from ..live import LiveTable
    from ..wall import Wall

_ATTEMPTS = 5
_BATCH = 200
_NONE = WriteRules()
_NEW = "xmax = 0"
"""PostgreSQL: a row that an upsert has added was locked by nobody; one that it changes it has locked itself before."""

Key = tuple[Any, ...]


class Written:
    """What a cursor shows after a statement under write rules: what it would have shown anyway."""

    def __init__(self, description: Any, rows: list[Any], rowcount: int) -> None:
        self.description = description
        self.rowcount = rowcount
        self._rows = rows
        self._at = 0

    def fetch(self, size: int | None) -> list[Any]:
        end = len(self._rows) if size is None else self._at + size
        found, self._at = self._rows[self._at : end], min(end, len(self._rows))
        return found

    def close(self) -> None:
        self._rows = []


class Writing:
    """One statement under rules, on one connection.

    :param connection: the driver's, or SQLAlchemy's asyncio adapter of it
    :param escaped: whether a percent sign in the text has to be doubled
    """

    def __init__(self, wall: Wall, watch: Watch, driver: str, connection: Any, *, escaped: bool) -> None:
        self.wall, self.watch = wall, watch
        self.sqlite = wall.raw.dialect == "sqlite"
        self.escaped = escaped
        self.connection, self.driver = connection, driver
        self.run: Runs = runner(driver, connection)
        self.new: set[Key] = set()
        """Rows that an upsert has added, and not changed, when it was last sent."""
        self.tells_new = watch.shape.upsert and not self.sqlite and not watch.divided
        self.description: Any = None

    # ---- the statement
    def execute(self, cursor: Any, text: str, parameters: Sequence[Any]) -> None:
        """Run it, once for each of the parameters.

        :param parameters: ``(None,)`` for none at all
        :raises RuleDeniedError: when a rule forbids what it wrote; it is undone then
        """
        watch = self.watch
        check_answerable(cursor)
        for verb, rules in watch.rules.items():
            for denial in rules.denials:
                if denial.applies is None and all(isinstance(part, str) for part in denial.message):
                    raise watch.judge.denied(denial, Image(verb, {}))
        qualifier = f"{watch.shape.qualifier}." if watch.shape.qualifier and not self.sqlite else ""
        shown = ", ".join(f"{qualifier}{self.quote(c)} AS ft_{n}" for n, c in enumerate(watch.columns))
        if self.tells_new:
            shown = f"{_NEW} AS ft_new, {shown}"
        whole = Vouched(watch.shape.returns(text, shown))
        idle, autocommit = driver_for(self.driver).state(self.connection)
        attempt = Attempt(self.run, sqlite=self.sqlite, idle=idle, autocommit=autocommit)
        try:
            images, rows = self._images(attempt, cursor, whole, parameters)
            for image in images:
                watch.judge.keeps_unseen(image, watch.named[image.verb])
            self._put_in(images, rows)
            for image in images:
                watch.judge.check(watch.rules[image.verb], image)
            self._unconditional()
        except BaseException:
            attempt.abandon()
            raise
        self._keep_number(cursor)
        attempt.keep()
        answer(cursor, Written(self.description, rows, len(images)))

    def _keep_number(self, cursor: Any) -> None:
        """Let SQLAlchemy 2.0's adapter of aiosqlite tell the new row's number, which a RETURNING makes it forget."""
        if self.driver != "aiosqlite" or self.watch.shape.verb != "insert":
            return
        if not isinstance(getattr(type(cursor), "lastrowid", None), property):
            cursor.lastrowid = self.run("SELECT last_insert_rowid()")[0][0]

    def _unconditional(self) -> None:
        """What is denied for every row is denied where there is none as well."""
        for verb, rules in self.watch.rules.items():
            for denial in rules.denials:
                if denial.applies is None:
                    raise self.watch.judge.denied(denial, Image(verb, {}))

    def _send(
        self, cursor: Any, text: str, parameters: Sequence[Any]
    ) -> tuple[list[Any], list[dict[str, Any]]]:
        """Run it; return the application's rows, and what the watched columns hold of each."""
        named = len(self.watch.columns)
        count, theirs = named + self.tells_new, []
        mine: list[dict[str, Any]] = []
        self.new.clear()
        for values in parameters:
            cursor.execute(text, *((values,) if values is not None else ()))
            self.description = tuple(cursor.description)[:-count] if self.watch.shape.returning else None
            for row in cursor.fetchall():
                if isinstance(row, Mapping):
                    found = [row[f"ft_{n}"] for n in range(named)]
                    new = self.tells_new and row["ft_new"]
                else:
                    found = list(tuple(row)[-named:])
                    new = self.tells_new and row[-count]
                if self.watch.shape.returning:
                    if type(row) is not tuple:
                        raise StatementRefusedError(
                            "RETURNING through a cursor that makes other rows than tuples, on a table with write rules",
                            value=type(row).__name__,
                            hint="Use text(), or a cursor without a row factory",
                        )
                    theirs.append(row[:-count])
                mine.append(dict(zip(self.watch.columns, found, strict=True)))
                if new:
                    self.new.add(self._key(mine[-1]))
        return theirs, mine

    def _images(
        self, attempt: Attempt, cursor: Any, text: str, parameters: Sequence[Any]
    ) -> tuple[list[Image], list[Any]]:
        """Run it until it is known what its rows were before, if that has to be known.

        Others may write until the rows are locked, and an upsert even then meets a row that was not there to be
        locked: the statement counts only if it has written none but rows that we have seen, or that are new.
        """
        watch = self.watch
        verb = watch.shape.verb or "insert"
        theirs, mine = self._send(cursor, text, parameters)
        if not watch.before:
            return [Image(verb, row) for row in mine], theirs
        olds: dict[Key, dict[str, Any]] = {}
        for _ in range(_ATTEMPTS):
            keys = [self._key(row) for row in mine]
            if all(key in olds or key in self.new for key in keys):
                return [
                    self._image(verb, olds.get(key), row) for key, row in zip(keys, mine, strict=True)
                ], theirs
            attempt.undo()
            olds = self._read(keys)
            self._alone(list(olds))
            theirs, mine = self._send(cursor, text, parameters)
            if verb == "insert" and not self.tells_new:
                self.new |= self._new([key for row in mine if (key := self._key(row)) not in olds])
        raise StatementRefusedError(
            f"Other transactions kept changing the rows of {watch.view.name!r} that the statement is about",
            value=watch.view.name,
            hint="Run the transaction again",
        )

    @staticmethod
    def _image(verb: Verb, old: dict[str, Any] | None, row: dict[str, Any]) -> Image:
        return Image("update" if verb == "insert" and old else verb, row, old or {})

    def _new(self, keys: list[Key]) -> set[Key]:
        """Which of the rows that an upsert has written were not there before, where its RETURNING cannot tell."""
        if self.sqlite:
            return set(keys)  # nobody else has written since the statement ran for the first time
        found: set[Key] = set()
        for part in _parts(list(dict.fromkeys(keys))):
            where, bound = self._where(part)
            names = ", ".join(map(self.quote, self.watch.key))
            found.update(self.run(f"SELECT {names} FROM {self._table()} WHERE {where} AND {_NEW}", bound))
        return found

    def _alone(self, keys: list[Key]) -> None:
        """Make sure that no row hangs on rows that are locked and about to be deleted, where rules are about it.

        :raises StatementRefusedError: when the database itself would write such rows
        """
        column = self.wall.config.column
        for table, foreign, filtered in self.watch.below:
            pairs = zip(foreign.referred_columns, foreign.columns, strict=True)
            names = {there: here for there, here in pairs if there != column}
            found: list[Any] = [()] if set(names) != set(self.watch.key) else []
            schema = f"{self.quote(table.schema)}." if table.schema else ""
            where = f"{self.quote(column)} = {self.wall.tenant_id()}"
            away = self._taken_away(table) if filtered else "true"
            # Whether a filter takes a row away may change until it is locked. No new one comes: what it would hang
            # on is locked. The fence keeps PostgreSQL from asking before it has locked the row, as it is by then.
            lock = ""
            if filtered and not self.sqlite:
                lock = f" OFFSET 0 FOR {'UPDATE' if foreign.on_delete == 'CASCADE' else 'NO KEY UPDATE'}"
            for part in _parts(keys) if not found else ():
                each = " AND ".join(f"{self.quote(names[name])} = {self.mark}" for name in self.watch.key)
                any_of = " OR ".join([f"({each})"] * len(part))
                found += self.run(
                    f"SELECT 1 FROM (SELECT {away} AS away FROM {schema}{self.quote(table.name)} "
                    f"WHERE {where} AND ({any_of}){lock}) AS hanging WHERE away LIMIT 1",
                    tuple(value for key in part for value in key),
                )
            if found:
                raise StatementRefusedError(
                    f"Rows of {table.name!r} hang on rows of {self.watch.view.name!r}, and the database itself would "
                    f"change them by ON DELETE {foreign.on_delete}, past the rules about them",
                    value=table.name,
                    hint=f"Delete or change the rows of {table.name!r} first, by a statement of its own",
                )

    def _taken_away(self, table: LiveTable) -> str:
        """The condition that a row is not there, because a rule filters it."""
        ruling = self.watch.judge.ruling
        shaped = self.wall.shapes(ruling.decision.shape)
        overlay = shaped.overlay(self.wall.views.find(table.name, table.schema))
        if overlay is None:
            return "false"
        dialect = self.wall.raw.dialect

        def value(slot: Slot) -> str:
            return literal_value(slot, ruling, dialect)

        return f"({overlay.keeps(self.quote, value)}) IS NOT TRUE"

    # ---- values that rules put in
    def _put_in(self, images: list[Image], rows: list[Any]) -> None:
        watch = self.watch
        if not any(rules.settings for rules in watch.rules.values()):
            return
        groups: dict[tuple[tuple[str, Any], ...], list[Key]] = {}
        for at, image in enumerate(images):
            found = watch.judge.settings(watch.rules[image.verb].settings, image)
            if not found:
                continue
            values = {name: self._stored(name, value, by) for name, (value, by) in found.items()}
            groups.setdefault(tuple(values.items()), []).append(self._key(image.row))
            row = {**image.row, **{name: value for name, (value, _) in found.items()}}
            images[at] = Image(image.verb, row, image.old)
            if self.description is not None:
                # A masked column shows what its mask makes of the statement's own value.
                seen = {name: value for name, value in values.items() if name not in watch.judge.unseen}
                names = [column[0] for column in self.description]
                rows[at] = tuple(seen.get(n, v) for n, v in zip(names, rows[at], strict=True))
        for values_of, keys in groups.items():
            sets = ", ".join(f"{self.quote(name)} = {self.mark}" for name, _ in values_of)
            for part in _parts(keys):
                where, bound = self._where(part)
                given = (*(value for _, value in values_of), *bound)
                self.run(f"UPDATE {self._table()} SET {sets} WHERE {where}", given)

    def _stored(self, name: str, value: Any, by: Expression) -> Any:
        column = self.watch.live.column(name) if self.watch.live is not None else None
        if column is None or name not in self.watch.view.columns:
            raise RuleDeniedError(
                f"A rule sets the column {name!r}, which table {self.watch.view.name!r} has not", value=name
            )
        zoned = "with time zone" in column.type or column.type == "timestamptz"
        return stored(value, by.kind, sqlite=self.sqlite, zoned=zoned)

    # ---- rows by key
    def _key(self, row: Mapping[str, Any]) -> Key:
        return tuple(row[name] for name in self.watch.key)

    def _read(self, keys: list[Key]) -> dict[Key, dict[str, Any]]:
        """Read rows as they are now, and lock them."""
        columns, found = self.watch.columns, {}
        shown = ", ".join(map(self.quote, columns))
        for part in _parts(list(dict.fromkeys(keys))):
            where, bound = self._where(part)
            lock, more = self._lock(part)
            for row in self.run(f"SELECT {shown} FROM {self._table()} WHERE {where}{lock}", (*bound, *more)):
                named = dict(zip(columns, row, strict=True))
                found[self._key(named)] = named
        return found

    def _lock(self, keys: list[Key]) -> tuple[str, tuple[Any, ...]]:
        """Lock rows as the statement itself does, as strongly and in the same order.

        Another order, or another lock, would be a deadlock where the application alone has none.
        """
        if self.sqlite:
            return "", ()
        watch = self.watch
        whole = watch.shape.verb == "delete" or (
            watch.live is not None
            and any(key.unique and watch.named["update"] & {*key.columns} for key in watch.live.keys)
        )
        lock = " FOR UPDATE" if whole else " FOR NO KEY UPDATE"
        if len(keys) == 1:
            return lock, ()
        each = " AND ".join(f"{self.quote(name)} = {self.mark}" for name in self.watch.key)
        order = " ".join(f"WHEN {each} THEN {n}" for n in range(len(keys)))
        return f" ORDER BY CASE {order} END{lock}", tuple(value for key in keys for value in key)

    def _where(self, keys: list[Key]) -> tuple[str, tuple[Any, ...]]:
        mine = f"{self.quote(self.wall.config.column)} = {self.wall.tenant_id()}"
        names = [self.quote(name) for name in self.watch.key]
        if len(names) == 1:
            marks = ", ".join([self.mark] * len(keys))
            return f"{mine} AND {names[0]} IN ({marks})", tuple(key[0] for key in keys)
        each = " AND ".join(f"{name} = {self.mark}" for name in names)
        return f"{mine} AND ({' OR '.join([f'({each})'] * len(keys))})", tuple(v for key in keys for v in key)

    @property
    def mark(self) -> str:
        """A placeholder."""
        return "?" if self.sqlite else "%s"

    def quote(self, name: str) -> str:
        """Quote a name for a statement with parameters."""
        quoted = '"' + name.replace('"', '""') + '"'
        return quoted.replace("%", "%%") if not self.sqlite and self.escaped else quoted

    def _table(self) -> str:
        view = self.watch.view
        return f"{self.quote(view.schema)}.{self.quote(view.name)}" if view.schema else self.quote(view.name)


def _parts(keys: list[Key]) -> Iterable[list[Key]]:
    return (keys[at : at + _BATCH] for at in range(0, len(keys), _BATCH))
