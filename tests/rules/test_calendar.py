"""A tenant's days begin at its own midnight: in what it reads, writes, sees and hears, on both databases."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_tenant import Tenancy, tenant_context
from flask_tenant.application import Application
from flask_tenant.errors import RuleDeniedError, RuleEngineError
from flask_tenant.evaluation.zones import day_end, day_of, day_of_text, day_start
from flask_tenant.expressions import Kind
from flask_tenant.model import Tenant
from flask_tenant.registry import state_of
from flask_tenant.rules.events.keys import period_end
from flask_tenant.rules.facts import Moment
from tests.services.databases import MakeDatabase

ZONES = {"acme": "Pacific/Auckland", "bella": "America/Havana", "carla": "Asia/Kolkata", "dora": ""}
"""Dora has none. In Havana clocks are put forward at midnight, and back at one o'clock."""

MONTH_END = datetime(2026, 3, 31, 11, 30, tzinfo=UTC)
"""Half past midnight on the first of April in Auckland, the last of March for everybody else."""
MOMENTS = (
    MONTH_END,
    datetime(2026, 3, 8, 5, 30, tzinfo=UTC),  # half past one in Havana: there was no midnight
    datetime(2026, 11, 1, 4, 30, tzinfo=UTC),  # half past midnight in Havana, for the first time of two
    datetime(2026, 4, 4, 14, 30, tzinfo=UTC),  # half past two in Auckland, for the second time
    datetime(2026, 12, 31, 18, 45, tzinfo=UTC),  # next year in Kolkata and Auckland
)
INSTANTS = sorted({at + timedelta(minutes=30 * n) for at in MOMENTS for n in range(-60, 61, 3)})

Row = tuple[int, datetime, date]


def local(at: datetime, zone: str) -> date:
    return at.astimezone(ZoneInfo(zone or "UTC")).date()


def last_of_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1) - timedelta(days=1)


FILTERS: dict[str, Callable[[datetime, date, str, datetime], bool]] = {
    "row.created_at >= today": lambda at, due, zone, now: local(at, zone) >= local(now, zone),
    "today > row.paid_at": lambda at, due, zone, now: local(at, zone) < local(now, zone),
    "row.created_at <= today - days(1)": lambda at, due, zone, now: (
        local(at, zone) <= local(now, zone) - timedelta(days=1)
    ),
    "date(row.paid_at) == date(now)": lambda at, due, zone, now: local(at, zone) == local(now, zone),
    "date(row.created_at) != today": lambda at, due, zone, now: local(at, zone) != local(now, zone),
    "row.created_at > row.due_on": lambda at, due, zone, now: local(at, zone) > due,
    "now > month_end(row.paid_at)": lambda at, due, zone, now: (
        local(now, zone) > last_of_month(local(at, zone))
    ),
    "row.due_on >= month_start(now)": lambda at, due, zone, now: due >= local(now, zone).replace(day=1),
    "month == 4 || row.id == 1": lambda at, due, zone, now: local(now, zone).month == 4 or at == INSTANTS[0],
    'tenant.timezone == "Pacific/Auckland"': lambda at, due, zone, now: zone == "Pacific/Auckland",
    "row.created_at > now": lambda at, due, zone, now: at > now,
}


