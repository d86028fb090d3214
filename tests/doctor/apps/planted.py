"""An application full of realistic mistakes: each view below leaks from one tenant to another in its own way."""

from __future__ import annotations

import functools
import logging
import os
import sqlite3
import threading
from pathlib import Path
from typing import Any

import flask
import sqlalchemy as sa
from cachelib import SimpleCache
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from itsdangerous import URLSafeSerializer

from flask_tenant import Tenancy, central_context, current_tenant, tenant_context

URL = os.environ["PLANTED_URL"]
FOLDER = Path(os.environ["PLANTED_FOLDER"])
SQLITE = URL.startswith("sqlite")

app = Flask(__name__)
app.config.update(
    SQLALCHEMY_DATABASE_URI=URL,
    SQLALCHEMY_BINDS={"archive": f"sqlite:///{FOLDER / 'archive.sqlite'}"},
    SECRET_KEY="0123456789abcdef0123456789abcdef-planted",
    TENANT_SHARED_TABLES=["recent"],
    TENANT_EXEMPT_ENGINES=["archive"],
    TENANT_ADAPTERS_OFF=["caches"],  # by mistake, and so is what is kept below
)
db = SQLAlchemy(app)


def by_hand() -> Any:
    """A connection past SQLAlchemy, as scripts make them."""
    if SQLITE:
        return sqlite3.connect(URL.removeprefix("sqlite:///"), check_same_thread=False)
    import psycopg

    return psycopg.connect(URL.replace("+psycopg2", "").replace("+psycopg", ""), autocommit=True)


early = by_hand()
"""A raw connection that was made before registration."""

tenancy = Tenancy(app)


class Note(db.Model):  # type: ignore[name-defined,misc]
    id = db.Column(db.Integer, primary_key=True)
    title = db.Column(db.String(100), nullable=False)
    slug = db.Column(db.String(60), unique=True)
    body = db.Column(db.Text, nullable=False, default="")


class Setting(db.Model):  # type: ignore[name-defined,misc]
    key = db.Column(db.String(50), primary_key=True)
    value = db.Column(db.Text)


class Recent(db.Model):  # type: ignore[name-defined,misc]
    """Shared, by mistake."""

    id = db.Column(db.Integer, primary_key=True)
    title = db.Column(db.String(200))


class Archived(db.Model):  # type: ignore[name-defined,misc]
    """On the exempt engine, by mistake."""

    __bind_key__ = "archive"
    id = db.Column(db.Integer, primary_key=True)
    title = db.Column(db.String(200))


with app.app_context():
    db.create_all()

overlooked = sa.create_engine(URL)
tenancy.exempt(overlooked)


def note_of(note_id: int) -> Any:
    return db.get_or_404(Note, note_id)


TITLES: dict[int, str] = {}


@app.get("/dict/<int:note_id>")
def module_dict(note_id: int) -> str:
    if note_id not in TITLES:
        TITLES[note_id] = note_of(note_id).title
    return TITLES[note_id]


@functools.lru_cache(maxsize=100)
def _body(note_id: int) -> str:
    return str(note_of(note_id).body)


@app.get("/memoized/<int:note_id>")
def memoized(note_id: int) -> str:
    return _body(note_id)


cache = SimpleCache()


@app.get("/cached/<int:note_id>")
def cache_key(note_id: int) -> dict[str, str]:
    found = cache.get(f"note:{note_id}")
    if found is None:
        found = {"title": note_of(note_id).title}
        cache.set(f"note:{note_id}", found)
    return found


@app.get("/early")
def early_connection() -> list[Any]:
    cursor = early.cursor()
    cursor.execute("SELECT title FROM note")
    return [row[0] for row in cursor.fetchall()]


@app.get("/by-hand/<int:note_id>")
def connected_by_hand(note_id: int) -> dict[str, Any]:
    connection = by_hand()
    try:
        cursor = connection.cursor()
        cursor.execute(f"SELECT title FROM note WHERE id = {note_id}")
        return {"title": [row[0] for row in cursor.fetchall()]}
    finally:
        connection.close()


@app.get("/export/<int:note_id>")
def export(note_id: int) -> flask.Response:
    """Makes a file that ``/files/<n>`` serves."""
    (FOLDER / f"{note_id}.txt").write_text(note_of(note_id).body)
    return flask.redirect(flask.url_for("file_by_number", number=note_id))


@app.get("/files/<int:number>")
def file_by_number(number: int) -> flask.Response:
    return flask.send_from_directory(FOLDER, f"{number}.txt", as_attachment=True)


@app.get("/exempt")
def exempt_engine() -> list[str]:
    with overlooked.connect() as connection:
        return list(connection.scalars(sa.text("SELECT title FROM note ORDER BY title")))


@app.get("/archive/<int:note_id>")
def archive(note_id: int) -> str:
    db.session.add(Archived(title=note_of(note_id).title))
    db.session.commit()
    return "archived"


@app.get("/central")
def central() -> list[str]:
    with central_context(reason="a list for the sidebar"), db.engine.connect() as connection:
        return list(connection.scalars(sa.select(Note.__table__.c.title)))


