"""Small things that several pages need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, TypeVar

from flask import Blueprint, Response, abort, current_app, request, stream_with_context
from flask_login import current_user, login_required
from flask_sqlalchemy.pagination import Pagination
from sqlalchemy import Select

from demo_app.extensions import db

View = TypeVar("View", bound=Callable[..., Any])


def members_only(blueprint: Blueprint) -> None:
    """Let only people who are logged in see the pages of a blueprint."""

    @blueprint.before_request
    @login_required  # type: ignore[untyped-decorator]
    def check() -> None:
        return None


def owner_required(view: View) -> View:
    """Answer 403 to everybody but owners."""

    @wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if not current_user.is_owner:
            abort(403)
        return view(*args, **kwargs)

    return checked  # type: ignore[return-value]


def page_of(query: Select[Any]) -> Pagination:
    """The page of ``query`` that ``?page=`` asks for."""
    return db.paginate(query, per_page=current_app.config["PAGE_SIZE"], max_per_page=100)


def csv_response(rows: Iterator[str], filename: str) -> Response:
    """A download that is sent while it is still being read from the database."""
    return Response(
        stream_with_context(rows),
        mimetype="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{filename}"', "Cache-Control": "no-store"},
    )


def query_text() -> str:
    """What was typed into a search field."""
    return request.args.get("q", "").strip()[:100]


def escaped_like(text: str) -> str:
    """A pattern that finds ``text`` anywhere; ``%`` and ``_`` stand for themselves (escape: ``\\``)."""
    for character in ("\\", "%", "_"):
        text = text.replace(character, "\\" + character)
    return f"%{text}%"
