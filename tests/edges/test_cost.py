"""What the edge costs a request, measured beside the bare application."""

from __future__ import annotations

from collections.abc import Callable

from bench.edges import measure

GENEROUS = 3.0
"""Share of a bare request that the edge may cost on a machine that is busy with other tests; usually 0.2 to 0.4."""


def test_the_edge_costs_a_fraction_of_a_request(record_property: Callable[[str, object], None]) -> None:
    found = measure(turns=12, requests=60)
    for name in ("subdomain", "path"):
        more = found[name] - found["bare"]
        record_property(
            "figure", f"{name}: {more:.1f} µs more than {found['bare']:.1f} µs for a bare request"
        )
        assert more / found["bare"] < GENEROUS
