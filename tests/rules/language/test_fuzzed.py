"""A minute of atheris over the reader of rule files, at full length and where it is installed."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.rules.language.test_properties import EXAMPLES, HEADER
from tests.services.availability import FULL

SECONDS = int(os.environ.get("TENANCY_FUZZ_SECONDS", "60"))


@pytest.mark.once
@pytest.mark.skipif(not FULL, reason="takes a minute: only in the long run")
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris is not installed: pip install atheris"
)
@pytest.mark.timeout(SECONDS + 120)
def test_nothing_comes_of_a_text_but_rules_or_a_refusal(tmp_path: Path) -> None:
    for number, rule in enumerate(EXAMPLES):
        (tmp_path / f"{number}.yaml").write_text(HEADER + rule)
    command = [sys.executable, "-m", "tests.rules.language.fuzzed", f"-max_total_time={SECONDS}", "-timeout=10",
               "-max_len=4096", "-rss_limit_mb=2048", f"-artifact_prefix={tmp_path}/", str(tmp_path)]  # fmt: skip
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr[-5000:]
    assert "Done" in found.stderr, found.stderr[-2000:]
