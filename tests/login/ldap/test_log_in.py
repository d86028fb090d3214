"""Who logs in through a directory, and as whom."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from flask_tenant.errors import LoginRefusedError, ProviderError, ProviderUnavailableError
from flask_tenant.identity import Ask, Identified, Identity, Provider
from flask_tenant.login.ldap import Ldap
from flask_tenant.login.ldap.client import _subject
from flask_tenant.login.providers import Kinds
from tests.login.ldap.conftest import ATTEMPT, LogIn, MakeProvider
from tests.services.slapd import ACME, BELLA, READER_PASSWORD, Slapd, password_of, uuid_of

WHOLE = (f"cn=chiefs,ou=groups,{ACME}", f"cn=staff,ou=groups,{ACME}")


@pytest.mark.parametrize("tls", [True, False], ids=["ldaps", "StartTLS"])
def test_a_person_logs_in(slapd: Slapd, log_in: LogIn, tls: bool) -> None:
    found = log_in("ann", url=slapd.url("127.0.0.1", tls=tls))
    assert found == Identified(
        Identity("ldap:1/directory", uuid_of(ACME, "ann")), name="Ann Archer", email="ann@acme.test"
    )
    assert not found.email_verified


def test_a_form_is_asked_for_and_the_server_is_not(make_provider: MakeProvider) -> None:
    client = Ldap().open(make_provider(url="ldaps://127.0.0.1:1"))
    assert client.begin(ATTEMPT) == Ask(("username", "password"))


def test_the_same_name_elsewhere_is_somebody_else(log_in: LogIn) -> None:
    acme, bella = log_in("ann"), log_in("ann", suffix=BELLA)
    assert acme.identity.subject != bella.identity.subject
    assert acme.identity.authority != bella.identity.authority


def test_one_directorys_people_are_nobody_at_another(log_in: LogIn) -> None:
    assert log_in("bob").name == "Bob Baker"
    with pytest.raises(LoginRefusedError) as caught:
        log_in("bob", suffix=BELLA)
    assert caught.value.reason == "unknown"
    # Not even if the tenant's row names the other's part of the server: its service account sees nothing there.
    with pytest.raises((LoginRefusedError, ProviderUnavailableError)):
        log_in("bob", suffix=BELLA, base=f"ou=people,{ACME}")


def test_letters_of_all_alphabets(log_in: LogIn) -> None:
    assert log_in("zoe", suffix=BELLA).name == "Zoë Bell"
    assert log_in(
        "Zoë Bell", password_of("zoe"), suffix=BELLA, filter="(cn={username})"
    ).identity.subject == (uuid_of(BELLA, "zoe"))


def test_what_is_typed_around_a_name_is_left_out(log_in: LogIn) -> None:
    assert log_in("  ann ", password_of("ann")).name == "Ann Archer"


@pytest.mark.parametrize(
    ("settings", "groups"),
    [
        ({}, ()),
        ({"group_base": f"ou=groups,{ACME}"}, ("chiefs", "staff")),
        ({"group_base": f"ou=groups,{ACME}", "group_filter": "(&(cn=staff)(member={dn}))"}, ("staff",)),
        ({"group_base": f"ou=groups,{ACME}", "group_name": "dn"}, WHOLE),
        ({"group_base": f"ou=groups,{ACME}", "group_filter": "(memberUid={username})"}, ()),
        ({"group_attribute": "memberOf"}, ("chiefs", "staff")),
        ({"group_attribute": "memberOf", "group_name": "dn"}, WHOLE),
        ({"group_attribute": "memberOf", "group_name": "ou"}, ()),
        ({"group_attribute": "memberOf", "group_base": f"ou=groups,{ACME}"}, ("chiefs", "staff")),
        ({"group_attribute": "mail"}, ()),
    ],
)  # fmt: skip
def test_groups(slapd: Slapd, log_in: LogIn, settings: dict[str, str], groups: tuple[str, ...]) -> None:
    assert log_in("ann", **settings).groups == groups


def test_somebody_in_no_group(log_in: LogIn) -> None:
    assert log_in("zoe", suffix=BELLA, group_base=f"ou=groups,{BELLA}").groups == ("staff",)
    assert log_in("ann", suffix=BELLA, group_base=f"ou=groups,{BELLA}").groups == ()


def test_a_subtree_and_one_level(log_in: LogIn) -> None:
    assert log_in("ann", base=ACME).name == "Ann Archer"
    assert log_in("ann", scope="onelevel").name == "Ann Archer"
    with pytest.raises(LoginRefusedError) as caught:
        log_in("ann", base=ACME, scope="onelevel")
    assert caught.value.reason == "unknown"


# ---- who is not let in
@pytest.mark.parametrize(
    ("username", "password", "settings", "reason"),
    [
        ("ann", "wrong", {}, "password"),
        ("ann", password_of("bob"), {}, "password"),
        ("ann", " ", {}, "password"),
        ("nobody", "whatever", {}, "unknown"),
        ("reader", READER_PASSWORD, {}, "unknown"),
        ("twin", password_of("twin"), {"base": ACME}, "ambiguous"),
        ("ann", password_of("ann"), {"filter": "(|(uid={username})(sn=x))"}, "ambiguous"),
        ("", "x", {}, "username"),
        ("  ", "x", {}, "username"),
        ("a" * 257, "x", {}, "username"),
        ("an\nn", "x", {}, "username"),
        ("ann\0", "x", {}, "username"),
        ("\ud800", "x", {}, "username"),
        ("ann", "x" * 257, {}, "password"),
        ("ann", "\ud800", {}, "password"),
        ("ann", password_of("ann"), {"subject": "description"}, "subject"),
        ("ann", password_of("ann"), {"subject": "telephoneNumber"}, "subject"),
        ("ann", password_of("ann"), {"subject": "userPassword"}, "subject"),
    ],
)  # fmt: skip
def test_who_proves_nothing_is_refused(
    log_in: LogIn, username: str, password: str, settings: dict[str, str], reason: str
) -> None:
    with pytest.raises(LoginRefusedError) as caught:
        log_in(username, password, **settings)
    assert caught.value.reason == reason
    assert (password not in ("x", " ") and password not in str(caught.value)) or len(password) < 2


def test_fields_that_were_not_sent(make_provider: MakeProvider) -> None:
    client = Ldap().open(make_provider())
    for answer in ({}, {"username": "ann"}, {"password": "x"}):
        with pytest.raises(LoginRefusedError):
            client.finish(ATTEMPT, answer)


def test_two_values_are_no_subject() -> None:
    guid = uuid.UUID("12345678-1234-5678-1234-567812345678")
    assert _subject(("x", {"objectguid": [guid.bytes_le]}), "objectGUID") == str(guid)
    for values in ([], [b""], [b" "], [b"a", b"b"], [b"a" * 256], [b"a\nb"], [b"\xff" * 300]):
        with pytest.raises(LoginRefusedError):
            _subject(("x", {"entryuuid": values}), "entryUUID")


# ---- settings
@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"url": "http://127.0.0.1"}, "url"),
        ({"url": "ldapi:///"}, "url"),
        ({"url": "ldaps://"}, "url"),
        ({"url": "ldaps://host:port"}, "url"),
        ({"url": "ldaps://host:0"}, "url"),
        ({"url": "ldaps://host/dc=x"}, "url"),
        ({"url": "ldaps://host?x"}, "url"),
        ({"url": "ldaps://me@host"}, "url"),
        ({"url": "ldaps://one ldap://two"}, "url"),
        ({"url": ""}, "url"),
        ({"url": 7}, "url"),
        ({"base": None}, "base is missing"),
        ({"base": "people"}, "base"),
        ({"bind_dn": None}, "bind_dn is missing"),
        ({"bind_dn": "reader"}, "bind_dn"),
        ({"bind_password": ""}, "bind_password is missing"),
        ({"filter": "(uid=ann)"}, "filter"),
        ({"filter": "uid={username}"}, "filter"),
        ({"filter": "(uid={user})"}, "filter"),
        ({"filter": "(uid={username})(x={dn})"}, "filter"),
        ({"group_filter": "(cn=*)"}, "group_filter"),
        ({"scope": "all"}, "scope"),
        ({"subject": ""}, "subject"),
        ({"subject": "*"}, "subject"),
        ({"name": "a b"}, "name"),
        ({"ca_file": "/nowhere/ca.pem"}, "ca_file"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": "5"}, "timeout"),
        ({"timeout": True}, "timeout"),
        ({"timeout": 3600}, "timeout"),
        ({"verify": False}, "verify is unknown"),
        ({"base": f"ou=people,{ACME}\n"}, "base"),
    ],
)
def test_settings_that_make_no_sense(
    make_provider: MakeProvider, settings: dict[str, Any], says: str
) -> None:
    with pytest.raises(ProviderError, match=says) as caught:
        Ldap().open(make_provider(**settings))
    assert READER_PASSWORD not in str(caught.value)


def test_what_is_kept_is_not_shown(make_provider: MakeProvider) -> None:
    client = Ldap().open(make_provider())
    assert READER_PASSWORD not in repr(client.settings)
    assert client.settings.bind_password == READER_PASSWORD


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ldap", None)
    kind = Kinds({"ldap": Ldap}, {}).get("ldap")
    for use in (kind.open, kind.examine):
        with pytest.raises(ProviderError, match=r"flask-tenant\[ldap\]"):
            use(Provider(1, 1, "x", "ldap", "x", "x"))
