"""Values for columns, by their type, their name and what the schema says they must be."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from .canary import DIGITS, LENGTH, Canaries, Owner

SMALL = re.compile(
    r"(^|_)(position|pos|rank|order|page|count|size|limit|offset|day|days|month|year|hour|hours|minute|minutes|percent|"
    r"rate|ratio|age|version|level|priority|quantity|qty|number_of|depth|step|score|rating|weight|width|height|lat|lng|"
    r"latitude|longitude|duration|interval|ttl|retries|attempts|port)(_|$)"
)
OFF = re.compile(
    r"(^|_)(deleted|removed|archived|hidden|banned|blocked|disabled|suspended|locked|revoked|expired|inactive|void|"
    r"cancelled|canceled|trashed|draft)(_|$)"
)
MOMENT_OFF = re.compile(r"(^|_)(deleted|removed|archived|hidden|banned|blocked|disabled|suspended|locked|revoked|"
                        r"cancelled|canceled|void\w*)(_|$)")  # fmt: skip
LATER = re.compile(r"(^|_)(expires|expiry|expire|until|valid_to|due|end|ends)(_|$)")
_IN = re.compile(
    r"""["`\[]?(\w+)["`\]]?\)?(?:::[\w ]+)?\s+(?:IN\s*\(|=\s*ANY\s*\(\(?ARRAY\s*\[)([^)\]]*)""", re.IGNORECASE
)
_TEXT = re.compile(r"'((?:[^']|'')*)'")
_TODAY = dt.datetime(2026, 1, 15, 9, 0)  # noqa: DTZ001 - databases take it as it is
_PLAIN = {
    "locale": "en",
    "language": "en",
    "lang": "en",
    "timezone": "UTC",
    "time_zone": "UTC",
    "tz": "UTC",
    "currency": "EUR",
    "mimetype": "text/plain",
    "mime_type": "text/plain",
    "content_type": "text/plain",
    "country": "DE",
    "country_code": "DE",
}
"""Strings that libraries look up, by the column's name."""


@dataclass(slots=True)
class Place:
    """One value to be made.

    :param row: 0 and 1 stand for rows whose keys both tenants have, 2 for one that only this tenant has
    :param unique: whether no two rows may have the same
    :param key: whether routes may name the row by it
    :param careful: whether to avoid whatever is unusual, after an ordinary row was refused
    """

    owner: Owner
    table: str
    column: sa.Column[Any]
    model: sa.Column[Any] | None
    row: int
    unique: bool
    key: bool
    careful: bool = False


class Omit(Exception):  # noqa: N818 - no error
    """The column is left to the database."""


def listed_values(checks: list[str]) -> dict[str, list[str]]:
    """Return what CHECK constraints allow, by column: ``status IN ('a', 'b')``."""
    found: dict[str, list[str]] = {}
    for text in checks:
        for match in _IN.finditer(text):
            values = [v.replace("''", "'") for v in _TEXT.findall(match.group(2))]
            if values:
                found[match.group(1).lower()] = values
    return found


class Values:
    """Makes values.

    :param ids: automatic ids by tenant and row
    """

    def __init__(self, canaries: Canaries, ids: dict[Owner, list[int]], dialect: sa.Dialect) -> None:
        self._canaries = canaries
        self._ids = ids
        self._dialect = dialect
        self._makers: list[tuple[type[Any], Callable[[Place, Any], Any]]] = [
            (sa.Enum, self._enum),
            (sa.Boolean, lambda place, kind: not OFF.search(place.column.name)),
            (sa.Uuid, self._uuid),
            (sa.DateTime, lambda place, kind: self._moment(place)),
            (sa.Date, lambda place, kind: self._moment(place).date()),
            (sa.Time, lambda place, kind: dt.time(9, place.row)),
            (sa.Interval, lambda place, kind: dt.timedelta(days=1 + place.row)),
            (sa.JSON, lambda place, kind: {"canary": self._word(place)}),
            (sa.ARRAY, self._array),
            (sa.LargeBinary, lambda place, kind: self._word(place).encode()),
            (sa.Integer, self._integer),
            (sa.Float, lambda place, kind: 1.5 + place.row),
            (sa.Numeric, self._numeric),
            (sa.String, self._string),
        ]

    def make(self, place: Place, listed: list[str] | None) -> Any:
        """Return a value.

        :param listed: what a CHECK constraint allows
        :raises Omit: when the database's own default is better
        :raises ValueError: when nothing is known of the type
        """
        if listed:
            return listed[place.row % len(listed)] if not place.careful else listed[0]
        default = self._default(place)
        if default is not None and (place.careful or not place.unique):
            return default
        kind = place.model.type if place.model is not None else place.column.type
        if isinstance(kind, sa.types.TypeDecorator):
            return self._decorated(place, kind)
        return self._of(place, kind)

    def _of(self, place: Place, kind: Any) -> Any:
        for known, make in self._makers:
            if isinstance(kind, known):
                return make(place, kind)
        name = type(kind).__name__.upper()
        if name in ("INET", "CIDR"):
            return f"10.{'1' if place.owner == 'A' else '2'}.0.{place.row}"
        if name in ("TSVECTOR", "BIT", "HSTORE") and (
            place.column.nullable or place.column.server_default is not None
        ):
            raise Omit
        if place.column.nullable or place.column.server_default is not None:
            raise Omit
        raise ValueError(f"nothing is known of the type {kind!r} of the column {place.column.name!r}")

    def _default(self, place: Place) -> Any:
        """What the application writes where nothing is said: it knows what to do with it."""
        default: Any = place.model.default if place.model is not None else None
        if default is None or not default.is_scalar or default.arg in ("", None):
            return None
        return default.arg if isinstance(default.arg, (str, bool, int)) else None

    # ---- by type
    def _word(self, place: Place) -> str:
        return self._canaries.word(place.owner, place.table, place.column.name)

    def _enum(self, place: Place, kind: sa.Enum) -> Any:
        values: list[Any] = list(kind.enum_class) if kind.enum_class is not None else list(kind.enums)
        return values[0 if place.careful else place.row % len(values)]

    def _uuid(self, place: Place, kind: Any) -> Any:
        if place.key and place.row < 2:
            made = uuid.uuid5(uuid.NAMESPACE_OID, str(self._ids["A"][place.row]))
        else:
            made = uuid.uuid4()
            self._canaries.keep_uuid(str(made), place.owner, place.table, place.column.name)
        return made if getattr(kind, "as_uuid", True) else str(made)

    def _moment(self, place: Place) -> dt.datetime:
        if MOMENT_OFF.search(place.column.name) and place.column.nullable:
            raise Omit
        if LATER.search(place.column.name):
            return dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0) + dt.timedelta(
                days=30 + place.row
            )
        return _TODAY - dt.timedelta(days=place.row)

    def _array(self, place: Place, kind: Any) -> Any:
        return [self._of(place, kind.item_type)]

    def _integer(self, place: Place, kind: Any) -> int:
        if place.key:
            return self._ids[place.owner][place.row]
        if place.careful or SMALL.search(place.column.name):
            return place.row + 1
        if isinstance(kind, sa.SmallInteger):
            return 100 + place.row
        return self._canaries.number(place.owner, place.table, place.column.name)

    def _numeric(self, place: Place, kind: Any) -> Decimal:
        scale = kind.scale if kind.scale is not None else 2
        digits = min(kind.precision or DIGITS, DIGITS)
        if place.careful or SMALL.search(place.column.name) or digits < 5 or digits <= scale:
            return Decimal(place.row + 1)
        number = self._canaries.number(place.owner, place.table, place.column.name, digits)
        return Decimal(number).scaleb(-scale)

    def _string(self, place: Place, kind: Any) -> str:
        name, length = place.column.name.lower(), kind.length or 10_000
        model_length = getattr(getattr(place.model, "type", None), "length", None)
        length = min(length, model_length or length)
        if name in _PLAIN and not place.unique and len(_PLAIN[name]) <= length:
            return _PLAIN[name]
        if place.key and place.row == 0:
            return f"common{self._ids['A'][0]}"[:length]
        if length < LENGTH:
            return f"{place.owner.lower()}{place.row}"[:length]
        word = self._word(place)
        for part, text in (("mail", f"{word}@example.com"), ("url", f"https://{word}.example.com/")):
            if part in name and len(text) <= length:
                return text
        return word

    def _decorated(self, place: Place, kind: Any) -> Any:
        """A value that the application's own type takes and gives back."""
        tried: list[Any] = []
        with suppress(ValueError, Omit):
            tried.append(self._of(place, kind.impl_instance if hasattr(kind, "impl_instance") else kind.impl))
        if tried and isinstance(tried[0], (int, Decimal, float)) and not isinstance(tried[0], bool):
            tried += [Decimal(tried[0]).scaleb(-2), int(tried[0]), float(tried[0])]
        word = self._word(place)
        tried += [word, {"canary": word}, [word], word.encode(), self._moment(place), True, 1, Decimal(1)]
        store, load = kind.bind_processor(self._dialect), kind.result_processor(self._dialect, None)
        for value in tried:
            try:
                stored = store(value) if store else value
                back = load(stored) if load else stored
            except Exception:  # noqa: S112 - the application's own code says no in its own way
                continue
            if back == value and type(back) is type(value):
                return value
        if place.column.nullable or place.column.server_default is not None:
            raise Omit
        raise ValueError(f"nothing fits the type {type(kind).__name__} of the column {place.column.name!r}")
