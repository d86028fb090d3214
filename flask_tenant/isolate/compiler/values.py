"""The tenant's id as a bound value: put in by us when the statement executes, out of the application's reach."""

from __future__ import annotations

from typing import Any, cast

from ..hidden import STAMP, STAMP_KEY, WHERE, WHERE_KEY
from .base import Base

_OURS = ((WHERE, WHERE_KEY), (STAMP, STAMP_KEY))


class ValuesMixin(Base):
    """Takes our two parameters out of the compiled form's own list, so that nobody's parameter of that name counts
    and a thousand rows cost a thousand dictionary stores instead of a thousand look-ups."""

    ft_keys: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self.ft_keys = tuple(key for bind, key in _OURS if self.bind_names.pop(bind, None) is not None)
        if self.string is not None:
            self._ft_verify()

    def construct_params(self, *args: Any, **kw: Any) -> Any:
        values = cast("dict[str, Any]", super().construct_params(*args, **kw))
        if self.ft_keys:
            tenant_id = self.wall.tenant_id()
            for key in self.ft_keys:
                values[key] = tenant_id
        return values

    def _ft_verify(self) -> None:
        """The last look at a finished statement; TextMixin says what it looks for."""
