"""What is active, what was, and who has switched it; what depends on the database on both kinds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from flask_tenant.directory import Directory, own_database
from flask_tenant.errors import RuleConflictError, RuleEngineError, RuleFileError
from flask_tenant.model import Tenant
from flask_tenant.rules.model import RuleSet
from flask_tenant.rules.store import Activated, Activations, RuleBook, RuleFile, differences
from tests.rules.operations.language import compile_, dump, ids, restore

pytestmark = pytest.mark.databases("sqlite")
BOTH = pytest.mark.databases("sqlite", "postgresql+psycopg")


@dataclass
class Shop:
    """An installation with two tenants, and the rules of its servers."""

    directory: Directory
    activations: Activations
    book: RuleBook
    acme: Tenant
    bella: Tenant

    def activate(self, *files: RuleFile, remove: tuple[str, ...] = ()) -> Activated | None:
        return self.activations.activate(files, author="olga", reason="because", remove=remove)

    def seen(self, tenant: Tenant) -> list[str]:
        return ids(self.rules(tenant))

    def rules(self, tenant: Tenant) -> RuleSet | None:
        self.book.enter(tenant)
        return self.book.active(tenant)


ALL = RuleFile("_all.yaml", "all", "one two")
OWN = RuleFile("acme.yaml", "tenant:acme", "three")
PLAN = RuleFile("plans/gold.yaml", "plan:gold", "four")


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = sa.create_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def shop(engine: Engine) -> Shop:
    directory = Directory(own_database(engine))
    directory.prepare()
    acme, bella = (directory.create(slug, slug, lambda *_: None) for slug in ("acme", "bella"))
    activations = Activations(directory, compile_, dump, directory.all)
    return Shop(directory, activations, RuleBook(directory, compile_, restore), acme, bella)


@BOTH
def test_what_is_active_holds_for_those_it_is_for(shop: Shop) -> None:
    assert shop.rules(shop.acme) is None
    done = shop.activate(ALL, OWN)
    assert done is not None
    assert (done.number, done.author, done.reason) == (1, "olga", "because")
    assert shop.seen(shop.acme) == ["one", "two", "three"]
    assert shop.seen(shop.bella) == ["one", "two"]
    found = shop.rules(shop.bella)
    assert found is not None
    assert (found.tenant, found.version) == ("bella", 1)


def test_a_tenant_that_comes_later_obeys_what_holds_for_all(shop: Shop) -> None:
    shop.activate(ALL)
    carla = shop.directory.create("carla", "Carla", lambda *_: None)
    assert shop.seen(carla) == ["one", "two"]


@BOTH
def test_a_plan_s_rules_come_and_go_with_the_plan(shop: Shop) -> None:
    shop.activate(ALL, OWN, PLAN)
    assert shop.seen(shop.acme) == ["one", "two", "three"]
    shop.directory.set_config(shop.acme, "plan", "gold")
    assert shop.seen(shop.acme) == ["one", "two", "three", "four"]
    shop.directory.unset_config(shop.acme, "plan")
    assert shop.seen(shop.acme) == ["one", "two", "three"]


def test_rules_stay_with_a_tenant_that_is_renamed(shop: Shop) -> None:
    shop.activate(OWN)
    apex = shop.directory.rename(shop.acme, "apex")
    assert shop.seen(apex) == ["three"]
    taker = shop.directory.create("other", "Other", lambda *_: None)
    assert shop.seen(taker) == []


def test_a_broken_file_replaces_nothing(shop: Shop) -> None:
    shop.activate(ALL, OWN)
    with pytest.raises(RuleFileError) as caught:
        shop.activate(
            RuleFile("_all.yaml", "all", "five broken"), RuleFile("acme.yaml", "tenant:acme", "six")
        )
    assert caught.value.findings == ("_all.yaml:2:1: broken",)
    assert shop.seen(shop.acme) == ["one", "two", "three"]
    assert [a.number for a in shop.activations.history.all()] == [1]


def test_what_breaks_for_one_tenant_is_activated_for_none(shop: Shop) -> None:
    shop.activate(ALL, OWN)

    def picky(files: object, tenant: Tenant | None) -> RuleSet:
        if tenant is not None and tenant.slug == "acme":
            raise RuleFileError("a widening")
        return compile_(files, tenant)  # type: ignore[arg-type]

    activations = Activations(shop.directory, picky, dump, shop.directory.all)
    with pytest.raises(RuleFileError, match="a widening"):
        activations.activate([RuleFile("_all.yaml", "all", "seven")], author="olga")
    assert shop.seen(shop.bella) == ["one", "two"]


def test_nothing_is_activated_twice(shop: Shop) -> None:
    shop.activate(ALL)
    assert shop.activate(ALL) is None


def test_a_file_that_is_removed_holds_no_longer(shop: Shop) -> None:
    shop.activate(ALL, OWN)
    shop.activate(remove=("acme.yaml",))
    found = shop.rules(shop.acme)
    assert (ids(found), found and found.version) == (["one", "two"], 2)
    with pytest.raises(RuleFileError, match="not active"):
        shop.activate(remove=("acme.yaml",))


@BOTH
def test_going_back_is_an_activation_of_its_own(shop: Shop) -> None:
    shop.activate(ALL)
    shop.activate(RuleFile("_all.yaml", "all", "eight"), OWN)
    done = shop.activations.rollback(1, author="otto", reason="eight was wrong")
    assert done is not None
    assert (done.number, done.back_to, [s.name for s in done.switches]) == (3, 1, ["_all.yaml", "acme.yaml"])
    assert shop.seen(shop.acme) == ["one", "two"]
    shop.activations.rollback(2, author="otto", only=lambda name: name == "acme.yaml")
    assert shop.seen(shop.acme) == ["one", "two", "three"]
    assert shop.activations.rollback(0, author="otto") is not None
    assert shop.rules(shop.acme) is None
    with pytest.raises(RuleFileError, match="no activation 9"):
        shop.activations.rollback(9, author="otto")


def test_history_says_who_and_what(shop: Shop) -> None:
    shop.activate(ALL)
    shop.activate(OWN)
    shop.activate(remove=("acme.yaml",))
    found = shop.activations.history.all(name="acme.yaml")
    assert [a.number for a in found] == [3, 2]
    (gone,), (come,) = (a.switches for a in found)
    assert (come.previous, come.digest, come.scope) == ("", OWN.digest, "tenant:acme")
    assert (gone.previous, gone.digest, gone.scope) == (OWN.digest, "", "tenant:acme")
    assert [f.name for f in shop.activations.history.files(as_of=2)] == ["_all.yaml", "acme.yaml"]
    assert [f.name for f in shop.activations.history.files()] == ["_all.yaml"]


@BOTH
def test_of_two_who_activate_at_once_one_fails(shop: Shop) -> None:
    other = Activations(shop.directory, compile_, dump, shop.directory.all)

    def in_between() -> None:
        other.activate([OWN], author="otto")

    slow = Activations(shop.directory, compile_, dump, shop.directory.all, prove=in_between)
    with pytest.raises(RuleConflictError):
        slow.activate([ALL], author="olga")
    assert shop.seen(shop.acme) == ["three"]


def test_a_file_does_not_change_whom_it_is_for(shop: Shop) -> None:
    shop.activate(ALL)
    with pytest.raises(RuleFileError, match="now says tenant:acme"):
        shop.activate(RuleFile("_all.yaml", "tenant:acme", "one"))
    with pytest.raises(RuleFileError, match="'nobody', which does not exist"):
        shop.activate(RuleFile("nobody.yaml", "tenant:nobody", "one"))


def test_nothing_is_switched_without_the_proof(shop: Shop) -> None:
    def fails() -> None:
        raise RuleEngineError("not enforced")

    with pytest.raises(RuleEngineError):
        Activations(shop.directory, compile_, dump, shop.directory.all, prove=fails).activate(
            [ALL], author="o"
        )
    assert shop.rules(shop.acme) is None


@BOTH
def test_rules_that_cannot_be_read_are_no_missing_rules(shop: Shop, engine: Engine) -> None:
    shop.activate(ALL)
    with engine.begin() as connection:
        connection.execute(shop.directory.tables.rule_set.update().values(payload="{"))
    with pytest.raises(RuleEngineError, match="cannot be read"):
        shop.rules(shop.acme)
    with engine.begin() as connection:
        shop.directory.tables.rule_set.drop(connection)
    with pytest.raises(RuleEngineError, match="cannot be read"):
        shop.rules(shop.acme)


def test_an_old_value_of_a_tenant_does_not_bring_old_rules(shop: Shop) -> None:
    old = shop.acme
    shop.activate(ALL)
    assert shop.seen(old) == ["one", "two"]
    shop.activate(RuleFile("_all.yaml", "all", "nine"))
    assert shop.seen(old) == ["nine"]


def test_memory_is_bounded(shop: Shop) -> None:
    shop.activate(ALL, OWN, RuleFile("bella.yaml", "tenant:bella", "ten"))
    book = RuleBook(shop.directory, compile_, restore, size=1)
    for tenant in (shop.acme, shop.bella, shop.acme):
        book.enter(tenant)
    assert (len(book._pages), len(book._sets)) == (1, 1)
    assert ids(book.active(shop.acme)) == ["one", "two", "three"]
    assert ids(book.active(shop.bella)) == ["one", "two", "ten"]


def test_rules_are_tried_in_the_running_context_only(shop: Shop) -> None:
    shop.activate(ALL)
    with shop.book.trying(shop.acme, None):
        assert shop.book.active(shop.acme) is None
        assert shop.seen(shop.bella) == ["one", "two"]
    assert shop.seen(shop.acme) == ["one", "two"]


def test_differences_in_words() -> None:
    old = RuleFile("a.yaml", "all", "rules:\n- {id: x, cap: 1}\n- {id: y, cap: 2}\n")
    new = RuleFile("a.yaml", "all", "# why\nrules:\n- {id: z, cap: 1}\n- {id: y, cap: 3}\n")
    (found,) = differences([old], [new])
    assert found.sentence == "added z; removed x; changed y (cap)"
    assert "+- {id: z, cap: 1}" in found.lines
    (found,) = differences([new], [RuleFile("a.yaml", "all", new.text + "# more\n")])
    assert found.sentence == "comments and layout only"
    (found,) = differences([], [old])
    assert (found.added, found.lines[0]) == (("x", "y"), "--- (none)")
    assert differences([old], [old]) == []
