"""``flask tenant suspend``, ``resume``, ``archive`` and ``maintenance``."""

from __future__ import annotations

from collections.abc import Callable

import click

from ..model import TenantState
from .frame import (
    TenantGroup,
    json_option,
    say,
    slug_argument,
    state,
    sure,
    tenant_data,
    tenant_of,
    yes_option,
)

_group = TenantGroup()


def _command(name: str, wanted: TenantState, help_text: str, done: str, question: str = "") -> click.Command:
    """Return a command that puts a tenant into a state.

    :param question: asked first; a tenant that is in that state already asks nothing
    """

    def change(slug: str, yes: bool = False) -> None:
        tenant = tenant_of(slug)
        if tenant.state is wanted:
            say(f"Tenant {tenant.slug} was {wanted.value} already.", tenant_data(tenant))
            return
        if question:
            sure(question.format(slug=tenant.slug), yes)
        changed = state().directory.set_state(tenant, wanted)
        say(f"Tenant {changed.slug} {done}.", tenant_data(changed))

    decorators: list[Callable[[Callable[..., None]], Callable[..., None]]] = [json_option]
    if question:
        decorators.append(yes_option)
    decorators.append(slug_argument)
    callback: Callable[..., None] = change
    for decorate in decorators:
        callback = decorate(callback)
    return _group.command(name, help=help_text)(callback)


COMMANDS = (
    _command(
        "suspend",
        TenantState.SUSPENDED,
        "Stop serving the tenant SLUG, for example until it pays. Its data stays.",
        "is suspended",
        "Suspend {slug}? Its users are turned away at once",
    ),
    _command("resume", TenantState.ACTIVE, "Serve the tenant SLUG again.", "is active"),
    _command(
        "archive",
        TenantState.ARCHIVED,
        "Stop serving the tenant SLUG for good. Its data stays, and its slug stays taken.",
        "is archived",
        "Archive {slug}? Its users are turned away at once",
    ),
    _command(
        "maintenance",
        TenantState.MAINTENANCE,
        "Show the users of the tenant SLUG that work is being done; 'resume' ends it.",
        "is in maintenance",
        "Put {slug} into maintenance? Its users are turned away at once",
    ),
)