class World:
    """Four tenants with the same bills, and rules that a test makes up."""

    def __init__(self, url: str, folder: Path) -> None:
        app = self.app = Flask("bills")
        app.config.update(SQLALCHEMY_DATABASE_URI=url, TENANT_THEME_FOLDER=str(folder / "themes"))
        self.themes, self.folder = folder / "themes", folder / "rules"
        for slug, zone in ZONES.items():
            self.theme(slug, f"timezone: {zone}\n" if zone else "{}\n")
        db = self.db = SQLAlchemy(app)
        self.bill = sa.Table(
            "bill",
            db.metadata,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("created_at", sa.DateTime),
            sa.Column("paid_at", sa.DateTime(timezone=True)),
            sa.Column("due_on", sa.Date),
        )
        self.tenancy = Tenancy(app)
        self.tenancy.facts.provider("roles", Kind.TEXTS)(list)
        with app.app_context():
            db.create_all()
            for slug in ZONES:
                self.state.create(slug, slug)
                with tenant_context(slug):
                    db.session.execute(self.bill.insert(), self.rows())
                    db.session.commit()

    @staticmethod
    def rows() -> list[dict[str, Any]]:
        return [
            {"id": n, "created_at": at.replace(tzinfo=None), "paid_at": at, "due_on": at.date()}
            for n, at in enumerate(INSTANTS, 1)
        ]

    @property
    def state(self) -> Application:
        return state_of(self.app)

    def theme(self, slug: str, text: str) -> None:
        (self.themes / "tenants" / slug).mkdir(parents=True, exist_ok=True)
        (self.themes / "tenants" / slug / "theme.yaml").write_text(text)

    def obey(self, rules: str, now: datetime = MONTH_END) -> None:
        """Let all tenants obey a file, and let it be some time."""
        self.at(now)
        self.folder.mkdir(exist_ok=True)
        (self.folder / "_all.yaml").write_text(f"version: 1\nscope: all\nrules:\n{rules}\n")
        found = self.type("activate", "--yes")
        assert found.exit_code == 0, found.output

    def at(self, now: datetime) -> None:
        self.state.rules._clock = lambda: now

    def type(self, *words: str) -> Any:
        with self.app.app_context():
            return self.app.test_cli_runner().invoke(
                args=["tenant", "rules", *words, "--folder", str(self.folder)]
            )

    @contextmanager
    def as_(self, slug: str) -> Iterator[None]:
        with self.app.app_context(), tenant_context(slug):
            yield
            self.db.session.rollback()

    def ids(self, slug: str, *, text: bool = False) -> list[int]:
        """The bills that a tenant sees."""
        with self.as_(slug):
            query = (
                sa.text("SELECT id FROM bill ORDER BY id")
                if text
                else sa.select(self.bill.c.id).order_by("id")
            )
            return list(self.db.session.scalars(query))

    def close(self) -> None:
        self.state.directory.close()
        with self.app.app_context():
            self.db.engine.dispose()


