"""What the edge costs a request, beside the bare application."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable

from bench.edges import calls, measure, sides

GENEROUS = 3.0
"""Share of a bare request that the edge may cost on a machine that is busy with other tests; usually 0.1 to 0.3."""

MOST_CALLS = 40
"""Calls of Python functions that the edge may add to a request by subdomain: these do not depend on the machine."""


def test_the_edge_costs_a_fraction_of_a_request(record_property: Callable[[str, object], None]) -> None:
    found = measure(turns=12, requests=60)
    for name in ("subdomain", "path"):
        more = found[name] - found["bare"]
        record_property(
            "figure", f"{name}: {more:.1f} µs more than {found['bare']:.1f} µs for a bare request"
        )
        assert more / found["bare"] < GENEROUS


def test_the_edge_adds_few_calls() -> None:
    """In a process of its own: what other tests have imported, such as metrics, follows each request too."""
    counted = multiprocessing.get_context("spawn").Pool(1)
    with counted:
        added = counted.apply(_added)
    assert any("wsgi.py" in name for name in added), "nothing of ours was called"
    assert 0 < sum(added.values()) <= MOST_CALLS, added


def _added() -> dict[str, int]:
    with sides() as asked:
        bare, with_us = calls(asked["bare"]), calls(asked["subdomain"])
    more = with_us.copy()
    more.subtract(bare)
    return {name: count for name, count in more.most_common() if count}
