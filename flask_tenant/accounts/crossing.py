"""From one host to another: people who belong to several tenants, and operators who act as somebody else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import flask

from ..errors import LoginRefusedError, MemberError
from ..identity import LOCAL, Identified, Identity, LoginSession, MemberState, Person
from ..login.people.arrivals import OPERATOR
from ..model import Tenant
from ..translations import Message
from .entry import Arrived, Entry
from .presence import ACTING

HAND_OVER = "hand-over"
"""The purpose of the tickets with which a browser goes from one host to another."""

HAND_OVER_SECONDS = 60.0
"""How long the way may take."""


class Crossing(Entry):
    """The steps of a log-in, and those from host to host: ``accounts.entry``."""

    def impersonate(self, tenant: Tenant, person_id: int, reason: str) -> str:
        """Let the operator who is logged in at the central host act as a member of a tenant.

        :param reason: why; it is written down, and shown to the tenant
        :returns: the secret of a ticket, for :meth:`hand_over` at the tenant's host
        :raises MemberError: when nobody is logged in who may, without a reason, or for nobody's member
        """
        session, operator = self.session(), self.member()
        if session is None or operator is None or OPERATOR not in operator.roles or session.tenant_id != 0:
            raise MemberError(
                "Only an operator who is logged in at the central host may act as somebody else"
            )
        reason = " ".join(reason.split())
        if not reason:
            raise MemberError(
                Message("Somebody would act as somebody else without a reason"), hint=Message("Say why")
            )
        member = self.accounts.people.member(tenant.id, person_id)
        if member is None or member.state is not MemberState.ACTIVE:
            raise MemberError(
                Message(
                    "The person %(person)d cannot log in to %(slug)r", person=person_id, slug=tenant.slug
                ),
                value=person_id,
            )
        payload = {
            "person": person_id,
            "session": session.digest,
            "operator": operator.person_id,
            "reason": reason,
        }
        return self.accounts.tickets.issue(HAND_OVER, tenant.id, payload, HAND_OVER_SECONDS)

    def may_switch(self, tenant: Tenant) -> bool:
        """Whether who is logged in here may go on at a tenant without logging in there.

        Only with a password of ours, where the other tenant takes these. What this tenant's own provider says is never
        enough elsewhere: whoever runs it could be anybody there. Nor is what an operator does as somebody else.
        """
        session, here = self.session(), self.tenant()
        if session is None or session.impersonator_id is not None:
            return False
        ours = [provider for provider in self.providers(here) if provider.id == session.provider_id]
        by_password = bool(ours) and ours[0].kind == LOCAL
        return by_password and any(provider.kind == LOCAL for provider in self.providers(tenant))

    def switch(self, tenant: Tenant) -> str:
        """Let who is logged in here go on at another tenant of theirs.

        :returns: the secret of a ticket, for :meth:`hand_over` at the tenant's host
        :raises MemberError: when they have to log in there
        """
        session = self.session()
        if session is None or not self.may_switch(tenant):
            raise MemberError(f"To go on at {tenant.slug!r}, log in there", value=tenant.slug)
        payload = {"person": session.person_id, "session": session.digest}
        return self.accounts.tickets.issue(HAND_OVER, tenant.id, payload, HAND_OVER_SECONDS)

    def hand_over(self, tenant: Tenant, payload: Mapping[str, Any]) -> LoginSession:
        """Open a session with what a ticket has brought from another host. Only after the visitor has said so: a link
        alone, which anybody can send, must not log in anybody as somebody else.

        :param payload: of a ticket with the purpose ``hand-over`` that was redeemed at this tenant
        :raises LoginRefusedError: when they may not log in here any more
        """
        person_id, people = int(payload["person"]), self.accounts.people
        # Whoever has a stolen cookie could have tickets in stock, and outlive a log-out or a new password with them.
        if not self.accounts.sessions.goes_on(str(payload["session"])):
            raise LoginRefusedError(
                f"The log-in from which the person {person_id} came has ended", reason="ended"
            )
        member = people.member(tenant.id, person_id)
        if member is None or member.state is not MemberState.ACTIVE:
            raise LoginRefusedError(
                f"The person {person_id} cannot log in to {tenant.slug!r}", reason="no-member"
            )
        if "operator" in payload:
            operator = people.person(int(payload["operator"]))
            if operator is None or not operator.operator:
                raise LoginRefusedError("Whoever has asked is no operator any more", reason="no-operator")
            return self._act_as(tenant, person_id, operator, str(payload["reason"]))
        ours = next((provider for provider in self.providers(tenant) if provider.kind == LOCAL), None)
        if ours is None:
            raise LoginRefusedError(f"{tenant.slug!r} takes no passwords of ours", reason="provider-off")
        who = Identified(Identity(LOCAL, str(person_id)), member.name, member.email)
        return self.open(Arrived(people.arrive(ours, who), ours, who))

    def _act_as(self, tenant: Tenant, person_id: int, operator: Person, reason: str) -> LoginSession:
        accounts = self.accounts
        member = accounts.people.member(tenant.id, person_id)
        if member is None:
            raise LoginRefusedError(f"The person {person_id} is gone", reason="no-member")
        seconds = accounts.application.settings.impersonation_seconds
        user = accounts.users.of(member)
        # Written down before it begins: if that cannot be, it does not begin.
        for chain in (0, tenant.id):
            accounts.audit(
                "impersonation.began",
                tenant_id=chain,
                actor=f"person:{operator.id}",
                slug=tenant.slug,
                person=person_id,
                reason=reason,
                seconds=seconds,
            )
        secret = accounts.sessions.open(
            member,
            network=self.network(),
            agent=self.agent(),
            impersonator=operator,
            reason=reason,
            seconds=seconds,
        )
        opened = self._begin_anew(tenant.id, secret)
        flask.session[ACTING] = True
        accounts.users.enter(user)
        return opened