_settings: list[Any] = []


@app.get("/global-object")
def global_object() -> dict[str, str]:
    if not _settings:
        _settings.extend(db.session.scalars(sa.select(Setting).order_by(Setting.key)))
        db.session.expunge_all()
    return {setting.key: setting.value for setting in _settings}


_report: dict[str, str] = {}


@app.get("/report/start")
def start_report() -> str:
    slug = current_tenant().slug

    def work() -> None:
        with app.app_context(), tenant_context(slug):
            _report["latest"] = ", ".join(db.session.scalars(sa.select(Note.title)))

    if "latest" not in _report:
        threading.Thread(target=work).start()
    return "started"


@app.get("/report/latest")
def background_result() -> str:
    return _report.get("latest", "not yet")


signer = URLSafeSerializer(app.config["SECRET_KEY"], salt="share")


@app.get("/share/<int:note_id>")
def share(note_id: int) -> str:
    token = signer.dumps(note_of(note_id).id)
    return f'<a href="{flask.url_for("shared_by_token", token=token)}">share</a>'


@app.get("/shared/<token>")
def shared_by_token(token: str) -> str:
    try:
        note_id = signer.loads(token)
    except Exception:
        flask.abort(404)
    return f"<h1>{note_of(note_id).title}</h1>"


@app.get("/etag/<int:note_id>")
def etag_by_id(note_id: int) -> flask.Response:
    response = flask.make_response(note_of(note_id).title)
    response.set_etag(f"note-{note_id}")
    return response


_last: list[str] = []


@app.get("/owner/<int:note_id>")
def response_header(note_id: int) -> flask.Response:
    note = note_of(note_id)
    response = flask.make_response("nothing to see")
    response.headers["X-Previous"] = _last[-1] if _last else ""
    _last.append(note.title)
    return response


log = logging.getLogger("planted")
_seen: list[str] = []


@app.get("/log/<int:note_id>")
def log_line(note_id: int) -> str:
    _seen.append(note_of(note_id).title)
    log.warning("most recent notes: %s", _seen[-3:])
    return "logged"


@app.get("/visit/<int:note_id>")
def shared_table_write(note_id: int) -> str:
    db.session.add(Recent(title=note_of(note_id).title))
    db.session.commit()
    return "visited"


@app.get("/recent")
def shared_table_read() -> list[str]:
    return list(db.session.scalars(sa.select(Recent.title)))


_fragments: dict[str, str] = {}


def fragment(name: str, body: str) -> str:
    """A cache for pieces of templates, as many applications have grown one."""
    return _fragments.setdefault(name, body)


app.jinja_env.globals["fragment"] = fragment


@app.get("/sidebar")
def template_fragment() -> str:
    titles = list(db.session.scalars(sa.select(Note.title).order_by(Note.id)))
    return flask.render_template_string(
        "<ul>{{ fragment('sidebar', titles | join(', ')) }}</ul>", titles=titles
    )


_archives: dict[str, bytes] = {}


@app.get("/download.zip")
def zipped() -> flask.Response:
    import io
    import zipfile

    if "all" not in _archives:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("notes.txt", "\n".join(db.session.scalars(sa.select(Note.body))))
        _archives["all"] = file.getvalue()
    return flask.Response(_archives["all"], mimetype="application/zip")


@app.get("/basket")
def in_the_session() -> str:
    flask.session["last"] = _seen[-1] if _seen else ""
    return "kept"


POSTED: dict[int, str] = {}


@app.post("/posted/<int:note_id>")
def posted(note_id: int) -> str:
    return POSTED.setdefault(note_id, note_of(note_id).title)


badges = URLSafeSerializer(app.config["SECRET_KEY"], salt="badge")


@app.get("/me")
def own_session() -> str:
    """A log-in of the application's own making."""
    if "badge" not in flask.request.cookies:
        flask.abort(401)
    return str(note_of(badges.loads(flask.request.cookies["badge"])).title)


def log_in(client: Any, tenant: Any) -> None:
    """What `--login` names."""
    with tenant_context(tenant):
        first = db.session.scalars(sa.select(Note.id).order_by(Note.id)).first()
    client.set_cookie("badge", badges.dumps(first), domain=f"{tenant.slug}.localhost")


# ---- and what is right
@app.get("/clean/<int:note_id>")
def clean(note_id: int) -> dict[str, str]:
    return {"title": note_of(note_id).title}


@app.get("/clean/by-slug/<slug>")
def clean_by_slug(slug: str) -> dict[str, str]:
    return {"title": db.first_or_404(sa.select(Note).where(Note.slug == slug)).title}


@app.get("/clean/search")
def clean_search() -> dict[str, Any]:
    asked = flask.request.args.get("q", "")
    return {
        "asked": asked,
        "found": list(db.session.scalars(sa.select(Note.title).where(Note.title == asked))),
    }


@app.get("/clean/mail")
def clean_mail() -> str:
    import smtplib

    with smtplib.SMTP("mail.example.com", 25, timeout=5):
        return "sent"


@app.get("/odd/<thing>/<path:where>")
def unknown_path(thing: str, where: str) -> str:
    return "odd"
