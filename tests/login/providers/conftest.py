"""A directory with two tenants, a kind of provider that needs no server, and the store on them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from flask_tenant.directory import Directory, own_database
from flask_tenant.errors import ProviderError
from flask_tenant.identity import Ask, Attempt, Finding, Identified, Identity, Provider
from flask_tenant.login.providers import Kinds, Providers
from flask_tenant.login.secrets import Secrets
from flask_tenant.protocols import Authenticator, ProviderKind


class Doorman:
    """Lets in who knows the secret."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider

    def begin(self, attempt: Attempt) -> Ask:
        return Ask(("word",))

    def finish(self, attempt: Attempt, answer: Mapping[str, str]) -> Identified:
        assert answer["word"] == self.provider.secrets["word"]
        return Identified(Identity(self.provider.authority, "guest"))


class Doors(ProviderKind):
    """A kind whose providers need a colour, and may have a word."""

    name = "door"
    secrets = frozenset({"word"})
    opened = 0

    def open(self, provider: Provider) -> Authenticator:
        assert "roles" not in provider.settings, "not for kinds"
        if "colour" not in provider.settings:
            raise ProviderError("A door needs a colour", hint="Set colour")
        self.opened += 1
        return Doorman(provider)

    def examine(self, provider: Provider) -> Iterable[Finding]:
        self.open(provider)
        yield Finding("colour", True, provider.settings["colour"])
        yield Finding("word", bool(provider.secrets["word"]))


class Gates(Doors):
    """A kind that names who vouches among its settings."""

    name = "gate"
    authority = "issuer"


@pytest.fixture
def doors() -> Doors:
    return Doors()


@pytest.fixture
def kinds(doors: Doors) -> Kinds:
    return Kinds({"door": lambda: doors, "gate": Gates, "local": Local}, {})


class Local(Doors):
    name = "local"
    secrets = frozenset()

    def open(self, provider: Provider) -> Authenticator:
        return Doorman(provider)


MakeProviders = Callable[..., Providers]


@pytest.fixture
def make_providers(directory: Directory, kinds: Kinds) -> MakeProviders:
    """Make what one server keeps of the providers."""

    def make(keys: Iterable[str] = (), secret_keys: Iterable[str] = ("test",)) -> Providers:
        return Providers(directory, kinds, Secrets(list(keys), list(secret_keys)))

    return make


@pytest.fixture
def providers(make_providers: MakeProviders) -> Providers:
    return make_providers()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """The database as its administrator, or an intruder, has it."""
    engine = sa.create_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the tables of the directory: migrating it takes longer than most tests."""
    path = tmp_path_factory.mktemp("migrated") / "directory.sqlite"
    engine = sa.create_engine(f"sqlite:///{path}")
    Directory(own_database(engine)).prepare()
    engine.dispose()
    return path


@pytest.fixture
def directory(engine: Engine, migrated: Path) -> Directory:
    """The tenants acme and bella."""
    if engine.dialect.name == "sqlite":
        shutil.copy(migrated, str(engine.url.database))
    directory = Directory(own_database(engine))
    directory.prepare()
    directory.create_many([("acme", "Acme"), ("bella", "Bella")], lambda connection, tenant: None)
    return directory
