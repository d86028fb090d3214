"""What a page knows of whoever looks at it, and how it answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from flask import Flask, Request
from flask.sessions import SessionMixin
from jinja2 import Environment
from werkzeug.routing import MapAdapter
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from ...errors import TenancyError
from ...identity import LoginSession, Member, Provider
from ...login.people.arrivals import OPERATOR
from ...model import Tenant
from ...translations import Message, language, speaking, translated
from ..parts import mailbox
from .safety import safe_path, token

if TYPE_CHECKING:
    from ..accounts import Accounts
    from ..crossing import Crossing

TOO_MANY = Message("There were too many attempts. Try again later.")

_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")

NOTICE = "_tenancy_notice"
"""Under which key the session keeps what the next page is to say."""


@dataclass
class Visit:
    """A request for one of our pages.

    :param tenant: at whose address, ``None`` at a central one
    :param login: the visitor's log-in, if there is one
    :param member: who that is here
    :param adapter: makes the addresses of pages
    :param paths: make their paths below ``TENANT_LOGIN_PATH``, at tenants' hosts and at central ones
    """

    app: Flask
    accounts: Accounts
    environment: Environment
    request: Request
    session: SessionMixin
    tenant: Tenant | None
    adapter: MapAdapter
    paths: Mapping[bool, MapAdapter]
    style_url: str
    banner_url: str
    login: LoginSession | None = None
    member: Member | None = None

    # ---- who, and where
    @property
    def entry(self) -> Crossing:
        """The steps of logging in and out."""
        return self.accounts.entry

    @property
    def tenant_id(self) -> int:
        """The tenant's id, 0 at a central address."""
        return self.tenant.id if self.tenant is not None else 0

    @property
    def here(self) -> Tenant:
        """The tenant, on a page that is served at tenants' addresses only."""
        assert self.tenant is not None  # noqa: S101 - the map of pages says so
        return self.tenant

    @property
    def me(self) -> Member:
        """Who looks at a page that is for members only."""
        assert self.member is not None  # noqa: S101 - nobody else gets that far
        return self.member

    @property
    def place(self) -> str:
        """What this site is called."""
        named = self.app.name.rpartition(".")[2].replace("_", " ").capitalize()
        return self.tenant.name if self.tenant is not None else named

    @property
    def actor(self) -> str:
        """Who does something, for the audit trail."""
        return self.entry.actor()

    @property
    def operator(self) -> bool:
        """Whether this is an operator, at the central host."""
        return self.tenant is None and self.member is not None and OPERATOR in self.member.roles

    @property
    def impersonated(self) -> bool:
        """Whether an operator acts as the member."""
        return self.login is not None and self.login.impersonator_id is not None

    @property
    def signs_up(self) -> bool:
        """Whether people can sign up for a tenant here."""
        return self.tenant is None and self.accounts.application.settings.signup is not None

    @property
    def menu(self) -> list[tuple[str, Message]]:
        """The pages of somebody who is logged in."""
        found = [("account", Message("Account")), ("sessions", Message("Sessions"))]
        if self.tenant is not None and self.me.is_administrator:
            found.append(("members", Message("Members")))
        if not self.impersonated:
            found.append(("tenants", Message("Workspaces")))
        if self.operator:
            found.append(("impersonate", Message("Act as somebody")))
        return [*found, ("log_out", Message("Log out"))]

    def label(self, provider: Provider) -> str:
        """What a way to log in is called. Passwords of ours, of which no row says anything, in the language here."""
        return translated(Message(provider.label)) if provider.id == 0 else provider.label

    # ---- addresses
    def path(self, page: str, **values: Any) -> str:
        """Address of a page, from this host's root."""
        return self.adapter.build(page, values)

    def url(self, page: str, **values: Any) -> str:
        """Address of a page at the host that was asked, for providers to send the browser back to."""
        return f"{self.request.scheme}://{self.request.host}{self.path(page, **values)}"

    def link_to(self, tenant: Tenant | None, page: str, **values: Any) -> str:
        """Address of a page at another host, or in a mail.

        :raises ConfigurationError: when the host is not known to be ours, see ``links``
        """
        path = self.paths[tenant is not None].build(page, values)
        return self.accounts.links.to(tenant, path, self.request)

    def mail_link(self) -> Callable[..., str]:
        """What makes addresses of pages here, for mails; also when the request is over."""
        return lambda page, **values: self.link_to(self.tenant, page, **values)

    @property
    def root(self) -> str:
        """The mount point that the tenant is told by, if any."""
        return str(self.request.script_root)

    @property
    def home(self) -> str:
        """Where the application begins, or at a central address our own first page."""
        return f"{self.root}/" if self.tenant is not None else self.path("tenants")

    @property
    def target(self) -> str:
        """Where to go on: what ``next`` says, if it is a path of this tenant's; else ``""``."""
        return safe_path(self.request.values.get("next", ""), self.root) or ""

    # ---- forms
    @property
    def csrf(self) -> str:
        """What this visitor's forms carry."""
        return token(self.session)

    def field(self, name: str, longest: int = 254) -> str:
        """What was typed, without blanks around it; ``""`` for what is longer than anybody needs, and for what nobody
        types: PostgreSQL keeps no NUL, and terminals obey others."""
        value = self.request.form.get(name, "").strip()
        return value if len(value) <= longest and not _CONTROLS.search(value) else ""

    def throttle(self, kind: str, account: str = "") -> None:
        """Count an attempt at something.

        :param account: an address, to which a mail would go
        :raises TooManyAttemptsError: when there were too many
        """
        self.accounts.throttle.hit(kind, account=mailbox(account), network=self.entry.network())

    def forget(self) -> None:
        """Somebody has logged out during this request."""
        self.login = self.member = None

    # ---- answers
    def show(self, template: str, status: int = 200, **values: Any) -> Response:
        """Answer with a page."""
        notice = values.pop("notice", None) or self.session.pop(NOTICE, None)
        page = self.environment.get_template(f"tenancy/{template}.html")
        text = page.render(visit=self, place=self.place, notice=notice, **values)
        return Response(text, status, mimetype="text/html")

    def go(self, path: str, notice: str = "", kind: str = "good") -> Response:
        """Lead to another page after a form, which says ``notice``."""
        if notice:
            self.session[NOTICE] = {"text": translated(notice), "kind": kind}
        return redirect(path, 303, Response)

    def onward(self, url: str, where: str) -> Response:
        """Lead to another site after a form.

        Not by a redirect: browsers hold those to the form-action of the page that the form stood on (CSP 3, section
        6.4.1.1), which may be a page of the application's.
        """
        response = self.show("onward", url=url, where=where)
        response.headers["Refresh"] = f"0; url={url}"
        return response

    def afterwards(self, response: Response, work: Callable[[], object]) -> None:
        """Do work when the answer has been sent: how long it takes tells the visitor nothing."""
        app, spoken = self.app, language()

        def do() -> None:
            with app.app_context(), speaking(spoken):
                work()

        response.call_on_close(do)


