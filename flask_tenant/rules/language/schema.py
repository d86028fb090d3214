"""Holds the published JSON Schema against a document, and says in words what does not fit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from .document import Document, Path
from .findings import Findings, nearest

_TYPES = {
    "string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false", "null": "nothing",
    "object": "names with values", "array": "a list",
}  # fmt: skip


@lru_cache(maxsize=1)
def schema() -> Mapping[str, Any]:
    """Return the JSON Schema of rule files (draft 2020-12)."""
    found: Mapping[str, Any] = json.loads(
        files(__package__).joinpath("schema.json").read_text(encoding="utf-8")
    )
    return found


@lru_cache(maxsize=1)
def _validator() -> Draft202012Validator:
    return Draft202012Validator(schema())


def verbs_of(effect: str) -> tuple[str, ...]:
    """Return the verbs whose rules may have this effect; none for what every rule may have."""
    return tuple(schema()["$defs"]["rule"]["properties"][effect].get("x-verbs", ()))


@lru_cache(maxsize=1)
def effects() -> tuple[str, ...]:
    """Return what a rule can do; of these, it has one at least."""
    properties = schema()["$defs"]["rule"]["properties"]
    return tuple(name for name, each in properties.items() if "x-verbs" in each and "x-modifier" not in each)


def conforms(document: Document, findings: Findings) -> bool:
    """Find everything in which a document is not as the schema says."""
    good = True
    for error in _validator().iter_errors(document.data):
        good = False
        for path, key, message in _said(error):
            findings.error(document.place(path, key=key), message)
    return good


def _said(error: ValidationError) -> Iterable[tuple[Path, bool, str]]:
    """Yield where and what; whether the name or the value is meant."""
    path: Path = tuple(error.absolute_path)
    keyword, wanted, found = str(error.validator), error.validator_value, error.instance
    known = error.schema.get("properties", {}) if isinstance(error.schema, Mapping) else {}
    if keyword == "additionalProperties":
        for name in found:
            if name not in known:
                yield (*path, name), True, f'there is no "{name}" here{nearest(name, known)}'
    elif keyword == "required":
        missing = [name for name in wanted if name not in found]
        yield path, False, f"{_names(missing)} {'is' if len(missing) == 1 else 'are'} missing"
    else:
        yield path, keyword == "const", _value(keyword, wanted, found, error.schema)


def _value(keyword: str, wanted: Any, found: Any, rules: Any) -> str:
    if keyword == "type":
        types = [wanted] if isinstance(wanted, str) else wanted
        message = f"expected {' or '.join(_TYPES[each] for each in types)}, found {_found(found)}"
        quoted = "string" in types and not isinstance(found, dict | list)
        return f"{message}: put it in quotes if it is meant as text" if quoted else message
    if keyword == "enum" and wanted == ["all"]:
        return f"expected all, {{plan: NAME}} or {{tenant: SLUG}}, found {_found(found)}"
    if keyword == "enum":
        return f"expected {' or '.join(wanted)}, found {_found(found)}" + (
            nearest(found, wanted) if isinstance(found, str) and len(wanted) > 1 else ""
        )
    if keyword == "const":
        return f"expected {wanted}, found {_found(found)}"
    if keyword == "pattern":
        return f"expected {rules.get('x-expected', 'text of another form')}, found {_found(found)}"
    sizes = {
        "minimum": f"expected at least {wanted}", "maximum": f"expected at most {wanted}",
        "minItems": f"expected at least {wanted} item", "maxItems": f"expected at most {wanted} items",
        "minLength": "expected text", "maxLength": f"expected at most {wanted} characters",
        "minProperties": f"expected {_names(rules.get('properties', ())) or 'a name and a value'}",
        "maxProperties": f"expected {wanted} only: make it several rules",
        "uniqueItems": "expected each item once",
    }  # fmt: skip
    return f"{sizes.get(keyword, 'expected something else')}, found {_found(found)}"


def _found(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return f"names with values ({', '.join(list(value)[:3])})" if value else "{}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = str(value)
    shown = text if len(text) <= 40 else text[:40] + "…"
    return f'"{shown}"' if isinstance(value, str) else f"the number {shown}"


def _names(names: Iterable[str]) -> str:
    listed = list(names)
    return f"{', '.join(listed[:-1])} or {listed[-1]}" if len(listed) > 1 else "".join(listed)
