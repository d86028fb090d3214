"""The application was written before anybody thought of tenants; three statements make the difference."""

from __future__ import annotations

import ast
from pathlib import Path


def test_no_file_but_one_mentions_tenants(sources: list[Path]) -> None:
    telling = [
        path.name
        for path in sources
        if "tenan" in path.read_bytes().decode("utf-8").lower() or "saas" in path.read_text("utf-8").lower()
    ]
    assert telling == ["saas.py"]


def test_tenancy_takes_three_statements(sources: list[Path]) -> None:
    (saas,) = [path for path in sources if path.name == "saas.py"]
    text = saas.read_text()
    assert len(ast.parse(text).body) == 3
    assert len([line for line in text.splitlines() if line.strip()]) <= 7
