"""``flask tenant token …``: API tokens of a tenant."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from ..model import Token
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

token = TenantGroup("token", help="API tokens of a tenant. Each secret is shown once, and kept as a hash.")

_PERIOD = re.compile(r"([1-9][0-9]{0,4})([hdwy])\Z")
_HOURS = {"h": 1, "d": 24, "w": 7 * 24, "y": 365 * 24}


def token_data(slug: str, found: Token) -> dict[str, Any]:
    """Return a token as programs read it; its secret is nowhere to be had."""
    return {
        "id": found.id,
        "slug": slug,
        "name": found.name,
        "created_at": moment(found.created_at),
        "expires_at": moment(found.expires_at),
        "revoked_at": moment(found.revoked_at),
        "scopes": None if found.scopes is None else sorted(found.scopes),
        "valid": found.revoked_at is None
        and not (found.expires_at and found.expires_at <= datetime.now(UTC)),
    }


class _Expiry(click.ParamType):  # type: ignore[type-arg,unused-ignore] # generic since click 8.3
    """A moment, or a period from now."""

    name = "period"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the moment at which a token stops being valid."""
        if isinstance(value, datetime):
            return value
        now = datetime.now(UTC)
        period = _PERIOD.match(value)
        if period:
            return now + timedelta(hours=int(period[1]) * _HOURS[period[2]])
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            self.fail(
                f"{value!r} is no period such as 12h, 30d, 8w or 1y, and no date such as 2030-12-31",
                param,
                ctx,
            )
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
        if at <= now:
            self.fail(f"{value!r} is over", param, ctx)
        return at


@token.command("create")
@slug_argument
@click.option("--name", required=True, help="What it is for.")
@click.option("--expires", type=_Expiry(), help="12h, 30d, 8w, 1y, or a date (UTC); never by default.")
@click.option(
    "--scope", "scopes", multiple=True, help="What it is good for; may be repeated. By default everything."
)
@json_option
def create(slug: str, name: str, expires: datetime | None, scopes: tuple[str, ...]) -> None:
    """Create an API token of the tenant SLUG, and show its secret once."""
    made, secret = state().directory.create_token(tenant_of(slug), name, expires, scopes or None)
    ends = f"until {moment(made.expires_at)}" if made.expires_at else "until it is revoked"
    say(
        f"{secret}\nToken {made.id} of {slug} ({printable(name)}), valid {ends}. The secret is not shown again.",
        {**token_data(slug, made), "secret": secret},
    )


@token.command("list")
@slug_argument
@json_option
def show_all(slug: str) -> None:
    """List the tokens of the tenant SLUG, those that are not valid any more included."""
    rows = [token_data(slug, found) for found in state().directory.tokens(tenant_of(slug))]
    show_rows(rows, ("id", "name", "created_at", "expires_at", "revoked_at", "valid"))


@token.command("revoke")
@slug_argument
@click.argument("token_id", metavar="ID", type=int)
@yes_option
@json_option
def revoke(slug: str, token_id: int, yes: bool) -> None:
    """End the validity of the token ID of the tenant SLUG. Whoever uses it is turned away at once."""
    directory, tenant = state().directory, tenant_of(slug)
    found = next((t for t in directory.tokens(tenant) if t.id == token_id), None)
    if found is None:
        missing(tenant, "token", token_id)
    if found.revoked_at is None:
        sure(f"Revoke token {token_id} ({printable(found.name)}) of {slug}?", yes)
        directory.revoke_token(token_id)
    now = next(t for t in directory.tokens(tenant) if t.id == token_id)
    say(f"Token {token_id} of {slug} is not valid any more.", token_data(slug, now))
