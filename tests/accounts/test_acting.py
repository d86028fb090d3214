"""An operator who acts as somebody: what they cannot do, what is written down, and when it is over."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask

from flask_tenant.accounts.pages.serving import _MODULES
from flask_tenant.registry import state_of
from tests.accounts.site import ANNA, BERT, OLGA, PASSWORD, Browser, accounts_of, act_as, make_site

FORMS = [
    page
    for module in _MODULES
    for page in module.all
    if page.method == "POST" and page.at.holds(tenant=True) and not page.forged
]


def _kept(app: Flask) -> list[list[tuple[object, ...]]]:
    directory = state_of(app).directory
    people = directory.tables.people
    with directory.connect() as connection:
        session = people.login_session.c
        tables = (people.membership, people.member_role, people.invitation, people.person, people.ticket)
        ended = [session.digest, session.ended_at]
        return [
            *(sorted(map(str, connection.execute(table.select()))) for table in tables),  # type: ignore[list-item]
            sorted(map(str, connection.execute(people.login_session.select().with_only_columns(*ended)))),  # type: ignore[list-item]
        ]


def test_who_acts_as_an_administrator_changes_nothing(app: Flask, anna: Browser) -> None:
    """Above all they invite nobody, not themselves either: that would outlast the time that they have."""
    acme = act_as(app, ANNA)
    assert "Send the invitation" in acme.get("/members").text
    refused = [page for page in FORMS if not page.acting]
    assert {
        "invite",
        "set_roles",
        "remove",
        "end_all",
        "end_mine",
        "switch",
        "new_password_send",
        "join",
    } <= {page.name for page in refused}
    bert = accounts_of(app).people.by_email(BERT)
    assert bert is not None
    fields = {"email": OLGA, "role": "administrator", "password": PASSWORD, "name": "O", "tenant": "bella"}
    before = _kept(app)
    for page in refused:
        answer = acme.post(re.sub(r"<[^>]*>", str(bert.id), page.path), page="/members", **fields)
        assert (answer.status_code, "Not as somebody else" in answer.text) == (403, True), page
    assert _kept(app) == before
    assert anna.post("/members/invite", page="/members", email="x@mail.example").status_code == 303


def test_they_end_what_is_theirs_and_no_other_session(app: Flask, anna: Browser) -> None:
    acme = act_as(app, ANNA)
    listed = {s.digest: s for s in accounts_of(app).sessions.of(1)}
    annas = next(s.digest for s in listed.values() if s.impersonator_id is None)
    assert acme.post("/sessions/end", page="/sessions", session=annas).status_code == 403
    assert anna.get("//").status_code == 200
    own = next(s.digest for s in accounts_of(app).sessions.of(1) if s.impersonator_id is not None)
    ended = acme.post("/sessions/end", page="/sessions", session=own)
    assert ended.headers["Location"] == "/_tenant/logged-out"
    assert acme.get("//").status_code == 401
    assert {page.name for page in FORMS if page.acting} == {
        "log_out_send",
        "end_session",
        "end_impersonation",
        "arrive_send",
    }


def test_both_chains_have_its_beginning_and_its_end(app: Flask) -> None:
    people, trail = accounts_of(app).people, state_of(app).trail
    olga, bert, anna = (people.by_email(email) for email in (OLGA, BERT, ANNA))
    assert olga is not None
    assert bert is not None
    assert anna is not None
    seen = {chain: len([*trail.entries(chain)]) for chain in (0, 1)}
    acme = act_as(app, BERT)
    act_as(app, ANNA, browser=acme)  # the first one ends with it
    acme.post("/impersonation/end", page="/")
    for chain in (0, 1):
        found = [e for e in [*trail.entries(chain)][seen[chain] :] if e.action.startswith("impersonation.")]
        for person in (bert, anna):
            kinds = [e.action.rpartition(".")[2] for e in found if e.known["person"] == person.id]
            assert kinds == ["began", "ended"], (chain, person)
        assert {e.actor for e in found} == {f"person:{olga.id}"}
        assert found[0].known["reason"] == "Ticket 4711"


def test_its_time_is_over_in_the_middle_of_a_request(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That request is answered under the banner; the next one is nobody's."""
    app = make_site(tmp_path_factory.mktemp("slow"))
    sessions = accounts_of(app).sessions

    @app.get("/slow")
    def slow() -> str:
        (found,) = (s for s in sessions.of(1) if s.impersonator_id is not None)
        monkeypatch.setattr(sessions, "_clock", lambda: found.expires_at + timedelta(seconds=1))
        return "<!doctype html><body>slow"

    acme = act_as(app, BERT)
    page = acme.get("//slow")
    assert page.status_code == 200
    assert "tenancy-banner" in page.text
    assert acme.get("//").status_code == 401
    assert acme.get("/").headers["Location"].startswith("/_tenant/login")


def test_who_ends_somebody_elses_session_is_written_down(app: Flask, anna: Browser) -> None:
    people, trail = accounts_of(app).people, state_of(app).trail
    annas, berts = people.by_email(ANNA), people.by_email(BERT)
    assert annas is not None
    assert berts is not None
    bert = Browser(app)
    before = len([*trail.entries(1, action="session.")])
    for path in ("/sessions/end", f"/members/{berts.id}/end-sessions"):
        bert.log_in(BERT)
        digest = accounts_of(app).sessions.of(1, berts.id)[0].digest  # the newest
        anna.post(path, page="/members", session=digest)
        assert bert.get("//").status_code == 401
    found = [*trail.entries(1, action="session.")][before:]
    assert [(e.action, e.actor, e.known) for e in found] == [
        ("session.ended", f"person:{annas.id}", {"person": berts.id})
    ] * 2
