"""Reads the tenants that ``flask tenant create --from`` is given, and finds what is wrong before any is created."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TextIO

from ..errors import InvalidSlugError, TenantError

COLUMNS = ("slug", "name")


@dataclass(frozen=True)
class Row:
    """One tenant to be created.

    :param where: its place in the file, for messages
    """

    where: str
    slug: str
    name: str


def name_from(slug: str) -> str:
    """Return a name for people, made from a slug."""
    return slug.replace("-", " ").title()


def read(source: TextIO, name: str) -> list[Row]:
    """Read a CSV file with the columns ``slug`` and, if wanted, ``name``, or a JSON list of objects with these keys.

    :param name: the file's name; JSON ends in ``.json`` or begins with ``[``
    :raises TenantError: when it is neither
    """
    text = source.read().lstrip("\ufeff")
    parse = _json if name.endswith(".json") or text.lstrip().startswith("[") else _csv
    try:
        return list(parse(text))
    except (csv.Error, json.JSONDecodeError) as error:
        raise TenantError(f"{name} cannot be read: {error}", value=name, hint="Use CSV or JSON") from None


def _csv(text: str) -> Iterator[Row]:
    reader = csv.DictReader(text.splitlines())
    _known(reader.fieldnames or (), "the first line")
    for fields in reader:
        yield _row(fields, f"line {reader.line_num}")


def _json(text: str) -> Iterator[Row]:
    found = json.loads(text)
    if not isinstance(found, list):
        raise TenantError("The JSON is no list", hint='Use [{"slug": "acme", "name": "Acme"}]')
    for number, fields in enumerate(found, 1):
        where = f"entry {number}"
        if not isinstance(fields, dict):
            raise TenantError(f"{where} is no object: {fields!r}", value=fields, hint='Use {"slug": "acme"}')
        _known(fields, where)
        yield _row(fields, where)


def _known(names: Iterable[Any], where: str) -> None:
    names = list(names)
    unknown = [name for name in names if name not in COLUMNS]
    if unknown or "slug" not in names:
        what = f"unknown: {', '.join(map(str, unknown))}" if unknown else "'slug' is missing"
        raise TenantError(f"In {where}, {what}", value=unknown, hint=f"Known are: {', '.join(COLUMNS)}")


def _row(fields: dict[Any, Any], where: str) -> Row:
    values = {key: fields.get(key) for key in COLUMNS}
    if None in fields or any(value is not None and not isinstance(value, str) for value in values.values()):
        raise TenantError(f"{where} has more than {', '.join(COLUMNS)}, or no texts", value=fields)
    slug = (values["slug"] or "").strip()
    return Row(where, slug, (values["name"] or "").strip() or name_from(slug))


def check(rows: list[Row], is_slug: Any) -> None:
    """Look at all rows before the first is created.

    :param is_slug: tells whether a text can be a slug
    :raises InvalidSlugError: when one cannot, or one comes twice; all such rows are named
    """
    seen: dict[str, str] = {}
    problems = []
    for row in rows:
        if not is_slug(row.slug):
            problems.append(f"{row.where}: {row.slug!r} cannot be part of a host name")
        elif row.slug in seen:
            problems.append(f"{row.where}: {row.slug!r} is in {seen[row.slug]} already")
        seen.setdefault(row.slug, row.where)
    if problems:
        more = f", and {len(problems) - 10} more" if len(problems) > 10 else ""
        raise InvalidSlugError(
            "; ".join(problems[:10]) + more,
            value=[row.slug for row in rows],
            hint="Nothing was created. Use up to 63 lower-case letters, digits and inner hyphens, each slug once",
        )
