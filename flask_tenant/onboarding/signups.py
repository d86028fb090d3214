"""What visitors and operators do about sign-ups."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from ..errors import MemberError, SignUpError
from ..identity import Member, Person
from ..translations import Message
from .book import Book, Overtaken
from .machine import Machine
from .names import Names
from .states import SignUp, State

VERIFY = timedelta(hours=48)
"""For how long the link is good that proves an address."""


def digest_of(secret: str) -> str:
    """Return what is kept of a link's secret. It has 256 random bits: nobody can guess it, salted or not."""
    return hashlib.sha256(secret.encode()).hexdigest()


class People(Protocol):
    """What sign-up needs of people."""

    def by_email(self, email: str) -> Person | None:
        """Return who logs in with a password of ours under this address, or ``None``."""

    def create(self, email: str, name: str, password: str) -> Person:
        """Make a person. The address was verified before."""

    def member(self, tenant_id: int, person_id: int) -> Member | None:
        """Return a person as a member of a tenant, or ``None``."""

    def add(self, tenant_id: int, person_id: int, *, roles: frozenset[str]) -> Member:
        """Make a person a member of a tenant."""


class SignUps:
    """Sign-ups of one installation: ``accounts.signups``.

    :param checked_email: returns an address in its one form, or raises ``MemberError``
    :param hit: counts an attempt for an address (``account``) or a network, or raises ``TooManyAttemptsError``
    """

    def __init__(
        self,
        book: Book,
        names: Names,
        machine: Machine,
        people: People,
        *,
        checked_email: Callable[[str], str],
        hit: Callable[..., None],
    ) -> None:
        self.book, self.machine = book, machine
        self._names, self._people, self._hit = names, people, hit
        self._checked_email = checked_email

    # ---- visitors
    def request(
        self, *, email: str, person_name: str, slug: str, tenant_name: str, network: str = "", plan: str = ""
    ) -> SignUp:
        """Take a request for a tenant. Nothing is mailed yet: :meth:`Machine.go_on` does, best after the answer.

        Whether somebody with this address is known makes no difference.

        :param network: where it comes from
        :raises SignUpError: for what cannot be, with the field of the form
        :raises TooManyAttemptsError: when there were too many
        """
        try:
            email = self._checked_email(email)
        except MemberError as error:
            raise SignUpError(error.message, field="email", value=email) from error
        person_name = self._names.person_name(person_name)
        tenant_name, slug = self._names.tenant_name(tenant_name), self._names.slug(slug)
        # Looking which addresses are taken counts for the network; only what is mailed counts for the address.
        self._hit("signup", network=network)
        with self.book.connect() as connection:
            self._names.free(connection, slug)
        self._hit("signup", account=email)
        values = {
            "email": email,
            "person_name": person_name,
            "slug": slug,
            "tenant_name": tenant_name,
            "network": network,
            "plan": plan,
        }
        return self.book.begin(values, lambda connection: None, self.book.clock() + VERIFY)

    def look(self, secret: str) -> SignUp | None:
        """Return the sign-up of the newest link that was mailed; ``None`` for any other, and one that is too old."""
        found = self.book.by_digest(digest_of(secret))
        if found is None or found.state is State.EXPIRED:
            return None
        if found.state is State.REQUESTED and found.expires_at and found.expires_at <= self.book.clock():
            return None
        return found

    def needs_password(self, signup: SignUp) -> bool:
        """Whether nobody logs in with the address yet. Only for whoever has shown the link's secret."""
        return self._people.by_email(signup.email) is None

    def verify(self, secret: str, password: str = "") -> SignUp:
        """Take the proof of an address. Once more, it changes nothing.

        :param password: what they will log in with, if :meth:`needs_password`
        :raises SignUpError: when the link is not good, the slug was taken meanwhile, or the password cannot be
        """
        signup = self.look(secret)
        if signup is None:
            raise SignUpError(Message("The link is not good any more"), hint=Message("Sign up once more"))
        if signup.state is not State.REQUESTED:
            return signup
        with self.book.connect() as connection:
            self._names.free(connection, signup.slug, own=signup.id)
        person = self._person(signup, password)
        try:
            return self.book.move(
                signup,
                State.VERIFIED,
                actor=f"person:{person.id}",
                look=lambda connection: self._names.free(connection, signup.slug, own=signup.id),
                person_id=person.id,
            )
        except Overtaken:  # by a second click on the same button
            return self.book.get(signup.id)

    def _person(self, signup: SignUp, password: str) -> Person:
        known = self._people.by_email(signup.email)
        if known is not None:
            return known
        try:
            return self._people.create(signup.email, signup.person_name, password)
        except MemberError as error:
            made = self._people.by_email(signup.email)  # by a second click on the same button
            if made is not None:
                return made
            raise SignUpError(error.message, field="password", hint=error.hint) from error

    # ---- operators
    def approve(self, signup_id: int, *, actor: str, slug: str | None = None) -> SignUp:
        """Let a tenant be made; where that has failed, try again.

        :param slug: another one than was asked for
        :raises SignUpError: when it cannot be
        """
        signup = self.book.get(signup_id)
        wanted = self._names.slug(slug) if slug is not None else signup.slug
        if signup.state is State.APPROVED:
            with self.book.connect() as connection:
                self._names.free(connection, wanted, own=signup.id)
            self.book.set(signup, slug=wanted, attempts=0, error=None)
            return self.book.get(signup_id)
        return self.book.move(
            signup,
            State.APPROVED,
            actor=actor,
            slug=wanted,
            look=lambda connection: self._names.free(connection, wanted, own=signup.id),
        )

    def refuse(self, signup_id: int, *, actor: str, reason: str = "") -> SignUp:
        """Refuse a sign-up.

        :param reason: for the one who has signed up
        :raises SignUpError: when it is too late
        """
        signup = self.book.get(signup_id)
        if signup.tenant_id is not None:
            raise SignUpError(
                f"The sign-up {signup_id} has a tenant", value=signup_id, hint="Use 'flask tenant suspend'"
            )
        # A tenant may be made for it at this very moment: then that goes on, and this does not.
        return self.book.move(signup, State.REFUSED, actor=actor, without_tenant=True, error=reason or None)

    def keep(self, signup_id: int, *, actor: str) -> SignUp:
        """End a trial well: the tenant stays, and is served again if the end of its trial has suspended it.

        :raises SignUpError: when there is no trial
        """
        signup = self.book.get(signup_id)
        if signup.state is State.SUSPENDED:
            self.machine.serve_again(signup)
        return self.book.move(signup, State.KEPT, actor=actor, trial_ends_at=None)
