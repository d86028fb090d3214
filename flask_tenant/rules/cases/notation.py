"""Reads ``NAME.cases.yaml``, and says of every mistake where it stands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import relevance

from ...errors import RuleEngineError, RuleFileError
from ...evaluation.zones import zone_named
from ...expressions import ZONE, Kind
from ..facts import calendar
from ..language import Vocabulary
from ..language.document import Document, read
from ..language.findings import Findings, nearest
from ..model import Place

NOTHING: Mapping[str, Any] = MappingProxyType({})

USUAL: Mapping[str, Any] = MappingProxyType(
    {"channel": "page", "method": "GET", "path": "/", ZONE.name: "UTC"}
)
"""Facts of a case that says nothing of them: a person looks at a page."""


@dataclass(frozen=True, slots=True)
class Case:
    """One example.

    :param verb: ``read``, ``insert``, ``update``, ``delete``, ``result``, ``event`` or ``theme``
    :param target: the table or the event; ``""`` for a theme
    :param facts: typed
    :param row: typed
    :param old: typed; ``row`` where nothing else is said
    :param rows: of a result
    :param times: of an event
    :param expect: by the names of the notation; columns' values typed
    """

    name: str
    place: Place
    verb: str
    target: str
    facts: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    row: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    old: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    rows: int = 0
    times: int = 1
    expect: Mapping[str, Any] = field(default_factory=lambda: NOTHING)


_SHORT: Mapping[str, Mapping[str, Any]] = {
    "visible": {"visible": True},
    "hidden": {"visible": False},
    "allowed": {"denied": False},
    "denied": {"denied": True},
}


@lru_cache(maxsize=1)
def schema() -> Mapping[str, Any]:
    """Return the JSON Schema of case files (draft 2020-12)."""
    found: Mapping[str, Any] = json.loads(
        files(__package__).joinpath("schema.json").read_text(encoding="utf-8")
    )
    return found


def read_cases(
    name: str, text: str, vocabulary: Vocabulary, facts: Mapping[str, Any] = NOTHING
) -> list[Case]:
    """Read a file of cases.

    :param name: for messages
    :param vocabulary: says of which kind facts and columns are
    :param facts: what holds for the whole file, such as ``tenant.slug``
    :raises RuleFileError: with every finding, each as ``file:line:column: what was expected``
    """
    findings = Findings()
    document = read(name, text, findings)
    if document is not None:
        _conforms(document, findings)
    findings.stop()
    if document is None:
        raise RuleFileError(f"{name} cannot be read", value=name)
    reader = _Reader(document, vocabulary, findings)
    common = reader.facts(("given",), document.data.get("given") or {})
    cases = [
        reader.case(("cases", at), data, {**USUAL, **facts, **common})
        for at, data in enumerate(document.data["cases"])
    ]
    findings.stop()
    return cases


def _conforms(document: Document, findings: Findings) -> None:
    for error in Draft202012Validator(schema()).iter_errors(document.data):
        deepest = max(error.context, key=relevance) if error.context else error
        while deepest.context:
            deepest = max(deepest.context, key=relevance)
        path, message = tuple(deepest.absolute_path), deepest.message
        known = deepest.schema.get("properties", {}) if isinstance(deepest.schema, Mapping) else {}
        if deepest.validator == "additionalProperties":
            for extra in (k for k in deepest.instance if k not in known):
                findings.error(
                    document.place((*path, extra), key=True),
                    f'there is no "{extra}" here{nearest(extra, known)}',
                )
            continue
        if deepest.validator == "required":
            message = (
                f"{' and '.join(k for k in deepest.validator_value if k not in deepest.instance)} is missing"
            )
        elif deepest.validator == "enum":
            words = ", ".join(map(str, deepest.validator_value))
            message = (
                f"expected {words} or what comes of it, such as {{shows: {{phone: '****89'}}}}, "
                f"found {deepest.instance!r}"
            )
        findings.error(document.place(path), message)


class _Reader:
    """Gives every value the kind that it is declared to have."""

    def __init__(self, document: Document, vocabulary: Vocabulary, findings: Findings) -> None:
        self._document, self._vocabulary, self._findings = document, vocabulary, findings

    def case(self, path: tuple[str | int, ...], data: Mapping[str, Any], common: Mapping[str, Any]) -> Case:
        target, verb = "", "theme"
        if data["for"] != "theme":
            ((verb, target),) = data["for"].items()
        given = {
            **common,
            **self.facts((*path, "given"), data.get("given") or {}, target if verb == "event" else ""),
        }
        table = target if verb not in ("theme", "event") else ""
        if table and table not in self._vocabulary.tables:
            self._findings.error(
                self._document.place((*path, "for")),
                f'there is no table "{table}"{nearest(table, self._vocabulary.tables)}',
            )
            table = ""
        row = self.row((*path, "row"), data.get("row") or {}, table)
        old = self.row((*path, "old"), data["old"], table) if data.get("old") is not None else row
        try:
            given = _times(given)
        except (ValueError, RuleEngineError) as error:
            self._findings.error(self._document.place((*path, "given")), str(error))
        return Case(
            data["name"],
            self._document.place(path),
            verb,
            target,
            given,
            row,
            old,
            data.get("rows", 1),
            data.get("times", 1),
            self._expect((*path, "expect"), data["expect"], table, verb),
        )

    def facts(self, path: tuple[str | int, ...], data: Mapping[str, Any], event: str = "") -> dict[str, Any]:
        kinds = {**self._vocabulary.facts, **self._vocabulary.events.get(event, {})}
        found = {}
        for name, value in _flat(data, kinds):
            if name not in kinds:
                self._findings.error(
                    self._document.place((*path, name.split(".")[0]), key=True),
                    f'there is no fact "{name}"{nearest(name, kinds)}',
                )
                continue
            found[name] = self._value((*path, name), kinds[name], value)
        return found

    def row(self, path: tuple[str | int, ...], data: Mapping[str, Any], table: str) -> dict[str, Any]:
        columns = self._vocabulary.tables.get(table, {})
        found = {}
        for name, value in data.items():
            if table and name not in columns:
                self._findings.error(
                    self._document.place((*path, name), key=True),
                    f'the table "{table}" has no column "{name}"{nearest(name, columns)}',
                )
                continue
            found[name] = self._value((*path, name), columns.get(name), value)
        return found

    def _expect(self, path: tuple[str | int, ...], data: Any, table: str, verb: str) -> Mapping[str, Any]:
        if data == "nothing":
            return dict.fromkeys(("emits", "redacts", "transforms", "calls", "webhooks", "asks"), ()) | {
                "denied": False, "sets": {}
            }  # fmt: skip
        if isinstance(data, str):
            return _SHORT[data]
        found = dict(data)
        for key in ("shows", "sets"):
            if key in found:
                columns = self._vocabulary.tables.get(table, {})
                unknown = [name for name in found[key] if table and name not in columns]
                for name in unknown:
                    self._findings.error(
                        self._document.place((*path, key, name), key=True),
                        f'the table "{table}" has no column "{name}"{nearest(name, columns)}',
                    )
                # What a mask shows need not be of the column's kind.
                found[key] = {name: _lenient(columns.get(name), value) for name, value in found[key].items()}
        for key in ("lacks", "asks", "emits", "redacts", "transforms", "calls", "webhooks"):
            if key in found:
                found[key] = tuple([found[key]] if isinstance(found[key], str) else found[key])
        return found

    def _value(self, path: tuple[str | int, ...], kind: Kind | None, value: Any) -> Any:
        try:
            return typed(kind, value)
        except (ValueError, TypeError, InvalidOperation):
            self._findings.error(
                self._document.place(path),
                f"expected a value of the type {kind and kind.value}, found {value!r}",
            )
            return None


def _flat(data: Mapping[str, Any], kinds: Mapping[str, Kind], prefix: str = "") -> list[tuple[str, Any]]:
    """Facts may be written as ``user.id: 7`` or as ``user: {id: 7}``."""
    found: list[tuple[str, Any]] = []
    for name, value in data.items():
        full = f"{prefix}{name}"
        if isinstance(value, Mapping) and full not in kinds:
            found += _flat(value, kinds, f"{full}.")
        else:
            found.append((full, value))
    return found


def _times(facts: dict[str, Any]) -> dict[str, Any]:
    """Of ``now``, ``today`` and ``month``, what is not given follows from the others and the time zone."""
    zone = facts.get(ZONE.name) or "UTC"
    if isinstance(facts.get("today"), date) and facts.get("now") is None:
        facts["now"] = datetime.combine(facts["today"], time(12), zone_named(zone)).astimezone(UTC)
    if isinstance(facts.get("now"), datetime):
        return {**calendar(facts["now"], zone), **facts}
    return facts


def typed(kind: Kind | None, value: Any) -> Any:
    """Return a value of a case file as its kind wants it.

    :raises ValueError: when it is none
    """
    if value is None or kind is None:
        return value
    if kind is Kind.DATE:
        return date.fromisoformat(value)
    if kind is Kind.TIME:
        at = datetime.fromisoformat(value)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    if kind is Kind.NUMBER and not isinstance(value, bool | str):
        return Decimal(str(value))
    if kind in (Kind.TEXTS, Kind.INTS):
        item = Kind.TEXT if kind is Kind.TEXTS else Kind.INT
        if not isinstance(value, list):
            raise ValueError("no list")
        return tuple(typed(item, each) for each in value)
    wanted: dict[Kind, type] = {Kind.BOOL: bool, Kind.INT: int, Kind.TEXT: str}
    if kind not in wanted or type(value) is not wanted[kind]:
        raise ValueError("another type")
    return value


def _lenient(kind: Kind | None, value: Any) -> Any:
    try:
        return typed(kind, value)
    except (ValueError, TypeError, InvalidOperation):
        return value
