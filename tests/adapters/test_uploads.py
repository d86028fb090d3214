"""Uploaded files: the same names and numbers in two tenants, and every way to a neighbour's."""

from __future__ import annotations

import io
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, current_app, request, send_file, send_from_directory
from flask.testing import FlaskClient

from flask_tenant import central_context, tenant_context
from flask_tenant.errors import FileRefusedError
from tests.adapters.conftest import SLUGS, MakeApp, at


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "uploads"


@pytest.fixture
def app(make_app: MakeApp, folder: Path) -> Flask:
    """An application as its authors wrote it: it makes its folder, saves by number, and serves by number and name."""

    def start(app: Flask) -> None:
        os.makedirs(app.config["UPLOAD_FOLDER"], exist_ok=True)

    app = make_app(start, UPLOAD_FOLDER=str(folder), TENANT_UPLOAD_FOLDERS=["UPLOAD_FOLDER"])

    @app.post("/files/<int:number>")
    def upload(number: int) -> str:
        request.files["file"].save(os.path.join(current_app.config["UPLOAD_FOLDER"], f"{number}.txt"))
        return "saved"

    @app.get("/files/<int:number>")
    def by_number(number: int) -> Any:
        return send_file(os.path.join(current_app.config["UPLOAD_FOLDER"], f"{number}.txt"))

    @app.get("/named/<path:name>")
    def by_name(name: str) -> Any:
        return send_from_directory(current_app.config.get("UPLOAD_FOLDER"), name)

    @app.get("/careless")
    def careless() -> Any:
        return send_file(os.path.join(current_app.config["UPLOAD_FOLDER"], request.args["name"]))

    @app.get("/constant/<path:name>")
    def constant(name: str) -> Any:
        return send_file(os.path.join(str(folder), name))

    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    client = app.test_client()
    for slug in SLUGS:
        data = {"file": (io.BytesIO(f"canary of {slug}".encode()), "x.txt")}
        assert client.post(at(slug, "/files/1"), data=data).text == "saved"
    data = {"file": (io.BytesIO(b"canary of bella"), "x.txt")}
    assert client.post(at("bella", "/files/2"), data=data).text == "saved"
    return client


def test_the_same_number_is_another_file(client: FlaskClient) -> None:
    for slug in SLUGS:
        assert client.get(at(slug, "/files/1")).text == f"canary of {slug}"
        assert client.get(at(slug, "/named/1.txt")).text == f"canary of {slug}"


def test_a_neighbours_file_by_number(client: FlaskClient) -> None:
    assert client.get(at("bella", "/files/2")).text == "canary of bella"
    client.application.config["PROPAGATE_EXCEPTIONS"] = False
    assert client.get(at("acme", "/files/2")).status_code in (404, 500)
    assert client.get(at("acme", "/named/2.txt")).status_code == 404


NAMES = [
    "../tenant-2/1.txt",
    "../tenant-1/../tenant-2/2.txt",
    "%2e%2e/tenant-2/1.txt",
    "..%2ftenant-2%2f1.txt",
    "x/../../tenant-2/1.txt",
    "link/1.txt",
    "/{folder}/tenant-2/1.txt",
]


@pytest.mark.parametrize("route", ["/named/{}", "/careless?name={}", "/constant/{}", "/constant/tenant-1/{}"])
def test_paths_to_a_neighbour(client: FlaskClient, folder: Path, route: str) -> None:
    link = folder / "tenant-1" / "link"
    with central_context(reason="an attacker has a link", app=client.application):
        (folder / "tenant-1" / "x").mkdir()
        link.symlink_to(folder / "tenant-2")
    client.application.config["PROPAGATE_EXCEPTIONS"] = False
    assert client.get(at("bella", "/named/1.txt")).text == "canary of bella"
    for name in NAMES:
        answer = client.get(at("acme", route.format(name.format(folder=folder))))
        assert answer.status_code in (308, 400, 404, 500), name
        assert "canary" not in answer.text, name


