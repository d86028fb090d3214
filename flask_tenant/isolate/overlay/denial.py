"""What a statement gets that rules deny."""

from __future__ import annotations

from ...decision import Denial, Ruling
from ...errors import RuleDeniedError
from ...evaluation import evaluate
from ...translations import Message


def denied(denial: Denial, table: str, ruling: Ruling) -> RuleDeniedError:
    """Return the error for reading a table.

    A denial for some rows denies all of them: which rows a statement is about is known only by reading them. Its
    message can name what the request gives, and no row's values.
    """
    parts = [
        part if isinstance(part, str) else evaluate(part, values=ruling.values) for part in denial.message
    ]
    message = "".join("" if part is None else str(part) for part in parts)
    return RuleDeniedError(
        message or Message("The rules do not let %(table)r be read here", table=table),
        rule=denial.rule,
        value=table,
        hint="See 'flask tenant rules explain'",
    )
