"""Makes rules of a document that has the right form: names are looked up, conditions are read and normalised."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, cast

from ...decision import Mask, Means
from ...expressions import TRUE, Column, Expression, Fact, Kind, walk
from .. import model
from ..model import Condition, Effect, Place, Rule, Verb
from . import branches, conditions, schema, words
from .claims import Built, Claim
from .conditions import Names
from .document import Document, Path
from .findings import ConditionError, Findings, nearest
from .vocabulary import Vocabulary

_T = TypeVar("_T")
_VERBS: Mapping[str, tuple[Verb, ...]] = {"write": ("insert", "update")}
_TABLES = frozenset({"read", "insert", "update", "delete", "result"})
_BEFORE_ROWS = ("hide", "cap", "route", "deny")
"""Effects of reading that are decided before a row is read."""
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_ALL_TABLES = "*"


def build(document: Document, scope: str, vocabulary: Vocabulary, findings: Findings, built: Built) -> None:
    """Add a document's rules to what is built; what is wrong goes to the findings."""
    for number, data in enumerate(document.data["rules"]):
        rule = _Builder(document, ("rules", number), data, scope, vocabulary, findings, built).rule()
        if rule is not None:
            built.rules.append(rule)


class _Builder:
    """Builds one rule."""

    def __init__(
        self,
        document: Document,
        path: Path,
        data: Mapping[str, Any],
        scope: str,
        vocabulary: Vocabulary,
        findings: Findings,
        built: Built,
    ) -> None:
        self._document, self._path, self._data, self._scope = document, path, data, scope
        self._vocabulary, self._findings, self._built = vocabulary, findings, built
        self._id: str = data["id"]
        self._names: tuple[str, ...] = ()
        self._tables: dict[str, Mapping[str, Kind | None]] = {}
        self._facts = vocabulary.facts
        if isinstance(data["for"], str):
            self._verb = data["for"]
        else:
            self._verb = next(iter(data["for"]))
        self._verbs: tuple[Verb, ...] = _VERBS.get(self._verb, (cast("Verb", self._verb),))

    def rule(self) -> Rule | None:
        """Return the rule, ``None`` when something about it is wrong."""
        before = len(self._findings.errors)
        self._target()
        self._fitting()
        if len(self._findings.errors) > before:
            return None
        applies = self._applies()
        effects = tuple(self._effects())
        count = self._count() if "count" in self._data else None
        if len(self._findings.errors) > before:
            return None
        return Rule(
            id=self._id,
            scope=self._scope,
            place=self._place("id", key=True),
            verbs=self._verbs,
            names=self._names,
            applies=applies,
            effects=effects,
            count=count,
            once=self._data.get("once", ""),
        )

    # ---- what it is about
    def _target(self) -> None:
        if self._verb == "theme":
            return
        path = (*self._path, "for", self._verb)
        given = self._data["for"][self._verb]
        named = (
            [(path, given)]
            if isinstance(given, str)
            else [((*path, at), name) for at, name in enumerate(given)]
        )
        self._names = tuple(name for _, name in named)
        if self._verb == "event":
            self._events(named)
            return
        tables = self._vocabulary.tables
        if _ALL_TABLES in self._names:
            if len(named) > 1:
                self._error(path, '"*" means all tables: expected it alone')
            self._tables = dict(tables)
            return
        for at, name in named:
            if name in tables:
                self._tables[name] = tables[name]
            else:
                self._error(at, f'there is no table "{name}"{nearest(name, tables)}')

    def _events(self, named: list[tuple[Path, str]]) -> None:
        facts: list[Mapping[str, Kind]] = []
        for at, name in named:
            if name in self._vocabulary.events:
                facts.append(self._vocabulary.events[name])
            else:
                self._error(at, f'there is no event "{name}"{nearest(name, self._vocabulary.events)}')
        if facts:
            common = {
                name: kind for name, kind in facts[0].items() if all(each.get(name) is kind for each in facts)
            }
            self._facts = {**self._facts, **common}

    def _fitting(self) -> None:
        """Whether the effects are those of such rules."""
        for name in self._data:
            verbs = schema.verbs_of(name)
            if verbs and self._verb not in verbs:
                self._error(
                    (*self._path, name),
                    f'"{name}" belongs to rules for {" or ".join(verbs)}; this one is for {self._verb}',
                    key=True,
                )
        if not any(name in self._data for name in schema.effects()):
            possible = [name for name in schema.effects() if self._verb in schema.verbs_of(name)]
            self._error(self._path, f'the rule "{self._id}" does nothing: expected {" or ".join(possible)}')

    # ---- conditions
    def _scopes(self) -> Names:
        """Return what ``when`` and ``unless`` may name."""
        if self._verb == "result":
            return Names(self._facts, rows=True, no_row="a rule for results judges a result as a whole")
        if self._verb in {"theme", "event"}:
            return Names(self._facts, no_row=f"a rule for {self._verb} is about no row")
        before = [
            name for name in _BEFORE_ROWS if name in self._data and (name != "deny" or self._verb == "read")
        ]
        if before:
            hint = {"hide": "; mask can tell rows apart", "deny": "; filter can tell rows apart"}.get(
                before[0], ""
            )
            why = f"{before[0]} is decided for a statement as a whole{hint}"
            return Names(self._facts, no_row=why)
        return self._row()

    def _row(self) -> Names:
        return Names(self._facts, self._tables, images=self._verb == "update")

    def _applies(self) -> Condition:
        names = self._scopes()
        parts = []
        for name in ("when", "unless"):
            if name in self._data:
                found = self._read(name, lambda text: conditions.condition(text, names))
                if found is not None:
                    self._reads("condition", found, self._place(name))
                    parts.append(branches.negated(found) if name == "unless" else branches.straight(found))
        if not parts:
            return branches.ALL
        return self._normal(
            "when" if "when" in self._data else "unless", branches.all_of(parts), possible=True
        )

    def _normal(self, name: str, expression: Expression, *, possible: bool) -> Condition:
        try:
            return branches.condition(expression, possible=possible, collected=self._built.collected)
        except ConditionError as error:
            self._error((*self._path, name), error.message)
            return branches.ALL

    def _read(self, name: str | Path, work: Callable[[str], _T]) -> _T | None:
        """Work with the text of a scalar; what is wrong in it is found at its place."""
        path = (*self._path, name) if isinstance(name, str) else name
        try:
            return work(self._document.raw(path))
        except ConditionError as error:
            self._findings.error(self._document.within(path, error.at), error.message)
            return None

    def _reads(self, what: str, expression: Expression, place: Place) -> None:
        for part in walk(expression):
            if isinstance(part, Column):
                for table in self._tables:
                    self._claim(what, place, table, part.name)

    # ---- effects
    def _effects(self) -> Iterator[Effect]:
        data, known = self._data, self._vocabulary
        if "filter" in data:
            yield from self._filter()
        if "mask" in data:
            yield from self._masks()
        if "hide" in data:
            self._columns("hide")
            yield model.Hide(tuple(data["hide"]))
        if "cap" in data:
            yield model.Cap(int(data["cap"]))
        if "route" in data:
            self._known("route", known.engines, "engine")
            if _ALL_TABLES not in self._names:  # a transaction's reads belong together
                self._error(
                    (*self._path, "for"), '"route" is for all reads of a tenant: expected {read: "*"}'
                )
            self._claim("route", self._place("route"), value=data["route"])
            yield model.Route(data["route"])
        if "deny" in data:
            yield from self._deny()
        if "validate" in data:
            self._known(("validate", "hook"), known.hooks, "hook")
            yield model.Validate(data["validate"]["hook"])
        if "set" in data:
            yield from self._set()
        if "transform" in data:
            self._known(("transform", "hook"), known.hooks, "hook")
            yield model.Transform(data["transform"]["hook"])
        if "redact" in data:
            self._columns("redact")
            yield model.Redact(tuple(data["redact"]))
        if "theme" in data:
            self._known("theme", known.themes, "theme")
            yield model.Theme(data["theme"])
        if "emit" in data:
            yield model.Emit(data["emit"])
        yield from self._do()

    def _do(self) -> Iterator[Effect]:
        for number, step in enumerate(self._data.get("do", ())):
            ((what, name),) = step.items()
            if what == "hook":
                self._known(("do", number, "hook"), self._vocabulary.hooks, "hook")
                yield model.CallHook(name)
            elif what == "webhook":
                self._known(("do", number, "webhook"), self._vocabulary.webhooks, "webhook")
                yield model.Webhook(name)
            else:
                yield model.Emit(name)

    def _filter(self) -> Iterator[Effect]:
        names = self._row()
        found = self._read("filter", lambda text: conditions.condition(text, names))
        if found is not None:
            self._reads("condition", found, self._place("filter"))
            yield model.Filter(self._normal("filter", found, possible=False))

    def _masks(self) -> Iterator[Effect]:
        found: list[tuple[str, Mask]] = []
        for column in self._data["mask"]:
            path = (*self._path, "mask", column)
            kind = self._column(path, column, key=True)
            if kind is False:
                continue
            mask = self._read(path, lambda text, kind=kind: words.mask(text, kind, self._id))  # type: ignore[misc]
            if mask is None:
                continue
            place = self._document.place(path, key=True)
            for table in self._tables:
                if column in self._vocabulary.keys.get(table, ()):
                    self._error(
                        path, f'"{column}" is part of a key of "{table}": keys cannot be masked', key=True
                    )
                self._claim("mask", place, table, column, mask)
            if mask.means in {Means.LAST, Means.FIRST}:
                self._findings.note(
                    place,
                    f'"{column}" is masked in part, thus probeable: what is shown can be searched and sorted by',
                )
            found.append((column, mask))
        if found:
            yield model.Masks(tuple(found))

    def _columns(self, effect: str) -> None:
        for number, column in enumerate(self._data[effect]):
            path = (*self._path, effect, number)
            self._column(path, column)
            for table in self._tables:
                if column in self._vocabulary.keys.get(table, ()):
                    done = "hidden" if effect == "hide" else "redacted"
                    self._error(path, f'"{column}" is part of a key of "{table}": keys cannot be {done}')
                self._claim(effect, self._document.place(path), table, column)

    def _column(self, path: Path, column: str, *, key: bool = False) -> Kind | bool | None:
        """Return a column's kind, ``False`` when a table lacks it."""
        try:
            return Names({}, self._tables).column(column)
        except ConditionError as error:
            self._error(path, error.message, key=key)
            return False

    def _deny(self) -> Iterator[Effect]:
        names = (
            Names(self._facts, no_row="a denial of reading is about no row")
            if self._verb == "read"
            else self._row()
        )
        found = self._read("deny", lambda text: tuple(words.message(text, names)))
        if found is not None:
            for part in found:
                if not isinstance(part, str):
                    self._reads("message", part, self._place("deny"))
            self._note_image()
            yield model.Deny(
                tuple(part if isinstance(part, str) else self._worked_out(part) for part in found)
            )

    def _note_image(self) -> None:
        """Somebody who may not change closed invoices must not reopen them in the same statement."""
        mentioned = " ".join(
            self._document.raw((*self._path, name)) for name in ("when", "unless") if name in self._data
        )
        if (
            self._verb == "update"
            and re.search(r"\brow[.\[]", mentioned)
            and not re.search(r"\bold[.\[]", mentioned)
        ):
            self._findings.note(
                self._place("deny", key=True),
                "in a rule for update, row is the row as it will be; what it was before is old",
            )

    def _set(self) -> Iterator[Effect]:
        found: list[tuple[str, Expression]] = []
        names = self._row()
        for column in self._data["set"]:
            path = (*self._path, "set", column)
            kind = self._column(path, column, key=True)
            if isinstance(kind, bool):
                continue
            value = self._read(path, lambda text, kind=kind: words.value(text, kind, names))  # type: ignore[misc]
            if value is None:
                continue
            place = self._document.place(path, key=True)
            self._reads("value", value, place)
            for table in self._tables:
                for verb in self._verbs:
                    self._claim("set", place, table, column, value, verb)
            found.append((column, self._worked_out(value)))
        if found:
            yield model.Set(tuple(found))

    def _worked_out(self, value: Expression) -> Expression:
        """Return an expression that asks for no facts: those who show or write it are told the values of slots."""
        asks = any(isinstance(part, Fact) for part in walk(value))
        return branches.slotted(value, self._built.collected) if asks else value

    def _count(self) -> model.Count | None:
        given = self._data["count"]
        by: Expression | None = None
        if "by" in given:
            path = (*self._path, "count", "by")
            names = Names(self._facts, no_row="an event is about no row")
            by = self._read(path, lambda text: conditions.value(text, names))
            if by == TRUE:
                self._error(path, "expected a fact of the event, such as user.id")
        within: str = given["within"]
        return model.Count(by, int(given["at_least"]), float(int(within[:-1]) * _UNITS[within[-1]]))

    # ---- places and claims
    def _known(self, path: str | Path, names: Any, what: str) -> None:
        whole = (*self._path, path) if isinstance(path, str) else (*self._path, *path)
        name = self._document.raw(whole)
        if name not in names:
            self._error(whole, f'there is no {what} "{name}"{nearest(name, names)}')

    def _claim(
        self, what: str, place: Place, table: str = "", column: str = "", value: Any = None, verb: str = ""
    ) -> None:
        self._built.claims.append(Claim(what, self._id, self._scope, place, table, column, verb, value))

    def _place(self, name: str, *, key: bool = False) -> Place:
        return self._document.place((*self._path, name), key=key)

    def _error(self, path: Path, message: str, *, key: bool = False) -> None:
        self._findings.error(self._document.place(path, key=key), message)
