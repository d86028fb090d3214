"""What the edge costs a request, beside the bare application."""

from __future__ import annotations

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
    with sides() as asked:
        bare, with_us = calls(asked["bare"]), calls(asked["subdomain"])
    added = with_us - bare
    assert any("wsgi.py" in name for name in added), "nothing of ours was called"
    assert 0 < with_us.total() - bare.total() <= MOST_CALLS, added.most_common()
