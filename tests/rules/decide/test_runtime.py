"""What the wall is told, statement by statement."""

from __future__ import annotations

import gc
import threading
import weakref
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import flask
import pytest

from flask_tenant.context import Scope
from flask_tenant.errors import ConfigurationError, RuleEngineError
from flask_tenant.expressions import Call, Constant, Fact, Kind
from flask_tenant.model import Resolution, Tenant
from flask_tenant.rules.facts import Facts, Moment
from flask_tenant.rules.model import Condition, Deny, Guard
from flask_tenant.rules.runtime import Rules
from tests.rules.books import MemoryBook

from .sets import ACME, boolean, rule, rules

TENANTS = {slug: Tenant(number, slug, slug.title()) for number, slug in enumerate(("acme", "globex"), 1)}


class Holder:
    def __init__(self):
        self.ft_held = {}


class World:
    """A tenant, its rules, and facts that a test sets."""

    def __init__(self, *sets):
        self.values = {"roles": ["agent"], "channel": "api", "user.id": 3}
        self.scope = Scope(TENANTS["acme"])
        self.now = datetime(2026, 11, 22, 23, 59, 30, tzinfo=UTC)
        self.tables = ("customer", "invoice", "ticket")
        self.facts = Facts()
        for name, kind in (("roles", Kind.TEXTS), ("channel", Kind.TEXT), ("user.id", Kind.INT)):
            self.facts.provider(name, kind)(lambda name=name: self.values.get(name))
        self.book = MemoryBook(sets)
        self.rules = Rules(
            lambda: self.scope, self.facts, self.book, lambda: self.tables, clock=lambda: self.now
        )
        self.holder = Holder()

    def ask(self):
        return self.rules.ruling(self.holder)

    def ended(self):
        self.holder.ft_held.clear()


@pytest.fixture
def world():
    return World(ACME)


def test_a_ruling(world):
    found = world.ask()
    assert found.decision.fired == ("own-or-open", "api-limits", "numbers", "closed")
    assert found.values == (3, "open", Decimal(10000))
    assert world.ask() is found, "nothing has changed"


def test_facts_are_those_of_each_statement(world):
    first = world.ask()
    world.values["user.id"] = 4
    second = world.ask()
    assert second.values[0] == 4
    assert second.decision is first.decision
    world.values["roles"].append("auditor")  # the very same list
    assert world.ask().decision.fired == ("api-limits", "numbers", "closed")
    del world.values["roles"]
    assert "own-or-open" in world.ask().decision.fired


def test_no_rules(world):
    world.scope = Scope(TENANTS["globex"])
    assert world.ask() is None


@pytest.mark.parametrize(
    "scope",
    [None, Scope(None, reason="report"), Scope(None, internal=True), Scope(Tenant(0, "t", "T"))],
    ids=repr,
)
def test_whom_rules_are_not_for(world, scope):
    world.scope = scope
    assert world.ask() is None


def test_a_transaction_has_one_version(world):
    first = world.ask()
    world.book.activate(rules(version=8))
    assert world.ask().decision.version == 7
    assert world.rules.ruling(Holder()).decision.version == 8
    assert world.ask() is first
    world.ended()
    assert world.ask().decision.version == 8
    world.book.drop("acme")
    assert world.ask().decision.version == 8
    world.ended()
    assert world.ask() is None
    world.book.activate(ACME)
    assert world.ask() is None, "that there are no rules is a version too"


LATE = boolean(">=", Fact(Kind.TIME, "now"), Constant(Kind.TIME, datetime(2026, 11, 23, tzinfo=UTC)))


