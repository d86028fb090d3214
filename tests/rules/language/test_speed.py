"""What checking and loading cost: a thousand tenants with twenty rules each, at full length; a few of them else."""

from __future__ import annotations

import resource
import time

from flask_tenant.rules.language import Source, check, dump, restore
from tests.rules.language.world import VOCABULARY, rules
from tests.services.availability import FULL

TENANTS = 1000 if FULL else 25
SHARE = TENANTS / 1000
LENIENT = 1 if FULL else 4
"""Few are measured on a machine that does other things at the same time."""


def file(tenant: int) -> str:
    """Twenty rules, in the manner of the documentation, that no other tenant has quite like that."""
    found = []
    for number in range(0, 20, 5):
        found.append(f"""\
- id: recent-{number}
  for: {{read: invoice}}
  unless: '"auditor" in roles'
  filter: row.issued_on >= today - days({30 + tenant})
- id: own-{number}
  for: {{read: ticket}}
  filter: row.owner_id == user.id || ("agent" in roles && row.state == "open{tenant}")
- id: tax-{number}
  for: {{read: customer}}
  unless: '"accounting{tenant}" in roles'
  mask: {{tax_id: empty, phone: last(4)}}
- {{id: limits-{number}, for: {{read: "*"}}, when: channel == "api", cap: {1000 + tenant}}}
- id: closed-{number}
  for: {{delete: [invoice, payment]}}
  when: now > month_end(row.issued_on) || plan == "{tenant}"
  deny: "Books for {{row.issued_on}} are closed."
""")
    return rules("".join(found), f"{{tenant: t{tenant}}}")


def test_a_thousand_files_are_checked_in_forty_seconds_and_their_sets_loaded_in_five_seconds() -> None:
    files = [Source(f"t{tenant}.yaml", file(tenant)) for tenant in range(TENANTS)]
    check(files[:1], VOCABULARY)  # the grammar and the schema are read once
    before = time.process_time()
    stored = [dump(check([each], VOCABULARY).ruleset) for each in files]
    checking = time.process_time() - before
    assert len({*stored}) == TENANTS
    assert checking <= 40 * SHARE * LENIENT, f"{checking:.1f} s"
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    before = time.process_time()
    loaded = [restore(each) for each in stored]
    loading = time.process_time() - before
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
    assert {len(each.rules) for each in loaded} == {20}
    assert loading <= 5 * SHARE * LENIENT, f"{loading:.1f} s"
    assert grown <= 300 * SHARE * LENIENT, f"{grown:.0f} MB"
    print(f"{TENANTS} files: checked in {checking:.1f} s, loaded in {loading:.2f} s, {grown:.0f} MB")  # noqa: T201


def test_equal_conditions_of_two_sets_are_one_object() -> None:
    one, other = (restore(dump(check([Source("a", file(7))], VOCABULARY).ruleset)) for _ in range(2))
    assert one == other
    assert one.guards[0].test is other.guards[0].test
    assert one.facts is other.facts
