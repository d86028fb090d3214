"""How often somebody may try to log in; what is refused where a tenant is suspended, and what stands in the log."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from flask_tenant.errors import LoginRefusedError, ProviderUnavailableError
from flask_tenant.identity import Attempt, Identified
from flask_tenant.model import TenantState
from tests.accounts.app.conftest import Elsewhere, MakeSite, Site, at, me
from tests.accounts.app.test_entry import corp

pytestmark = pytest.mark.databases("sqlite")


def test_beginning_a_log_in_elsewhere_is_counted(make_site: MakeSite) -> None:
    """A link does it, and each leaves a row; who ends it has it back."""
    site = make_site(TENANT_LOGIN_LIMITS={"begin.network": "3 per hour"})
    corp(site, "acme", joins=True)
    browser = site.app.test_client()
    for number in range(5):
        state = browser.get(at("acme", "/to/corp")).text
        answer = {"state": state, "subject": f"somebody-{number}"}
        assert browser.get(at("acme", "/back/corp"), query_string=answer).status_code == 200
    assert [browser.get(at("acme", "/to/corp")).status_code for _ in range(5)] == [200] * 3 + [429] * 2
    assert browser.get(at("acme", "/to/local")).status_code == 200  # a form leaves nothing
    with site.state.directory.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM tenancy_ticket")) == 3


def test_many_people_behind_one_address_log_in(make_site: MakeSite) -> None:
    site = make_site(TENANT_LOGIN_LIMITS={"login.network": "3 per hour"})
    corp(site, "acme", joins=True)

    def log_in(number: int, **bent: str) -> int:
        browser = site.app.test_client()
        answer = {"state": browser.get(at("acme", "/to/corp")).text, "subject": f"somebody-{number}", **bent}
        return browser.get(at("acme", "/back/corp"), query_string=answer).status_code

    assert [log_in(number) for number in range(6)] == [200] * 6
    assert [log_in(number, state="another") for number in range(4)] == [403] * 3 + [429]


def test_a_header_makes_no_other_network(make_site: MakeSite) -> None:
    """Anybody may send these; what is behind a proxy says so itself (werkzeug's ProxyFix)."""
    site = make_site(TENANT_LOGIN_LIMITS={"login.network": "3 per hour"})
    answers = []
    for number in range(5):
        address = f"192.0.2.{number}"
        headers = {"X-Forwarded-For": address, "X-Real-IP": address, "Forwarded": f"for={address}"}
        form = {"username": f"user{number}@example.com", "password": "wrong"}
        answers.append(
            site.app.test_client().post(at("acme", "/in/local"), data=form, headers=headers).status_code
        )
    assert answers == [403] * 3 + [429] * 2


def test_nothing_is_good_at_a_tenant_that_is_suspended(site: Site, browser: FlaskClient) -> None:
    directory, acme = site.state.directory, site.tenant("acme")
    site.member("ada", "acme", "bella")
    site.log_in(browser, "acme", "ada")
    site.log_in(browser, "bella", "ada")
    ticket = browser.post(at("bella", "/switch/acme")).text
    bearer = {"Authorization": f"Bearer {directory.create_token(acme, 'all')[1]}"}
    tries = [
        lambda: browser.get(at("acme", "/who")),
        lambda: browser.get(at("acme", "/export"), headers=bearer),
        lambda: site.app.test_client().post(at("acme", "/arrive"), data={"ticket": ticket}),
        lambda: site.app.test_client().get(at("acme", "/_tenant/login")),
    ]
    directory.set_state(acme, TenantState.SUSPENDED)
    assert [answer().status_code for answer in tries] == [403] * 4
    assert me(browser, "bella") is not None
    directory.set_state(site.tenant("acme"), TenantState.ACTIVE)
    assert [answer().status_code for answer in tries] == [200] * 4


@pytest.mark.parametrize("name", ["corp", "local"])
def test_who_has_tried_in_vain_gets_in_when_the_provider_is_back(make_site: MakeSite, name: str) -> None:
    """What could not be looked at was no guess."""
    site = make_site(TENANT_LOGIN_LIMITS={"login.network": "3 per hour", "login.account": "3 per hour"})
    site.member("ada", "acme")
    corp(site, "acme", joins=True)

    def log_in() -> int:
        browser = site.app.test_client()
        if name == "local":
            return site.log_in(browser, "acme", "ada")
        answer = {"state": browser.get(at("acme", "/to/corp")).text, "subject": "ada"}
        return browser.get(at("acme", "/back/corp"), query_string=answer).status_code

    class Down(Elsewhere):
        def finish(self, attempt: Attempt, answer: Mapping[str, str]) -> Identified:
            raise ProviderUnavailableError("It does not answer")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(site.ways, "open", Down)
        assert [log_in() for _ in range(5)] == [500] * 5
    assert log_in() == 200


def test_nothing_that_was_sent_begins_a_line_in_the_log(
    site: Site, browser: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    class Chatty(Elsewhere):
        def finish(self, attempt: Attempt, answer: Mapping[str, str]) -> Identified:
            raise LoginRefusedError(f"There is no {answer['subject']}", reason="unknown")

    corp(site, "acme", joins=True)
    site.ways.open = Chatty  # type: ignore[method-assign, assignment]
    answer = {"state": browser.get(at("acme", "/to/corp")).text}
    answer["subject"] = "x\nWARNING root:all is well\r\x1b[2J\u2028\u202e"
    assert browser.get(at("acme", "/back/corp"), query_string=answer).status_code == 403
    (line,) = [r.getMessage() for r in caplog.records if "refused" in r.getMessage()]
    assert "all is well" in line
    assert line.isprintable()
