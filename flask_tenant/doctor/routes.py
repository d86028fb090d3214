"""Which routes can be called, and with which arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from flask import Flask
from werkzeug.routing import Rule
from werkzeug.routing.converters import (
    AnyConverter,
    FloatConverter,
    IntegerConverter,
    PathConverter,
    UnicodeConverter,
    UUIDConverter,
)

from .canary import Owner
from .fill import Rows
from .plan import Plan, RoutePlan

LAST = re.compile(r"log_?out|sign_?out|delete|remove|destroy|drop|clear|reset|revoke|shutdown", re.IGNORECASE)
"""Routes that are called after all others: they may take something away, even by GET."""

TOKEN = re.compile(r"token|signature|sig|signed|hash|secret|code|nonce|hmac|share", re.IGNORECASE)
_NUMBERS = {
    "year": 2026,
    "month": 1,
    "day": 15,
    "week": 2,
    "page": 1,
    "per_page": 10,
    "page_size": 10,
    "size": 10,
    "limit": 10,
    "offset": 0,
    "width": 100,
    "height": 100,
    "z": 1,
    "x": 1,
    "y": 1,
}


class Unknown(Exception):  # noqa: N818 - no error
    """Nothing is known that could stand for an argument."""


def rules_of(app: Flask, methods: tuple[str, ...]) -> Iterator[tuple[Rule, str]]:
    """Return every route of the URL map with each wanted method, harmful ones last."""
    found = [
        (rule, method)
        for rule in app.url_map.iter_rules()
        for method in methods
        if method in (rule.methods or ())
    ]
    yield from sorted(
        found, key=lambda pair: (bool(LAST.search(f"{pair[0].rule} {pair[0].endpoint}")), pair[0].rule)
    )


def skipped(app: Flask, rule: Rule, plan: RoutePlan) -> str:
    """Return why a route is not called, if so."""
    if plan.skip:
        return f"the plan says: {plan.skip}"
    if rule.websocket:
        return "a web socket"
    view = app.view_functions.get(rule.endpoint)
    if rule.endpoint == "static" or rule.endpoint.endswith(".static"):
        return "static files, the same for everybody"
    if view is None and not rule.redirect_to:
        return "no view function"
    if rule.build_only:
        return "a rule for building URLs only"
    return ""


class Arguments:
    """Finds arguments for routes among the canary rows.

    :param tokens: what looks like a signed token in earlier answers, by owner
    """

    def __init__(self, rows: Rows, plan: Plan) -> None:
        self._rows, self._plan = rows, plan
        self.tokens: dict[Owner, list[str]] = {"A": [], "B": []}
        self.files: dict[Owner, list[str]] = {"A": [], "B": []}

    def wants_token(self, rule: Rule) -> bool:
        """Whether an argument of the rule looks like a signed token."""
        return any(TOKEN.search(name) and type(rule._converters[name]) in (UnicodeConverter, PathConverter)
                   for name in rule.arguments if name in rule._converters)  # fmt: skip

    def of(self, rule: Rule, owner: Owner, row: int) -> dict[str, Any]:
        """Return arguments that name rows of ``owner``.

        :param row: 0 for rows whose keys both tenants have, 2 for one that only this tenant has
        :raises Unknown: when there are none
        """
        planned = self._plan.routes.get(rule.endpoint, RoutePlan()).args
        found: dict[str, Any] = {}
        for name in sorted(rule.arguments - set(rule.defaults or ())):
            if name in planned:
                value = planned[name]
                if isinstance(value, str):
                    value = value.replace("{id}", str(self._rows.ids[owner][row]))
                found[name] = value
                continue
            found[name] = self._value(rule, name, rule._converters.get(name), owner, row)
        return found

    def _value(self, rule: Rule, name: str, converter: Any, owner: Owner, row: int) -> Any:
        if isinstance(converter, AnyConverter):
            items = sorted(converter.items)
            return items[row // 2 % len(items)]
        if isinstance(converter, IntegerConverter):
            value = _NUMBERS.get(name.lower(), self._rows.ids[owner][row])
            if converter.max is not None and value > converter.max:
                value = converter.max
            return value
        if isinstance(converter, FloatConverter):
            return float(self._rows.ids[owner][row])
        if TOKEN.search(name) and self.tokens[owner]:
            return self.tokens[owner][row % len(self.tokens[owner])]
        found = self._from_rows(rule, name, owner, row)
        if found is not None:
            return found
        if isinstance(converter, UUIDConverter):
            raise Unknown(f"no canary row has a UUID for the argument {name!r}")
        if TOKEN.search(name):
            raise Unknown(f"no answer held what the argument {name!r} could be")
        if isinstance(converter, PathConverter) or re.search(r"file|path", name, re.IGNORECASE):
            if self.files[owner]:
                return self.files[owner][row % len(self.files[owner])]
            raise Unknown(f"nothing is known that the path {name!r} could be")
        if type(converter) is UnicodeConverter:
            return str(self._rows.ids[owner][row])
        raise Unknown(f"nothing is known of the converter {type(converter).__name__} of {name!r}")

    def _from_rows(self, rule: Rule, name: str, owner: Owner, row: int) -> Any:
        """The value of the column that the argument is called after, or of the key of the table that it is."""
        for table in self._tables(rule, name):
            for column in (name, name.removeprefix(f"{table.rpartition('.')[2]}_")):
                value = self._rows.value(table, column, owner, row)
                if value is not None and _plain(value):
                    return value
        for table in self._named(rule, name):
            keys = [c.name for c in self._rows.tables[table].primary_key.columns]
            if len(keys) == 1:
                value = self._rows.value(table, keys[0], owner, row)
                if value is not None and _plain(value):
                    return value
        return None

    def _tables(self, rule: Rule, name: str) -> list[str]:
        """All tables, those that the route seems to be about first."""
        first = self._named(rule, name)
        return first + [table for table in sorted(self._rows.rows) if table not in first]

    def _named(self, rule: Rule, name: str) -> list[str]:
        words = [name.lower(), re.sub(r"_?(id|uuid|key|slug|name)$", "", name.lower())]
        words += [word for word in re.split(r"[^a-z]+", rule.rule.lower()) if word][::-1]
        words += [word for word in re.split(r"[^a-z]+", rule.endpoint.lower()) if word]
        found = []
        for word in words:
            for table in self._rows.rows:
                bare = table.rpartition(".")[2].lower()
                if word and bare in (word, word.rstrip("s"), f"{word}s", re.sub("ies$", "y", word)):
                    found.append(table)
        return list(dict.fromkeys(found))


def _plain(value: Any) -> bool:
    return not isinstance(value, (dict, list, bytes, bool, float))