def bad(text: str) -> Mapping[str, str]:
    """A notice that something went wrong."""
    return {"text": text, "kind": "bad"}


def told(error: TenancyError) -> str:
    """What an error says to whoever looks at the page. A hint that is no :class:`Message` is for operators."""
    parts = [error.message, *([error.hint] if isinstance(error.hint, Message) else [])]
    return " ".join(f"{translated(part)}." for part in parts)


_PROBLEMS = {
    400: (
        Message("This form cannot be taken"),
        Message(
            "It was open for too long, or was not sent from this site. Go back, load the page anew and try again."
        ),
    ),
    403: (
        Message("This page is not for you"),
        Message("It is for administrators of this workspace. Ask one of them."),
    ),
    404: (
        Message("There is no such page"),
        Message("The address may be misspelt, or the link may be too old."),
    ),
    405: (Message("That cannot be done here"), Message("Go back, and use the form on the page.")),
    413: (Message("That was too much"), Message("The form was larger than forms of this site are.")),
    429: (Message("Too many attempts"), TOO_MANY),
    500: (
        Message("Something went wrong"),
        Message("It was our fault, and has been noted. Try again in a moment."),
    ),
    503: (Message("Not available at the moment"), Message("Try again in a moment.")),
}


def not_acting(visit: Visit) -> Response:
    """Answer that an operator cannot do so as somebody else.

    They see what the member sees. Whom the tenant lets in is not theirs to decide: an invitation would outlast the time
    that they have.
    """
    text = Message(
        "Whoever acts as somebody else changes neither their account nor who is let in. Stop first."
    )
    return visit.show("problem", 403, heading=Message("Not as somebody else"), text=text)


def problem(visit: Visit, status: int) -> Response:
    """Answer that something cannot be done."""
    title, text = _PROBLEMS.get(status, (HTTPStatus(status).phrase, ""))
    return visit.show("problem", status, heading=title, text=text)
