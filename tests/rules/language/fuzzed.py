"""What atheris feeds: ``python -m tests.rules.language.fuzzed -max_total_time=60 CORPUS``.

It follows which lines of the reader a text reaches, and so finds texts that nobody thinks of.
"""

from __future__ import annotations

import sys
from contextlib import suppress

import atheris

with atheris.instrument_imports(include=["flask_tenant.rules", "ruamel.yaml"]):
    from flask_tenant.errors import RuleFileError
    from flask_tenant.rules.language import Source, check, dump, restore
    from flask_tenant.rules.language.findings import ConditionError
    from flask_tenant.rules.language.syntax import parse
    from tests.rules.language.world import VOCABULARY


def one(data: bytes) -> None:
    """Read one text, as a condition and as a file: it is read or refused, and nothing else ever comes of it."""
    text = data.decode("utf-8", "replace")
    with suppress(ConditionError):
        parse(text)
    try:
        ruleset = check([Source("a.yaml", text)], VOCABULARY).ruleset
    except RuleFileError as error:
        assert error.findings
    else:
        assert restore(dump(ruleset)) == ruleset


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
