"""The tenant's id as a bound value: put in by us when the statement executes, out of the application's reach."""

from __future__ import annotations

from typing import Any

from ...context import _scope
from ...errors import StatementRefusedError
from ..hidden import STAMP, STAMP_KEY, WHERE, WHERE_KEY
from .base import Base

_OURS = ((WHERE, WHERE_KEY), (STAMP, STAMP_KEY))


class ValuesMixin(Base):
    """Takes our two parameters out of the compiled form's own list, so that nobody's parameter of that name counts
    and a thousand rows cost a thousand dictionary stores instead of a thousand look-ups."""

    ft_keys: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kw: Any) -> None:
        if kw.get("schema_translate_map"):
            # resolved at execution only, and may point anywhere
            raise StatementRefusedError(
                "schema_translate_map inside a tenant",
                value=kw["schema_translate_map"],
                hint="The tenant's placement decides the schema; drop the option",
            )
        super().__init__(*args, **kw)
        self.ft_keys = tuple(key for bind, key in _OURS if self.bind_names.pop(bind, None) is not None)

    def construct_params(self, *args: Any, **kw: Any) -> Any:
        values: Any = super().construct_params(*args, **kw)
        if self.ft_keys:
            # The wall has admitted the statement for this scope; a thousand rows come by here one by one.
            scope = _scope.get()
            tenant_id = scope.tenant_id if scope is not None else None
            if not tenant_id:
                tenant_id = self.wall.tenant_id()
            for key in self.ft_keys:
                values[key] = tenant_id
        return values
