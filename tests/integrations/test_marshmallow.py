"""marshmallow-sqlalchemy through Flask-Marshmallow: load into the tenant's session, dump its rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask, request
from flask_marshmallow import Marshmallow
from flask_sqlalchemy import SQLAlchemy
from marshmallow import ValidationError

from flask_tenant import Tenancy
from tests.integrations.helpers import at, table, with_tenants

pytestmark = pytest.mark.databases("sqlite", "postgresql+psycopg")


@pytest.fixture
def app(database_url: str) -> Iterator[Flask]:
    app = Flask("library")
    app.config.update(SQLALCHEMY_DATABASE_URI=database_url, SECRET_KEY="test", SERVER_NAME=None)
    db = SQLAlchemy(app)
    ma = Marshmallow(app)
    Tenancy(app)

    class Author(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)
        name = db.Column(db.String(50), unique=True, nullable=False)
        books = db.relationship("Book", back_populates="author", order_by="Book.id")

    class Book(db.Model):  # type: ignore[name-defined,misc]
        isbn = db.Column(db.String(20), unique=True)
        id = db.Column(db.Integer, primary_key=True)
        title = db.Column(db.String(50), nullable=False)
        author_id = db.Column(db.ForeignKey("author.id"))
        author = db.relationship(Author, back_populates="books")

    class BookSchema(ma.SQLAlchemyAutoSchema):
        class Meta:
            model = Book
            load_instance = True
            include_fk = True
            include_relationships = True

    class AuthorSchema(ma.SQLAlchemyAutoSchema):
        class Meta:
            model = Author
            load_instance = True

        books = ma.Nested(BookSchema, many=True, exclude=("author", "author_id"))
        link = ma.URLFor("author", values={"author_id": "<id>"})

    @app.post("/authors")
    def create() -> Any:
        author = AuthorSchema().load(request.json)
        db.session.add(author)
        db.session.commit()
        return AuthorSchema().dump(author), 201

    @app.get("/authors/<int:author_id>")
    def author(author_id: int) -> Any:
        return AuthorSchema().dump(db.get_or_404(Author, author_id))

    @app.get("/books")
    def books() -> Any:
        return BookSchema(many=True).dump(db.session.scalars(sa.select(Book).order_by(Book.id)))

    @app.patch("/books")
    def change() -> Any:
        # finds the row by the key in the document
        book = BookSchema().load(request.json, partial=True)
        if book not in db.session:
            db.session.rollback()
            return {}, 404
        db.session.commit()
        return BookSchema().dump(book)

    @app.errorhandler(ValidationError)
    def wrong(error: ValidationError) -> Any:
        return error.messages, 422

    with app.app_context():
        db.create_all()
    yield with_tenants(app)
    with app.app_context():
        db.engine.dispose()


def test_documents_are_loaded_into_and_dumped_from_the_tenant(app: Flask, database_url: str) -> None:
    client = app.test_client()
    made = {}
    for slug in ("acme", "bella"):
        books = [{"title": f"{slug} {n}", "isbn": f"isbn-{n}"} for n in range(2)]
        answer = client.post(at(slug, "/authors"), json={"name": "Ada", "books": books})
        assert answer.status_code == 201, answer.text
        made[slug] = answer.json
    assert len(table(database_url, "author")) == 2
    assert len(table(database_url, "book")) == 4

    for slug, document in made.items():
        own = client.get(at(slug, f"/authors/{document['id']}")).json
        assert own == document
        assert own["link"] == f"/authors/{document['id']}"
        assert not any("tenant" in key for key in (*own, *own["books"][0]))
        listed = client.get(at(slug, "/books")).json
        assert [book["title"] for book in listed] == [f"{slug} 0", f"{slug} 1"]
        assert {book["author"] for book in listed} == {document["id"]}


def test_an_instance_is_found_among_the_tenants_own(app: Flask) -> None:
    client = app.test_client()
    books = [{"title": f"acme {n}"} for n in range(3)]
    acme = client.post(at("acme", "/authors"), json={"name": "Ada", "books": books}).json["books"]
    bella = client.post(at("bella", "/authors"), json={"name": "Ada", "books": books[:1]}).json["books"]
    changed = client.patch(at("bella", "/books"), json={"id": bella[0]["id"], "title": "changed"})
    assert changed.json["title"] == "changed"
    foreign = max(book["id"] for book in acme)
    if foreign == bella[0]["id"]:
        foreign -= 1
    assert client.patch(at("bella", "/books"), json={"id": foreign, "title": "stolen"}).status_code == 404
    assert [book["title"] for book in client.get(at("acme", "/books")).json] == [b["title"] for b in books]


def test_the_hidden_column_is_no_field(app: Flask, database_url: str) -> None:
    client = app.test_client()
    answer = client.post(at("bella", "/authors"), json={"name": "Ada", "tenant_id": 1})
    assert (answer.status_code, answer.json) == (422, {"tenant_id": ["Unknown field."]})
    client.post(at("bella", "/authors"), json={"name": "Ada"})
    assert [row[0] for row in table(database_url, "author")] == [2]
