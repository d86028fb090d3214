"""What a new tenant may be called."""

from __future__ import annotations

import pytest

from flask_tenant.errors import SignUpError
from flask_tenant.onboarding.names import RESERVED, skeleton
from tests.onboarding.world import ASKED, Site

pytestmark = pytest.mark.databases("sqlite")

RESERVED_ONES = "www WWW admin adm1n adrnin ad-min hub bi11ing-team bllllng-team l0gin rnail wpad postrnaster"

NO_SLUGS = (
    "", "ab", "-acme", "acme-", "ac me", "acme.shop", "a" * 64, "xn--acme-6qa", "ac--me", "аcme", "ácme", "acme\n.",
    "ａｃｍｅ", "acme/..", "<script>",
)  # fmt: skip

NAMES = ("Acme", "Bücher & Söhne GmbH", "株式会社", "Ромашка", "Acme Ромашка", "O'Reilly 24/7", "Μπλε")

UNSEEN = ("", "  ", "x" * 201, "Acme\u202egnp", "Ac\u200bme", "Ac\0me", "\u3164", "Acme\u2800")

DECEIVING = (*UNSEEN, "Аcme", "Раypal")


def refused(site: Site, field: str, **asked: str) -> str:
    with pytest.raises(SignUpError) as caught:
        site.signups.request(**{**ASKED, **asked})
    assert caught.value.field == field, asked
    return caught.value.message


def test_reserved_and_what_looks_so(site: Site) -> None:
    for slug in RESERVED_ONES.split():
        assert "is reserved" in refused(site, "slug", slug=slug)
    assert site.signups.book.all() == []


def test_what_is_no_slug(site: Site) -> None:
    for slug in NO_SLUGS:
        refused(site, "slug", slug=slug)
    assert site.signups.book.all() == []


def test_taken_and_what_looks_so(site: Site) -> None:
    site.state.create("paypal", "Paypal")
    site.state.directory.rename(site.state.create("former", "Former"), "other")
    owner = site.state.create("owner", "Owner")
    site.state.directory.add_domain(owner, "theirs.shop.example")
    site.ask(slug="open-one", email="bob@example.org")
    site.signups.machine._open = False
    site.confirm()
    for slug in ("paypal", "paypa1", "paypai", "pay-pal", "former", "forrner", "theirs", "0pen-one"):
        assert "is taken, or looks like one that is" in refused(site, "slug", slug=slug)
    assert site.ask(slug="their5").slug == "their5", "a domain counts as it is"


def test_who_has_proven_nothing_keeps_no_name_from_others(site: Site) -> None:
    site.ask(email="squatter@example.org")
    first = site.box.secret()
    site.ask(email="ada@example.org")
    assert site.confirm().state == "trial"
    with pytest.raises(SignUpError, match="is taken"):
        site.signups.verify(first, "a password of the squatter")
    assert site.accounts.people.by_email("squatter@example.org") is None, "nothing was kept of it"


def test_names_for_people(site: Site) -> None:
    for number, name in enumerate(NAMES):
        assert site.ask(tenant_name=f"  {name} ", slug=f"place-{number}x").tenant_name == name
    for name in DECEIVING:
        refused(site, "tenant_name", tenant_name=name)
    for name in UNSEEN:
        refused(site, "person_name", person_name=name)


def test_skeletons() -> None:
    assert skeleton("paypal") == skeleton("paypa1") == skeleton("pay-pal") != skeleton("payroll")
    for one, like in (
        ("clown", "c1own"),
        ("clown", "c-lown"),
        ("down", "ciown"),
        ("wide", "v-vide"),
        ("mine", "r-nine"),
    ):
        assert skeleton(one) == skeleton(like), like
    assert len({skeleton(word) for word in RESERVED}) > 0.9 * len(RESERVED)
