"""The small application with commands of its own, and a way to type."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click
import flask
import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask

from flask_tenant import current_tenant
from tests.extension.conftest import app as app
from tests.extension.conftest import notes as notes
from tests.extension.notes import Notes

Type = Callable[..., Result]


@pytest.fixture
def cli(app: Flask, notes: Notes) -> Type:
    """Type ``flask tenant …`` at the application with the tenants acme and bella.

    It has the commands of its own ``note`` (adds one, and lists all), ``fail`` and ``leave``.
    """

    @app.cli.command("note")
    @click.argument("title")
    @click.option("--loud", is_flag=True)
    def note(title: str, loud: bool) -> None:
        notes.db.session.add(notes.Note(title=title.upper() if loud else title))
        notes.db.session.commit()
        titles = notes.db.session.scalars(sa.select(notes.Note.title).order_by(notes.Note.id))
        click.echo(f"{current_tenant().slug}: {', '.join(titles)}")

    @app.cli.command("fail")
    @click.argument("where")
    def fail(where: str) -> None:
        if current_tenant().slug == where:
            raise LookupError(f"nothing in {where}")
        click.echo(f"fine in {current_tenant().slug}")

    @app.cli.command("leave")
    @click.argument("code", type=int)
    @click.pass_context
    def leave(ctx: click.Context, code: int) -> None:
        ctx.exit(code)

    @app.cli.command("remember")
    def remember() -> None:
        click.echo(f"{current_tenant().slug} finds {flask.g.get('kept')}")
        flask.g.kept = current_tenant().slug

    def typed(*words: str, **kw: Any) -> Result:
        return app.test_cli_runner().invoke(args=["tenant", *words], **kw)

    return typed


def error(result: Result) -> dict[str, Any]:
    """What a command with ``--json`` has told of its failure, and nothing else."""
    assert result.stdout == ""
    found = json.loads(result.stderr)
    assert list(found) == ["error", "message", "value", "hint"]
    return dict(found)