WAYS: dict[str, Callable[[Path], Any]] = {
    "open": lambda path: path.open().read(),
    "os.open": lambda path: os.open(path, os.O_RDONLY),
    "bytes": lambda path: open(os.fsencode(path)).read(),
    "write": lambda path: path.write_text("overwritten"),
    "list": lambda path: os.listdir(path.parent),
    "scan": lambda path: list(os.scandir(path.parent)),
    "glob": lambda path: [found for found in path.parent.iterdir()],
    "remove": lambda path: path.unlink(),
    "rename away": lambda path: path.rename(path.parent.parent / "tenant-1" / "mine.txt"),
    "rename over": lambda path: (path.parent.parent / "tenant-1" / "1.txt").rename(path),
    "copy": lambda path: shutil.copy(path, path.parent.parent / "tenant-1" / "mine.txt"),
    "move": lambda path: shutil.move(path, path.parent.parent / "tenant-1" / "mine.txt"),
    "remove all": lambda path: shutil.rmtree(path.parent),
    "make": lambda path: (path.parent / "new").mkdir(),
    "hard link": lambda path: os.link(path, path.parent.parent / "tenant-1" / "mine.txt"),
    "truncate": lambda path: os.truncate(path, 0),
    "database": lambda path: sqlite3.connect(path),
    "the folder of all": lambda path: os.listdir(path.parent.parent),
    "beside the parts": lambda path: (path.parent.parent / "stray.txt").write_text("x"),
}


def test_code_that_goes_to_the_neighbours_files(app: Flask, client: FlaskClient, folder: Path) -> None:
    target = folder / "tenant-2" / "1.txt"
    for way, work in WAYS.items():
        for path in (target, folder / "tenant-1" / ".." / "tenant-2" / "1.txt"):
            with tenant_context("acme", app):
                try:
                    work(path)
                except FileRefusedError:
                    continue
                pytest.fail(f"{way} was not refused")
    with central_context(reason="a test", app=app):
        assert target.read_text() == "canary of bella"
        assert (folder / "tenant-1" / "1.txt").read_text() == "canary of acme"
        assert len(list(folder.iterdir())) == 2


def test_relative_paths(
    app: Flask, client: FlaskClient, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    with tenant_context("acme", app):
        assert Path("uploads/tenant-1/1.txt").read_text() == "canary of acme"
        with pytest.raises(FileRefusedError):
            Path("uploads/tenant-2/1.txt").read_text()
        os.chdir("uploads/tenant-1")
        with pytest.raises(FileRefusedError):
            os.chdir("../tenant-2")


def test_without_a_tenant(app: Flask, client: FlaskClient, folder: Path) -> None:
    assert app.config["UPLOAD_FOLDER"] == str(folder)
    with pytest.raises(FileRefusedError, match="outside any tenant"):
        (folder / "tenant-1" / "1.txt").read_text()
    app.config["PROPAGATE_EXCEPTIONS"] = False
    assert client.get(at("", "/named/tenant-1/1.txt")).status_code == 500
    with central_context(reason="a back-up", app=app):
        assert app.config["UPLOAD_FOLDER"] == str(folder)
        assert (folder / "tenant-1" / "1.txt").read_text() == "canary of acme"


def test_other_files_are_not_watched(app: Flask, tmp_path: Path) -> None:
    beside = tmp_path / "uploads-of-others"
    beside.mkdir()
    with tenant_context("acme", app):
        (beside / "a.txt").write_text("x")
        assert (beside / "a.txt").read_text() == "x"


def test_the_configuration_stays_what_it_was(app: Flask, folder: Path) -> None:
    with tenant_context("acme", app):
        assert app.config["UPLOAD_FOLDER"] == app.config.get("UPLOAD_FOLDER") == str(folder / "tenant-1")
        assert app.config.get("NOTHING", 5) == 5
        with pytest.raises(KeyError):
            app.config["NOTHING"]
        app.config["UPLOAD_PATH"] = folder
    assert dict(app.config)["UPLOAD_FOLDER"] == str(folder)
    assert (folder / "tenant-1").stat().st_mode & 0o777 == 0o700


def test_paths_of_pathlib(make_app: MakeApp, folder: Path) -> None:
    app = make_app(MEDIA=folder, TENANT_UPLOAD_FOLDERS=["MEDIA"])
    with tenant_context("bella", app):
        assert app.config["MEDIA"] == folder / "tenant-2"


def test_no_adapter_where_no_folder_is_named(make_app: MakeApp, folder: Path) -> None:
    app = make_app(UPLOAD_FOLDER=str(folder))
    with tenant_context("acme", app):
        assert app.config["UPLOAD_FOLDER"] == str(folder), "this is what the adapter prevents"
    assert "uploads" not in app.extensions["tenancy"].surroundings.placed
