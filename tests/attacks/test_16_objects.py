"""Class 16: objects that outlive their tenant, or come to another's session."""

from __future__ import annotations

import gc
import pickle
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, make_transient, make_transient_to_detached

from flask_tenant import (
    central_context,
    tenant_context,
)
from flask_tenant.errors import (
    CentralRefusedError,
    NoTenantError,
    TenantChangedError,
)
from tests.attacks.world import Country, Customer, Invoice, Setting, World, make_app

MINE = {"canary-acme-1", "canary-acme-2"}


def strangers(world: World) -> Iterator[tuple[str, Any]]:
    """A neighbour's object, in every state in which it can be handed over."""
    with world.as_("bella"):
        with Session(world.engine) as session:
            closed = session.get_one(Customer, 2)
            pickled = pickle.dumps(session.get_one(Customer, 3))
            expunged = session.get_one(Customer, 1)
            session.expunge(expunged)
        forgotten = Session(world.engine).get_one(Customer, 3)
        gc.collect()
    yield "closed", closed
    yield "expunged", expunged
    yield "forgotten", forgotten
    yield "pickled", pickle.loads(pickled)


def test_objects_of_another_tenant(world: World) -> None:
    """What a process-wide cache keeps of one tenant does not enter another's session."""
    for state, stranger in strangers(world):
        attempts: list[Callable[[Session], Any]] = [
            lambda s, o=stranger: s.add(o),
            lambda s, o=stranger: s.add_all([o]),
            lambda s, o=stranger: s.merge(o),
            lambda s, o=stranger: s.merge(o, load=False),
            lambda s, o=stranger: s.delete(o),
            lambda s, o=stranger: s.bulk_save_objects([o], update_changed_only=False),
            lambda s, o=stranger: s.add(Invoice(customer=o, number="R-99", total=1)),
            lambda s, o=stranger: s.merge(Invoice(customer=o, number="R-99", total=1)),
            lambda s, o=stranger: setattr(s.get_one(Customer, 2), "boss", o) or s.flush(),
        ]
        for number, attempt in enumerate(attempts):
            for slug in ("acme", "corto"):
                with world.as_(slug), Session(world.engine) as session:
                    with pytest.raises((TenantChangedError, sa.exc.InvalidRequestError)) as caught:
                        attempt(session)
                    if not isinstance(caught.value, TenantChangedError):
                        assert "not attached" in str(caught.value) or "not persisted" in str(caught.value), (
                            state,
                            number,
                        )
                    session.rollback()
                    assert session.get(Customer, stranger.id) is not stranger
        with pytest.raises((NoTenantError, TenantChangedError)), Session(world.engine) as session:
            session.merge(stranger)


def test_objects_of_another_session_that_is_open(world: World) -> None:
    with world.as_("bella"):
        theirs = Session(world.engine)
        stranger = theirs.get_one(Customer, 3)
    with world.as_(), Session(world.engine) as session, pytest.raises(TenantChangedError):
        session.merge(stranger)
    with world.as_(), Session(world.engine) as session:
        session.add(Customer(name="x", email="x", balance=0, boss=None))
        with pytest.raises((TenantChangedError, sa.exc.InvalidRequestError)):
            session.add(stranger)
    theirs.close()


def _forgets(session: Session, theirs: Customer) -> Any:
    session.get(Customer, 2)
    session.expunge_all()
    return session.get(Customer, 1)


def _forgets_within(session: Session, theirs: Customer) -> Any:
    with session.begin_nested():
        return _forgets(session, theirs)


def _forgets_and_goes_on(session: Session, theirs: Customer) -> Any:
    _forgets(session, theirs)
    session.rollback()
    return session.get(Customer, 1)


def _forgets_and_commits(session: Session, theirs: Customer) -> Any:
    kept = _forgets(session, theirs)
    session.commit()
    return kept


def _forgets_all_within(session: Session, theirs: Customer) -> Any:
    session.get(Customer, 2)
    with session.begin_nested():
        session.expunge_all()
    return session.get(Customer, 1)


def _adds(session: Session, theirs: Customer) -> Any:
    session.add(theirs)


def _forged(session: Session, theirs: Customer) -> Any:
    forged = Customer(id=1, name="canary-acme-1")
    make_transient_to_detached(forged)
    session.add(forged)
    return forged


