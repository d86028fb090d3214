"""Error pages."""

from __future__ import annotations

from flask import Flask, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import force_locale, gettext
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException


def init_app(app: Flask) -> None:
    app.register_error_handler(403, _forbidden)
    app.register_error_handler(404, _not_found)
    app.register_error_handler(CSRFError, _stale_form)
    app.register_error_handler(413, _too_large)
    app.register_error_handler(500, _failed)


def _forbidden(_error: HTTPException) -> ResponseReturnValue:
    return render_template(
        "error.html",
        code=403,
        title=gettext("Owners only"),
        text=gettext("Ask an owner of this company to do this for you."),
    ), 403


def _not_found(_error: HTTPException) -> ResponseReturnValue:
    return render_template(
        "error.html",
        code=404,
        title=gettext("Page not found"),
        text=gettext("The page does not exist, or it was deleted."),
    ), 404


def _stale_form(_error: CSRFError) -> ResponseReturnValue:
    return render_template(
        "error.html",
        code=400,
        title=gettext("This form has expired"),
        text=gettext("Go back, reload the page and send the form again. Nothing was changed."),
    ), 400


def _too_large(_error: HTTPException) -> ResponseReturnValue:
    return render_template(
        "error.html",
        code=413,
        title=gettext("The file is too large"),
        text=gettext("Files may have up to 5 MB. Split it in two."),
    ), 413


def _failed(_error: HTTPException) -> ResponseReturnValue:
    # A page of its own: whatever failed may fail again in the usual layout, which reads the database.
    # That goes for the company's language, too: this page is in the browser's.
    with force_locale(request.accept_languages.best_match(("en", "de")) or "en"):
        return render_template("500.html"), 500
