"""``flask tenant mail …``: whether mail can be sent."""

from __future__ import annotations

import click

from .frame import TenantGroup, json_option, say, state

mail = TenantGroup("mail", help="Whether mail can be sent.")


@mail.command("test")
@click.argument("address")
@json_option
def test(address: str) -> None:
    """Send a mail to ADDRESS, or say why it was not taken."""
    state().mail.send(address, "test", None)
    say(f"A mail to {address} was handed over.", {"to": address})