HOLDING: list[Callable[[Session, Customer], Any]] = [
    _forgets,
    _forgets_within,
    _forgets_and_goes_on,
    _forgets_and_commits,
    _forgets_all_within,
    _adds,
    _forged,
    lambda session, theirs: session.merge(theirs, load=False),
    lambda session, theirs: session.add(pickle.loads(pickle.dumps(theirs))),
]


@pytest.mark.parametrize("hold", HOLDING)
def test_a_session_that_came_by_an_object_in_another_way(
    world: World, hold: Callable[[Session, Customer], Any]
) -> None:
    """Its identity map is a new one, or was filled before the session had reached the database."""
    session = Session(world.engine)
    with world.as_():
        with Session(world.engine, expire_on_commit=False) as other:
            theirs: Any = other.get(Customer, 1)
        kept = hold(session, theirs), theirs
    with world.as_("bella"):
        with pytest.raises(TenantChangedError):
            session.get(Customer, 1)
        for end in (session.close, session.expunge_all):
            end()
            found: Any = session.get(Customer, 1)
            assert found.name == "canary-bella-1"
        session.close()
    with world.as_():
        again: Any = session.get(Customer, 1)
        assert again.name == "canary-acme-1"
        session.expunge_all()
        session.commit()
    with world.as_("bella"):
        found = session.get(Customer, 1)
        assert found.name == "canary-bella-1", (
            "a session without objects is free when its transaction is over"
        )
    session.close()
    assert kept


GIVING: dict[str, Callable[[Session, Customer], Any]] = {
    "add": lambda s, o: s.add(o),
    "merge": lambda s, o: s.merge(o, load=False),
    "delete": lambda s, o: s.delete(o),
    "cascade": lambda s, o: s.add(Invoice(customer=o, number="R-99", total=1)),
    "new": lambda s, o: s.add(Setting(key="logo-2", value="canary-acme-logo")),
    "bulk": lambda s, o: s.bulk_save_objects([o], update_changed_only=False),
    "relationships": lambda s, o: s.enable_relationship_loading(o),
}


@pytest.mark.parametrize("give", GIVING)
def test_a_session_of_another_tenant_is_given_objects_of_ones_own(world: World, give: str) -> None:
    """What the process keeps here is the session: it would answer its tenant with the object, or flush it there."""
    with world.as_(), Session(world.engine) as session:
        mine = session.get_one(Customer, 1)
    for committed in (False, True):
        kept = Session(world.engine)
        with world.as_("bella"):
            kept.get_one(Customer, 2)
            if committed:
                kept.commit()
        with world.as_(), pytest.raises(TenantChangedError):
            GIVING[give](kept, mine)
        with world.as_("bella"):
            kept.rollback()
            assert not kept.new
            assert kept.get_one(Customer, 1).name == "canary-bella-1"
        kept.close()


def test_a_session_begun_for_another_tenant_is_given_objects(world: World) -> None:
    """It holds nothing yet, and its first flush would be the tenant's in which it was begun."""
    with world.as_("bella"):
        kept = Session(world.engine)
        kept.begin()
    with world.as_(), pytest.raises(TenantChangedError):
        kept.add(Setting(key="logo-2", value="canary-acme-logo"))
    with world.as_("bella"):
        kept.commit()
        assert kept.get(Setting, "logo-2") is None
    kept.close()


def test_an_entity_outside_any_tenant_stands_for_nobodys_row(world: World) -> None:
    """Of one that was pickled before there were tenants, nobody knows whose it is."""
    for give in (lambda s, o: s.add(o), lambda s, o: s.merge(o, load=False)):
        session, forged = Session(world.engine), Customer(id=1, name="anybody's")
        make_transient_to_detached(forged)
        with pytest.raises(NoTenantError):
            give(session, forged)
        with central_context(reason="a test", app=world.app), pytest.raises(CentralRefusedError):
            give(session, forged)
        session.rollback()
        for slug in ("acme", "bella"):
            with world.as_(slug):
                assert session.get_one(Customer, 1).name == f"canary-{slug}-1"
                session.close()


def test_an_identity_map_answers_its_tenant(world: World) -> None:
    with world.as_("bella"):
        session = Session(world.engine)
        known = session.get_one(Customer, 1)
    looks: list[Callable[[], Any]] = [
        lambda: session.identity_map.values(),
        lambda: session.identity_map.items(),
        lambda: session.identity_map[sa.orm.object_mapper(known).identity_key_from_instance(known)],
        lambda: list(session),
        lambda: session.get(Customer, 1),
    ]
    for look in looks:
        with world.as_(), pytest.raises(TenantChangedError):
            look()
        with pytest.raises(TenantChangedError):
            look()
        with world.as_("bella"):
            assert look()
    session.close()