def test_a_transaction_has_one_now(world):
    night = rule("night", Deny(("Later",)), applies=Condition(((0, None),)))
    slot = Call(Kind.DATE, "-", (Fact(Kind.DATE, "today"), Constant(Kind.DURATION, timedelta(days=90))))
    world.book.activate(rules(night, guards=(Guard(LATE, True),), slots=(slot, Fact(Kind.TIME, "now"))))
    first = world.ask()
    assert first.decision.fired == ()
    assert [str(value) for value in first.values] == ["2026-08-24", "2026-11-22 23:59:30+00:00"]
    world.now += timedelta(minutes=1)
    assert world.ask() is first
    world.ended()
    second = world.ask()
    assert second.decision.fired == ("night",)
    assert [str(value) for value in second.values] == ["2026-08-25", "2026-11-23 00:00:30+00:00"]


def test_another_tenant_on_the_same_holder(world):
    world.ask()
    world.scope = Scope(TENANTS["globex"])
    assert world.ask() is None
    world.scope = Scope(TENANTS["acme"])
    assert world.ask() is not None


def test_holders_are_not_kept(world):
    holders = [Holder() for _ in range(100)]
    assert all(world.rules.ruling(holder) is not None for holder in holders)
    gone = [weakref.ref(holder) for holder in holders]
    del holders
    gc.collect()
    assert not any(ref() for ref in gone)


def test_applications_that_share_a_connection_have_rules_of_their_own(world):
    other = World(rules(version=9))
    other.holder = world.holder
    assert world.ask().decision.version == 7
    assert other.ask().decision.version == 9
    assert world.ask().decision.version == 7


def test_new_tables_are_among_all_tables(world):
    assert "order" not in world.ask().decision.caps
    world.tables = (*world.tables, "order")
    world.ended()
    assert world.ask().decision.caps["order"] == (1000, "api-limits")


# ---- refusals
def test_a_provider_that_fails_refuses(world):
    world.facts._known.pop("roles")
    world.facts.provider("roles", Kind.TEXTS)(lambda: 1 / 0)
    with pytest.raises(RuleEngineError, match=r"'roles' cannot be told: ZeroDivisionError"):
        world.ask()


def test_a_provider_of_another_type_refuses(world):
    world.values["channel"] = 1
    with pytest.raises(RuleEngineError, match="'channel': A value of type int is no text"):
        world.ask()


def test_a_fact_that_nobody_provides_refuses(world):
    world.facts._known.pop("roles")
    with pytest.raises(RuleEngineError, match=r"nobody provides it\. @tenancy\.facts\.provider"):
        world.ask()


def test_a_fact_of_another_type_by_now_refuses(world):
    world.ask()
    world.facts._known.pop("roles")
    world.facts.provider("roles", Kind.TEXT)(lambda: "agent")
    world.ended()
    with pytest.raises(RuleEngineError, match="is of type text now"):
        world.ask()


def test_an_engine_that_fails_refuses(world, monkeypatch):
    engine = world.rules._engine()
    monkeypatch.setattr(engine, "_run", lambda question: 1 / 0)
    world.values["channel"] = "never asked before"
    world.values["roles"] = ["other"]
    with pytest.raises(RuleEngineError, match="The rule engine failed"):
        world.rules.decide(ACME, {"channel": "x"})


def test_a_decision_that_fails_refuses(world, monkeypatch):
    monkeypatch.setattr("flask_tenant.rules.decide.Composer.compose", lambda *args: [][0])
    with pytest.raises(RuleEngineError, match="cannot be decided: IndexError"):
        world.ask()


# ---- facts
def test_statements_of_a_provider_know_no_facts(world):
    """A provider that loads the user asks the database, which asks the rules, which ask the provider."""
    seen = []

    def roles():
        seen.append(world.ask().decision.fired)
        return ["auditor"]

    world.facts._known.pop("roles")
    world.facts.provider("roles", Kind.TEXTS)(roles)
    assert world.ask().decision.fired == ("api-limits", "numbers", "closed")
    assert seen == [("own-or-open", "api-limits", "numbers", "closed")], "unknown: whatever restricts applies"


