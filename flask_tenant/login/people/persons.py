"""People. Somebody is known by an identity, never by an address."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from email_validator import EmailNotValidError, validate_email
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from ...errors import MemberError
from ...identity import LOCAL, Identity, Person
from ...translations import Message
from ..passwords import Passwords
from ..sessions import Sessions
from ..store import Clock, Connect, Note, Tables, now, utc

SYSTEM = "system"
"""The actor of what nobody has done by hand."""

LONGEST_NAME = 200
LONGEST_EMAIL = 254

_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Turn round what is read after them (Unicode Standard Annex 9, sections 2.1 to 2.5), also beyond a name's end."""


def line_of(text: str) -> str:
    """Return text from elsewhere in one line, without what is no character of any: controls, halves of characters."""
    shown = (c for c in text if c.isspace() or unicodedata.category(c) not in ("Cc", "Cs"))
    return " ".join("".join(c for c in shown if c not in _DIRECTIONS).split())


def checked_email(text: str) -> str:
    """Return an e-mail address in its one form.

    :raises MemberError: for what is none
    """
    try:
        return validate_email(text.strip(), check_deliverability=False).normalized.lower()
    except EmailNotValidError as error:
        raise MemberError(
            Message("%(text)r is no e-mail address", text=text), value=text, hint=str(error).rstrip(".")
        ) from None


def checked_name(text: str) -> str:
    """Return a name as it is kept.

    :raises MemberError: for an empty one
    """
    name = line_of(text)[:LONGEST_NAME].strip()
    if not name:
        raise MemberError(Message("A name is empty"), value=text)
    return name


class Persons:
    """Keeps people.

    :param connect: opens a transaction on the directory's database
    :param sessions: which end with what they rest on
    :param note: writes into the audit trail
    """

    def __init__(
        self,
        connect: Connect,
        tables: Tables,
        sessions: Sessions,
        note: Note,
        *,
        passwords: Passwords | None = None,
        clock: Clock = now,
    ) -> None:
        self._connect, self._tables, self._people = connect, tables, tables.people
        self._sessions, self._note, self._clock = sessions, note, clock
        self.passwords = passwords or Passwords()

    def person(self, person_id: int) -> Person | None:
        """Return a person, or ``None``."""
        with self._connect() as connection:
            return self._one(connection, self._people.person.c.id == person_id)

    def by_email(self, email: str) -> Person | None:
        """Return who logs in with a password of ours under this address, or ``None``."""
        try:
            email = checked_email(email)
        except MemberError:
            return None
        with self._connect() as connection:
            return self._one(connection, self._people.person.c.email == email)

    def by_identity(self, identity: Identity) -> Person | None:
        """Return whom an identity names, or ``None``."""
        with self._connect() as connection:
            found = self._known_as(connection, identity)
            return None if found is None else self._one(connection, self._people.person.c.id == found)

    def operators(self) -> list[Person]:
        """Return who may do central work."""
        person = self._people.person
        with self._connect() as connection:
            rows = connection.execute(
                sa.select(person).where(person.c.operator == 1).order_by(person.c.id)
            ).all()
        return [_person(row) for row in rows]

    def create(self, email: str, name: str, password: str, *, by: str = SYSTEM) -> Person:
        """Make a person who logs in with a password of ours. The address must have been verified before.

        :raises MemberError: for an address, name or password that cannot be, or when somebody has the address already
        """
        email, name = checked_email(email), checked_name(name)
        kept = self.passwords.hash(password, email)
        try:
            with self._connect() as connection:
                return self._create(connection, email, name, kept, by)
        except IntegrityError:
            raise MemberError(
                Message("Somebody logs in with %(email)r already", email=email),
                value=email,
                hint=Message("Log in, or reset the password"),
            ) from None

    def _create(self, connection: Connection, email: str, name: str, kept: str, by: str) -> Person:
        at = self._clock()
        values = {"name": name, "email": email, "password": kept, "created_at": at, "password_at": at}
        made = self._insert(connection, values, None)
        self._identify(connection, Identity(LOCAL, str(made)), made)
        self._note("person.created", actor=by, connection=connection, person=made, email=email)
        return Person(made, name, email)

    def matches(self, email: str, password: str) -> Person | None:
        """Return whose address and password these are, or ``None``; the same work is done whoever it is."""
        person = self._people.person
        try:
            email = checked_email(email)
        except MemberError:
            email = ""
        with self._connect() as connection:
            row = connection.execute(sa.select(person).where(person.c.email == email)).one_or_none()
        kept = row.password if row is not None else None
        return _person(row) if self.passwords.matches(kept, password) and row is not None else None

    def set_password(self, person_id: int, password: str, *, by: str = SYSTEM) -> None:
        """Set a person's password. Every session of theirs ends, in all tenants: one may be somebody else's.

        :raises MemberError: for a password that cannot be, or a person without an address of ours
        """
        found = self.person(person_id)
        if found is None or found.email is None:
            raise MemberError(f"The person {person_id} does not log in with a password", value=person_id)
        kept, person = self.passwords.hash(password, found.email), self._people.person
        with self._connect() as connection:
            connection.execute(
                person.update()
                .where(person.c.id == person_id)
                .values(password=kept, password_at=self._clock())
            )
            self._sessions.end_within(connection, person_id)
            self._note("person.password", actor=by, connection=connection, person=person_id)

    def password_since(self, person_id: int) -> datetime | None:
        """Return when a person's password was set, ``None`` for whoever has none of ours."""
        person = self._people.person
        with self._connect() as connection:
            return utc(connection.scalar(sa.select(person.c.password_at).where(person.c.id == person_id)))

    def set_operator(self, person_id: int, operator: bool, *, by: str = SYSTEM) -> None:
        """Let a person do central work, or not any more; what they do as somebody else ends then.

        :raises MemberError: when there is no such person
        """
        person = self._people.person
        with self._connect() as connection:
            done = connection.execute(
                person.update().where(person.c.id == person_id).values(operator=int(operator))
            )
            if cast("sa.CursorResult[Any]", done).rowcount == 0:
                raise MemberError(f"There is no person {person_id}", value=person_id)
            if not operator:
                self._sessions.end_impersonations(connection, person_id)
            self._note(
                "operator.added" if operator else "operator.removed",
                actor=by,
                connection=connection,
                person=person_id,
            )

    # ---- in a transaction that is open already
    def _one(self, connection: Connection, wanted: sa.ColumnElement[bool]) -> Person | None:
        row = connection.execute(sa.select(self._people.person).where(wanted)).one_or_none()
        return None if row is None else _person(row)

    def _known_as(self, connection: Connection, identity: Identity) -> int | None:
        table = self._people.identity
        mine = table.c.authority == identity.authority, table.c.subject == identity.subject
        return connection.scalar(sa.select(table.c.person_id).where(*mine))

    def _insert(self, connection: Connection, values: dict[str, Any], identity: Identity | None) -> int:
        done = connection.execute(self._people.person.insert().values(values))
        key = cast(Any, done.inserted_primary_key)
        made = int(key[0])
        if identity is not None:
            self._identify(connection, identity, made)
        return made

    def _identify(self, connection: Connection, identity: Identity, person_id: int) -> None:
        row = {**identity._asdict(), "person_id": person_id, "created_at": self._clock()}
        connection.execute(self._people.identity.insert().values(row))


def _person(row: sa.Row[Any]) -> Person:
    return Person(row.id, row.name, row.email, bool(row.operator))
