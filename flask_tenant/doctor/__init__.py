"""``flask tenant doctor``: attacks the running application with two canary tenants in a scratch copy, and reports.

checks     what can be seen without calling anything
scratch    a copy of the schema without the tenants' rows
child      the process that examines: guard, fill, rounds, attacks
show       the report
"""

from __future__ import annotations
