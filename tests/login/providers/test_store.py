"""Tenants' ways to log in: kept apart, read once, changed for all servers."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import sqlalchemy as sa

from flask_tenant.directory import Directory
from flask_tenant.errors import ProviderError, TenantNotFoundError
from flask_tenant.identity import LOCAL, Attempt, Finding, Provider
from flask_tenant.login.providers import Kinds, Providers
from flask_tenant.login.secrets import Secrets
from flask_tenant.model import Tenant
from tests.login.providers.conftest import Doors, Gates, MakeProviders

pytestmark = pytest.mark.databases("sqlite")
both = pytest.mark.databases("sqlite", "postgresql+psycopg")


def tenant(directory: Directory, slug: str = "acme") -> Tenant:
    return directory.get(slug)


def names(providers: Providers, tenant: Tenant) -> list[str]:
    return [provider.name for provider in providers.of(tenant)]


@both
def test_a_tenant_has_local_until_it_is_switched_off(directory: Directory, providers: Providers) -> None:
    (local,) = providers.of(tenant(directory))
    assert (local.kind, local.authority, local.joins) == (LOCAL, LOCAL, False)
    providers.add(tenant(directory), "front", "door", {"colour": "red"})
    assert names(providers, tenant(directory)) == ["front", "local"]
    providers.remove(tenant(directory), "local")
    assert names(providers, tenant(directory)) == ["front"]
    assert providers.get(tenant(directory), "local") is None
    assert names(providers, tenant(directory, "bella")) == ["local"]
    providers.remove(tenant(directory), "front")
    assert names(providers, tenant(directory)) == [], "what was switched off came back"
    with pytest.raises(ProviderError, match="has no provider 'local'"):
        providers.remove(tenant(directory), "local")
    providers.add(tenant(directory), "local", "local")
    assert names(providers, tenant(directory)) == ["local"]


def test_what_is_off_is_not_opened(directory: Directory, providers: Providers) -> None:
    local = providers.of(tenant(directory))[0]
    providers.open(local)
    providers.remove(tenant(directory), "local")
    (off,) = providers.all(tenant(directory))
    assert not off.enabled
    with pytest.raises(ProviderError, match="switched off"):
        providers.open(off)


def test_another_tenants_provider_is_as_good_as_none(directory: Directory, providers: Providers) -> None:
    providers.add(tenant(directory), "front", "door", {"colour": "red"})
    assert providers.get(tenant(directory), "front") is not None
    assert providers.get(tenant(directory, "bella"), "front") is None
    with pytest.raises(ProviderError, match="'bella' has no provider 'front'"):
        providers.remove(tenant(directory, "bella"), "front")
    providers.add(tenant(directory, "bella"), "front", "door", {"colour": "blue"})
    found = [providers.get(tenant(directory, slug), "front") for slug in ("acme", "bella")]
    assert [p.settings["colour"] for p in found if p] == ["red", "blue"]
    assert len({p.authority for p in found if p}) == 2, "two directories would vouch for one person"


@both
def test_many_in_their_order(directory: Directory, providers: Providers) -> None:
    for name in ("zoo", "alpha", "middle"):
        providers.add(tenant(directory), name, "door", {"colour": name})
    assert names(providers, tenant(directory)) == ["zoo", "alpha", "middle", "local"]


@both
def test_everything_is_kept(directory: Directory, providers: Providers) -> None:
    settings = {"colour": "red", "roles": {"staff": ["member"]}, "nested": [1, {"a": None}]}
    providers.add(
        tenant(directory),
        "front",
        "door",
        settings,
        {"word": "ö"},
        label="Front <door>",
        joins=True,
        authority="door:hq",
    )
    found = providers.get(tenant(directory), "front")
    assert found is not None
    assert (found.label, found.joins, found.enabled, found.authority) == (
        "Front <door>",
        True,
        True,
        "door:hq",
    )
    assert dict(found.settings) == settings
    assert dict(found.secrets) == {"word": "ö"}
    with pytest.raises(TypeError):
        found.settings["colour"] = "blue"  # type: ignore[index]


def test_reading_is_done_once_for_each_version(
    directory: Directory, providers: Providers, engine: Any
) -> None:
    providers.add(tenant(directory), "front", "door", {"colour": "red"})
    assert names(providers, tenant(directory)) == ["front", "local"]
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE tenancy_provider SET name = 'moved'"))
    assert names(providers, tenant(directory)) == ["front", "local"]
    directory.set_name(tenant(directory), "Acme & Co")
    assert names(providers, tenant(directory)) == ["moved", "local"]


def test_other_servers_hear_of_it(directory: Directory, make_providers: MakeProviders) -> None:
    one, two = make_providers(), make_providers()
    assert names(two, tenant(directory)) == ["local"]
    one.add(tenant(directory), "front", "door", {"colour": "red"})
    assert names(two, tenant(directory)) == ["front", "local"]
    one.remove(tenant(directory), "front")
    deadline = time.monotonic() + 5
    while names(two, tenant(directory)) != ["local"]:
        assert time.monotonic() < deadline


def test_it_stays_open_until_it_is_changed(directory: Directory, providers: Providers, doors: Doors) -> None:
    def opened() -> object:
        found = providers.get(tenant(directory), "front")
        assert found is not None
        return providers.open(found)

    providers.add(tenant(directory), "front", "door", {"colour": "red"}, {"word": "x"})
    first = opened()
    directory.set_name(tenant(directory), "Acme & Co")
    assert opened() is first, "a provider lost what it knows because its tenant has changed"
    providers.add(tenant(directory), "front", "door", {"colour": "red"}, {"word": "y"}, replace=True)
    second = opened()
    assert second is not first
    attempt = Attempt("http://acme.localhost/callback")
    assert second.finish(attempt, {"word": "y"}).identity.subject == "guest"  # type: ignore[attr-defined]
    assert opened() is second


@both
def test_a_name_is_taken_once(directory: Directory, providers: Providers) -> None:
    first = providers.add(tenant(directory), "front", "door", {"colour": "red"}, {"word": "x"})
    with pytest.raises(ProviderError, match="has a provider 'front'"):
        providers.add(tenant(directory), "front", "door", {"colour": "blue"})
    with pytest.raises(ProviderError, match="has a provider 'front'"):
        providers.add(tenant(directory), "front", "gate", {"colour": "blue", "issuer": "x"}, replace=True)
    second = providers.add(tenant(directory), "front", "door", {"colour": "blue"}, replace=True)
    assert second.id == first.id
    assert dict(second.secrets) == {}, "who does not know the secret has it sent elsewhere"


NONSENSE: list[tuple[str, str, Any, Any, str]] = [
    ("Front", "door", {"colour": "x"}, {}, "cannot be called"),
    ("a/b", "door", {"colour": "x"}, {}, "cannot be called"),
    ("", "door", {"colour": "x"}, {}, "cannot be called"),
    ("x" * 64, "door", {"colour": "x"}, {}, "cannot be called"),
    ("local", "door", {"colour": "x"}, {}, "cannot be called"),
    ("other", "local", {}, {}, "cannot be called"),
    ("front", "dor", {"colour": "x"}, {}, "Is it 'door'"),
    ("front", "door", {}, {}, "needs a colour"),
    ("front", "door", {"colour": "x", "word": "y"}, {}, "is a secret"),
    ("front", "door", {"colour": "x"}, {"secrets": {"wort": "y"}}, "no secret 'wort'"),
    ("front", "door", {"colour": "x", "roles": {"staff": "member"}}, {}, "'roles' is"),
    ("front", "door", {"colour": "x", "roles": {"staff": ["Member!"]}}, {}, "'roles' is"),
    ("front", "door", {"colour": "x", "roles": []}, {}, "'roles' is"),
    (
        "front",
        "door",
        {"colour": "x"},
        {"authority": "https://accounts.example"},
        "cannot be the authority",
    ),
    ("front", "door", {"colour": "x"}, {"authority": "local"}, "cannot be the authority"),
    ("front", "gate", {"colour": "x"}, {}, "cannot be the authority"),
    ("front", "gate", {"colour": "x", "issuer": 7}, {}, "cannot be the authority"),
    ("front", "gate", {"colour": "x", "issuer": "a"}, {"authority": "b"}, "cannot be the authority"),
    ("front", "gate", {"colour": "x", "issuer": "a" * 256}, {}, "cannot be the authority"),
]


def test_what_makes_no_sense_is_not_kept(directory: Directory, providers: Providers) -> None:
    for name, kind, settings, more, says in NONSENSE:
        with pytest.raises(ProviderError, match=says):
            providers.add(tenant(directory), name, kind, settings, **more)
    assert names(providers, tenant(directory)) == ["local"]
    assert providers.add(tenant(directory), "front", "door", {"colour": "x"}), "what these are made of"


def test_who_vouches_may_stand_in_the_settings(directory: Directory, providers: Providers) -> None:
    made = providers.add(tenant(directory), "front", "gate", {"colour": "x", "issuer": "https://id.example"})
    assert made.authority == "https://id.example"


@both
def test_what_hangs_on_a_provider_goes_in_the_same_transaction(
    directory: Directory, kinds: Kinds, providers: Providers
) -> None:
    def refuse(connection: sa.Connection, provider: Provider) -> None:
        raise LookupError(provider.name)

    careful = Providers(directory, kinds, providers._secrets, refuse)
    providers.add(tenant(directory), "front", "door", {"colour": "x"})
    for name in ("front", "local"):
        with pytest.raises(LookupError, match=name):
            careful.remove(tenant(directory), name)
    assert names(careful, tenant(directory)) == ["front", "local"]


def test_an_examination_says_what_is_wrong(directory: Directory, providers: Providers) -> None:
    good = providers.add(tenant(directory), "front", "door", {"colour": "red"}, {"word": "x"})
    assert providers.examine(good) == [Finding("colour", True, "red"), Finding("word", True)]
    bad = Provider(1, 1, "front", "door", "x", "x")
    assert providers.examine(bad) == [Finding("settings", False, "A door needs a colour. Set colour")]
    gone = Provider(1, 1, "front", "saml", "x", "x")
    (found,) = providers.examine(gone)
    assert "no kind of provider 'saml'" in found.detail


def test_a_kind_of_ones_own_takes_the_place_of_a_built_in_one(doors: Doors) -> None:
    kinds = Kinds({"door": Gates, "oidc": Gates}, {"door": doors})
    assert kinds.get("door") is doors
    assert kinds.get("oidc") is kinds.get("oidc")
    assert kinds.names() == ["door", "oidc"]


def test_it_is_written_down(directory: Directory, kinds: Kinds) -> None:
    written: list[tuple[str, Any]] = []

    def note(action: str, *, tenant_id: int = 0, actor: str, connection: Any = None, **details: Any) -> None:
        written.append((action, (tenant_id, actor, connection is not None, details)))

    providers = Providers(directory, kinds, Secrets((), ["test"]), note=note)
    settings, secrets = {"colour": "red"}, {"word": "sesame"}
    providers.add(tenant(directory), "front", "door", settings, secrets, by="person:1")
    providers.add(tenant(directory), "front", "door", settings, secrets, replace=True)
    providers.remove(tenant(directory), "front", by="person:2")
    providers.rotate(by="person:3")
    assert [(action, entry[:3]) for action, entry in written] == [
        ("provider.added", (1, "person:1", True)),
        ("provider.replaced", (1, "system", True)),
        ("provider.removed", (1, "person:2", True)),
        ("secrets.rotated", (0, "person:3", False)),
    ]
    assert "sesame" not in repr(written)
    assert written[0][1][3] == {"provider": "front", "kind": "door", "authority": "door:1/front"}


def test_a_tenant_that_is_gone(directory: Directory, providers: Providers) -> None:
    gone = Tenant(99, "gone", "Gone")
    for change in (
        lambda: providers.add(gone, "front", "door", {"colour": "x"}),
        lambda: providers.remove(gone, "local"),
    ):
        with pytest.raises(TenantNotFoundError):
            change()


@both
def test_of_many_who_add_the_same_at_once_one_does(
    directory: Directory, make_providers: MakeProviders
) -> None:
    start, done, refused = threading.Barrier(4), [], []

    def add(colour: str) -> None:
        start.wait()
        try:
            done.append(make_providers().add(tenant(directory), "front", "door", {"colour": colour}))
        except ProviderError as error:
            refused.append(error.message)

    threads = [threading.Thread(target=add, args=(f"colour {number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (won,) = done
    assert len([message for message in refused if "already" in message]) == 3
    front = make_providers().get(tenant(directory), "front")
    assert front is not None
    assert front.settings == won.settings
