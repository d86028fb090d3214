"""What SQL text writes, read from its words."""

from __future__ import annotations

import pytest

from flask_tenant.isolate.writing import shape_of_text


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("UPDATE t SET a = 1 WHERE id = 1", {"a"}),
        (
            "UPDATE t SET a = f(id, 2), b = (SELECT id FROM u WHERE u.id = t.id) FROM v WHERE id = 1",
            {"a", "b"},
        ),
        ('UPDATE t AS x SET (a, b) = (1, 2), "C" = 3 RETURNING id', {"a", "b", "C"}),
        (
            "INSERT INTO t (id, a) VALUES (1, 2) ON CONFLICT (id) DO UPDATE SET a = excluded.a WHERE t.id = 1",
            {"a"},
        ),
        ("DELETE FROM t WHERE id = 1", set()),
    ],
)
def test_assigned(sql: str, names: set[str]) -> None:
    assert {name for name in shape_of_text(sql, "postgresql", "none").assigned if name} == names
