"""``flask tenant member …`` and ``flask tenant operator …``: people, their roles, and who may do central work."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from ..actors import whoever
from ..errors import MemberError
from ..identity import Member, Person
from ..model import Tenant
from .frame import (
    TenantGroup,
    json_option,
    missing,
    moment,
    printable,
    say,
    show_rows,
    slug_argument,
    state,
    sure,
    tenant_of,
    yes_option,
)

member = TenantGroup("member", help="Members of a tenant, and their roles. TENANT_LOGIN has to be on.")
operator = TenantGroup("operator", help="Operators: people who may do central work, and act as members.")


def _data(slug: str, found: Member) -> dict[str, Any]:
    return {
        "person": found.person_id,
        "slug": slug,
        "name": found.name,
        "email": found.email,
        "roles": sorted(found.roles),
        "state": found.state.value,
    }


def _member_of(tenant: Tenant, text: str) -> Member:
    """Return a tenant's member by their id, or by their address if only one has it there."""
    members = state().accounts.people.members(tenant.id)
    found = [m for m in members if text in (str(m.person_id), m.email) and text]
    if len(found) != 1:
        missing(tenant, "member", text, f"{len(found)} members {text!r}" if found else "")
    return found[0]


def _about_a_member(name: str) -> Callable[[Callable[..., None]], click.Command]:
    """Make a command about the member PERSON of the tenant SLUG: a decorator of what is called with both."""

    def decorate(work: Callable[..., None]) -> click.Command:
        @member.command(name)
        @slug_argument
        @click.argument("person")
        @json_option
        @wraps(work)
        def command(slug: str, person: str, **more: Any) -> None:
            tenant = tenant_of(slug)
            work(tenant, _member_of(tenant, person), **more)

        return command

    return decorate


@member.command("list")
@slug_argument
@json_option
def list_members(slug: str) -> None:
    """List the members of the tenant SLUG, suspended ones too."""
    rows = [_data(slug, found) for found in state().accounts.people.members(tenant_of(slug).id)]
    show_rows(rows, ("person", "name", "email", "roles", "state"))


@member.command("invite")
@slug_argument
@click.argument("email")
@click.option("--role", "roles", multiple=True, help="A role; may be repeated.")
@json_option
def invite(slug: str, email: str, roles: tuple[str, ...]) -> None:
    """Invite EMAIL to the tenant SLUG, and show the link's path once. No mail is sent."""
    tenant, accounts = tenant_of(slug), state().accounts
    given, secret = accounts.people.invite(tenant.id, email, roles, actor=whoever())
    path = f"{state().settings.login_path}/invitation/{secret}"
    ends = moment(given.expires_at)
    say(
        f"{path}\n{given.email} may become a member of {slug} at this path of its address, until {ends}.",
        {"slug": slug, "email": given.email, "roles": sorted(given.roles), "expires_at": ends, "path": path},
    )


@_about_a_member("roles")
@click.argument("roles", nargs=-1)
def set_roles(tenant: Tenant, found: Member, roles: tuple[str, ...]) -> None:
    """Let the member PERSON of the tenant SLUG have these ROLES by hand, and no others. A number, or an address."""
    changed = state().accounts.people.set_roles(tenant.id, found.person_id, roles, by=whoever())
    shown = ", ".join(sorted(changed.roles)) or "no role"
    say(f"{printable(changed.name)} of {tenant.slug} has: {shown}.", _data(tenant.slug, changed))


@_about_a_member("suspend")
def suspend(tenant: Tenant, found: Member) -> None:
    """Let the member PERSON of the tenant SLUG not log in any more; they are logged out at once."""
    changed = state().accounts.people.suspend(tenant.id, found.person_id, by=whoever())
    say(f"{printable(changed.name)} cannot log in to {tenant.slug} any more.", _data(tenant.slug, changed))


@_about_a_member("resume")
def resume(tenant: Tenant, found: Member) -> None:
    """Let the suspended member PERSON of the tenant SLUG log in again."""
    changed = state().accounts.people.resume(tenant.id, found.person_id, by=whoever())
    say(f"{printable(changed.name)} may log in to {tenant.slug}.", _data(tenant.slug, changed))


@_about_a_member("remove")
@yes_option
def remove(tenant: Tenant, found: Member, yes: bool) -> None:
    """Let PERSON be no member of the tenant SLUG any more; they are logged out at once."""
    sure(f"Remove {printable(found.name)} ({found.person_id}) from {tenant.slug}?", yes)
    state().accounts.people.remove(tenant.id, found.person_id, by=whoever())
    say(f"{printable(found.name)} is no member of {tenant.slug} any more.", _data(tenant.slug, found))


# ---- operators
def _operator_data(found: Person) -> dict[str, Any]:
    return {"person": found.id, "name": found.name, "email": found.email}


@operator.command("list")
@json_option
def list_operators() -> None:
    """List the operators."""
    rows = [_operator_data(found) for found in state().accounts.people.operators()]
    show_rows(rows, ("person", "name", "email"))


@operator.command("add")
@click.argument("email")
@click.option("--name", help="For somebody who is not known yet.")
@json_option
def add_operator(email: str, name: str | None) -> None:
    """Make whoever logs in with EMAIL and a password of ours an operator. Asks for a password if nobody does yet."""
    people = state().accounts.people
    found = people.by_email(email)
    if found is None:
        name = name or click.prompt("Name", err=True)
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        found = people.create(email, name, password, by=whoever())
    people.set_operator(found.id, True, by=whoever())
    say(f"{printable(found.name)} is an operator.", _operator_data(found))


@operator.command("remove")
@click.argument("email")
@yes_option
@json_option
def remove_operator(email: str, yes: bool) -> None:
    """Let EMAIL be no operator any more; what they do as somebody else ends at once."""
    people = state().accounts.people
    found = people.by_email(email)
    if found is None or not found.operator:
        raise MemberError(
            f"{email!r} is no operator", value=email, hint="'flask tenant operator list' shows them"
        )
    sure(f"Shall {printable(found.name)} be no operator any more?", yes)
    people.set_operator(found.id, False, by=whoever())
    say(f"{printable(found.name)} is no operator any more.", _operator_data(found))
