"""What writes under rules have to do, in plain Python over dictionaries: no SQL, and nothing of the wall.

A statement is tried on a copy of the rows. Either the model says what they are afterwards, or it refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask_tenant.decision import Denial, Mask, Means, Overlay, Setting, Validation, WriteRules
from flask_tenant.evaluation import evaluate
from flask_tenant.expressions import Expression

Row = dict[str, Any]
COLUMNS = ("id", "customer_id", "total", "status", "approved_by", "issued_on")
DEFAULTS: Row = {**dict.fromkeys(COLUMNS), "status": "open"}
NULLABLE = {"customer_id", "approved_by", "issued_on"}
NONE = WriteRules()


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """The rules do not let the statement by."""


class Failed(Exception):  # noqa: N818
    """The database does not: NULL, where a column admits none."""


# ---- what statements are made of
@dataclass(frozen=True)
class Test:
    """``column op value``; unknown where the column is NULL, but for ``null``.

    :param op: ``=``, ``<>``, ``>``, ``<=``, ``in``, ``null`` or ``starts``
    """

    column: str
    op: str
    value: Any = None

    def of(self, row: Row) -> bool | None:
        """Whether it holds for a row."""
        found = row[self.column]
        if self.op == "null":
            return found is None
        if found is None:
            return None
        return _OPS[self.op](found, self.value)


_OPS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: bool(a == b),
    "<>": lambda a, b: bool(a != b),
    ">": lambda a, b: bool(a > b),
    "<=": lambda a, b: bool(a <= b),
    "in": lambda a, b: a in b,
    "starts": lambda a, b: bool(a.startswith(b)),
}


@dataclass(frozen=True)
class Value:
    """What is written into a column.

    :param what: ``constant``; ``column`` of the same row; ``plus`` a number to the total; ``joined`` to the status;
        ``excluded``, of the row that an upsert was to insert; ``customer``, the name of the row that is joined
    """

    what: str
    of: Any = None

    def worked_out(self, shown: Row, excluded: Row | None = None, customer: Row | None = None) -> Any:
        """Return it for a row as the view shows it."""
        if self.what == "constant":
            return self.of
        if self.what == "column":
            return shown[self.of]
        if self.what in ("plus", "joined"):
            found = shown["total" if self.what == "plus" else "status"]
            return None if found is None else found + self.of
        if self.what == "excluded":
            assert excluded is not None
            return excluded[self.of]
        assert customer is not None
        return customer["name"]


@dataclass(frozen=True)
class Statement:
    """One statement, or one unit of work of the ORM.

    :param verb: ``insert``, ``select`` (INSERT … SELECT), ``upsert``, ``update``, ``from`` (UPDATE … FROM customer),
        ``delete``, ``flush`` (objects are loaded and changed) or ``remove`` (objects are loaded and deleted)
    :param rows: to be inserted; all have the same columns
    :param sets: what UPDATE, and DO UPDATE, assign; for ``select``, what is selected besides the new id
    :param returning: columns, none for no RETURNING
    :param nothing: ON CONFLICT DO NOTHING
    """

    verb: str
    rows: tuple[tuple[tuple[str, Any], ...], ...] = ()
    where: tuple[Test, ...] = ()
    sets: tuple[tuple[str, Value], ...] = ()
    returning: tuple[str, ...] = ()
    nothing: bool = False


FURTHER = 200
"""Between the id of a row and that of its copy by INSERT … SELECT."""


@dataclass
class Image:
    """A row that is written.

    :param named: the columns that the statement itself names
    """

    verb: str
    new: Row
    old: Row
    named: frozenset[str]
    written: Row = field(default_factory=dict)  # before rules put anything in


@dataclass(frozen=True)
class Answer:
    """What a statement does.

    :param rows: of the table afterwards, by id
    :param count: rows that were written
    :param returned: what RETURNING gives, in no order
    """

    rows: Mapping[int, Row]
    count: int
    returned: tuple[tuple[Any, ...], ...]


class Model:
    """The table, the customers that its rows belong to, and the rules.

    :param rows: by id
    :param rules: by verb
    :param values: of slots
    """

    def __init__(
        self,
        rows: Mapping[int, Row],
        customers: Mapping[int, Row],
        overlay: Overlay,
        others: Overlay,
        rules: Mapping[str, WriteRules],
        values: tuple[Any, ...],
        hooks: Mapping[str, Callable[[Mapping[str, Any]], bool]],
    ) -> None:
        self.rows = {number: dict(row) for number, row in rows.items()}
        self.overlay, self.rules, self.values, self.hooks = overlay, rules, values, hooks
        self.masks = dict(overlay.masks)
        self.customers = {n: row for n, row in customers.items() if self._kept(others, row)}

    # ---- the view
    def _kept(self, overlay: Overlay, row: Row) -> bool:
        return all(evaluate(keep, row=row, values=self.values) is True for keep in overlay.filters)

    def _holds(self, condition: Expression | None, row: Row, old: Row) -> bool:
        """A restriction holds unless it is certain that it does not."""
        return condition is None or evaluate(condition, row=row, old=old, values=self.values) is not False

    def shown(self, row: Row) -> Row:
        """A row as the view shows it."""
        return {name: self._seen(name, value, row) for name, value in row.items()}

    def _seen(self, name: str, value: Any, row: Row) -> Any:
        if name in self.overlay.hidden:
            return None
        mask = self.masks.get(name)
        if mask is None or not self._holds(mask.applies, row, {}):
            return value
        if mask.means is Means.CONSTANT:
            return mask.value
        if mask.means is Means.EMPTY:
            return None if name in NULLABLE else 0 if name == "total" else ""
        if value is None:
            return None
        if len(value) <= mask.count:
            return "****"
        return f"****{value[-mask.count :]}" if mask.means is Means.LAST else f"{value[: mask.count]}****"

    def _found(self, where: tuple[Test, ...]) -> Iterator[tuple[Row, Row]]:
        """Rows that are there and meet conditions: as stored, and as shown."""
        for row in self.rows.values():
            if self._kept(self.overlay, row):
                shown = self.shown(row)
                if all(test.of(shown) is True for test in where):
                    yield row, shown

    # ---- statements
    def run(self, statement: Statement) -> Answer:
        """Say what a statement does.

        :raises Refused: when the rules forbid it
        :raises Failed: when the table does
        """
        images = list(getattr(self, f"_{statement.verb}")(statement))
        if any(image.new["total"] is None or image.new["status"] is None for image in images):
            raise Failed("NULL")
        for image in images:
            self._unseen(image)
        for image in images:
            self._put_in(image)
        for image in images:
            self._judge(image)
        for verb in self._verbs(statement):
            if any(denial.applies is None for denial in self.rules.get(verb, NONE).denials):
                raise Refused(f"{verb} is denied whatever the row")
        after = dict(self.rows)
        returned = []
        for image in images:
            if image.verb == "delete":
                del after[image.old["id"]]
                seen = self.shown(image.old)
            else:
                after[image.new["id"]] = image.new
                # What a column that is masked shows is made before rules put their values in.
                covered = {*self.masks, *self.overlay.hidden}
                before = self.shown(image.written)
                seen = {n: before[n] if n in covered else v for n, v in image.new.items()}
            returned.append(tuple(seen[name] for name in statement.returning))
        return Answer(after, len(images), tuple(returned))

    @staticmethod
    def _verbs(statement: Statement) -> list[str]:
        verb = {"select": "insert", "from": "update", "flush": "", "remove": ""}.get(
            statement.verb, statement.verb
        )
        if verb == "upsert":
            return ["insert"] if statement.nothing else ["insert", "update"]
        return [verb] if verb else []  # the ORM sends nothing where there is no row

    def _insert(self, statement: Statement) -> Iterator[Image]:
        for row in statement.rows:
            yield Image("insert", {**DEFAULTS, **dict(row)}, {}, frozenset(dict(row)))

    def _select(self, statement: Statement) -> Iterator[Image]:
        for row, shown in self._found(statement.where):
            values = {name: value.worked_out(shown) for name, value in statement.sets}
            made = {**DEFAULTS, "id": row["id"] + FURTHER, **values}
            yield Image("insert", made, {}, frozenset(values) | {"id"})

    def _upsert(self, statement: Statement) -> Iterator[Image]:
        for row in statement.rows:
            given = dict(row)
            old = self.rows.get(given["id"])
            if old is None:
                yield Image("insert", {**DEFAULTS, **given}, {}, frozenset(given))
            elif not statement.nothing:
                if not self._kept(self.overlay, old):
                    raise Refused("a row that is not there is in the way")
                shown = self.shown(old)
                if all(test.of(shown) is True for test in statement.where):
                    yield self._changed(statement, old, shown, {**DEFAULTS, **given})

    def _changed(
        self,
        statement: Statement,
        old: Row,
        shown: Row,
        excluded: Row | None = None,
        customer: Row | None = None,
    ) -> Image:
        values = {name: value.worked_out(shown, excluded, customer) for name, value in statement.sets}
        return Image("update", {**old, **values}, old, frozenset(values))

    def _update(self, statement: Statement) -> Iterator[Image]:
        for row, shown in self._found(statement.where):
            yield self._changed(statement, row, shown)

    def _from(self, statement: Statement) -> Iterator[Image]:
        for row, shown in self._found(statement.where):
            customer = self.customers.get(shown["customer_id"])
            if customer is not None:
                yield self._changed(statement, row, shown, customer=customer)

    def _flush(self, statement: Statement) -> Iterator[Image]:
        for row, shown in self._found(statement.where):
            found = self._changed(statement, row, shown)
            named = frozenset(name for name in found.named if found.new[name] != shown[name])
            if named:  # SQLAlchemy sends what is another value than the one it has loaded
                new = {**row, **{name: found.new[name] for name in named}}
                yield Image("update", new, row, named)

    def _delete(self, statement: Statement) -> Iterator[Image]:
        for row, _ in self._found(statement.where):
            yield Image("delete", row, row, frozenset())

    _remove = _delete

    # ---- rules
    def _unseen(self, image: Image) -> None:
        """Nobody writes what he does not see."""
        for name in image.named & {*self.overlay.hidden, *self.masks}:
            mask: Mask | None = self.masks.get(name)
            value = image.new[name]
            if image.verb == "update":
                if value != image.old[name] and (mask is None or self._holds(mask.applies, image.old, {})):
                    raise Refused(f"{name} is not seen")
            elif value not in (None, ""):
                if mask is None:
                    raise Refused(f"{name} is hidden")
                if self._looks_masked(mask, value) and self._holds(mask.applies, image.new, {}):
                    raise Refused(f"{name} is masked")

    @staticmethod
    def _looks_masked(mask: Mask, value: Any) -> bool:
        if mask.means is Means.EMPTY:
            return False
        if mask.means is Means.CONSTANT:
            return bool(value == mask.value)
        text = str(value)
        left = max(len(text) - mask.count, 0)
        stars = text[:left] if mask.means is Means.LAST else text[mask.count :]
        return not text.strip("*") or (bool(stars) and not stars.strip("*"))

    def _put_in(self, image: Image) -> None:
        image.written = image.new
        values = {}
        settings: tuple[Setting, ...] = self.rules.get(image.verb, NONE).settings
        for setting in settings:
            if self._holds(setting.applies, image.new, image.old):
                for name, value in setting.values:
                    values[name] = evaluate(value, row=image.new, old=image.old, values=self.values)
        image.new = {**image.new, **values}

    def _judge(self, image: Image) -> None:
        rules = self.rules.get(image.verb, NONE)
        every: tuple[Denial | Validation, ...] = (*rules.denials, *rules.validations)
        for rule in every:
            if not self._holds(rule.applies, image.new, image.old if image.verb == "update" else {}):
                continue
            if isinstance(rule, Denial):
                raise Refused(rule.rule)
            if not self.hooks[rule.hook](image.new):
                raise Refused(rule.rule)
