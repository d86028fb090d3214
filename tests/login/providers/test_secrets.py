"""What the database holds of secrets, and what can be done with it there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from flask_tenant.directory import Directory
from flask_tenant.errors import ConfigurationError, ProviderError
from flask_tenant.identity import Attempt, Provider
from flask_tenant.login.providers import Providers
from flask_tenant.login.secrets import Secrets
from flask_tenant.settings import Settings
from tests.login.providers.conftest import MakeProviders

pytestmark = pytest.mark.databases("sqlite")
both = pytest.mark.databases("sqlite", "postgresql+psycopg")

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
WORD = "open sesame"


def add(directory: Directory, providers: Providers, slug: str = "acme", word: str = WORD) -> None:
    tenant = directory.get(slug)
    providers.add(tenant, "front", "door", {"colour": "red"}, {"word": word})


def front(directory: Directory, providers: Providers, slug: str = "acme") -> Provider:
    directory.forget()
    found = providers.get(directory.get(slug), "front")
    assert found is not None
    return found


def everything(engine: sa.Engine) -> str:
    """All that the database holds of providers, as text."""
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT * FROM tenancy_provider")).all()
    assert rows, "there is nothing to look at"
    return repr(rows)


@both
def test_they_are_nowhere_to_be_read(directory: Directory, providers: Providers, engine: Any) -> None:
    add(directory, providers)
    assert "open" not in everything(engine)
    found = front(directory, providers)
    assert found.secrets["word"] == WORD
    assert WORD not in repr(found)
    assert WORD not in repr(found.secrets)
    assert "word" in found.secrets
    assert "colour" not in found.secrets
    with pytest.raises(KeyError):
        found.secrets["colour"]


def test_copied_into_another_tenants_row_they_are_of_no_use(
    directory: Directory, make_providers: MakeProviders, engine: Any
) -> None:
    add(directory, make_providers())
    add(directory, make_providers(), "bella", "mine")
    with engine.begin() as connection:
        sealed = connection.scalar(sa.text("SELECT secrets FROM tenancy_provider WHERE tenant_id = 1"))
        connection.execute(
            sa.text("UPDATE tenancy_provider SET secrets = :sealed WHERE tenant_id = 2"), {"sealed": sealed}
        )
    providers = make_providers()
    assert front(directory, providers).secrets["word"] == WORD
    stolen = front(directory, providers, "bella")
    with pytest.raises(ProviderError, match="somebody has copied it"):
        stolen.secrets["word"]


def test_sent_to_another_authority_they_are_of_no_use(
    directory: Directory, make_providers: MakeProviders, engine: Any
) -> None:
    add(directory, make_providers())
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE tenancy_provider SET authority = 'door:evil'"))
    with pytest.raises(ProviderError, match="somebody has copied it"):
        front(directory, make_providers()).secrets["word"]


def test_without_the_key_one_provider_fails_and_the_page_is_shown(
    directory: Directory, make_providers: MakeProviders
) -> None:
    add(directory, make_providers([OLD]))
    other = make_providers([NEW])
    tenant = directory.get("acme")
    assert [p.name for p in other.of(tenant)] == ["front", "local"]
    with pytest.raises(ProviderError, match=r"TENANT_SECRET_KEYS"):
        other.open(front(directory, other)).finish(Attempt("x"), {"word": WORD})
    (finding,) = other.examine(front(directory, other))
    assert not finding.ok
    assert "cannot be decrypted" in finding.detail


@both
def test_keys_are_rotated(directory: Directory, make_providers: MakeProviders, engine: Any) -> None:
    add(directory, make_providers([OLD]))
    add(directory, make_providers([OLD]), "bella")
    between = make_providers([NEW, OLD])
    assert front(directory, between).secrets["word"] == WORD
    before = everything(engine)
    assert between.rotate() == 2
    assert everything(engine) != before
    for slug in ("acme", "bella"):
        assert front(directory, make_providers([NEW]), slug).secrets["word"] == WORD
        with pytest.raises(ProviderError):
            front(directory, make_providers([OLD]), slug).secrets["word"]
    with pytest.raises(ConfigurationError, match="secrets of tenancy_provider 1"):
        make_providers([OLD]).rotate()


def test_from_the_derived_key_to_one_of_its_own(directory: Directory, make_providers: MakeProviders) -> None:
    add(directory, make_providers())
    assert make_providers([NEW]).rotate() == 1
    assert front(directory, make_providers([NEW], ["another"])).secrets["word"] == WORD
    with pytest.raises(ProviderError):
        front(directory, make_providers([], ["another"])).secrets["word"]


def test_a_former_secret_key_still_decrypts(directory: Directory, make_providers: MakeProviders) -> None:
    add(directory, make_providers([], ["old"]))
    later = make_providers([], ["new", "old"])
    assert front(directory, later).secrets["word"] == WORD
    assert later.rotate() == 1
    assert front(directory, make_providers([], ["new"])).secrets["word"] == WORD


@both
def test_hints_of_sessions_are_rotated_too(
    directory: Directory, make_providers: MakeProviders, engine: Any
) -> None:
    people, sealed = directory.tables.people, Secrets([OLD]).seal("token", "session 1")
    now = datetime.now(UTC)
    with directory.connect() as connection:
        connection.execute(people.person.insert().values(id=1, name="Ann", created_at=now))
        for digest, hint in (("1", sealed), ("2", None)):
            row = {"digest": digest, "tenant_id": 1, "person_id": 1, "hint": hint}
            times = {"opened_at": now, "seen_at": now, "expires_at": now}
            connection.execute(people.login_session.insert().values(**row, **times))
    assert make_providers([NEW, OLD]).rotate() == 1
    with engine.connect() as connection:
        hint = connection.scalar(sa.text("SELECT hint FROM tenancy_login_session WHERE digest = '1'"))
    assert Secrets([NEW]).open(hint, "session 1") == "token"
    # What no key fits is in nobody's way.
    make_providers([OLD]).rotate()
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM tenancy_login_session")) == 2
        assert connection.scalar(sa.text("SELECT count(hint) FROM tenancy_login_session")) == 0


def test_many_are_rotated_in_batches(
    directory: Directory, make_providers: MakeProviders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flask_tenant.login.providers.rotation.BATCH", 2)
    tenant = directory.get("acme")
    for number in range(5):
        make_providers([OLD]).add(tenant, f"d{number}", "door", {"colour": "x"}, {"word": WORD})
    assert make_providers([NEW, OLD]).rotate() == 5
    directory.forget()
    found = make_providers([NEW]).of(directory.get("acme"))
    assert [p.secrets["word"] for p in found if p.kind == "door"] == [WORD] * 5


@pytest.mark.parametrize("secret_key", ["", b""])
def test_no_key_at_all(secret_key: Any) -> None:
    with pytest.raises(ConfigurationError, match="without a key"):
        Secrets([], [secret_key]).seal("x", "here")


def test_two_secrets_that_are_equal_do_not_look_so() -> None:
    secrets = Secrets([OLD])
    assert secrets.seal("x", "here") != secrets.seal("x", "here")


def test_what_was_changed_is_refused() -> None:
    secrets = Secrets([OLD])
    sealed = secrets.seal("x", "here")
    for changed in (
        sealed[:-2] + "AA",
        "",
        "ü",
        sealed[:20] + ("A" if sealed[20] != "A" else "B") + sealed[21:],
    ):
        with pytest.raises(ConfigurationError, match="cannot be decrypted"):
            secrets.open(changed, "here")


@pytest.mark.parametrize("keys", [["short"], [OLD, "x" * 44], [OLD[:-1]], OLD, [7], ["ü" * 44]], ids=range(6))
def test_keys_that_are_none_are_refused_and_not_shown(keys: Any) -> None:
    with pytest.raises(ConfigurationError, match="TENANT_SECRET_KEYS") as caught:
        Settings.read({"TENANT_SECRET_KEYS": keys})
    assert OLD not in str(caught.value)
    assert caught.value.value is None
    assert Settings.read({"TENANT_SECRET_KEYS": [NEW, OLD]}).secret_keys == (NEW, OLD)
