"""Commands: ``flask --app demo_app seed`` and ``create-user``."""

from __future__ import annotations

import click
from flask import Flask
from flask.cli import with_appcontext
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from demo_app.extensions import db
from demo_app.models import User
from demo_app.seeding import BUSINESSES, AlreadySeededError, seed


def init_app(app: Flask) -> None:
    app.cli.add_command(seed_command)
    app.cli.add_command(create_user_command)


@click.command("seed")
@click.option("--business", type=click.Choice(sorted(BUSINESSES)), default="acme", show_default=True)
@with_appcontext
def seed_command(business: str) -> None:
    """Fill the empty database with a believable business."""
    try:
        summary = seed(business)
    except AlreadySeededError as error:
        raise click.ClickException(str(error)) from error
    click.echo(
        f"{summary.company}: {summary.customers} customers, {summary.products} products, "
        f"{summary.invoices} invoices, {summary.payments} payments."
    )
    click.echo(f"Log in as {summary.email} with the password {summary.password}")


@click.command("create-user")
@click.argument("email")
@click.option("--name", prompt=True)
@click.option("--owner", is_flag=True, help="May also change settings and users.")
@click.password_option()
@with_appcontext
def create_user_command(email: str, name: str, owner: bool, password: str) -> None:
    """Add a user who can log in."""
    user = User(email=email.strip().lower(), name=name, role="owner" if owner else "member")
    user.set_password(password)
    db.session.add(user)
    try:
        db.session.commit()
    except IntegrityError as error:
        db.session.rollback()
        if db.session.scalar(select(User.id).where(User.email == user.email)):
            raise click.ClickException(f"There is already a user {user.email}.") from error
        raise
    click.echo(f"{name} can log in as {email}.")
