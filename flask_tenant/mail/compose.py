"""From a template and values to a message.

``tenancy/mail/invitation.txt`` is looked for among the overrides of the tenant's theme, in the application's own
``templates/`` folder, and here. Its first line is the subject. Where there is an ``invitation.html`` too, the message
carries both. What stands there is said in the tenant's language.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, getaddresses, localtime, make_msgid
from typing import Any

import idna
from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    PackageLoader,
    StrictUndefined,
    TemplateNotFound,
    select_autoescape,
)

from ..errors import ConfigurationError, MailError
from ..model import Tenant
from ..translations import Language, language, speaking
from ..translations.templates import install

FOLDER = "tenancy/mail"

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")

LONGEST = 254
"""Characters of an address (RFC 5321, section 4.5.3.1.3, and its erratum 1690)."""


def templates(own: BaseLoader | None = None) -> Environment:
    """Return the templates: the application's own come before those here.

    :param own: finds the application's
    """
    loaders = [*([own] if own is not None else []), PackageLoader("flask_tenant.mail")]
    made = Environment(
        loader=ChoiceLoader(loaders),
        autoescape=select_autoescape(["html"], default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    install(made)
    return made


class Composer:
    """Makes messages.

    :param environment: see :func:`templates`
    :param sender: who they are from: ``noreply@example.com``, or with a name in front
    :param within: enters a tenant, so that its theme's overrides are found
    :param spoken: the language to write in, asked there
    :raises ConfigurationError: when the sender is no address
    """

    def __init__(
        self,
        environment: Environment,
        sender: str,
        within: Callable[[Tenant], AbstractContextManager[object]] = lambda tenant: nullcontext(),
        spoken: Callable[[], Language] = language,
    ) -> None:
        self._environment, self._within, self._spoken = environment, within, spoken
        found = getaddresses([sender])
        try:
            if len(found) != 1:
                raise MailError("Several senders")
            self._sender = Address(_line(found[0][0]), addr_spec=_address(found[0][1]).addr_spec)
        except MailError as error:
            raise ConfigurationError(
                f"TENANT_MAIL_FROM is {sender!r}", value=sender, hint="Use 'Shop <noreply@example.com>'"
            ) from error

    def compose(
        self, to: str, template: str, tenant: Tenant | None, values: Mapping[str, Any]
    ) -> EmailMessage:
        """Return a message.

        :param to: one address
        :param template: its name, such as ``invitation``
        :param tenant: whose overrides count; ``None`` for mail of the installation itself
        :param values: what the template needs
        :raises MailError: for what is no address, and a template that is not there
        """
        message = EmailMessage(SMTP)
        clean = {name: _line(value) if isinstance(value, str) else value for name, value in values.items()}
        with self._within(tenant) if tenant is not None else nullcontext(), speaking(self._spoken()):
            tag = language().tag
            try:
                text = self._environment.get_template(f"{FOLDER}/{template}.txt").render(
                    tenant=tenant, **clean
                )
                html = self._html(template, {"tenant": tenant, **clean})
            except TemplateNotFound as error:
                raise MailError(f"There is no template {error.name!r}", value=error.name) from None
        subject, _, body = text.partition("\n")
        # Whoever signs up chooses names: a header is one line, whatever they have chosen.
        message["Subject"] = _line(subject)
        message["From"] = self._sender  # not in a tenant's name: anybody may have chosen it
        message["To"] = _address(to)
        message["Date"] = format_datetime(localtime())
        message["Message-ID"] = make_msgid(domain=self._sender.domain)
        message["Auto-Submitted"] = (
            "auto-generated"  # nobody's holiday notice answers it (RFC 3834, section 5)
        )
        message.set_content(body.lstrip("\n"))
        if html:
            message.add_alternative(html, subtype="html")
        message["Content-Language"] = (
            tag  # RFC 3282; last, since new contents forget what was said of old ones
        )
        return message

    def _html(self, template: str, values: Mapping[str, Any]) -> str:
        try:
            found = self._environment.get_template(f"{FOLDER}/{template}.html")
        except TemplateNotFound:
            return ""
        return found.render(**values)


def _address(to: str) -> Address:
    """Return one address: a list would send to more people than was meant."""
    try:
        found = Address(addr_spec=to)
        if not found.domain.isascii():  # servers know domains in ASCII only (RFC 5890, section 2.3.2.1)
            domain = idna.encode(found.domain, uts46=True).decode()
            found = Address(username=found.username, domain=domain)
        found.addr_spec.encode("ascii")
    except (MessageError, ValueError, IndexError) as error:
        raise MailError(f"{to!r} is no address that mail can be sent to", value=to) from error
    if not found.username or not found.domain or len(to) > LONGEST or _CONTROLS.search(to):
        raise MailError(f"{to!r} is no address that mail can be sent to", value=to)
    return found


def _line(text: str) -> str:
    return _CONTROLS.sub(" ", text).strip()