@pytest.fixture(scope="module")
def world(
    back_end: str, make_database: MakeDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    with make_database(back_end) as url:
        world = World(url, tmp_path_factory.mktemp("calendar"))
        yield world
        world.close()


both = pytest.mark.databases("sqlite", "postgresql+psycopg")
lite = pytest.mark.databases("sqlite")


# ---- reading
@both
@pytest.mark.parametrize("condition", FILTERS)
def test_filters_count_the_tenants_own_days(world: World, condition: str) -> None:
    world.obey(f"- id: days\n  for: {{read: bill}}\n  filter: '{condition}'")
    shown = set()
    for now in MOMENTS:
        world.at(now)
        for slug, zone in ZONES.items():
            expected = [n for n, at in enumerate(INSTANTS, 1) if FILTERS[condition](at, at.date(), zone, now)]
            assert world.ids(slug) == expected, (slug, now)
            if now is MONTH_END:
                assert world.ids(slug, text=True) == expected, slug
            shown.add(len(expected))
    assert len(shown) > 1, "a filter that never differs shows nothing"


@both
def test_two_tenants_at_one_instant(world: World) -> None:
    """Around its midnight each has the decision of its own day, also where they take turns."""
    world.obey('- {id: new-year, for: {read: bill}, when: month == 4, filter: "row.id == 1"}')
    for _ in range(2):
        assert (world.ids("acme"), len(world.ids("dora"))) == ([1], len(INSTANTS))
    world.at(MONTH_END - timedelta(minutes=31))
    assert len(world.ids("acme")) == len(INSTANTS), "it is another day"
    world.at(MONTH_END + timedelta(hours=12, minutes=31))
    assert (world.ids("acme"), world.ids("dora")) == ([1], [1])


@lite
def test_a_transaction_has_one_day(world: World) -> None:
    world.obey('- {id: april, for: {read: bill}, when: month == 4, filter: "row.id == 1"}')
    count = sa.select(sa.func.count()).select_from(world.bill)
    world.at(MONTH_END - timedelta(minutes=31))
    with world.as_("acme"):
        assert world.db.session.scalar(count) == len(INSTANTS)
        world.at(MONTH_END)
        assert world.db.session.scalar(count) == len(INSTANTS)
        world.db.session.rollback()
        assert world.db.session.scalar(count) == 1


# ---- writing
@both
def test_books_close_at_the_tenants_own_midnight(world: World) -> None:
    world.obey(
        "- {id: closed, for: {delete: bill}, when: now > month_end(row.created_at), deny: Closed.}\n"
        "- {id: dated, for: {insert: bill}, set: {due_on: today}}"
    )
    march = next(n for n, at in enumerate(INSTANTS, 1) if at.date() == date(2026, 3, 30))
    delete = world.bill.delete().where(world.bill.c.id == march)
    with world.as_("acme"), pytest.raises(RuleDeniedError, match="Closed"):
        world.db.session.execute(delete)
    with world.as_("dora"):
        assert world.db.session.execute(delete).rowcount == 1
    for slug, day in (("acme", date(2026, 4, 1)), ("bella", date(2026, 3, 31))):
        with world.as_(slug):
            world.db.session.execute(world.bill.insert().values(id=9000))
            due = sa.select(world.bill.c.due_on).where(world.bill.c.id == 9000)
            assert world.db.session.scalar(due) == day


# ---- themes, commands, cases
@lite
def test_the_theme_of_the_month(world: World) -> None:
    (world.themes / "autumn.yaml").write_text("timezone: UTC\n")
    world.obey("- {id: autumn, for: theme, when: month == 4, theme: autumn}")
    for slug, name in (("acme", "autumn"), ("bella", "")):
        with world.as_(slug):
            assert world.state.theming.current().name == name
            assert world.state.theming.current().name == name, "its zone is not the tenant's"


@lite
def test_explain(world: World) -> None:
    world.obey('- {id: april, for: {read: bill}, when: month == 4, filter: "row.created_at >= today"}')

    def explained(slug: str, *words: str) -> tuple[str, str]:
        found = world.app.test_cli_runner().invoke(
            args=["tenant", "rules", "explain", slug, "SELECT id FROM bill", "--json", *words]
        )
        assert found.exit_code == 0, found.output
        told = json.loads(found.stdout)
        return told["rules"][0]["result"], str(told["after"]["parameters"])

    result, bound = explained("acme")
    assert result == "holds"
    assert "2026-03-31 11:00:00" in bound
    assert explained("dora")[0] == "does not hold"
    assert explained("dora", "--fact", "tenant.timezone=Pacific/Auckland")[0] == "holds"
    assert explained("dora", "--fact", "now=2026-04-01T00:00:00Z")[0] == "holds"
    assert explained("acme", "--fact", "now=2026-03-31T10:59:00Z")[0] == "does not hold"
    assert explained("acme", "--fact", "now=2026-03-31T10:59:00Z", "--fact", "month=4")[0] == "holds"


CASES = """\
version: 1
given: {tenant: {timezone: Pacific/Auckland}}
cases:
- name: the day of Auckland
  for: {read: bill}
  given: {now: "2026-03-31T11:30:00Z"}
  row: {created_at: "2026-03-31T11:00:00Z"}
  expect: visible
- name: a second too early
  for: {read: bill}
  given: {now: "2026-03-31T11:30:00Z"}
  row: {created_at: "2026-03-31T10:59:59Z"}
  expect: hidden
- name: another zone
  for: {read: bill}
  given: {now: "2026-03-31T11:30:00Z", tenant: {timezone: UTC}}
  row: {created_at: "2026-03-31T10:59:59Z"}
  expect: visible
- name: a day is noon of that day
  for: {read: bill}
  given: {today: "2026-04-01", month: 4}
  row: {created_at: "2026-03-31T22:00:00Z"}
  expect: visible
"""


@lite
def test_cases_have_a_zone(world: World) -> None:
    world.obey('- {id: new, for: {read: bill}, filter: "row.created_at >= today && row.created_at <= now"}')
    cases = world.folder / "_all.cases.yaml"
    cases.write_text(CASES)
    try:
        found = world.type("test")
        assert found.exit_code == 0, found.output
        cases.write_text(CASES.replace("timezone: UTC", "timezone: Mars/Base"))
        found = world.type("test")
        assert found.exit_code == 1
        assert "_all.cases.yaml:16:10: " in found.stderr
        assert "there is no time zone 'Mars/Base'" in found.stderr
    finally:
        cases.unlink()


# ---- the tenant's zone
@lite
def test_a_colour_that_nobody_can_read_moves_no_midnight(world: World) -> None:
    world.obey('- {id: april, for: {read: bill}, when: month == 4, filter: "row.id == 1"}')
    world.theme("acme", "timezone: Pacific/Auckland\ncolours: {text: '#ffffff', background: '#fffffe'}\n")
    try:
        world.state.theming.store._kept.clear()
        assert world.state.theming.store.check(world.state.directory.get("acme")), "its colours are refused"
        assert world.ids("acme") == [1]
        world.theme("acme", "timezone: Mars/Base\n")
        world.state.theming.store._kept.clear()
        assert len(world.ids("acme")) == len(INSTANTS), "what nobody knows is no zone"
    finally:
        world.theme("acme", "timezone: Pacific/Auckland\n")
        world.state.theming.store._kept.clear()


def test_a_zone_that_the_machine_does_not_know_refuses() -> None:
    from flask_tenant.context import Scope

    moment = Moment(Scope(Tenant(1, "acme", "Acme")), MONTH_END, lambda tenant: "Mars/Base")
    with pytest.raises(RuleEngineError, match="no time zone 'Mars/Base'"):
        _ = moment.today


def test_the_zone_is_asked_once_and_not_without_need() -> None:
    from flask_tenant.context import Scope

    asked: list[str] = []

    def zone_of(tenant: Tenant) -> str:
        asked.append(tenant.slug)
        return "Pacific/Auckland"

    moment = Moment(Scope(Tenant(1, "acme", "Acme")), MONTH_END, zone_of)
    assert asked == []
    assert (moment.today, moment.today, moment.zone) == (
        date(2026, 4, 1),
        date(2026, 4, 1),
        "Pacific/Auckland",
    )
    assert asked == ["acme"]


# ---- days and periods, against what a clock in that zone shows
EVERYWHERE = (
    "UTC",
    "Pacific/Auckland",
    "America/Havana",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Apia",
)


@pytest.mark.parametrize("zone", EVERYWHERE)
def test_days_follow_each_other_without_a_gap(zone: str) -> None:
    day = date(2011, 1, 1) if zone == "Pacific/Apia" else date(2026, 1, 1)
    skipped = {date(2011, 12, 30)} if zone == "Pacific/Apia" else set()
    for _ in range(365):
        start, end = day_start(day, zone), day_end(day, zone)
        assert end == day_start(day + timedelta(days=1), zone)
        if day in skipped:
            assert start == end, "a day that there was not"
        else:
            before, last = start - timedelta(microseconds=1), end - timedelta(microseconds=1)
            assert (day_of(start, zone), day_of(last, zone)) == (day, day)
            assert day_of(before, zone) < day <= day_of(end, zone)
        day += timedelta(days=1)


@pytest.mark.parametrize("zone", EVERYWHERE)
def test_a_period_ends_when_the_clock_shows_another(zone: str) -> None:
    tz = ZoneInfo(zone)
    shows: dict[str, Callable[[datetime], Any]] = {
        "month": lambda at: (at.year, at.month),
        "day": lambda at: at.date(),
    }
    at = datetime(2026, 3, 1, 3, 17, 5, tzinfo=UTC)
    while at < datetime(2026, 11, 15, tzinfo=UTC):
        for once, what in shows.items():
            end = datetime.fromtimestamp(period_end(once, at.timestamp(), zone), UTC)
            assert end > at
            assert what((end - timedelta(seconds=1)).astimezone(tz)) == what(at.astimezone(tz))
            assert what(end.astimezone(tz)) != what(at.astimezone(tz))
        hour = datetime.fromtimestamp(period_end("hour", at.timestamp(), zone), UTC)
        assert timedelta(0) < hour - at <= timedelta(hours=1)
        if hour.astimezone(tz).utcoffset() == at.astimezone(tz).utcoffset():
            assert hour.astimezone(tz).time().replace(hour=0) == time()
        at += timedelta(hours=7, minutes=13)
    with pytest.raises(RuleEngineError, match="no period"):
        period_end("year", 0, zone)


@pytest.mark.parametrize(
    ("at", "zone", "day"),
    [
        ("2026-03-31 11:00:00.000000", "Pacific/Auckland", "2026-04-01"),
        ("2026-03-31 10:59:59.999999", "Pacific/Auckland", "2026-03-31"),
        ("2026-03-31T11:00:00Z", "Pacific/Auckland", "2026-04-01"),
        ("2026-03-31", "America/Havana", "2026-03-30"),
        ("soon", "UTC", None),
        (5, "UTC", None),
        (None, "UTC", None),
        ("2026-03-31 11:00:00", None, None),
        ("2026-03-31 11:00:00", "Mars/Base", None),
    ],
)
def test_what_sqlite_asks_never_fails(at: object, zone: object, day: str | None) -> None:
    assert day_of_text(at, zone) == day