@pytest.mark.parametrize("name", ["Roles", "a b", "row.x", "new", "rows", "a.", "1a", ""])
def test_names_of_facts(name):
    with pytest.raises(ConfigurationError, match="cannot be the name"):
        Facts().provider(name, Kind.TEXT)


def test_facts_are_declared_once():
    facts = Facts()
    facts.provider("user.id", Kind.TEXT)(lambda: "a")  # in place of the built-in one
    assert facts.kinds["user.id"] is Kind.TEXT
    for name in ("user.id", "now", "tenant.id"):
        with pytest.raises(ConfigurationError, match="has a provider already"):
            facts.provider(name, Kind.TEXT)


def test_built_in_facts():
    resolution = []
    facts = Facts(lambda: resolution[0] if resolution else None)
    app = flask.Flask(__name__)
    tenant = Tenant(5, "acme", "Acme", config={"plan": "starter"})
    moment = Moment(Scope(tenant), datetime(2026, 12, 1, 3, tzinfo=UTC))

    def read():
        return {name: facts.reader(name, kind)(moment) for name, kind in facts.kinds.items()}

    fixed = {
        "month": 12,
        "now": moment.now,
        "today": moment.today,
        "plan": "starter",
        "tenant.id": 5,
        "tenant.plan": "starter",
        "tenant.slug": "acme",
        "tenant.timezone": "UTC",
        "user.id": None,
    }
    assert read() == {**fixed, "channel": "job", "method": None, "path": None}
    with app.test_request_context("/reports/x?a=1", method="POST"):
        assert read() == {**fixed, "channel": "page", "method": "POST", "path": "/reports/x"}
        resolution.append(Resolution(tenant, "token"))
        assert read()["channel"] == "api"
    with app.test_request_context("/api/x", headers={"Accept": "text/html"}):
        resolution.clear()
        assert read()["channel"] == "api"
    with app.test_cli_runner().app.app_context():
        import click

        with click.Context(click.Command("x")):
            assert read()["channel"] == "cli"


def test_the_user_of_flask_login():
    flask_login = pytest.importorskip("flask_login")
    app = flask.Flask(__name__)
    app.secret_key = "x"
    manager = flask_login.LoginManager(app)
    user = flask_login.UserMixin()
    user.id = 7
    manager.user_loader(lambda number: user)
    facts = Facts()
    read, moment = facts.reader("user.id", Kind.INT), Moment(Scope(TENANTS["acme"]), datetime.now(UTC))
    with app.test_request_context("/"):
        assert read(moment) is None
        flask_login.login_user(user)
        assert read(moment) == 7
        user.id = "7"
        with pytest.raises(RuleEngineError, match=r"'user\.id'"):
            read(moment)


def test_threads(world):
    """Under alternating facts, tenants and versions nobody gets another's decision."""
    wrong, done = [], threading.Event()
    local = threading.local()
    world.facts._known.pop("roles")
    world.facts.provider("roles", Kind.TEXTS)(lambda: local.roles)
    world.book.activate(rules(*ACME.rules, guards=ACME.guards, tenant="globex", version=1))
    source = Rules(lambda: local.scope, world.facts, world.book, lambda: world.tables)

    def work(seed):
        holder = Holder()
        for number in range(300):
            tenant = TENANTS["acme" if (number + seed) % 2 else "globex"]
            local.scope = Scope(tenant)
            local.roles = [f"role{number}", "auditor"] if number % 3 else [f"role{number}"]
            found = source.ruling(holder).decision
            if found.version not in ({7, 8} if tenant.slug == "acme" else {1}):
                wrong.append((tenant.slug, found.version))
            if ("own-or-open" in found.fired) is bool(number % 3):
                wrong.append((number, found.fired))
            if number % 5 == 0:
                holder.ft_held.clear()
        done.set()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    version = 7
    while not done.is_set():
        version = 15 - version
        world.book.activate(rules(*ACME.rules, guards=ACME.guards, version=version))
    for thread in threads:
        thread.join()
    assert wrong == []
