"""Who belongs to a tenant, with which roles. A tenant that has an administrator keeps one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from ...errors import LastAdministratorError, MemberError
from ...identity import ADMINISTRATOR, Member, MemberState, Provider
from ...translations import Message
from .persons import SYSTEM, Persons, checked_name

BY_HAND = ""
"""The source of roles that somebody gave; others come from the provider of that name."""

_ROLE = re.compile(r"[a-z][a-z0-9_.-]{0,62}\Z")


def checked_roles(roles: Iterable[str]) -> frozenset[str]:
    """Return roles that can be kept.

    :raises MemberError: for one that is none
    """
    found = frozenset(roles)
    for role in found:
        if not _ROLE.match(role):
            raise MemberError(
                Message("%(role)r cannot be a role", role=role),
                value=role,
                hint=Message("Small letters, digits, _, . and -, 63 at most"),
            )
    return found


class Members(Persons):
    """Keeps members and their roles."""

    def member(self, tenant_id: int, person_id: int) -> Member | None:
        """Return a person as a member of a tenant, suspended ones too, or ``None``."""
        with self._connect() as connection:
            return self._member(connection, tenant_id, person_id)

    def members(self, tenant_id: int) -> list[Member]:
        """Return all members of a tenant, suspended ones too, by name."""
        with self._connect() as connection:
            return self._read(connection, self._people.membership.c.tenant_id == tenant_id)

    def memberships(self, person_id: int) -> list[Member]:
        """Return what a person is in each tenant where they may log in."""
        with self._connect() as connection:
            found = self._read(connection, self._people.membership.c.person_id == person_id)
        return [member for member in found if member.state is MemberState.ACTIVE]

    # ---- changing
    def provider_gone(self, connection: Connection, provider: Provider) -> None:
        """Take away the roles that rest on the groups of a provider which is being removed.

        :param connection: in whose transaction that is done, with the tenant's row locked
        :raises LastAdministratorError: when nobody else is an administrator
        """
        role = self._people.member_role
        had = self._has_administrator(connection, provider.tenant_id)
        mine = role.c.tenant_id == provider.tenant_id, role.c.source == provider.name
        connection.execute(role.delete().where(*mine))
        if had and not self._has_administrator(connection, provider.tenant_id):
            raise LastAdministratorError(
                f"Without {provider.name!r} nobody would be an administrator of the tenant {provider.tenant_id}",
                value=provider.name,
                hint="Make somebody an administrator who does not depend on its groups",
            )

    def add(
        self,
        tenant_id: int,
        person_id: int,
        *,
        name: str = "",
        email: str = "",
        roles: Iterable[str] = (),
        by: str = SYSTEM,
    ) -> Member:
        """Make a person a member of a tenant.

        :raises MemberError: when there is no such person, or they are one already
        """
        person, wanted = self.person(person_id), checked_roles(roles)
        if person is None:
            raise MemberError(f"There is no person {person_id}", value=person_id)
        with self._changing(tenant_id) as connection:
            if self._member(connection, tenant_id, person_id) is not None:
                raise MemberError(f"The person {person_id} is a member already", value=person_id)
            name, email = name or person.name, email or person.email or ""
            return self._add(connection, Member(tenant_id, person_id, name, email, wanted), by)

    def set_roles(self, tenant_id: int, person_id: int, roles: Iterable[str], *, by: str = SYSTEM) -> Member:
        """Set the roles that a member has by hand; those from their provider's groups stay.

        :raises MemberError: when they are no member
        :raises LastAdministratorError: when nobody else is an administrator
        """
        wanted = checked_roles(roles)
        with self._changing(tenant_id) as connection:
            before = self._expect(connection, tenant_id, person_id)
            self._give(connection, tenant_id, person_id, wanted, BY_HAND)
            after = self._expect(connection, tenant_id, person_id)
            self._note(
                "member.roles",
                tenant_id=tenant_id,
                actor=by,
                connection=connection,
                person=person_id,
                before=sorted(before.roles),
                after=sorted(after.roles),
            )
            return after

    def suspend(self, tenant_id: int, person_id: int, *, by: str = SYSTEM) -> Member:
        """Let a member not log in any more; their sessions in the tenant end.

        :raises MemberError: when they are no member
        :raises LastAdministratorError: when nobody else is an administrator
        """
        return self._set_state(tenant_id, person_id, MemberState.SUSPENDED, by)

    def resume(self, tenant_id: int, person_id: int, *, by: str = SYSTEM) -> Member:
        """Let a suspended member log in again.

        :raises MemberError: when they are no member
        """
        return self._set_state(tenant_id, person_id, MemberState.ACTIVE, by)

    def remove(self, tenant_id: int, person_id: int, *, by: str = SYSTEM) -> None:
        """Let somebody be no member any more; their sessions in the tenant end.

        Where a provider's people become members by logging in, they may come back: suspend them to keep them out.

        :raises MemberError: when they are no member
        :raises LastAdministratorError: when nobody else is an administrator
        """
        people = self._people
        with self._changing(tenant_id) as connection:
            member = self._expect(connection, tenant_id, person_id)
            for table in (people.member_role, people.app_user, people.membership):
                mine = table.c.tenant_id == tenant_id, table.c.person_id == person_id
                connection.execute(table.delete().where(*mine))
            self._sessions.end_within(connection, person_id, tenant_id)
            self._note(
                "member.removed",
                tenant_id=tenant_id,
                actor=by,
                connection=connection,
                person=person_id,
                name=member.name,
            )

    # ---- in a transaction
    @contextmanager
    def _changing(self, tenant_id: int) -> Iterator[Connection]:
        """Change a tenant's members, one change after the other: of two last administrators, one stays."""
        tenant = self._tables.tenant
        try:
            with self._connect() as connection:
                # Written first: this locks on each database, and SQLite does not have to turn a reader into a writer.
                lock = tenant.update().where(tenant.c.id == tenant_id).values(name=tenant.c.name)
                if cast("sa.CursorResult[Any]", connection.execute(lock)).rowcount == 0:
                    raise MemberError(f"There is no tenant with the id {tenant_id}", value=tenant_id)
                had = self._has_administrator(connection, tenant_id)
                yield connection
                if had and not self._has_administrator(connection, tenant_id):
                    raise LastAdministratorError(
                        f"The tenant {tenant_id} would be left without an administrator",
                        value=tenant_id,
                        hint="Make somebody else an administrator first",
                    )
        except IntegrityError as error:
            raise MemberError(
                Message("The members of the tenant %(id)d were changed at the same time", id=tenant_id),
                value=tenant_id,
                hint=Message("Try again"),
            ) from error

    def _has_administrator(self, connection: Connection, tenant_id: int) -> bool:
        membership, role = self._people.membership, self._people.member_role
        query = (
            sa.select(sa.literal(1))
            .select_from(membership)
            .join(
                role,
                (role.c.tenant_id == membership.c.tenant_id) & (role.c.person_id == membership.c.person_id),
            )
            .where(
                membership.c.tenant_id == tenant_id,
                membership.c.state == MemberState.ACTIVE.value,
                role.c.role == ADMINISTRATOR,
            )
            .limit(1)
        )
        return connection.scalar(query) is not None

    def _member(self, connection: Connection, tenant_id: int, person_id: int) -> Member | None:
        membership = self._people.membership
        mine = membership.c.tenant_id == tenant_id, membership.c.person_id == person_id
        return next(iter(self._read(connection, *mine)), None)

    def _expect(self, connection: Connection, tenant_id: int, person_id: int) -> Member:
        found = self._member(connection, tenant_id, person_id)
        if found is None:
            raise MemberError(
                Message(
                    "The person %(person)d is no member of the tenant %(tenant)d",
                    person=person_id,
                    tenant=tenant_id,
                ),
                value=person_id,
            )
        return found

    def _read(self, connection: Connection, *wanted: sa.ColumnElement[bool]) -> list[Member]:
        membership, role = self._people.membership, self._people.member_role
        same = (role.c.tenant_id == membership.c.tenant_id) & (role.c.person_id == membership.c.person_id)
        query = (
            sa.select(membership, role.c.role)
            .select_from(membership.outerjoin(role, same))
            .where(*wanted)
            .order_by(membership.c.name, membership.c.tenant_id, membership.c.person_id)
        )
        roles: dict[tuple[int, int], set[str]] = {}
        found: dict[tuple[int, int], sa.Row[Any]] = {}
        for row in connection.execute(query):
            key = row.tenant_id, row.person_id
            found[key] = row
            if row.role is not None:
                roles.setdefault(key, set()).add(row.role)
        return [
            Member(*key, row.name, row.email, frozenset(roles.get(key, ())), MemberState(row.state))
            for key, row in found.items()
        ]

    def _add(self, connection: Connection, member: Member, by: str) -> Member:
        row = {
            "tenant_id": member.tenant_id,
            "person_id": member.person_id,
            "name": checked_name(member.name),
            "email": member.email,
            "state": member.state.value,
            "created_at": self._clock(),
        }
        connection.execute(self._people.membership.insert().values(row))
        self._give(connection, member.tenant_id, member.person_id, member.roles, BY_HAND)
        self._note(
            "member.added",
            tenant_id=member.tenant_id,
            actor=by,
            connection=connection,
            person=member.person_id,
            name=member.name,
            roles=sorted(member.roles),
        )
        return member

    def _give(
        self, connection: Connection, tenant_id: int, person_id: int, roles: frozenset[str], source: str
    ) -> None:
        """Let a member have these roles from a source, and no others from it."""
        table = self._people.member_role
        mine = table.c.tenant_id == tenant_id, table.c.person_id == person_id, table.c.source == source
        connection.execute(table.delete().where(*mine))
        if roles:
            row = {"tenant_id": tenant_id, "person_id": person_id, "source": source}
            connection.execute(table.insert(), [{**row, "role": role} for role in sorted(roles)])

    def _set_state(self, tenant_id: int, person_id: int, state: MemberState, by: str) -> Member:
        membership = self._people.membership
        mine = membership.c.tenant_id == tenant_id, membership.c.person_id == person_id
        with self._changing(tenant_id) as connection:
            self._expect(connection, tenant_id, person_id)
            connection.execute(membership.update().where(*mine).values(state=state.value))
            if state is not MemberState.ACTIVE:
                self._sessions.end_within(connection, person_id, tenant_id)
            action = "member.resumed" if state is MemberState.ACTIVE else "member.suspended"
            self._note(action, tenant_id=tenant_id, actor=by, connection=connection, person=person_id)
            return self._expect(connection, tenant_id, person_id)
