"""Flask-Admin's views inside a tenant: list, search, filter, create, edit and delete, with relations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from flask_admin import Admin
from flask_admin.contrib.sqla import ModelView
from flask_babel import Babel
from flask_sqlalchemy import SQLAlchemy

from flask_tenant import Tenancy, tenant_context
from tests.integrations.helpers import at, table, with_tenants

pytestmark = [
    # Flask-Admin's bulk actions compare ids with strings, which psycopg 3 sends with their type
    pytest.mark.databases("sqlite", "postgresql+psycopg2"),
    pytest.mark.filterwarnings("ignore:Yielding raw tuples:DeprecationWarning"),  # Flask-Admin's own
]


class Blog:
    """The application, but for one line as its authors wrote it."""

    def __init__(self, url: str) -> None:
        self.app = app = Flask("blog")
        app.config.update(SQLALCHEMY_DATABASE_URI=url, SECRET_KEY="test")
        self.db = db = SQLAlchemy(app)
        Tenancy(app)
        tagged = db.Table(
            "tagged",
            db.Column("post_id", db.ForeignKey("post.id", ondelete="CASCADE"), primary_key=True),
            db.Column("tag_id", db.ForeignKey("tag.id", ondelete="CASCADE"), primary_key=True),
        )

        class Author(db.Model):  # type: ignore[name-defined,misc]
            id = db.Column(db.Integer, primary_key=True)
            name = db.Column(db.String(50), unique=True, nullable=False)

            def __str__(self) -> str:
                return f"author {self.name}"

        class Tag(db.Model):  # type: ignore[name-defined,misc]
            id = db.Column(db.Integer, primary_key=True)
            word = db.Column(db.String(50), unique=True, nullable=False)

            def __str__(self) -> str:
                return f"tag {self.word}"

        class Note(db.Model):  # type: ignore[name-defined,misc]
            id = db.Column(db.Integer, primary_key=True)
            text = db.Column(db.String(50), nullable=False)
            post_id = db.Column(db.ForeignKey("post.id"), nullable=False)

        class Post(db.Model):  # type: ignore[name-defined,misc]
            id = db.Column(db.Integer, primary_key=True)
            title = db.Column(db.String(50), nullable=False)
            author_id = db.Column(db.ForeignKey("author.id"))
            author = db.relationship(Author, backref="posts")
            tags = db.relationship(Tag, secondary=tagged, backref="posts")
            notes = db.relationship(Note, backref="post", cascade="all, delete-orphan")

        self.Author, self.Tag, self.Post, self.Note = Author, Tag, Post, Note

        class PostView(ModelView):
            column_list = ("title", "author", "tags")
            column_searchable_list = ("title", "author.name")
            column_filters = ("title", "author.name", "tags")
            column_sortable_list = ("title", ("author", "author.name"))
            column_editable_list = ("title",)
            form_ajax_refs: ClassVar = {"tags": {"fields": ["word"]}}
            inline_models = (Note,)
            can_export = True

        Babel(app)  # where it is installed, Flask-Admin counts on it
        admin = Admin(app)
        for view in (ModelView(Author, db), ModelView(Tag, db), PostView(Post, db)):
            admin.add_view(view)
        with app.app_context():
            db.create_all()


@pytest.fixture
def blog(database_url: str) -> Iterator[Blog]:
    blog = Blog(database_url)
    with_tenants(blog.app)
    yield blog
    with blog.app.app_context():
        blog.db.engine.dispose()


def _save(client: FlaskClient, slug: str, path: str, **form: Any) -> str:
    answer = client.post(at(slug, f"/admin/{path}"), data=form)
    assert answer.status_code == 302, re.findall(r"(?s)class=\"(?:invalid|help|alert).*?</", answer.text)
    return str(answer.location)


def _ids(blog: Blog, slug: str) -> dict[str, int]:
    """Ids by title, name or word."""
    with blog.app.app_context(), tenant_context(slug):
        session = blog.db.session
        columns = (
            (blog.Author.name, blog.Author.id),
            (blog.Tag.word, blog.Tag.id),
            (blog.Post.title, blog.Post.id),
        )
        return {key: value for pair in columns for key, value in session.execute(sa.select(*pair))}


def _fill(blog: Blog, slug: str) -> dict[str, int]:
    """An author, two tags, and a post that has them all, made through the forms."""
    client = blog.app.test_client()
    _save(client, slug, "author/new/", name="Ada")
    _save(client, slug, "author/new/", name=f"{slug}'s own")
    _save(client, slug, "tag/new/", word="red")
    _save(client, slug, "tag/new/", word=f"{slug}-tag")
    ids = _ids(blog, slug)
    tags = f"{ids['red']},{ids[f'{slug}-tag']}"
    note = {"notes-0-text": f"{slug} notes"}
    _save(client, slug, "post/new/", title=f"{slug} post", author=ids["Ada"], tags=tags, **note)
    return _ids(blog, slug)


def test_forms_offer_and_save_the_tenants_own_rows(blog: Blog, database_url: str) -> None:
    client = blog.app.test_client()
    acme, bella = _fill(blog, "acme"), _fill(blog, "bella")
    for name, rows in (("author", 4), ("tag", 4), ("post", 2), ("note", 2), ("tagged", 4)):
        assert len(table(database_url, name)) == rows

    form = client.get(at("bella", "/admin/post/new/")).text
    assert "bella&#39;s own" in form
    assert "acme" not in form
    found = client.get(at("bella", "/admin/post/ajax/lookup/?name=tags&query=tag")).json
    assert [word for _, word in found] == ["tag bella-tag"]

    edited = client.get(at("bella", f"/admin/post/edit/?id={bella['bella post']}")).text
    assert "bella notes" in edited
    _save(
        client,
        "bella",
        f"post/edit/?id={bella['bella post']}",
        title="edited",
        author=bella["bella's own"],
        tags="",
    )
    with blog.app.app_context():
        for slug, title, author, tags in (
            ("acme", "acme post", "Ada", 2),
            ("bella", "edited", "bella's own", 0),
        ):
            with tenant_context(slug):
                post = blog.db.session.scalars(sa.select(blog.Post)).one()
                assert (post.title, post.author.name, len(post.tags)) == (title, author, tags)

    # the name is taken here, and free next door
    assert "Already exists" in client.post(at("acme", "/admin/author/new/"), data={"name": "acme's own"}).text
    _save(client, "bella", "author/new/", name="acme's own")
    assert acme["acme's own"]


def test_lists_search_filter_sort_and_export_the_tenants_own_rows(blog: Blog) -> None:
    client = blog.app.test_client()
    for slug in ("acme", "bella"):
        _fill(blog, slug)
    for path in (
        "",
        "?search=post",
        "?search=Ada",
        "?flt0_0=post",
        "?sort=1",
        "?sort=0&desc=1",
        "?page_size=1",
    ):
        shown = client.get(at("acme", f"/admin/post/{path}")).text
        assert "acme post" in shown, path
        assert "bella" not in shown, path
        assert ">1</" in shown or "(1)" in shown, path  # how many there are
    assert "acme post" not in client.get(at("acme", "/admin/post/?search=bella")).text
    exported = client.get(at("acme", "/admin/post/export/csv/")).text
    assert exported.splitlines()[1:] == ['acme post,author Ada,"tag acme-tag, tag red"'] or (
        exported.splitlines()[1:] == ['acme post,author Ada,"tag red, tag acme-tag"']
    )


def test_ids_of_another_tenant_are_nobodys(blog: Blog, database_url: str) -> None:
    client = blog.app.test_client()
    acme = _fill(blog, "acme")
    for number in range(10):  # past every id of acme, also where ids start anew
        _save(client, "acme", "author/new/", name=f"more-{number}")
    acme = _ids(blog, "acme")
    _fill(blog, "bella")
    before = table(database_url, "author")
    foreign = acme["more-9"]
    assert client.get(at("bella", f"/admin/author/edit/?id={foreign}")).status_code == 302  # "does not exist"
    assert client.post(at("bella", "/admin/author/delete/"), data={"id": foreign}).status_code == 302
    client.post(at("bella", "/admin/author/action/"), data={"action": "delete", "rowid": [foreign]})
    assert table(database_url, "author") == before
    # Flask-Admin takes a choice that is not there for none at all
    _save(client, "bella", "post/new/", title="stolen", author=foreign)
    with blog.app.app_context(), tenant_context("bella"):
        post = blog.db.session.scalars(sa.select(blog.Post).where(blog.Post.title == "stolen")).one()
        assert post.author_id is None


def test_rows_are_deleted_with_what_belongs_to_them(blog: Blog, database_url: str) -> None:
    client = blog.app.test_client()
    ids = {slug: _fill(blog, slug) for slug in ("acme", "bella")}
    client.post(at("acme", "/admin/post/delete/"), data={"id": ids["acme"]["acme post"]})
    for slug, left in (("acme", 0), ("bella", 1)):
        with blog.app.app_context(), tenant_context(slug):
            counts = [blog.db.session.scalar(sa.select(sa.func.count(m.id))) for m in (blog.Post, blog.Note)]
            assert counts == [left, left]
    assert len(table(database_url, "tagged")) == 2
    both = [ids["acme"]["red"], ids["acme"]["acme-tag"]]
    client.post(at("acme", "/admin/tag/action/"), data={"action": "delete", "rowid": both})
    assert len(table(database_url, "tag")) == 2
    # edited in the list itself
    answer = client.post(
        at("bella", "/admin/post/ajax/update/"),
        data={"list_form_pk": ids["bella"]["bella post"], "title": "anew"},
    )
    assert answer.status_code == 200, answer.text
    assert "anew" in client.get(at("bella", "/admin/post/")).text
