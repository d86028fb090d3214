"""The benchmark runs, its sides do the same work, and its intervals are what they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from bench.cases import BACK_ENDS, CASES
from bench.figures import interval
from tests.services.availability import FULL
from tests.services.postgres import PostgresServer

ONE_OF_EACH = [
    "get_orm",
    "raw_driver",
    "page",
    "compile_list",
    "miss_key",
    "create_tenant",
]
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.once
@pytest.mark.parametrize("on", BACK_ENDS)
def test_quick_run(on: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if on == "postgresql":
        _: PostgresServer = request.getfixturevalue("postgres_server")  # skips, or fails in CI, without one
    written = tmp_path / "figures.json"
    # One case of each kind; all of them in the long run.
    cases = [c.method for c in CASES if on in c.back_ends] if FULL else ONE_OF_EACH
    command = [sys.executable, "-m", "bench", "--quick", "--on", on, "--json", str(written), *cases]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr

    figures = json.loads(written.read_text())["figures"]
    assert {f["case"] for f in figures} == set(cases)
    for figure in figures:
        assert figure["time"]["value"] > 0
        if figure["kind"] not in ("miss", "tenant"):
            assert figure["hand"] or figure["plain"], figure["case"]
        if figure["target"] is not None:
            assert figure["passed"] in (True, False)
    assert "targets met" in done.stdout
    assert written.with_suffix(".svg").read_text().startswith("<svg")


def test_interval_holds_the_truth_as_often_as_it_says() -> None:
    random = Random(7)
    held = 0
    for _ in range(60):
        layouts = [random.gauss(1.0, 0.02) for _ in range(8)]
        runs = [[random.gauss(layout, 0.05) for _ in range(12)] for layout in layouts]
        found = interval(runs, resamples=300)
        held += found.low <= 1.0 <= found.high
    assert held >= 50


def test_interval_knows_a_difference() -> None:
    random = Random(7)
    runs = [[random.gauss(1.2, 0.05) for _ in range(30)] for _ in range(6)]
    assert interval(runs).low > 1.1