def test_a_tenants_session_does_no_central_work(world: World) -> None:
    with world.as_(), Session(world.engine) as session:
        kept = session.get_one(Customer, 1)
        session.commit()
        with central_context(reason="a test", app=world.app), pytest.raises(TenantChangedError):
            session.execute(sa.select(Customer.__table__.c.name))
        assert kept in session


def test_a_session_that_was_closed_is_free(world: World) -> None:
    """The control: in the middle of a transaction, or when it was over."""
    session = Session(world.engine)
    for committed in (False, True):
        with central_context(reason="a test", app=world.app):
            assert len(session.execute(sa.select(Customer.__table__.c.name)).all()) == 9
            session.close()
        for slug in ("acme", "bella"):
            with world.as_(slug):
                kept = session.get_one(Customer, 1)
                assert kept.name == f"canary-{slug}-1"
                if committed:
                    session.commit()
                session.close()


def test_what_a_default_tenant_has_begun(world: World) -> None:
    """It is a tenant like any other: nobody else's session takes its objects, nor flushes what waits there."""
    engine = sa.create_engine(world.engine.url)
    app, _ = make_app(engine, TENANT_DEFAULT="bella")
    session = Session(engine)
    session.add(Setting(key="pending", value="canary-bella-pending"))
    with tenant_context("acme", app), pytest.raises(TenantChangedError):
        session.flush()
    session.close()
    known = session.get_one(Customer, 1)
    assert known.name == "canary-bella-1"
    with tenant_context("acme", app), pytest.raises(TenantChangedError):
        session.get(Customer, 1)
    session.close()
    with tenant_context("acme", app), Session(engine) as other, pytest.raises(TenantChangedError):
        other.add(known)
    session.add(known)
    assert session.get(Customer, 1) is known
    session.close()
    engine.dispose()


def test_a_session_that_is_older_than_the_extension(world: World) -> None:
    """Its identity map is SQLAlchemy's own when it first reaches an engine of ours."""
    session = Session(world.engine)
    session.identity_map = type(session.identity_map).__mro__[1]()
    with world.as_():
        mine = session.get_one(Customer, 1)
        session.commit()
        assert mine.name == "canary-acme-1"
    with world.as_("bella"), pytest.raises(TenantChangedError):
        session.get(Customer, 1)
    session.close()
    with world.as_("bella"), Session(world.engine) as other, pytest.raises(TenantChangedError):
        other.add(mine)


def test_an_entity_that_came_before_the_engine(world: World) -> None:
    """A session without an engine cannot know whose the entity is; the first tenant that it serves is its owner."""
    session, forged = Session(), Customer(id=1, name="acme's from now on")
    make_transient_to_detached(forged)
    session.add(forged)
    session.bind = world.engine
    with world.as_():
        assert session.get_one(Customer, 2).name == "canary-acme-2"
    session.close()
    with world.as_("bella"), Session(world.engine) as other, pytest.raises(TenantChangedError):
        other.add(forged)


def test_objects_of_ones_own_come_back(world: World) -> None:
    """The control: the same tenant's objects are taken in, and new ones whoever made them."""
    for _, known in strangers(world):
        with world.as_("bella"), Session(world.engine) as session:
            assert session.merge(known).name == known.name
            assert session.merge(known, load=False) is not None
    for _, known in strangers(world):
        with world.as_("bella"), Session(world.engine) as session:
            session.add(known)
            assert session.get(Customer, known.id) is known
            session.expunge(known)
    _, stranger = next(strangers(world))
    make_transient(stranger)
    stranger.id, stranger.email, stranger.boss_id = None, "new@example.com", None
    with world.as_(), Session(world.engine) as session:
        session.add(stranger)
        session.flush()
        session.rollback()


def test_shared_rows_are_nobodys(world: World) -> None:
    """The control: an object that stands for one may go on in any session."""
    with world.as_("bella"), Session(world.engine) as session:
        known = session.get_one(Country, "DE")
    for scope in (world.as_(), nullcontext()):
        with scope, Session(world.engine) as session:
            session.add(known)
            assert session.get(Country, "DE") is known
            assert session.merge(known) is known
