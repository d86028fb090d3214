"""Members, invitations and sessions, as administrators and members see them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from flask_tenant.errors import MailError
from flask_tenant.identity import Member
from flask_tenant.model import TenantState
from flask_tenant.registry import state_of
from tests.accounts.site import ANNA, BERT, CARL, PASSWORD, Browser, accounts_of, act_as, box_of


@pytest.fixture
def guest(app: Flask) -> Iterator[Member]:
    """A member of acme for one test."""
    people = accounts_of(app).people
    person = people.create("gina@mail.example", "Gina", PASSWORD)
    yield people.add(1, person.id, name="Gina", email="gina@mail.example", roles=["agent"])
    if people.member(1, person.id) is not None:
        people.remove(1, person.id)
    directory = state_of(app).directory
    tables = directory.tables.people
    with directory.connect() as connection:
        for table in (tables.identity, tables.login_session, tables.app_user):
            connection.execute(table.delete().where(table.c.person_id == person.id))
        connection.execute(tables.person.delete().where(tables.person.c.id == person.id))


def test_an_invitation_is_mailed_and_accepted(app: Flask, anna: Browser) -> None:
    sent = anna.post(
        "/members/invite", page="/members", email="Ivy@mail.example", role="agent", more="auditor, x"
    )
    assert sent.headers["Location"] == "/_tenant/members"
    assert "ivy@mail.example is invited" in anna.get("/members").text
    (mail,) = box_of(app).mails
    assert (mail["to"], mail["template"], mail["by"]) == ("ivy@mail.example", "invitation", "Anna")
    path = mail["url"].removeprefix("http://acme.localhost/_tenant")
    assert "member already" in anna.get(path).text
    assert Browser(app, "bella.localhost").get(path).status_code == 410
    ivy = Browser(app)
    assert "Anna has invited you" in ivy.get(path).text
    assert ivy.post(path, page=path, name="Ivy", password="short").status_code == 400
    assert ivy.post(path, page=path, name="Ivy", password=PASSWORD).headers["Location"] == "/"
    assert "Hello Ivy" in ivy.get("//").text
    roles = re.search(r'aria-label="Roles of Ivy">(.*?)</ul>', anna.get("/members").text, re.DOTALL)
    assert roles is not None
    assert re.findall(r">(\w+)</li>", roles[1]) == ["agent", "auditor", "x"]
    assert Browser(app).get(path).status_code == 410
    late = Browser(app).post(path, name="Mallory", password=PASSWORD)
    assert late.status_code == 410


def test_an_invitation_is_accepted_with_a_password_that_is_there_already(app: Flask, anna: Browser) -> None:
    accounts_of(app).people.create("joe@mail.example", "Joe", PASSWORD)
    anna.post("/members/invite", page="/members", email="joe@mail.example", role="agent")
    path = box_of(app).mails[-1]["url"].removeprefix("http://acme.localhost/_tenant")
    joe = Browser(app)
    taken = joe.post(path, page=path, name="Joe", password="a new password")
    assert taken.status_code == 400
    link = re.search(r'href="/_tenant(/login/local[^"]+)"', joe.get(path).text)
    assert link is not None
    page = joe.get(link[1])
    action = re.search(r'action="/_tenant([^"]+)"', page.text)
    assert action is not None
    assert "invitation=" in action[1]
    done = joe.raw(
        action[1], {"csrf": joe.csrf("/login"), "username": "joe@mail.example", "password": PASSWORD}
    )
    assert done.status_code == 303
    assert "Hello Joe" in joe.get("//").text


def test_what_cannot_be_mailed_is_no_invitation(
    app: Flask, anna: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def send(*_: Any, **__: Any) -> None:
        raise MailError("down")

    monkeypatch.setattr(box_of(app), "send", send)
    answer = anna.post("/members/invite", page="/members", email="kim@mail.example")
    assert answer.status_code == 503
    assert accounts_of(app).people.invitations(1) == []


def test_what_somebody_is_called_is_text_on_every_page(app: Flask, anna: Browser, guest: Member) -> None:
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    people, state = accounts_of(app).people, state_of(app)
    person = people.by_email(ANNA)
    assert person is not None
    place = state.create("evil", evil)
    people.add(place.id, person.id, name=evil, roles=["administrator"])
    try:
        there = Browser(app, "evil.localhost")
        there.client.environ_base["HTTP_USER_AGENT"] = evil
        there.log_in()
        _, secret = people.invite(place.id, "kit@mail.example", [], person)
        acting = act_as(app, ANNA, reason=evil)
        pages = [there.get(path).text for path in ("/", "/sessions", "/members", "/tenants", "/logout")]
        pages += [
            Browser(app, "evil.localhost").get(path).text for path in ("/login", f"/invitation/{secret}")
        ]
        pages += [anna.get(path).text for path in ("/sessions", "/tenants")]
        acting.post("/impersonation/end", page="/")
    finally:
        state.directory.set_state(place, TenantState.ARCHIVED)
    for text in pages:
        assert "<script" not in text
        assert "<img" not in text
        assert "&lt;script&gt;alert(1)" in text


def test_nobodys_mailbox_is_filled(app: Flask, anna: Browser) -> None:
    spelt = [f"v.ictim+{n}@mail.example" for n in range(6)]
    answers = [anna.post("/members/invite", page="/members", email=email) for email in spelt]
    assert [answer.status_code for answer in answers] == [303] * 5 + [429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    carl = Browser(app, "bella.localhost")
    carl.log_in(CARL)
    assert carl.post("/members/invite", page="/members", email=spelt[0]).status_code == 429
    assert len(box_of(app).mails) == 5
    assert anna.post("/members/invite", page="/members", email="other@mail.example").status_code == 303


def test_numbers_that_are_nobodys(anna: Browser) -> None:
    for number in (0, 2**31, 10**30):
        for what in ("roles", "suspend", "resume", "remove", "end-sessions"):
            answer = anna.post(f"/members/{number}/{what}", page="/members", role="x")
            assert answer.status_code in (303, 404, 409), (number, what)
        revoked = anna.post(f"/members/invitations/{number}/revoke", page="/members")
        assert revoked.status_code in (404, 409)


def test_an_invitation_is_taken_back(app: Flask, anna: Browser) -> None:
    anna.post("/members/invite", page="/members", email="lou@mail.example")
    url = box_of(app).mails[-1]["url"]
    (open_one,) = accounts_of(app).people.invitations(1)
    anna.post(f"/members/invitations/{open_one.id}/revoke", page="/members")
    assert Browser(app).get(url.removeprefix("http://acme.localhost/_tenant")).status_code == 410


def test_roles_are_set_and_members_suspended_and_removed(app: Flask, anna: Browser, guest: Member) -> None:
    people, number = accounts_of(app).people, guest.person_id
    gina = Browser(app)
    gina.log_in("gina@mail.example")
    anna.post(f"/members/{number}/roles", page="/members", role="accounting", more="night shift")
    assert people.member(1, number).roles == {"agent"}  # a name with a blank is none: nothing was changed
    anna.post(f"/members/{number}/roles", page="/members", role="accounting", more="night-shift")
    assert people.member(1, number).roles == {"accounting", "night-shift"}
    assert gina.get("/members").status_code == 403
    anna.post(f"/members/{number}/suspend", page="/members")
    assert gina.get("//").status_code == 401
    assert gina.log_in("gina@mail.example").status_code == 403
    anna.post(f"/members/{number}/resume", page="/members")
    assert gina.log_in("gina@mail.example").status_code == 303
    anna.post(f"/members/{number}/end-sessions", page="/members")
    assert gina.get("//").status_code == 401
    anna.post(f"/members/{number}/remove", page="/members")
    assert people.member(1, number) is None


@pytest.mark.parametrize("what", ["roles", "suspend", "remove"])
def test_the_last_administrator_stays(app: Flask, anna: Browser, what: str) -> None:
    person = accounts_of(app).people.by_email(ANNA)
    assert person is not None
    answer = anna.post(f"/members/{person.id}/{what}", page="/members", role="agent")
    assert answer.status_code == 409
    assert "Somebody has to be administrator" in answer.text
    assert accounts_of(app).people.member(1, person.id).is_administrator
    assert anna.get("/members").status_code == 200


def test_members_of_another_tenant_are_out_of_reach(app: Flask, anna: Browser) -> None:
    carl = accounts_of(app).people.by_email("carl@mail.example")
    assert carl is not None
    for what in ("roles", "suspend", "remove"):
        assert anna.post(f"/members/{carl.id}/{what}", page="/members", role="x").status_code == 409
    assert accounts_of(app).people.member(2, carl.id).is_administrator
    assert "Carl" not in anna.get("/members").text


# ---- sessions
def _sessions(browser: Browser) -> list[str]:
    return re.findall(r'name="session" value="([0-9a-f]{64})"', browser.get("/sessions").text)


def test_members_see_and_end_their_own_sessions_only(app: Flask, anna: Browser, guest: Member) -> None:
    gina, phone = Browser(app), Browser(app)
    gina.log_in("gina@mail.example")
    phone.log_in("gina@mail.example")
    own = _sessions(gina)
    assert len(own) == 2
    annas = (set(_sessions(anna)) - set(own)).pop()
    gina.post("/sessions/end", page="/sessions", session=annas)
    assert anna.get("//").status_code == 200
    for digest in own:  # the other one first: ending one's own logs out
        if f'value="{digest}"' in gina.get("/sessions").text.split("this browser")[0]:
            gina.post("/sessions/end", page="/sessions", session=digest)
    gina.post("/sessions/end-mine", page="/sessions")
    assert (gina.get("//").status_code, phone.get("//").status_code) == (401, 401)
    assert anna.get("//").status_code == 200


def test_administrators_end_sessions_of_their_tenant_only(app: Flask, anna: Browser, guest: Member) -> None:
    gina, carl = Browser(app), Browser(app, "bella.localhost")
    gina.log_in("gina@mail.example")
    carl.log_in("carl@mail.example")
    theirs = accounts_of(app).sessions.of(2)
    assert theirs
    for session in theirs:
        anna.post("/sessions/end", page="/sessions", session=session.digest)
    assert carl.get("//").status_code == 200
    (hers,) = accounts_of(app).sessions.of(1, guest.person_id)
    anna.post("/sessions/end", page="/sessions", session=hers.digest)
    assert gina.get("//").status_code == 401


def test_bert_is_there(app: Flask) -> None:
    """The tests above would prove little in a tenant of one."""
    assert BERT in {member.email for member in accounts_of(app).people.members(1)}
