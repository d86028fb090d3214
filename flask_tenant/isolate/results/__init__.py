"""Result rules: the rows of the outermost result on their way from the driver to the application.

They are looked at as the application fetches them, so that a result that is streamed stays streamed. Here are caps,
redaction, transformation, and what is told when a result has ended. None of it keeps a secret: an aggregate or an
expression over a redacted column is another column. Masks and filters, which the database itself sees, do that.
"""

from __future__ import annotations

from .plan import Plan, plan_for
from .stream import Stream

__all__ = ["Plan", "Stream", "plan_for"]
