"""Write rules: every row that a statement writes is looked at, and the statement is undone when a rule forbids one.

There is one way, whether a statement comes from the ORM, Core, ``text()``, ``exec_driver_sql`` or a cursor of the
driver's own: at the driver, in a savepoint, it runs with a RETURNING that shows what it really wrote, with the
server's defaults and whatever it computed. Where rules ask for rows as they were before an UPDATE, it is undone, the
rows are read and locked, and it runs again. Values that rules put in are written by key afterwards. A statement on a
table without write rules passes by all this.
"""

from __future__ import annotations

from .run import Writing
from .shape import READS, Shape, shape_of, shape_of_text
from .watch import Watch, watch_for

__all__ = ["READS", "Shape", "Watch", "Writing", "shape_of", "shape_of_text", "watch_for"]
