"""Cases: what rules are expected to do, in examples beside the rule file.

schema.json   the published notation
notation.py   reads ``NAME.cases.yaml``
outcome.py    what rules do in a case, worked out without a database
judge.py      whether that is what was expected
mutation.py   breaks each rule in turn: a case has to notice
"""

from .judge import Verdict, judge
from .mutation import Mutant, mutants, survivors
from .notation import Case, read_cases, schema
from .outcome import Decide, Outcome, holds, outcome

__all__ = [
    "Case",
    "Decide",
    "Mutant",
    "Outcome",
    "Verdict",
    "holds",
    "judge",
    "mutants",
    "outcome",
    "read_cases",
    "schema",
    "survivors",
]
