"""``flask tenant signup …``: tenants that sign themselves up."""

from __future__ import annotations

from typing import Any

import click

from ..actors import whoever
from ..onboarding import SignUp, SignUps, State
from .frame import TenantGroup, json_option, moment, printable, say, show_rows, state

signup = TenantGroup("signup", help="Tenants that sign themselves up.")

id_argument = click.argument("number", type=int)


def _signups() -> SignUps:
    return state().accounts.signups


def _data(found: SignUp) -> dict[str, Any]:
    return {
        "id": found.id,
        "state": found.state.value,
        "slug": found.slug,
        "name": found.tenant_name,
        "person": found.person_name,
        "email": found.email,
        "tenant_id": found.tenant_id,
        "network": found.network,
        "created_at": moment(found.created_at),
        "changed_at": moment(found.changed_at),
        "until": moment(found.expires_at),
        "trial_ends_at": moment(found.trial_ends_at),
        "attempts": found.attempts,
        "error": found.error,
    }


def _say(found: SignUp) -> None:
    why = f": {printable(found.error)}" if found.error else "."
    say(f"Sign-up {found.id} ({found.slug}) is {found.state.value}{why}", _data(found))


@signup.command("list")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in State]),
    help="Those in this state only. May be repeated.",
)
@json_option
def show_all(states: tuple[str, ...]) -> None:
    """List sign-ups, the newest first."""
    found = _signups().book.all([State(name) for name in states])
    show_rows([_data(each) for each in found], ("id", "state", "slug", "name", "email", "until", "error"))


@signup.command("approve")
@id_argument
@click.option("--slug", help="Another slug than was asked for.")
@json_option
def approve(number: int, slug: str | None) -> None:
    """Let the tenant of sign-up NUMBER be made; where that has failed, try again."""
    signups = _signups()
    signups.approve(number, actor=whoever(), slug=slug)
    _say(signups.machine.go_on(number))


@signup.command("refuse")
@id_argument
@click.option("--reason", default="", help="Mailed to the one who has signed up.")
@json_option
def refuse(number: int, reason: str) -> None:
    """Refuse sign-up NUMBER."""
    signups = _signups()
    signups.refuse(number, actor=whoever(), reason=reason)
    _say(signups.machine.go_on(number))


@signup.command("keep")
@id_argument
@json_option
def keep(number: int) -> None:
    """End the trial of sign-up NUMBER well: its tenant stays, and is served again if it was suspended."""
    signups = _signups()
    signups.keep(number, actor=whoever())
    _say(signups.machine.go_on(number))


@signup.command("run")
@json_option
def run() -> None:
    """Let all sign-ups go on that can: after a crash, and when a trial ends. For cron, every few minutes."""
    found = _signups().machine.run()
    lines = [f"Sign-up {each.id} ({each.slug}) is {each.state.value}." for each in found]
    say("\n".join([*lines, f"{len(found)} looked at."]), [_data(each) for each in found])
