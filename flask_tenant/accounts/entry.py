"""Logging in and out, step by step. Pages show what happens; what may happen is decided here."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import NamedTuple

import flask

from ..errors import (
    ConfigurationError,
    LoginRefusedError,
    MemberError,
    ProviderUnavailableError,
    TooManyAttemptsError,
)
from ..identity import LOCAL, Ask, Attempt, GoTo, Identified, LoginSession, Member, Provider
from ..protocols import Authenticator
from .presence import KEY, Presence
from .users import number_of

log = logging.getLogger("flask_tenant.login")

WAY = "_tenancy_way"
"""Under which name it has what a log-in that is under way elsewhere is found by."""

WAY_SECONDS = 600.0
"""How long somebody may take to log in elsewhere."""


class Arrived(NamedTuple):
    """Somebody whose log-in has succeeded, and who has no session yet.

    :param after: where they wanted to go: a path of this site
    """

    member: Member
    provider: Provider
    who: Identified
    after: str = "/"


class Entry(Presence):
    """The steps of a log-in."""

    # ---- logging in
    def begin(
        self, provider: Provider, callback: str, *, hint: str = "", after: str = "/", invitation: str = ""
    ) -> Ask | GoTo:
        """Begin a log-in. What has to be there when the browser comes back stays on the server, and is good once.

        :param callback: absolute URL of this site to which a provider sends the browser back
        :param hint: the e-mail address that was typed before, if any
        :param after: where to go then: a path of this site, which the caller has made sure of
        :param invitation: the secret of one that is to be accepted by this log-in, if any
        :raises ProviderUnavailableError: when the provider does not answer
        :raises ProviderError: for settings that make no sense
        :raises TooManyAttemptsError: when too many were begun from the network, and not ended
        """
        found = self._open(provider).begin(Attempt(callback, hint=hint))
        if isinstance(found, GoTo):
            # A link does it, and each leaves a row.
            self.accounts.throttle.hit("begin", network=self.network())
            payload = {
                "provider": provider.name,
                "callback": callback,
                "memory": dict(found.memory),
                "hint": hint,
                "after": after,
                "invitation": self.accounts.secrets.seal(invitation, WAY) if invitation else "",
            }
            flask.session[WAY] = self.accounts.tickets.issue(WAY, provider.tenant_id, payload, WAY_SECONDS)
        return found

    def come_back(self, provider: Provider, answer: Mapping[str, str]) -> Arrived:
        """End a log-in with what the provider sent along with the browser; it has to be the browser that began it.

        :raises LoginRefusedError: when it proves nothing; it is logged, and visitors are told no more than that
        :raises ProviderUnavailableError: when the provider does not answer
        """
        throttle, network = self.accounts.throttle, self.network()
        secret = flask.session.pop(WAY, "")
        way = self.accounts.tickets.redeem(WAY, provider.tenant_id, str(secret)) if secret else None
        try:
            throttle.hit("login", network=network)
            if way is None or way["provider"] != provider.name:
                raise LoginRefusedError(
                    f"This browser has not begun to log in through {provider.name!r}, or too long ago",
                    reason="not-begun",
                )
            attempt = Attempt(way["callback"], way["memory"], way["hint"])
            invitation = self.accounts.secrets.open(way["invitation"], WAY) if way["invitation"] else ""
            arrived = self._arrived(provider, attempt, answer, way["after"], invitation)
        except LoginRefusedError as error:
            self._refused(provider, error)
            raise
        except ProviderUnavailableError:
            throttle.take_back("login", network=network)
            raise
        # Many people behind one address are no attack.
        for kind in ("begin", "login"):
            throttle.forgive(kind, network=network)
        return arrived

    def answer(
        self,
        provider: Provider,
        callback: str,
        answer: Mapping[str, str],
        *,
        after: str = "/",
        invitation: str = "",
    ) -> Arrived:
        """End a log-in with what was typed into a form: ``username`` and ``password``.

        :param invitation: the secret of one that is to be accepted by this log-in, if any
        :raises LoginRefusedError: when it proves nothing; it is logged, and visitors are told no more than that
        :raises TooManyAttemptsError: when there were too many
        :raises ProviderUnavailableError: when the provider does not answer
        """
        throttle, network = self.accounts.throttle, self.network()
        # Whoever has a password of ours has the same one at every tenant: so it is tried once for all of them.
        place = LOCAL if provider.kind == LOCAL else f"{provider.tenant_id}:{provider.name}"
        account = f"{place}:{answer.get('username', '')}"
        try:
            throttle.hit("login", account=account, network=network)
            arrived = self._arrived(provider, Attempt(callback), answer, after, invitation)
        except LoginRefusedError as error:
            self._refused(provider, error, answer.get("username", "") if place == LOCAL else "")
            raise
        except ProviderUnavailableError:
            # Nothing was guessed; and who has tried in vain gets in as soon as it is back.
            throttle.take_back("login", account=account, network=network)
            raise
        throttle.forgive("login", account=account, network=network)
        return arrived

    def open(self, arrived: Arrived) -> LoginSession:
        """Open a session for somebody who has arrived: the browser gets a new one, and nothing of the old is left."""
        member, accounts = arrived.member, self.accounts
        try:
            user = accounts.users.of(member)
        except LoginRefusedError as error:
            self._refused(arrived.provider, error)
            raise
        secret = accounts.sessions.open(
            member, arrived.provider, arrived.who, network=self.network(), agent=self.agent()
        )
        # Before the browser gets it: what cannot be written down does not happen.
        accounts.audit(
            "login.succeeded",
            tenant_id=member.tenant_id,
            actor=f"person:{member.person_id}",
            provider=arrived.provider.name,
            network=self.network(),
        )
        opened = self._begin_anew(member.tenant_id, secret)
        accounts.users.enter(user)
        self._happened("login.succeeded", user.number if user is not None else None)
        return opened

    def agent(self) -> str:
        """Return what the browser calls itself."""
        return flask.request.headers.get("User-Agent", "")

    def _happened(self, event: str, user_id: int | None) -> None:
        """Let the tenant's event rules act on what has happened to a user of the application's own."""
        if self.tenant() is not None:
            self.accounts.application.tenancy.events.send(event, {"user.id": user_id})

    def _begin_anew(self, tenant_id: int, secret: str) -> LoginSession:
        """Give the browser a session that has nothing of the one before it but who is logged in now."""
        self._end_current()
        flask.session[KEY] = secret
        found = self.accounts.sessions.find(tenant_id, secret)
        if found is None:
            raise LoginRefusedError("The session was ended while it began", reason="ended")
        return found

    def _end_current(self) -> LoginSession | None:
        before = self.session()
        if before is not None:
            self.accounts.sessions.end(before.digest)
            if before.impersonator_id is not None:  # also when it ends by another log-in
                for chain in (0, before.tenant_id):
                    self._note_end("impersonation.ended", before, chain)
        # A session that a server keeps gets another id: somebody else may have chosen this one (fixation).
        regenerate = getattr(flask.current_app.session_interface, "regenerate", None)
        if regenerate is not None:
            flask.session[KEY] = ""  # Flask-Session leaves an empty one as it is
            regenerate(flask.session)
        elif hasattr(flask.session, "sid"):
            raise ConfigurationError(
                f"{type(flask.current_app.session_interface).__name__} cannot give a session another id",
                hint="Use Flask's own sessions, or Flask-Session 0.8 or later",
            )
        flask.session.clear()
        flask.request.environ.pop(KEY, None)
        return before

    def _open(self, provider: Provider) -> Authenticator:
        if provider.tenant_id == 0:
            return self.accounts.local.open(provider)
        return self.accounts.providers.open(provider)

    def _arrived(
        self, provider: Provider, attempt: Attempt, answer: Mapping[str, str], after: str, invitation: str
    ) -> Arrived:
        who, people = self._open(provider).finish(attempt, answer), self.accounts.people
        if not invitation:
            return Arrived(people.arrive(provider, who), provider, who, after)
        try:
            member = people.accept(provider.tenant_id, invitation, provider, who)
        except MemberError as error:
            raise LoginRefusedError(error.message, reason="invitation", value=error.value) from error
        return Arrived(member, provider, who, after)

    def _refused(self, provider: Provider, error: LoginRefusedError, email: str = "") -> None:
        """Write down why somebody was refused. They themselves are not told."""
        network = self.network()
        log.warning(
            "Log-in refused at %s through %r from %s: %s (%s)",
            f"tenant {provider.tenant_id}" if provider.tenant_id else "the central host",
            provider.name,
            network,
            error.reason,
            error.message,
        )
        if not isinstance(error, TooManyAttemptsError):
            self.accounts.audit(
                "login.failed",
                tenant_id=provider.tenant_id,
                actor="visitor",
                provider=provider.name,
                reason=error.reason,
                network=network,
            )
        # For everybody alike, whether or not there is somebody of that address.
        key = self.accounts.users.key_of(provider.tenant_id, email) if provider.kind == LOCAL else None
        self._happened("login.failed", number_of(key))

    # ---- logging out
    def _note_end(self, action: str, ended: LoginSession, chain: int) -> None:
        actor = f"person:{ended.impersonator_id or ended.person_id}"
        self.accounts.audit(action, tenant_id=chain, actor=actor, person=ended.person_id)

    def log_out(self) -> tuple[LoginSession | None, str]:
        """End the current log-in session, on all servers, and empty the browser's.

        :returns: the session that has ended, if there was one, and what its provider wants to see to log out there
        """
        ended = self._end_current()
        if ended is None:
            return None, ""
        if ended.impersonator_id is None:
            self._note_end("logout", ended, ended.tenant_id)
        try:
            return ended, self.accounts.sessions.hint(ended.digest)
        except ConfigurationError as error:
            log.error("The provider is not shown what it wants to see at a log-out: %s", error)
            return ended, ""
