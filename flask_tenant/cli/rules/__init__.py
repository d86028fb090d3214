"""``flask tenant rules …``: what operators do with rule files.

show.py       findings with their lines, options that several commands have
check.py      check
trial.py      test: cases, and mutations that they have to notice
versions.py   activate, history, rollback, diff
explain.py    explain: which rules hold, which do not and why, and the SQL
dry_run.py    record and dry-run: what a candidate would change
"""

from ..frame import TenantGroup
from .check import check
from .dry_run import dry_run, record
from .explain import explain
from .trial import test
from .versions import activate, diff, history, rollback

rules = TenantGroup(
    "rules",
    help="Rules of tenants: check the files, try them, let them hold, go back.",
    short_help="Rules of tenants.",
)

for command in (check, test, explain, record, dry_run, activate, history, rollback, diff):
    rules.add_command(command)

__all__ = ["rules"]
