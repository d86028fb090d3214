"""Redis between memory and SQL: what one server has read, others need not; what one changes, all hear of.

Nothing that Redis says or fails to say decides more than where an answer comes from. See ``link`` for who is trusted
when, ``scripts`` for what is kept.
"""

from .link import Link

__all__ = ["Link"]
