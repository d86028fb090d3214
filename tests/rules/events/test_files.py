"""From a rule file's text to what its event rules do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flask_tenant.errors import RuleFileError
from flask_tenant.expressions import Kind
from flask_tenant.rules.store import RuleFile
from tests.rules.books import MemoryBook
from tests.rules.events.world import Shop

pytestmark = pytest.mark.databases("sqlite")

TEXT = """\
version: 1
scope: {tenant: acme}
rules:
- id: lockout
  for: {event: login.failed}
  count: {by: user.id, at_least: 3, within: 5m}
  do: [{hook: lock_account}, {emit: account.locked}]
- {id: told, for: {event: account.locked}, do: [{hook: lock_account}]}
- {id: quota, for: {event: usage.changed}, when: usage.ratio >= 0.8, once: month, do: [{webhook: ops}]}
"""


def test_the_examples(make_shop: Callable[..., Shop]) -> None:
    shop = make_shop()
    events = shop.tenancy.events
    events.declare("login.failed", {"user.id": Kind.INT})
    events.declare("account.locked", {"user.id": Kind.INT})
    events.declare("usage.changed")
    shop.tenancy.webhooks.add("ops")
    acme = shop.state.directory.get("acme")
    with shop.app.app_context():
        rules = shop.state.governance.compile([RuleFile("acme.yaml", "tenant:acme", TEXT)], acme)
        with pytest.raises(RuleFileError, match=r"opps") as raised:
            wrong = TEXT.replace("webhook: ops", "webhook: opps")
            shop.state.governance.compile([RuleFile("acme.yaml", "tenant:acme", wrong)], acme)
    assert "ops" in str(raised.value)
    shop.state.rules.book = MemoryBook([rules])

    assert [shop.send("login.failed", user__id=7) for _ in range(3)] == [0, 0, 2]
    assert [event.rule for event in shop.calls] == ["lockout", "told"]
    for ratio, waiting in ((0.5, 0), (0.8, 1), (0.9, 1)):
        shop.ratio = ratio
        shop.send("usage.changed")
        assert len(shop.rows("webhook")) == waiting, ratio
